"""Define the contract of a transform: a transform makes records from records.

A transform is a frozen dataclass. Its fields are its options, each with a default. Its file ends
with ``Part = ...``, and a recipe names the transform by the name of the file::

    data:
      train:
        reader: plain_text
        transforms:
          - back_translate            # by name alone
          - {name: pair_filter, max_ratio: 3}

Transforms are applied in the order of the recipe. The record types must fit. The reader gives the
type that the first transform consumes, and the last transform gives the type that the objective
consumes. Both are checked when the recipe is read.

A transform uses models only through callables that a pipeline gives by name (see `CALLABLES`). The
transform lists its required callables in ``needs``.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Protocol, TypeVar, runtime_checkable

from xadapt.data.records import Record

Applies = Literal["all", "data", "train"]
T = TypeVar("T")

CALLABLES: dict[str, str] = {
    "align": "(pairs of word tuples, module='') -> for each, pairs of positions (left, right)",
    "tag": "(sentences as words, module) -> for each, spans (start, end, type) over words",
    "translate": "(texts, source language, target language) -> texts",
    "generate": "(prompts) -> texts",
    "judge": "(left texts, right texts) -> scores, higher is better",
    "labels": "(language) -> name by entity",
    "names": "(source) -> names of entities by language, then by entity",
}
"""The conventional names of callables for transforms, with their signatures."""


Watch = Callable[[Iterable[Any], str], Iterable[Any]]
"""A function that passes rows through and shows the number of rows so far, under a label."""


def unwatched(rows: Iterable[Any], label: str) -> Iterable[Any]:
    """Pass rows through and show no progress."""
    return rows


@dataclass(frozen=True)
class Services:
    """The services that a transform gets with the records of one source.

    Attributes:
        lang: The language being adapted, a BCP-47 tag.
        pivot_lang: The other language.
        seed: The recipe's seed. All random numbers must depend on this seed, see `rng`.
        callables: The functions that a pipeline gives, by name.
        log: Logs one line for the user, such as the numbers of records kept and dropped.
        watch: Shows progress, see `track`.
    """

    lang: str
    pivot_lang: str = "en"
    seed: int = 0
    callables: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    log: Callable[[str], None] = lambda _: None
    watch: Watch = unwatched

    def __getitem__(self, name: str) -> Callable[..., Any]:
        """Return the callable of that name.

        Raises:
            KeyError: If there is no such callable. A transform lists its callables in ``needs``.
        """
        return self.callables[name]

    def rng(self, *names: object) -> random.Random:
        """Return a random generator that depends only on the seed and the given names."""
        return random.Random(f"{self.seed}:{':'.join(map(str, names))}")

    def track(self, rows: Iterable[T], label: str) -> Iterable[T]:
        """Iterate over rows and show the number of rows so far."""
        return self.watch(rows, label)


@runtime_checkable
class Transform(Protocol):
    """A part that makes records from records.

    Attributes:
        consumes: Input record class. The class may depend on the options.
        gives: Output record class. The class may depend on the options.
        needs: Names of the callables that the transform requires. A transform may also have
            ``uses``: names of those that it can do without.
        applies: The records that the transform applies to. ``all`` means the data and the
            development data of the user, for a change of form. ``data`` means the data only,
            before a development part is held out, for cleaning. ``train`` means the training
            records only, after that, for augmentation. Such a transform gives the class that it
            consumes.
    """

    needs: ClassVar[tuple[str, ...]]
    applies: ClassVar[Applies]

    @property
    def consumes(self) -> type[Record]:
        """The input record class."""
        ...

    @property
    def gives(self) -> type[Record]:
        """The output record class."""
        ...

    def apply(self, records: Sequence[Any], services: Services) -> Sequence[Any]:
        """Make the new records, in an order that depends only on the input and the seed.

        Args:
            records: The records of one source.
            services: Languages, seed, callables, log and progress.

        Raises:
            UserError: If the records can't be transformed.
        """
        ...
