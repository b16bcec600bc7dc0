"""Small encoder-decoders for training: tokenizers that end rows, with sentinels or languages."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import torch
from tiny_seq2seq import tiny_model
from tiny_training import WORDS, WORTE, pairs
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from torch import nn
from transformers import PreTrainedTokenizerFast

from xadapt.backbones.seq2seq.seq2seq import Seq2Seq
from xadapt.config.recipe import TrainSpec
from xadapt.data.records import TextToText
from xadapt.hub.manifest import Manifest, ModuleSpec, build_manifest
from xadapt.injection.attachment import model_shape
from xadapt.modules.storage import build, options_of
from xadapt.training.loop import Trainer
from xadapt.training.settings import Run
from xadapt.training.tasks import Task

SPECIAL = ("<pad>", "</s>", "<unk>", "<s>")
SENTINELS = tuple(f"<extra_id_{n}>" for n in range(4))
LANGUAGES = ("eng_Latn", "deu_Latn")
MORE = "translate English to German : . <A> </A> yes no".split()  # noqa: SIM905


@cache
def words_tokenizer(extra: tuple[str, ...] = SENTINELS) -> PreTrainedTokenizerFast:
    """A tokenizer of whole words that ends rows as T5's does."""
    every = dict.fromkeys([*SPECIAL, *WORDS, *WORTE, *MORE])
    inner = Tokenizer(models.WordLevel({w: i for i, w in enumerate(every)}, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    inner.post_processor = processors.TemplateProcessing(
        single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)]
    )
    found = PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="<pad>", eos_token="</s>", unk_token="<unk>",
        bos_token="<s>", model_max_length=64,
        model_input_names=["input_ids", "attention_mask"],
    )  # fmt: skip
    found.add_special_tokens({"additional_special_tokens": list(extra)})
    return found


def small(family: str = "t5", **changes: Any) -> Seq2Seq:
    """A base in memory: T5 with sentinels, or a translation model with tokens of languages."""
    tokenizer = words_tokenizer(SENTINELS if family in ("t5", "mt5") else LANGUAGES)
    model = tiny_model(family, vocab_size=len(tokenizer), **changes)
    return Seq2Seq(model, tokenizer, family)


def small_folder(folder: Path, family: str = "t5", **changes: Any) -> Path:
    """The same base in a folder."""
    base = small(family, **changes)
    base.model.save_pretrained(folder)
    base.tokenizer.save_pretrained(folder)
    return folder


def rows(n: int, seed: int = 0) -> list[TextToText]:
    """Rows whose target says whether each word of the source is an animal."""
    animals = {"cat", "dog", "paka", "mbwa", "query"}
    found = []
    for pair in pairs(n, seed):
        said = " ".join("yes" if word in animals else "no" for word in pair.pivot.split())
        found.append(TextToText(pair.pivot, said, "en", origin=pair.origin))
    return found


def module_of(seq2seq: Seq2Seq, kind: str = "lora", **options: Any) -> nn.Module:
    """A new module."""
    if kind == "lora":
        options = {"sites": ["q", "v", "cross_q", "cross_v"], "rank": 2, **options}
    return build(kind, options, model_shape(seq2seq), seed=1)


def shaken(module: nn.Module, seed: int = 3) -> nn.Module:
    """The module with random values, so that it acts."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for value in module.parameters():
            value.add_(torch.randn(value.shape, generator=generator) * 0.3)
    return module


def manifest_of(seq2seq: Seq2Seq, module: Any, **more: Any) -> Manifest:
    """The manifest of a module that learnt to write texts."""
    fields: dict[str, Any] = {
        "name": "en_text",
        "base": {
            "id": "org/base",
            "model_type": seq2seq.model.config.model_type,
            "fingerprint": seq2seq.identity.to_dict(),
        },
        "module": ModuleSpec(kind=module.kind, options=options_of(module).model_dump(mode="json")),
        "objectives": ["text_to_text"], "recipe": {}, "languages": ["en"], "backbone": "seq2seq",
        "max_length": 64, "dtype": "float32", "created": "2026-01-01",
        "licence": "apache-2.0", **more,
    }  # fmt: skip
    return build_manifest(**fields)


def trainer(
    folder: Path,
    seq2seq: Seq2Seq,
    tasks: list[Task],
    module: nn.Module,
    run: dict[str, Any] | None = None,
    inside: tuple[nn.Module, ...] = (),
    **spec: Any,
) -> Trainer:
    """A run on a small base."""
    settings = {"batch_size": 8, "batch_tokens": 200, "warmup": 0.0, "evaluations": 1, **spec}
    own = Run(TrainSpec(**settings), folder, show=False, **(run or {}))
    return Trainer(seq2seq, module, tasks, own, None, inside)
