"""The page of an alignment: its pairs with names, facts and what the test links say."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from xadapt.data.graphs.graph import KnowledgeGraph
from xadapt.pipelines.kg_aligned import Aligned
from xadapt.report.aligned_page import AlignedPage, AlignedPair, write_aligned
from xadapt.tasks.kg.alignment import WAYS

MOST = 5000
FACTS = 3
VERDICTS = {1: "right", 0: "wrong", -1: ""}


def write_page(path: Path | str, aligned: Aligned, most: int = MOST) -> None:
    """Write the page of an alignment. The least sure pairs are on it if there are too many.

    Args:
        path: The file.
        aligned: The alignment.
        most: Most pairs on the page.

    Raises:
        UserError: If the file can't be written.
    """
    write_aligned(path, page_of(aligned, most))


def page_of(aligned: Aligned, most: int = MOST) -> AlignedPage:
    """Return what stands on the page of an alignment."""
    own = aligned.matches
    order = np.arange(len(own))
    if len(order) > most:
        margins = np.where(np.isnan(own.margins), np.inf, own.margins)
        order = np.sort(np.argsort(margins, kind="stable")[:most])
    lines = [
        _Lines(graph, names)
        for graph, names in zip((aligned.left, aligned.right), aligned.names, strict=True)
    ]
    pairs = [_pair(aligned, row, lines) for row in order.tolist()]
    facts = [("Pairs", f"{len(own):,} ({aligned.facts['pairing']})")]
    facts += [(f"Weight of {name}", f"{weight:.1f}") for name, weight in aligned.weights.items()]
    if aligned.result is not None:
        last = aligned.result.rows[-1]
        for way, arrow in zip(WAYS, ("left to right", "right to left"), strict=True):
            score = last.scores[f"hits@1 {way}"]
            facts.append((f"Hits@1 {arrow} ({last.system})",
                          f"{score.mean:.3f} [{score.low:.3f}, {score.high:.3f}]"))  # fmt: skip
        facts.append(("Pool", "test entities" if aligned.facts["pool"] == "test" else "all"))
    notes = list(aligned.notes)
    if len(order) < len(own):
        notes.append(f"The page has the {most:,} pairs with the smallest lead; the table has all.")
    left, right = aligned.left, aligned.right
    return AlignedPage(
        f"{left.name} and {right.name}: the same entities",
        left.name,
        right.name,
        left.lang or "und",
        right.lang or "und",
        pairs,
        len(own),
        facts,
        notes,
    )


def _pair(aligned: Aligned, row: int, lines: Sequence[_Lines]) -> AlignedPair:
    own = aligned.matches
    left, right, margin = int(own.left[row]), int(own.right[row]), float(own.margins[row])
    return AlignedPair(
        aligned.left.entities[left],
        aligned.right.entities[right],
        lines[0].name(left),
        lines[1].name(right),
        float(own.scores[row]),
        None if np.isnan(margin) else margin,
        VERDICTS[int(aligned.verdicts[row])],
        lines[0].of(left),
        lines[1].of(right),
    )


class _Lines:
    """Some facts of each entity as lines for people."""

    def __init__(self, graph: KnowledgeGraph, names: Sequence[str]) -> None:
        self.graph, self.names = graph, names
        ends = np.concatenate([graph.triples[:, 0], graph.triples[:, 2]])
        self._order = np.argsort(ends, kind="stable")
        self._ends = ends[self._order]
        self._relations = list(graph.relations)
        tables = [*graph.relation_labels.values()]
        tables += [graph.relation_labels[t] for t in ("en",) if t in graph.relation_labels]
        for table in tables:
            positions, texts = table.first()
            for position, text in zip(positions.tolist(), texts, strict=True):
                self._relations[position] = text

    def name(self, entity: int) -> str:
        """Return the name of an entity; empty if it has none."""
        name = self.names[entity]
        return "" if name == self.graph.entities[entity] else name

    def of(self, entity: int) -> tuple[str, ...]:
        """Return some facts of an entity: those where it is the head come first."""
        start, end = np.searchsorted(self._ends, [entity, entity + 1])
        count = len(self.graph.triples)
        found = []
        for place in self._order[start:end][:FACTS].tolist():
            head, relation, tail = self.graph.triples[place % count].tolist()
            other = tail if place < count else head
            name = self.name(other) or self.graph.entities[other]
            arrow = "" if place < count else " of"
            found.append(f"{self._relations[relation]}{arrow}: {name}")
        return tuple(found)
