"""The plain transformers model of a base, as other libraries load it."""

from __future__ import annotations

import json
import logging
import shutil
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
import transformers
from torch import Tensor, nn

from xadapt.backbones.families import family_of
from xadapt.backbones.task_class import TaskClass

CONFIG = "adapter_config.json"


def load(base_path: str) -> Any:
    """Load the base in float32 and eval mode, with the class of its family.

    Args:
        base_path: Hub id or folder of the base.
    """
    model_type = transformers.AutoConfig.from_pretrained(base_path).model_type
    family = family_of(model_type, base_path)
    # A T5 has an encoder class of its own; the others come whole.
    loader = getattr(transformers, "AutoModel" if family.inside else family.loader)
    return loader.from_pretrained(base_path, dtype=torch.float32).eval()


def last_states(model: nn.Module, token_ids: Tensor, mask: Tensor) -> Tensor:
    """Compute states after the encoder's last layer, ``(batch, tokens, width)``, float32.

    Args:
        model: A transformers model, or a PEFT model around one.
        token_ids: Ids ``(batch, tokens)``.
        mask: 1 where a token is real, ``(batch, tokens)``.
    """
    config: Any = model.config
    if config.is_encoder_decoder and config.model_type == "m2m_100":
        model = model.get_encoder()  # type: ignore[operator]
    with torch.no_grad():
        out = model(input_ids=token_ids, attention_mask=mask)
    result: Tensor = out.last_hidden_state
    return result.float()


def load_class(location: Path | str, task: TaskClass) -> Any:
    """Load the class of a task in float32 and eval mode, with the task's settings.

    Args:
        location: Hub id or folder of the base, or of a model of this class.
        task: The class.
    """
    loader = getattr(transformers, task.auto)
    return loader.from_pretrained(str(location), dtype=torch.float32, **task.settings).eval()


def logits(model: nn.Module, inputs: Mapping[str, Tensor]) -> Tensor:
    """Compute the logits of a task, float32; of answers ``(batch, tokens, 2)``, start and end.

    Args:
        model: A model of a task's class, or a model of another library around one.
        inputs: The arguments of its forward.
    """
    with torch.no_grad():
        out = model(**inputs)
    start = getattr(out, "start_logits", None)
    found = out.logits if start is None else torch.stack([start, out.end_logits], -1)
    result: Tensor = found.float()
    return result


def difference(theirs: Tensor, ours: Tensor) -> float:
    """Return the largest difference; where the largest value is above 1, as a share of it."""
    return float((theirs - ours).abs().max() / ours.abs().max().clamp(min=1.0))


@contextmanager
def without_noise() -> Iterator[None]:
    """Silence warnings and progress bars of other libraries, which concern unused heads."""
    bars = transformers.utils.logging.is_progress_bar_enabled()
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    transformers.utils.logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
        if bars:
            transformers.utils.logging.enable_progress_bar()


@contextmanager
def naming_base(folder: Path | str, base_path: str) -> Iterator[Path]:
    """Make a copy of a module's folder whose settings name the base at ``base_path``.

    The published settings name the base by its Hub id. A library that follows this name can be
    tested with the copy where the same base is a folder, and without a network.
    """
    with TemporaryDirectory() as temporary:
        copy = Path(temporary) / "module"
        shutil.copytree(folder, copy)
        for name, key in (
            (CONFIG, "base_model_name_or_path"),
            ("sentence_bert_config.json", "tokenizer_name_or_path"),
        ):
            file = copy / name
            if file.is_file():
                settings = json.loads(file.read_text(encoding="utf-8"))
                settings[key] = base_path
                if name == CONFIG:
                    settings["revision"] = None
                file.write_text(json.dumps(settings), encoding="utf-8")
        yield copy
