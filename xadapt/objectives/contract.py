"""The contract of an objective: what it may ask of the loop, and what it gives back.

An objective is a frozen dataclass whose fields are its options, with defaults and units.
It never holds the encoder. Its methods name what they want as arguments and get it by name:

``views(records, rng, ...)``
    texts to encode, by name, and anything ``loss`` needs besides.
``loss(<view names>, ...)``
    the encoded views, ``(n, dim)`` where pooled, and what else ``views`` returned.

Both may also name ``memory`` (what ``prepare(records)`` returned), ``tokenizer``, ``tokenize``,
``tokenize_words`` (for sentences given as words), ``tokenize_pairs`` and ``tokenize_windows``
(for two texts in one row, see `xadapt.backbones.encoder.pairs`), ``lm_head`` (the frozen
masked-LM head),
``heads`` (what ``heads(width)`` returned, which may name ``memory`` too; trained beside the
module, and its buffers may carry state from step to step), ``companions`` (the heads of the
run's other, frozen modules by name), ``vocabulary`` (rows of the table of word embeddings; ids
from there on are the module's own), ``bank`` (the frozen vectors of ``bank_rows(memory)``) and
``step``.

Several processes split the records of an objective that is not ``coupled``. So that the split
changes nothing, such an objective draws from `draws`, not from ``rng`` in the order of records.
"""

from __future__ import annotations

import dataclasses
import inspect
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from xadapt.data.records import Record

Output = Literal["pooled", "states"]


@dataclass(frozen=True)
class View:
    """Rows to encode.

    Attributes:
        rows: Texts, or token id sequences with their special tokens.
        second: For each token id sequence where its second segment begins, for bases that tell
            segments apart; ``None`` where all is one.
        module: Whether the module under training acts on these rows, or the name of another,
            frozen module of the run that does (a teacher). Rows that the module under training
            does not act on get no gradient; texts without any module are encoded once in a run.
        output: ``pooled`` gives ``(n, dim)``; ``states`` gives `States`.
        layer: The states after this many layers; ``None`` means all of them, 0 the embeddings.
        beside: A second set of rows, one for each, that attends to the first inside
            ``fused`` layers and runs alone outside them.
        fused: ``[start, stop)``, the layers that see both sets; needs ``beside``.
        langs: The language of each row, for a module that is trained inside a choice by language.
    """

    rows: Sequence[str] | Sequence[Sequence[int]]
    module: bool | str = True
    output: Output = "pooled"
    layer: int | None = None
    beside: Sequence[str] | Sequence[Sequence[int]] | None = None
    fused: tuple[int, int] | None = None
    langs: Sequence[str] | None = None
    second: Sequence[int] | None = None

    def __post_init__(self) -> None:
        if self.second is not None and len(self.second) != len(self.rows):
            raise ValueError("second holds one number for each of rows")
        if self.second is not None and self.beside is not None:
            raise ValueError("a row of two segments has no other beside it")
        if (self.beside is None) != (self.fused is None):
            raise ValueError("beside and fused go together")
        if self.beside is not None and len(self.beside) != len(self.rows):
            raise ValueError("beside holds one row for each of rows")
        if self.langs is not None and len(self.langs) != len(self.rows):
            raise ValueError("langs holds one tag for each of rows")


@dataclass(frozen=True)
class States:
    """Encoded tokens.

    Attributes:
        hidden: ``(n, tokens, width)``, padded on the right.
        mask: ``(n, tokens)``, 1 on real tokens.
        beside: The same for the view's ``beside`` rows.
    """

    hidden: Tensor
    mask: Tensor
    beside: States | None = None


@dataclass(frozen=True)
class Bank:
    """Frozen vectors of texts of the whole data: exact negatives, never stale.

    Attributes:
        vectors: ``(m, dim)`` in the order of ``bank_rows(memory)``, of unit length, in the
            encoder's dtype, no gradient.
    """

    vectors: Tensor


@dataclass(frozen=True)
class Loss:
    """What an objective gives back.

    Attributes:
        values: ``(n,)``, one loss a record.
        weights: ``(n,)``, how much each counts; the loop divides the weighted sum by their
            total over all chunks and processes. ``None`` means 1 each.
        scalars: Losses of the whole batch that belong to no record, added as they are.
    """

    values: Tensor
    weights: Tensor | None = None
    scalars: Mapping[str, Tensor] = field(default_factory=dict)

    def total(self) -> Tensor:
        """The weighted mean over records plus the batch scalars."""
        weights = torch.ones_like(self.values) if self.weights is None else self.weights
        mean = (self.values * weights).sum() / weights.sum().clamp(min=1e-12)
        return mean + sum(self.scalars.values())


@runtime_checkable
class Objective(Protocol):
    """A loss family member. `coupled` says whether one record's loss depends on the others."""

    consumes: ClassVar[type[Record]]
    source: ClassVar[str]
    coupled: ClassVar[bool]

    def views(self, records: Sequence[Any], rng: random.Random) -> dict[str, Any]:
        """Views and context for ``loss``, by name."""
        ...

    loss: ClassVar[Any]


def call(function: Any, services: Mapping[str, Any]) -> Any:
    """Call a method of an objective with what it names among the services.

    Raises:
        TypeError: It names something that no view, context or service is called.
    """
    wanted = inspect.signature(function).parameters
    missing = [name for name, p in wanted.items() if name not in services and p.default is p.empty]
    if missing:
        raise TypeError(f"{function.__qualname__} asks for {missing}, which nothing provides")
    return function(**{name: services[name] for name in wanted if name in services})


def asks_for(objective: Any, service: str) -> bool:
    """Whether any method of the objective names a service."""
    methods = (getattr(objective, name, None) for name in ("views", "loss"))
    return any(service in inspect.signature(m).parameters for m in methods if m is not None)


def draws(rng: random.Random, records: Sequence[Record]) -> list[random.Random]:
    """One source of chance for each record, whatever records stand beside it.

    Equal records of one call draw alike.
    """
    name = rng.getrandbits(64)
    return [random.Random(f"{name}:{record!r}") for record in records]


def heads_of(objective: Any, width: int, memory: Any = None) -> nn.Module | None:
    """The objective's own trainable part, if it has one."""
    make = getattr(objective, "heads", None)
    return call(make, {"width": width, "memory": memory}) if make else None


def bank_rows(objective: Any, memory: Any) -> Sequence[str] | None:
    """The texts whose frozen vectors the objective wants as its bank, if any."""
    rows = getattr(objective, "bank_rows", None)
    return rows(memory) if rows else None


def options(objective: Any) -> dict[str, Any]:
    """The options an objective was built with, defaults included."""
    return dataclasses.asdict(objective)
