"""Comparison of a written folder in xadapt and in every importable library."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.frozen_model import FrozenModel
from xadapt.backbones.seq2seq.seq2seq import Seq2Seq
from xadapt.backbones.task_class import MLM, PAIRS, TaskClass, class_of
from xadapt.core.errors import UserError
from xadapt.heads.head import PROBLEM_TYPES, Head
from xadapt.injection.activation import Activation, ActiveAdapter
from xadapt.integrations import (
    adapters,
    peft,
    plain,
    sentence_transformers,
    transformers_peft,
    verify_seq2seq,
)
from xadapt.integrations.plain import difference
from xadapt.integrations.verify_seq2seq import MERGED

BRIDGES = {b.NAME: b for b in (adapters, peft, transformers_peft, sentence_transformers)}
LARGE = 32 * 1024**2
"""Bytes of a base from which a library's copy of it is freed at once."""

Compare = Callable[[Path], float]


def callbacks(
    encoder: FrozenModel,
    module: nn.Module,
    base_path: str,
    texts: Sequence[str],
    head: Head | None = None,
    objectives: Sequence[str] = (),
) -> dict[str, Compare]:
    """Make a function for each library, from a folder to the largest difference from xadapt.

    A module for a task is compared by the logits of the task, through the class of transformers or
    the head of adapters that a user loads. Of other modules, sentence-transformers is compared by
    its vectors. So tokenizer, prompt and pooling are compared too. The other libraries are compared
    by hidden states at real tokens. The difference is absolute. Where the largest value is above
    1, the difference is a share of that value, because rounding errors in fp32 grow with values.

    Args:
        encoder: The base in float32 on the CPU.
        module: The module, on the CPU.
        base_path: Hub id or folder of the same base.
        texts: Texts to compare on, of different lengths.
        head: The task head of the module.
        objectives: The objectives of the module.

    Returns:
        The functions by library. ``merged`` is for a folder with the base and the module in its
        weights, loaded by transformers.

    Raises:
        UserError: If the encoder is not in float32. Rounding in another dtype could hide a
            difference or cause a false one.
    """
    if encoder.precision != "float32" or encoder.device.type != "cpu":
        raise UserError(
            "loaders are compared in float32 on the CPU", todo="Load the base with dtype float32"
        )
    task = class_of(encoder, head, list(objectives))
    usable = {n: b for n, b in BRIDGES.items() if b.available() is None}
    if isinstance(encoder, Seq2Seq):
        return verify_seq2seq.callbacks(encoder, module, base_path, texts)
    if task is not None:
        usable.pop(sentence_transformers.NAME, None)
        return _by_logits(encoder, module, base_path, texts, task, head, usable)
    return _by_states(encoder, module, base_path, texts, usable)


def unusable() -> dict[str, str | None]:
    """Return each library with the reason why it can't be used here, or ``None``."""
    return {name: bridge.available() for name, bridge in BRIDGES.items()}


def vectors_by_loader(
    encoder: Encoder,
    base_path: str,
    texts: Sequence[str],
    head: Head | None = None,
    objectives: Sequence[str] = (),
) -> dict[str, Callable[[Path], Tensor]] | None:
    """Make a function for each library, from a folder to the vectors of some texts.

    sentence-transformers pools itself. The states of the other libraries are pooled as the encoder
    does it. The result is ``None`` for a module that is loaded into the class of a task.

    Args:
        encoder: The base in float32 on the CPU.
        base_path: Hub id or folder of the same base.
        texts: The texts.
        head: The task head of the module.
        objectives: The objectives of the module.
    """
    if head is not None or class_of(encoder, head, list(objectives)) is not None:
        return None
    ids, mask = encoder.batch(encoder.tokenize(texts))

    def by(bridge: Any) -> Callable[[Path], Tensor]:
        def compute(folder: Path) -> Tensor:
            with _library(encoder):
                if bridge is sentence_transformers:
                    return bridge.vectors(folder, base_path, texts).cpu()
                return encoder.pool(bridge.states(folder, base_path, ids, mask), mask).cpu()

        return compute

    return {n: by(bridge) for n, bridge in BRIDGES.items() if bridge.available() is None}


@contextmanager
def _library(encoder: Encoder) -> Iterator[None]:
    """Run another library inside the block, quietly; its copy of a large base is freed afterwards.

    The models of adapters and peft hold themselves in cycles. Python would free them some day, and
    the copies of many runs would pile up until then.
    """
    with plain.without_noise():
        yield
    if sum(weight.nbytes for weight in encoder.model.parameters()) >= LARGE:
        gc.collect()


def _by_logits(
    encoder: Encoder,
    module: nn.Module,
    base_path: str,
    texts: Sequence[str],
    task: TaskClass,
    head: Head | None,
    bridges: dict[str, Any],
) -> dict[str, Compare]:
    inputs = _inputs(encoder, texts, task)
    own = _own_logits(encoder, module, inputs, task, head)
    mask = inputs["attention_mask"]

    def by(compute: Callable[[Path], Tensor]) -> Compare:
        def compare(folder: Path) -> float:
            with _library(encoder):
                theirs = compute(folder)
            return difference(_real(theirs, mask), _real(own, mask))

        return compare

    found = {
        name: by(lambda folder, bridge=bridge: bridge.logits(folder, base_path, inputs, task))  # type: ignore[misc]
        for name, bridge in bridges.items()
    }
    found[MERGED] = by(lambda folder: plain.logits(plain.load_class(folder, task), inputs))
    return found


def _by_states(
    encoder: Encoder,
    module: nn.Module,
    base_path: str,
    texts: Sequence[str],
    bridges: dict[str, Any],
) -> dict[str, Compare]:
    ids, mask = encoder.batch(encoder.tokenize(texts))
    own = own_states(encoder, module, ids, mask)

    def by(compute: Callable[[Path], Tensor]) -> Compare:
        def compare(folder: Path) -> float:
            with _library(encoder):
                theirs = compute(folder)
            return difference(_real(theirs, mask), _real(own, mask))

        return compare

    def by_vectors(folder: Path) -> float:
        with _library(encoder):
            theirs = sentence_transformers.vectors(folder, base_path, texts)
        return difference(theirs, encoder.pool(own, mask))

    found = {
        name: by(lambda folder, bridge=bridge: bridge.states(folder, base_path, ids, mask))  # type: ignore[misc]
        for name, bridge in bridges.items()
    }
    found[MERGED] = by(lambda folder: plain.last_states(plain.load(str(folder)), ids, mask))
    if sentence_transformers.NAME in found:
        found[sentence_transformers.NAME] = by_vectors
    return found


def _inputs(encoder: Encoder, texts: Sequence[str], task: TaskClass) -> dict[str, Tensor]:
    """Return the arguments of a forward; of a task on pairs, each row has a second segment."""
    ids, mask = encoder.batch(encoder.tokenize(texts))
    inputs = {"input_ids": ids, "attention_mask": mask}
    kinds = getattr(encoder.model.config, "type_vocab_size", 0) or 0
    if task.task in PAIRS and kinds > 1:
        second = torch.tensor(_second(mask))
        inputs["token_type_ids"] = (torch.arange(ids.shape[1]) >= second[:, None]).long() * mask
    return inputs


def _second(mask: Tensor) -> list[int]:
    """Return the position of the second segment of each row: its middle."""
    return [int(length) // 2 for length in mask.sum(1)]


def _own_logits(
    encoder: Encoder,
    module: nn.Module,
    inputs: dict[str, Tensor],
    task: TaskClass,
    head: Head | None,
) -> Tensor:
    """Compute the logits of the task with xadapt, as the class of transformers gives them."""
    ids, mask = inputs["input_ids"], inputs["attention_mask"]
    second = _second(mask) if task.task in PAIRS else None
    states = own_states(encoder, module, ids, mask, second)
    with torch.no_grad():
        if task.task == MLM:
            found = encoder.mlm_head(getattr(module, "before_vocabulary", None))(states)
            return found.float()
        assert head is not None
        if task.task in PROBLEM_TYPES:
            states = states[:, 0]
        scores: Tensor = head(states)
        if head.scale is None:
            return scores
        low, high = head.scale
        return low + (high - low) * scores


def _real(values: Tensor, mask: Tensor) -> Tensor:
    """Set values at padding to zero, if there is one for each token."""
    return values * mask.unsqueeze(-1) if values.dim() == 3 else values


def own_states(
    encoder: Encoder,
    module: nn.Module,
    ids: Tensor,
    mask: Tensor,
    second: Sequence[int] | None = None,
) -> Tensor:
    """Compute the states of the base with a module, ``(batch, tokens, width)``, float32."""
    acts = Activation.of(ActiveAdapter(encoder, module))
    with torch.no_grad():
        hidden = encoder.embed(ids, mask, second, activation=acts)
        return encoder.run(hidden, mask, activation=acts).float()
