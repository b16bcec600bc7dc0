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
masked-LM head), ``heads`` (what ``heads(width)`` returned, which may name ``memory`` too; trained
with the module, and its buffers may carry state from step to step), ``companions`` (the heads of
the
run's other, frozen modules by name; a `TeacherView` names such a module), ``vocabulary`` (rows of
the table of word embeddings; ids from there on are the module's own), ``bank`` (the frozen vectors
of ``bank_rows(memory)``) and ``step``.

Several processes split the records of an objective that is not ``coupled``. So that the split
changes nothing, such an objective draws from `draws`, not from ``rng`` in the order of records.
"""

from __future__ import annotations

import dataclasses
import inspect
import random
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from xadapt.data.records import Record

Output = Literal["pooled", "states"]
Rows = Sequence[str] | Sequence[Sequence[int]]


@dataclass(frozen=True)
class View(ABC):
    """Rows to encode: an `EncodeView`, a `FusedView` or a `TeacherView`.

    Attributes:
        rows: Texts, or token id sequences with their special tokens.
        output: ``pooled`` gives ``(n, dim)``; ``states`` gives `States`.
        layer: The states after this many layers; ``None`` means all of them, 0 the embeddings.
    """

    rows: Rows
    output: Output = field(default="pooled", kw_only=True)
    layer: int | None = field(default=None, kw_only=True)

    @property
    @abstractmethod
    def module(self) -> bool | str:
        """Whether the module under training acts on the rows, or the name of one that does."""

    @property
    def langs(self) -> Sequence[str] | None:
        """The language of each row, where the view has them."""
        return None

    @property
    def second(self) -> Sequence[int] | None:
        """Where each row's second segment begins, where the view has such rows."""
        return None


@dataclass(frozen=True)
class EncodeView(View):
    """Rows that the module under training acts on, or no module.

    Attributes:
        module: Whether it acts. Rows without it get no gradient; texts without it are encoded once
            in a run.
        langs: The language of each row, for a module that is trained inside a choice by language.
        second: For each token id sequence the position at which its second segment begins, for
            bases that tell segments apart; ``None`` where each is one segment.

    Raises:
        ValueError: If ``langs`` or ``second`` has another length than ``rows``.
    """

    module: bool = field(default=True, kw_only=True)
    langs: Sequence[str] | None = field(default=None, kw_only=True)
    second: Sequence[int] | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        _require_one_each("langs", self.langs, self.rows)
        _require_one_each("second", self.second, self.rows)


@dataclass(frozen=True)
class FusedView(View):
    """Two sets of rows that attend to each other inside some layers and run alone outside them.

    The module under training acts on both. It gives `States` of ``rows``, with those of
    ``paired_rows`` as their ``paired``.

    Attributes:
        paired_rows: The second set, one row for each of ``rows``.
        fused: ``(start, stop)``, the layers in which a row and its pair see each other, half-open.
        langs: As for `EncodeView`.

    Raises:
        ValueError: If the lengths differ, the layers are out of order, or vectors are asked for.
    """

    paired_rows: Rows
    fused: tuple[int, int]
    output: Output = field(default="states", kw_only=True)
    langs: Sequence[str] | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        _require_one_each("paired_rows", self.paired_rows, self.rows)
        _require_one_each("langs", self.langs, self.rows)
        start, stop = self.fused
        if not 0 <= start <= stop or (self.layer is not None and self.layer < stop):
            raise ValueError("fused is (start, stop) with 0 <= start <= stop <= layer")
        if self.output != "states":
            raise ValueError("a fused view gives states")

    @property
    def module(self) -> bool:
        """True: the module under training acts on both sets."""
        return True


@dataclass(frozen=True)
class TeacherView(View):
    """Rows that another, frozen module of the run acts on; they get no gradient.

    Attributes:
        teacher: The name that the recipe gives it under ``companions``.
        second: As for `EncodeView`.

    Raises:
        ValueError: If ``second`` has another length than ``rows``, or there is no name.
    """

    teacher: str
    second: Sequence[int] | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        _require_one_each("second", self.second, self.rows)
        if not self.teacher:
            raise ValueError("teacher is the name of a companion")

    @property
    def module(self) -> str:
        """The teacher's name."""
        return self.teacher


def _require_one_each(name: str, values: Sequence[Any] | None, rows: Rows) -> None:
    if values is not None and len(values) != len(rows):
        raise ValueError(f"{name} holds {len(values)} entries for {len(rows)} rows")


@dataclass(frozen=True)
class States:
    """Encoded tokens.

    Attributes:
        hidden: ``(n, tokens, width)``, padded on the right.
        mask: ``(n, tokens)``, 1 on real tokens.
        paired: The same for the paired rows of a `FusedView`.
    """

    hidden: Tensor
    mask: Tensor
    paired: States | None = None


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
