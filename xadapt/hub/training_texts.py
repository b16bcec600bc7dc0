"""The training texts of a module: their fingerprint in its folder, and overlap with test texts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from scipy.stats import binom

from xadapt.data.records import Record
from xadapt.hub.integrity import check_file
from xadapt.hub.manifest import Manifest, TrainingTexts
from xadapt.hub.safe_paths import file_inside, has_file
from xadapt.hub.text_filter import (
    FILE,
    MAX_FILTERS,
    TextFilter,
    read_filters,
    union_rate,
    write_filters,
)

CHANCE = 0.01
"""An overlap is one if false positives explain it with at most this probability."""


@dataclass(frozen=True)
class SeenTexts:
    """What is known of the texts that a module was trained on.

    Attributes:
        filters: The filter of its own texts, and those of modules that it was made from.
        complete: Whether no such module lacks its filter.
    """

    filters: tuple[TextFilter, ...]
    complete: bool = True

    @classmethod
    def of(
        cls, records: Iterable[Record], *, earlier: Sequence[SeenTexts | None] = ()
    ) -> SeenTexts:
        """Make the fingerprint of training records.

        Args:
            records: The records.
            earlier: What is known of the modules that training began with; ``None`` for a module
                without a fingerprint.
        """
        own = TextFilter.of(text for record in records for text in record.seen_texts())
        return cls.joined([cls((own,)), *earlier])

    @classmethod
    def joined(cls, parts: Sequence[SeenTexts | None]) -> SeenTexts:
        """Join what is known of several modules; the first filters stay if there are too many."""
        every = [one for part in parts if part is not None for one in part.filters]
        known = all(part is not None and part.complete for part in parts)
        return cls(tuple(every[:MAX_FILTERS]), known and len(every) <= MAX_FILTERS)

    @property
    def rate(self) -> float:
        """The expected share of other texts that are taken for training texts."""
        return union_rate(self.filters)

    @property
    def said(self) -> TrainingTexts:
        """The manifest's entry."""
        count = sum(one.texts for one in self.filters)
        return TrainingTexts(texts=count, false_positive_rate=self.rate, complete=self.complete)

    def write(self, folder: Path) -> None:
        """Write the filters into a folder."""
        write_filters(folder, self.filters)

    def seen(self, text: str) -> bool:
        """Whether a text is taken for a training text."""
        return any(bool(one.seen([text])[0]) for one in self.filters)

    def overlap(self, records: Sequence[Record]) -> Overlap:
        """Count the texts of test records that are taken for training texts."""
        texts = [(place, text) for place, row in enumerate(records) for text in row.seen_texts()]
        hits = [one.seen(text for _, text in texts) for one in self.filters]
        found = [pair for pair, *any_ in zip(texts, *hits, strict=True) if any(any_)]
        rows = len({place for place, _ in found})
        return Overlap(len(texts), len(found), rows, self.rate, found[0] if found else None)


@dataclass(frozen=True)
class Overlap:
    """The test texts that are taken for training texts.

    Attributes:
        texts: Number of test texts.
        found: Number of them that are taken for training texts.
        rows: Number of test records with such a text.
        rate: The expected share of false positives.
        first: Place and text of the first one.
    """

    texts: int
    found: int
    rows: int
    rate: float
    first: tuple[int, str] | None = None

    @property
    def real(self) -> bool:
        """Whether false positives don't explain what was found, by a one-sided binomial test."""
        return self.found > 0 and float(binom.sf(self.found - 1, self.texts, self.rate)) <= CHANCE


def training_texts(folder: Path | str, manifest: Manifest) -> SeenTexts | None:
    """Read the fingerprint of a module's training texts; ``None`` for a folder without one.

    Args:
        folder: The module's folder.
        manifest: Its manifest.

    Raises:
        UserError: If the file is malformed or differs from the published version.
    """
    if manifest.training_texts is None or not has_file(folder, FILE):
        return None
    filters, raw = read_filters(file_inside(folder, FILE))
    check_file(Path(folder), manifest.integrity, FILE, raw)
    return SeenTexts(filters, manifest.training_texts.complete)
