"""The transformers class of a task: its settings, and a linear head as its tensors.

xadapt's head is one linear map of the states. `task_class` gives the tensors with which the class
of transformers for the same task computes the same logits. Where a class has further layers before
its last linear, they are made to change nothing:

- BERT, RoBERTa and XLM-R have a linear layer and tanh before the classifier. The layer gets
  ``2^-14`` times the identity, and the classifier ``2^14`` times the weights. For a state ``x``,
  tanh then changes the value by a share of ``(2^-14 x)^2 / 3``, which is below the precision of
  fp32 for states up to 10. Powers of two add no rounding.
- DeBERTa-v2's settings name the function of that layer, and it may be linear.
- DistilBERT has a ReLU there. The bias of the layer gets the bound that the last norm sets to the
  states, so that all sums are positive, and the classifier's bias takes it away again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.frozen_model import FrozenModel
from xadapt.backbones.seq2seq.seq2seq import AUTO, Seq2Seq
from xadapt.core.errors import UserError
from xadapt.heads.head import PROBLEM_TYPES, Head

MLM, MASKED = "mlm", "AutoModelForMaskedLM"
TEXT_TO_TEXT = "text_to_text"
SMALL = 2.0**-14
CLASSES = {
    "tagging": ("AutoModelForTokenClassification", "TOKEN_CLS"),
    "classification": ("AutoModelForSequenceClassification", "SEQ_CLS"),
    "pair_classification": ("AutoModelForSequenceClassification", "SEQ_CLS"),
    "multi_label": ("AutoModelForSequenceClassification", "SEQ_CLS"),
    "pair_scoring": ("AutoModelForSequenceClassification", "SEQ_CLS"),
    "candidate_ranking": ("AutoModelForSequenceClassification", "SEQ_CLS"),
    "span_extraction": ("AutoModelForQuestionAnswering", "QUESTION_ANS"),
}
MODEL_TYPES = ("bert", "roberta", "xlm-roberta", "deberta-v2", "distilbert")
PAIRS = ("pair_classification", "pair_scoring", "candidate_ranking", "span_extraction")
"""The tasks whose rows have two segments."""


@dataclass(frozen=True)
class TaskClass:
    """A class of transformers for one task, with the head's tensors in it.

    Attributes:
        task: The kind of head, ``mlm``, or ``text_to_text``.
        auto: Name of the Auto class, such as ``AutoModelForTokenClassification``.
        prefix: Name of the plain encoder in the class, such as ``bert``; empty for the class of a
            whole encoder-decoder.
        peft_type: peft's name of the task; ``None`` if it has none.
        settings: Settings of the class, such as the labels, as ``from_pretrained`` takes them.
        tensors: Tensors of the head by their names in the class.
    """

    task: str
    auto: str
    prefix: str
    peft_type: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    tensors: Mapping[str, Tensor] = field(default_factory=dict)

    @property
    def saved(self) -> list[str]:
        """The names of the submodules that hold the head, as peft's ``modules_to_save``."""
        inner = [name.removeprefix(f"{self.prefix}.") for name in self.tensors]
        return list(dict.fromkeys(name.partition(".")[0] for name in inner))


def class_name(model_type: str, task: str) -> str | None:
    """Return the Auto class that holds a task's head exactly; ``None`` if there is none.

    Args:
        model_type: ``config.model_type`` of the base.
        task: The kind of head, ``mlm``, or ``text_to_text``.
    """
    if task in (MLM, TEXT_TO_TEXT):
        return MASKED if task == MLM else AUTO
    return CLASSES[task][0] if task in CLASSES and model_type in MODEL_TYPES else None


def class_of(base: FrozenModel, head: Head | None, objectives: list[str]) -> TaskClass | None:
    """Return the class of the task that a module is for; ``None`` if there is none.

    A module of an encoder-decoder is for the class that writes texts. A module with a head is for
    the head's task. A module that was trained by ``mlm`` alone is for the base's own
    masked-language-model head. All others are for vectors.

    Args:
        base: The base.
        head: The head that was trained with the module.
        objectives: Names of the objectives of the module.
    """
    if isinstance(base, Seq2Seq):
        return TaskClass(TEXT_TO_TEXT, AUTO, "", "SEQ_2_SEQ_LM")
    if head is not None:
        return None if refuses(base, head) else task_class(base, head)
    return masked_class(base) if objectives == [MLM] else None


def masked_class(encoder: Encoder) -> TaskClass | None:
    """Return the class with the base's masked-language-model head; ``None`` without such a head."""
    prefix = str(encoder.model.base_model_prefix)
    try:
        encoder.mlm_head()
    except UserError:
        return None
    return TaskClass(MLM, MASKED, prefix)


def refuses(encoder: Encoder, head: Head) -> str | None:
    """Return the reason why no class of transformers computes a head exactly, or ``None``."""
    if head.task not in CLASSES or type(head) is not Head:
        return f"transformers has no class with a head for {head.task}"
    model_type = str(encoder.model.config.model_type)  # type: ignore[union-attr]
    if model_type == "modernbert":
        return "transformers' class has a layer and a norm before its classifier"
    if model_type in MODEL_TYPES:
        return None
    return f"transformers' class for {head.task} on {model_type} reads a decoder, or is absent"


def task_class(encoder: Encoder, head: Head) -> TaskClass:
    """Return the class for a head that `refuses` nothing of."""
    auto, peft_type = CLASSES[head.task]
    prefix = str(encoder.model.base_model_prefix)
    with torch.no_grad():
        weight, bias = scaled(head)
        more: dict[str, Any] = {}
        if head.task == "tagging":
            tensors = _linear("classifier", weight, bias)
        elif head.task == "span_extraction":
            tensors = _linear("qa_outputs", weight, bias)
        else:
            tensors, more = _sequence(encoder, prefix, weight, bias)
    names = dict(enumerate(head.labels))
    settings = {
        "num_labels": len(names),
        "id2label": names,
        "label2id": {label: number for number, label in names.items()},
        **({"problem_type": PROBLEM_TYPES[head.task]} if head.task in PROBLEM_TYPES else {}),
        **more,
    }
    if head.task == "span_extraction":  # the class has two outputs and no names for them
        settings = {"num_labels": len(names)}
    return TaskClass(head.task, auto, prefix, peft_type, settings, tensors)


def scaled(head: Head) -> tuple[Tensor, Tensor]:
    """Return a head's weight and bias; of a head with a scale, such that its score is on it."""
    linear = head.linear
    weight, bias = linear.weight.detach().float().cpu(), linear.bias.detach().float().cpu()
    if head.scale is None:
        return weight, bias
    low, high = head.scale
    return weight * (high - low), bias * (high - low) + low


def _sequence(
    encoder: Encoder, prefix: str, weight: Tensor, bias: Tensor
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors and settings of a classifier of the first token's state."""
    width = weight.shape[1]
    one, none = torch.eye(width), torch.zeros(width)
    model_type = str(encoder.model.config.model_type)  # type: ignore[union-attr]
    if model_type == "deberta-v2":
        tensors = {**_linear("pooler.dense", one, none), **_linear("classifier", weight, bias)}
        return tensors, {"pooler_hidden_act": "linear", "pooler_hidden_size": width}
    if model_type == "distilbert":
        bound = _bound(encoder.model)
        tensors = _linear("pre_classifier", one, bound)
        return {**tensors, **_linear("classifier", weight, bias - weight @ bound)}, {}
    if model_type == "bert":
        first, last = f"{prefix}.pooler.dense", "classifier"
    else:
        first, last = "classifier.dense", "classifier.out_proj"
    return {**_linear(first, one * SMALL, none), **_linear(last, weight / SMALL, bias)}, {}


def _bound(model: nn.Module) -> Tensor:
    """Return the largest size of each feature after DistilBERT's last norm, ``(width,)``."""
    layers = model.get_submodule("transformer.layer")
    norm = layers[-1].output_layer_norm  # type: ignore[index, union-attr]
    weight, bias = norm.weight.detach().float().cpu(), norm.bias.detach().float().cpu()
    found: Tensor = weight.abs() * len(weight) ** 0.5 + bias.abs()
    return found


def _linear(name: str, weight: Tensor, bias: Tensor) -> dict[str, Tensor]:
    return {f"{name}.weight": weight.contiguous(), f"{name}.bias": bias.contiguous()}
