"""The contract of a transform: it makes records of records.

A transform is a frozen dataclass whose fields are its options, each with a default. Its file ends
with ``Part = ...``, and a recipe names it by the name of the file::

    data:
      train:
        reader: plain_text
        transforms:
          - back_translate            # by name alone
          - {name: pair_filter, max_ratio: 3}

Transforms are applied in the order of the recipe. The types must fit one another: the reader gives
what the first transform consumes, and the last one gives what the objective consumes. Both are
checked when the recipe is read.

A transform computes with models only through callables that a pipeline hands in by name (see
`CALLABLES`). It lists the ones it needs in ``needs``.
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
    "align": "(sentences: pairs of word tuples) -> for each, pairs of positions (left, right)",
    "translate": "(texts, source language, target language) -> texts",
    "generate": "(prompts) -> texts",
    "judge": "(left texts, right texts) -> scores, higher is better",
    "labels": "(language) -> name by entity",
}
"""The callables that transforms ask for by convention, with their signatures."""


Watch = Callable[[Iterable[Any], str], Iterable[Any]]
"""Passes rows through and shows how many there were, under a label."""


def unwatched(rows: Iterable[Any], label: str) -> Iterable[Any]:
    """Pass rows through and show nothing."""
    return rows


@dataclass(frozen=True)
class Services:
    """What a transform is given with the records of one source.

    Attributes:
        lang: The language being adapted, a BCP-47 tag.
        pivot_lang: The other language.
        seed: The recipe's seed. Everything random must follow from it, see `rng`.
        callables: The functions that a pipeline handed in, by name.
        log: Takes one line for the user, such as how many records were kept and dropped.
        watch: Shows progress, see `track`.
    """

    lang: str
    pivot_lang: str = "en"
    seed: int = 0
    callables: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    log: Callable[[str], None] = lambda _: None
    watch: Watch = unwatched

    def __getitem__(self, name: str) -> Callable[..., Any]:
        """The callable of that name.

        Raises:
            KeyError: If there is none; a transform lists in ``needs`` what it asks for.
        """
        return self.callables[name]

    def rng(self, *names: object) -> random.Random:
        """A random generator that depends on the seed and the given names only."""
        return random.Random(f"{self.seed}:{':'.join(map(str, names))}")

    def track(self, rows: Iterable[T], label: str) -> Iterable[T]:
        """Iterate over rows and show how many there were."""
        return self.watch(rows, label)


@runtime_checkable
class Transform(Protocol):
    """A part that makes records of records.

    Attributes:
        consumes: The record class that comes in. It may depend on the options.
        gives: The record class that goes out. It may depend on the options.
        needs: Names of the callables without which it can't work.
        applies: ``all``: to the data and to development data given by the user, as a change of
            form must be. ``data``: to the data alone, before a development part is held out, as
            cleaning is. ``train``: to what is trained on alone, after that, as augmentation is;
            such a transform gives what it consumes.
    """

    needs: ClassVar[tuple[str, ...]]
    applies: ClassVar[Applies]

    @property
    def consumes(self) -> type[Record]:
        """The record class that comes in."""
        ...

    @property
    def gives(self) -> type[Record]:
        """The record class that goes out."""
        ...

    def apply(self, records: Sequence[Any], services: Services) -> Sequence[Any]:
        """Make the new records, in an order that depends on the input and the seed alone.

        Args:
            records: The records of one source.
            services: Languages, seed, callables, log and progress.

        Raises:
            UserError: If the records can't be transformed.
        """
        ...
