"""The result of matching: rows, measures by system, a page to look through, JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from xadapt.core.files import atomic_file
from xadapt.data.readers.match_items import Item
from xadapt.evaluation.statistics import Interval, interval
from xadapt.report.aligned_page import AlignedPage, AlignedPair, write_aligned
from xadapt.tasks.table import interval_cell, new_table

HEADER = ("text", "row", "score", "rank")
MEASURES = ("MRR", "P@1", "P@5", "hits@5")
MOST = 5000
SHOWN = 300


@dataclass(frozen=True, eq=False)
class Matched:
    """The result of `xadapt.pipelines.match.match_texts`.

    Attributes:
        pool: The rows.
        texts: The texts.
        best: The best rows of each text, positions ``(texts, k)``.
        scores: By system, their scores ``(texts, k)``; the first system ranks.
        ranks: By system, the rank of the best right row of each text ``(texts,)``.
        hits: By system, the share of right rows among the first five ``(texts,)``.
        asked: Whether a text has right rows, ``(texts,)``; empty without right matches.
        right: The right rows of texts.
        systems: What was compared; the last one ranks.
        facts: What the numbers depend on.
    """

    pool: Sequence[Item]
    texts: Sequence[Item]
    best: NDArray[np.int64]
    scores: Mapping[str, NDArray[np.float32]]
    ranks: Mapping[str, NDArray[np.float64]]
    hits: Mapping[str, NDArray[np.float64]]
    asked: NDArray[np.bool_]
    right: Mapping[str, set[str]]
    systems: tuple[str, ...]
    facts: Mapping[str, Any]

    def header(self) -> tuple[str, ...]:
        """Return the names of the cells of `rows`."""
        return (*HEADER, *list(self.scores)[1:])

    def rows(self) -> Iterator[tuple[str, ...]]:
        """Yield the matches as cells: text, row, score, rank, and the score of each system."""
        for number, text in enumerate(self.texts):
            for place, row in enumerate(self.best[number].tolist()):
                first, *others = (own[number, place] for own in self.scores.values())
                yield (
                    text.id, self.pool[row].id, f"{first:.6f}", str(place + 1),
                    *(f"{score:.6f}" for score in others),
                )  # fmt: skip

    def write(self, path: str | Path) -> None:
        """Write the matches as a table with tabs and a header, whole or not at all.

        Raises:
            UserError: If the file can't be written.
        """
        with atomic_file(path) as temporary, temporary.open("w", encoding="utf-8") as stream:
            stream.write("\t".join(self.header()) + "\n")
            stream.writelines("\t".join(row) + "\n" for row in self.rows())

    def measures(self) -> dict[str, dict[str, Interval]]:
        """Return the measures of each system, with intervals over texts that have right rows.

        A right row that is not among the rows is a miss. Equal scores count as their mean rank.
        """
        if not self.asked.any():
            return {}
        seed, draws = self.facts["seed"], self.facts["resamples"]
        found = {}
        for name, all_ranks in self.ranks.items():
            ranks, hits = all_ranks[self.asked], self.hits[name][self.asked]
            values = (1 / ranks, ranks <= 1, hits, ranks <= 5)
            found[name] = {
                measure: interval(np.asarray(own, float), resamples=draws, seed=seed)
                for measure, own in zip(MEASURES, values, strict=True)
            }
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return counts and measures as JSON values; the matches stand in the table."""
        made: dict[str, Any] = {
            "rows": len(self.pool),
            "texts": len(self.texts),
            "systems": list(self.systems),
            **self.facts,
        }
        if self.asked.any():
            made["measured"] = int(self.asked.sum())
            made["scores"] = {
                name: {measure: one.to_dict() for measure, one in own.items()}
                for name, own in self.measures().items()
            }
        return made

    def table(self) -> Table:
        """Render the measures of each system, or the first matches, within 80 columns."""
        title = f"{len(self.texts):,} texts, {len(self.pool):,} rows"
        scores = self.measures()
        if not scores:
            made = new_table(title, ("text", "row", "score"))
            for text, row, score, rank, *_ in self.rows():
                if rank == "1" and made.row_count < 10:
                    made.add_row(text[:34], row[:34], score)
            return made
        made = new_table(title, ("", "", f"{MEASURES[0]} [95 %]", *MEASURES[1:]))
        for name, own in scores.items():
            others = (f"{own[measure].mean:.3f}" for measure in MEASURES[1:])
            made.add_row(name, "", interval_cell(own[MEASURES[0]]), *others)
        made.caption = f"{int(self.asked.sum()):,} texts have right rows"
        return made

    def write_page(self, path: str | Path, most: int = MOST) -> None:
        """Write a page to look through the first match of each text, mark it and export it.

        Args:
            path: The file.
            most: Most texts on the page; the least sure ones stay.

        Raises:
            UserError: If the file can't be written.
        """
        pairs = [self._pair(number) for number in range(len(self.texts))]
        shown = sorted(range(len(pairs)), key=lambda i: (pairs[i].margin or 0.0, i))[:most]
        facts = [
            (f"MRR {n}", interval_cell(own[MEASURES[0]])) for n, own in self.measures().items()
        ]
        page = AlignedPage(
            "Texts and their rows", "texts", "rows", "und", "und",
            [pairs[i] for i in sorted(shown)], len(pairs), facts, exported="matches.tsv",
        )  # fmt: skip
        write_aligned(path, page)

    def _pair(self, number: int) -> AlignedPair:
        text, first = self.texts[number], self.pool[int(self.best[number, 0])]
        scores = next(iter(self.scores.values()))[number]
        verdict = ""
        if text.id in self.right:
            verdict = "right" if first.id in self.right[text.id] else "wrong"
        others = [self.pool[int(i)] for i in self.best[number, 1:4]]
        return AlignedPair(
            text.id, first.id, text.text[:SHOWN], first.text[:SHOWN], float(scores[0]),
            float(scores[0] - scores[1]) if len(scores) > 1 else None, verdict,
            (), tuple(f"next: {one.text[:SHOWN]}" for one in others),
        )  # fmt: skip
