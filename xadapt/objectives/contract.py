"""The contract of an objective: its requests to the training loop, and its results.

An objective is a frozen dataclass whose fields are its options, with defaults and units.
An objective never holds the encoder. Its methods name their services as arguments and get them by
name:

``views(records, rng, ...)``
    returns texts to encode, by name, and further values for ``loss``.
``loss(<view names>, ...)``
    gets the encoded views, ``(n, dim)`` where pooled, and the further values from ``views``.

Both may also name these services:

``memory``
    the result of ``prepare(records)``.
``tokenizer``, ``tokenize``, ``tokenize_words``, ``tokenize_word_windows``
    the last two are for sentences given as words: cut, or in overlapping windows.
``tokenize_places``
    tokenizes texts with the characters of each token, see `xadapt.backbones.encoder.text_places`.
``tokenize_pairs``, ``tokenize_windows``
    for two texts in one row, see `xadapt.backbones.encoder.pairs`.
``lm_head``
    the frozen masked-LM head.
``heads``
    the result of ``heads(width)``, which may name ``memory`` and ``companions`` too, and
    ``copy_layers(count)``, a trainable copy of the encoder's last layers. The heads are trained
    with the module. Their buffers may carry state from step to step.
``companions``
    the heads of the run's other, frozen modules by name; a `TeacherView` names such a module.
``vocabulary``
    number of rows of the table of word embeddings; ids from this number on are the module's own.
``depth``, ``max_length``, ``step``
    numbers: of the encoder's layers, of the tokens of a row at most, of finished training steps.
``embed``
    the frozen states of token id rows as they enter the first layer, as `States`.
``bank``
    the frozen vectors of ``bank_rows(memory)``.
``prompts``
    the prompt of each side, ``query`` and ``passage``, where there is one.
``dimensions``
    numbers of first values of a vector that are trained as vectors of their own; may be empty.
``teacher_vectors``
    a function from texts and their side to the vectors ``(n, dim)`` of the recipe's ``teacher``,
    another frozen model, turned into the space of the base. The objective lists these texts in
    ``teacher_rows(records)``.

An objective for encoder-decoders has the class variable ``backbone = "seq2seq"``. Its views are
`TargetView`, ``tokenize`` cuts and tokenises sources, and it may name these services besides
``tokenizer``, ``memory``, ``vocabulary``, ``depth``, ``max_length`` and ``step``:

``tokenize_sources``, ``tokenize_targets``
    from texts, their languages, and for sources the languages to write, to token ids.
``languages_in_words``
    whether a prompt has to name languages, because the base has no tokens for them.
``sentinels``
    the ids of T5's sentinel tokens; empty if the base has none.

An objective that reads further entries of the recipe's data names them, with the types of their
records, in a class variable ``reads``. ``prepare`` gets their records by name.

An objective that reads the tokens of a module's own vocabulary as the base's has the class variable
``own_vocabulary``. Then ``tokenizer``, ``tokenize`` and ``lm_head`` are those of the vocabulary.

An objective whose rows hold ids beyond the vocabulary says how many in ``own_tokens``; the module
must supply their vectors (`xadapt.modules.own_tokens`).

Several processes split the records of an objective that is not ``coupled``, without other results:
it draws from `draws`, not from ``rng`` in the order of records.
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

from xadapt.core import registry
from xadapt.data.records import Record

Output = Literal["pooled", "states"]
Rows = Sequence[str] | Sequence[Sequence[int]]
ENCODER, SEQ2SEQ = "encoder", "seq2seq"
"""The kinds of bases."""


@dataclass(frozen=True)
class View(ABC):
    """Rows to encode: an `EncodeView`, a `FusedView`, a `TeacherView` or a `TargetView`.

    Attributes:
        rows: Texts, or token id sequences with their special tokens.
        output: ``pooled`` gives ``(n, dim)``; ``states`` gives `States`.
        layer: Number of layers before the states; ``None`` means all layers, 0 the embeddings as
            they enter the first layer, and -1 the word embeddings alone, before positions and norm.
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
        """The position at which each row's second segment begins, where the view has such rows."""
        return None


@dataclass(frozen=True)
class EncodeView(View):
    """Rows for the module under training, or for the frozen base alone.

    Attributes:
        module: Whether the module acts. Rows without the module get no gradient. Texts without the
            module are encoded once in a run.
        langs: The language of each row, for a module that is trained inside a choice by language.
        second: For each token id sequence, the position at which its second segment begins, for
            bases that have segment ids; ``None`` where each sequence is one segment.

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
    """Two sets of rows that attend to each other in some layers and run alone in the others.

    The module under training, or the ``teacher``, acts on both sets. The view gives `States` of
    ``rows``, with the states of ``paired_rows`` as their ``paired``.

    Attributes:
        paired_rows: The second set, one row for each of ``rows``.
        fused: ``(start, stop)``, the half-open range of layers in which a row and its pair attend
            to each other.
        langs: As for `EncodeView`.
        paired_module: Whether the module also acts on the pairs outside the fused layers. Inside
            them it acts on both, since a row and its pair are one.
        teacher: The name of a companion that acts instead, as for `TeacherView`.

    Raises:
        ValueError: If the lengths differ, the layers are out of order, or the output is vectors.
    """

    paired_rows: Rows
    fused: tuple[int, int]
    output: Output = field(default="states", kw_only=True)
    langs: Sequence[str] | None = field(default=None, kw_only=True)
    paired_module: bool = field(default=True, kw_only=True)
    teacher: str = field(default="", kw_only=True)

    def __post_init__(self) -> None:
        _require_one_each("paired_rows", self.paired_rows, self.rows)
        _require_one_each("langs", self.langs, self.rows)
        start, stop = self.fused
        if not 0 <= start <= stop or (self.layer is not None and self.layer < stop):
            raise ValueError("fused is (start, stop) with 0 <= start <= stop <= layer")
        if self.output != "states":
            raise ValueError("a fused view gives states")

    @property
    def module(self) -> bool | str:
        """True, or the teacher's name."""
        return self.teacher or True


@dataclass(frozen=True)
class TeacherView(View):
    """Rows for another, frozen module of the run; they get no gradient.

    Attributes:
        teacher: The name of that module under the recipe's ``companions``.
        second: As for `EncodeView`.

    Raises:
        ValueError: If ``second`` has another length than ``rows``, or the name is missing.
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


@dataclass(frozen=True)
class TargetView(View):
    """Sources for the encoder of an encoder-decoder, and a target for its decoder each.

    The view gives `TargetLosses`.

    Attributes:
        targets: Token ids of each target, with its end, without the token before outputs.
        module: Whether the module under training acts.
        langs: As for `EncodeView`.

    Raises:
        ValueError: If ``targets`` or ``langs`` has another length than ``rows``.
    """

    targets: Sequence[Sequence[int]]
    output: Output = field(default="states", kw_only=True)
    module: bool = field(default=True, kw_only=True)
    langs: Sequence[str] | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        _require_one_each("targets", self.targets, self.rows)
        _require_one_each("langs", self.langs, self.rows)


def _require_one_each(name: str, values: Sequence[Any] | None, rows: Rows) -> None:
    if values is not None and len(values) != len(rows):
        raise ValueError(f"{name} holds {len(values)} entries for {len(rows)} rows")


@dataclass(frozen=True)
class States:
    """Encoded tokens.

    Attributes:
        hidden: ``(n, tokens, width)``, padded on the right.
        mask: ``(n, tokens)``, 1 on real tokens.
        paired: The states of the paired rows of a `FusedView`.
    """

    hidden: Tensor
    mask: Tensor
    paired: States | None = None


@dataclass(frozen=True)
class TargetLosses:
    """What an encoder-decoder finds of given targets.

    Attributes:
        values: Minus the log-probability of each token of the targets, ``(n, tokens)``, float32,
            padded on the right.
        mask: 1 on real tokens, ``(n, tokens)``.
    """

    values: Tensor
    mask: Tensor


@dataclass(frozen=True)
class Bank:
    """Frozen vectors of texts from the whole data: exact negatives, never stale.

    Attributes:
        vectors: ``(m, dim)`` in the order of ``bank_rows(memory)``, of unit length, in the
            encoder's dtype, no gradient.
    """

    vectors: Tensor


@dataclass(frozen=True)
class Loss:
    """The result of an objective.

    Attributes:
        values: ``(n,)``, one loss for each record.
        weights: ``(n,)``, the weight of each loss. The loop divides the weighted sum by the total
            weight over all chunks and processes. ``None`` means 1 for each loss.
        scalars: Losses of the whole batch that belong to no record, added without a weight.
        logged: Further numbers of the batch for the log. They are no losses.
    """

    values: Tensor
    weights: Tensor | None = None
    scalars: Mapping[str, Tensor] = field(default_factory=dict)
    logged: Mapping[str, Tensor] = field(default_factory=dict)

    def total(self) -> Tensor:
        """Compute the weighted mean over records plus the batch scalars."""
        weights = torch.ones_like(self.values) if self.weights is None else self.weights
        mean = (self.values * weights).sum() / weights.sum().clamp(min=1e-12)
        return mean + sum(self.scalars.values())


@runtime_checkable
class Objective(Protocol):
    """A training objective; with `coupled`, the loss of a record depends on the other records."""

    consumes: ClassVar[type[Record]]
    source: ClassVar[str]
    coupled: ClassVar[bool]

    def views(self, records: Sequence[Any], rng: random.Random) -> dict[str, Any]:
        """Return views and context for ``loss``, by name."""
        ...

    loss: ClassVar[Any]


def call(function: Any, services: Mapping[str, Any]) -> Any:
    """Call a method of an objective with the services that it names.

    Raises:
        TypeError: If the method names an argument that is no view, context or service.
    """
    wanted = inspect.signature(function).parameters
    missing = [name for name, p in wanted.items() if name not in services and p.default is p.empty]
    if missing:
        raise TypeError(f"{function.__qualname__} asks for {missing}, which nothing provides")
    return function(**{name: services[name] for name in wanted if name in services})


def asks_for(objective: Any, service: str) -> bool:
    """Whether any method of the objective names a service, and its options use it.

    An objective lists services that its options leave unused in ``unused``.
    """
    if service in getattr(objective, "unused", ()):
        return False
    methods = (getattr(objective, name, None) for name in ("views", "loss", "heads"))
    return any(service in inspect.signature(m).parameters for m in methods if m is not None)


def backbone_of(objective: Any) -> str:
    """Return the kind of base that an objective trains on: ``encoder`` or ``seq2seq``."""
    return str(getattr(objective, "backbone", ENCODER))


def backbone_named(objectives: Sequence[str]) -> str:
    """Return the kind of base of objectives by name; unknown ones are those of encoders."""
    known = registry.names("objectives")
    kinds = {backbone_of(registry.load("objectives", n)) for n in objectives if n in known}
    return SEQ2SEQ if SEQ2SEQ in kinds else ENCODER


def draws(rng: random.Random, records: Sequence[Record]) -> list[random.Random]:
    """Make a random generator for each record, independent of the other records.

    Equal records of one call get equal draws, from whatever file or program they come.
    """
    name = rng.getrandbits(64)
    contents = [dataclasses.replace(record, origin="") for record in records]
    return [random.Random(f"{name}:{content!r}") for content in contents]


def further_data(objective: Any) -> Mapping[str, type[Record]]:
    """Return the further entries of the recipe's data that an objective reads, with their types."""
    return getattr(objective, "reads", {})


def heads_of(
    objective: Any, width: int, memory: Any = None, services: Mapping[str, Any] | None = None
) -> nn.Module | None:
    """Build the objective's own trainable part, if there is one."""
    make = getattr(objective, "heads", None)
    given = {"width": width, "memory": memory, **(services or {})}
    return call(make, given) if make else None


def teacher_rows(objective: Any, records: Sequence[Any]) -> Mapping[str, Sequence[str]]:
    """Return the texts that the recipe's teacher encodes, by their side."""
    rows = getattr(objective, "teacher_rows", None)
    return rows(records) if rows else {}


def bank_rows(objective: Any, memory: Any) -> Sequence[str] | None:
    """Return the texts for the objective's bank of frozen vectors, if there is a bank."""
    rows = getattr(objective, "bank_rows", None)
    return rows(memory) if rows else None


def options(objective: Any) -> dict[str, Any]:
    """Return the options of an objective, defaults included."""
    return dataclasses.asdict(objective)
