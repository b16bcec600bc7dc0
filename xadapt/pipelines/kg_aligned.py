"""The result of an alignment: pairs as rows, measures as a table and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from xadapt.core.files import atomic_file
from xadapt.data.graphs.graph import KnowledgeGraph
from xadapt.evaluation.comparison import Result
from xadapt.tasks.kg.alignment import WAYS, Matches
from xadapt.tasks.table import interval_cell, new_table

HEADER = ("src", "tgt", "score", "rank", "margin")
BLOCK = 2**14


@dataclass(frozen=True)
class Aligned:
    """The result of `xadapt.pipelines.kg_align.align_graphs`.

    Attributes:
        left: The left graph.
        right: The right graph.
        matches: The pairs, as positions in the graphs, by left entity.
        weights: The weight of each view.
        facts: What the numbers depend on, and measures of the pairs.
        result: Ranks of the test links by system, if there are test links.
        names: The names of left and of right entities, for people.
        verdicts: For each pair what the test links say: 1 right, 0 wrong, -1 nothing.
        notes: Lines for people.
    """

    left: KnowledgeGraph
    right: KnowledgeGraph
    matches: Matches
    weights: Mapping[str, float]
    facts: Mapping[str, Any]
    result: Result | None
    names: tuple[Sequence[str], Sequence[str]]
    verdicts: NDArray[np.int8]
    notes: tuple[str, ...] = ()

    def rows(self) -> Iterator[tuple[str, str, str, str, str]]:
        """Yield the pairs as cells: both ids, score, rank and margin.

        A rank that was not computed is empty, and so is the margin of the only candidate.
        """
        for start in range(0, len(self.matches), BLOCK):
            own = self.matches.chosen(np.arange(start, min(start + BLOCK, len(self.matches))))
            columns = (own.left, own.right, own.scores, own.ranks, own.margins)
            for left, right, score, rank, margin in zip(
                *(column.tolist() for column in columns), strict=True
            ):
                yield (
                    self.left.entities[left],
                    self.right.entities[right],
                    f"{score:.6f}",
                    str(rank) if rank else "",
                    "" if np.isnan(margin) else f"{margin:.6f}",
                )

    def write(self, path: str | Path) -> None:
        """Write the pairs as a table with tabs and a header, whole or not at all.

        Raises:
            UserError: If the file can't be written.
        """
        with atomic_file(path) as temporary, temporary.open("w", encoding="utf-8") as stream:
            stream.write("\t".join(HEADER) + "\n")
            stream.writelines("\t".join(row) + "\n" for row in self.rows())

    def to_dict(self) -> dict[str, Any]:
        """Return weights, facts and measures as JSON values; the pairs stand in the table."""
        found = {
            "left": self.left.name,
            "right": self.right.name,
            "pairs": len(self.matches),
            "weights": dict(self.weights),
            **self.facts,
            "notes": list(self.notes),
        }
        return found if self.result is None else {**found, "result": self.result.to_dict()}

    def table(self) -> Table:
        """Render the measures of each system, or the number of pairs, within 80 columns."""
        if self.result is None:
            made = new_table(f"{self.left.name} - {self.right.name}", ("", "", "pairs"))
            made.add_row(self.facts["pairing"], "", f"{len(self.matches):,}")
            return made
        facts = self.result.facts
        pool = "test entities" if facts["pool"] == "test" else "all entities"
        sizes = " / ".join(f"{facts['pool_size'][way]:,}" for way in WAYS)
        queries = " / ".join(f"{facts['queries'][way]:,}" for way in WAYS)
        made = new_table(
            f"{queries} entities looked up among {sizes} ({pool})",
            ("", "way", "Hits@1 [95 %]", "@10", "MRR"),
        )
        for row in self.result.rows:
            for way, arrow in zip(WAYS, ("to right", "to left"), strict=True):
                scores = row.scores
                made.add_row(
                    row.system if way == WAYS[0] else "",
                    arrow,
                    interval_cell(scores[f"hits@1 {way}"]),
                    f"{scores[f'hits@10 {way}'].mean:.3f}",
                    f"{scores[f'mrr {way}'].mean:.3f}",
                )
        made.caption = (
            f"{len(self.matches):,} pairs ({self.facts['pairing']}). Test entities: "
            f"precision {self.facts['precision']:.3f}, recall {self.facts['recall']:.3f}"
        )
        return made
