"""The result of judging candidates: rows, measures with their upper bound, a page, JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from xadapt.core.files import atomic_file
from xadapt.evaluation.statistics import Interval, difference, interval, mcnemar
from xadapt.report.aligned_page import AlignedPage, AlignedPair, write_aligned
from xadapt.tasks.kg.judging import EntityFacts
from xadapt.tasks.table import interval_cell, new_table

MOST, SHOWN = 5000, 4
FIRST, VOTE, FALLBACK, BOUND = "first candidate", "vote", "vote, else first", "best possible"


@dataclass
class Judged:
    """The result of `xadapt.pipelines.kg_judge.judge_candidates`.

    Attributes:
        left: Facts of the left graph.
        right: Facts of the right graph.
        rows: A row for each entity: ``src``, ``choice``, ``abstain``, ``votes``, ``candidates``.
        gold: The right entities of each left one, if there are test links.
        path: The file of the rows.
        top: Candidates of each entity.
        resamples: Number of bootstrap samples.
        seed: Seed of the bootstrap.
        models: What each language model was asked in this session.
    """

    left: EntityFacts
    right: EntityFacts
    rows: Sequence[Mapping[str, Any]]
    gold: Mapping[str, set[str]] | None
    path: Path
    top: int
    resamples: int = 1000
    seed: int = 0
    models: list[dict[str, Any]] = field(default_factory=list)

    @property
    def asked(self) -> list[Mapping[str, Any]]:
        """The rows whose entity has a test link."""
        return [] if self.gold is None else [row for row in self.rows if row["src"] in self.gold]

    def right_answers(self) -> dict[str, NDArray[np.float64]]:
        """Return for each system whether it is right, 1 or 0, ``(entities,)``.

        To abstain counts as an error. The best possible system is right wherever the right entity
        is among the candidates: no voter can be better.
        """
        rows, gold = self.asked, self.gold or {}
        names = list(dict.fromkeys(name for row in self.rows for name in row["votes"]))
        found: dict[str, list[bool]] = {}
        for row in rows:
            own = gold[row["src"]]
            answers = {
                FIRST: row["candidates"][0],
                **({n: row["votes"].get(n) for n in names} if len(names) > 1 else {}),
                VOTE: row["choice"],
                FALLBACK: row["candidates"][0] if row["abstain"] else row["choice"],
            }
            for name, answer in answers.items():
                found.setdefault(name, []).append(answer in own)
            found.setdefault(BOUND, []).append(not own.isdisjoint(row["candidates"]))
        return {name: np.array(values, dtype=float) for name, values in found.items()}

    def scores(self) -> dict[str, dict[str, Any]]:
        """Return the accuracy of each system, and what it gains over the first candidate.

        ``gain`` is the paired difference; ``mcnemar`` has the numbers of entities that only one of
        both gets right, and the exact p-value.
        """
        answers = self.right_answers()
        made: dict[str, dict[str, Any]] = {}
        for name, own in answers.items():
            made[name] = {"accuracy": self._interval(own)}
            if name not in (FIRST, BOUND):
                base = answers[FIRST]
                made[name]["gain"] = difference(own, base, resamples=self.resamples, seed=self.seed)
                made[name]["mcnemar"] = mcnemar(own, base)
        return made

    @property
    def precision(self) -> Interval | None:
        """The share of right answers among those that were given; ``None`` if there are none."""
        rows = [row for row in self.asked if not row["abstain"]]
        own = [row["choice"] in (self.gold or {})[row["src"]] for row in rows]
        return self._interval(np.array(own, dtype=float)) if own else None

    def _interval(self, values: NDArray[np.float64]) -> Interval:
        return interval(values, resamples=self.resamples, seed=self.seed)

    def to_dict(self) -> dict[str, Any]:
        """Return counts and measures as JSON values; the rows stand in the file."""
        made: dict[str, Any] = {
            "left": self.left.graph.name,
            "right": self.right.graph.name,
            "entities": len(self.rows),
            "abstained": sum(row["abstain"] for row in self.rows),
            "top": self.top,
            "models": self.models,
        }
        if self.gold is not None:
            made["asked"] = len(self.asked)
            judged = {row["src"] for row in self.rows}
            made["test entities not judged"] = len(self.gold.keys() - judged)
            made["scores"] = {
                name: {key: one.to_dict() for key, one in own.items()}
                for name, own in self.scores().items()
            }
            made["precision"] = None if self.precision is None else self.precision.to_dict()
        return made

    def write(self, path: str | Path) -> None:
        """Write the rows as JSON lines, whole or not at all.

        Raises:
            UserError: If the file can't be written.
        """
        with atomic_file(path) as temporary, temporary.open("w", encoding="utf-8") as stream:
            for row in self.rows:
                stream.write(json.dumps(row, ensure_ascii=False) + "\n")

    def table(self) -> Table:
        """Render accuracies beside the bound, or counts, within 80 columns."""
        abstained = sum(row["abstain"] for row in self.rows)
        title = f"{len(self.rows):,} entities judged among {self.top} candidates"
        if not self.asked:
            made = new_table(title, ("", "", "entities"))
            made.add_row("answered", "", f"{len(self.rows) - abstained:,}")
            made.add_row("abstained", "", f"{abstained:,}")
            return made
        made = new_table(title, ("", "", "accuracy [95 %]", "only it, only first", "p"))
        for name, own in self.scores().items():
            test = own.get("mcnemar")
            made.add_row(
                name if name != BOUND else f"{BOUND}: recall@{self.top}", "",
                interval_cell(own["accuracy"]),
                f"{test.only_ours}, {test.only_theirs}" if test else "",
                f"{test.p:.3f}" if test else "",
            )  # fmt: skip
        precise = self.precision
        said = "none" if precise is None else interval_cell(precise)
        made.caption = (
            f"{abstained:,} abstained, which counts as an error; of the answers right: {said}.\n"
            "p: exact McNemar against the first candidate. No voter can pass recall@"
            f"{self.top}"
        )
        return made

    def write_page(self, path: str | Path, most: int = MOST) -> None:
        """Write a page to look through the answers, mark them and export links.

        Entities with the closest votes come first.

        Args:
            path: The file.
            most: Most entities on the page.

        Raises:
            UserError: If the file can't be written.
        """
        pairs = [self._pair(row) for row in self.rows]
        shown = sorted(range(len(pairs)), key=lambda i: (pairs[i].score, i))[:most]
        facts = [("Abstained", f"{sum(row['abstain'] for row in self.rows):,}")]
        if self.asked:
            facts += [(n, interval_cell(own["accuracy"])) for n, own in self.scores().items()]
        left, right = self.left, self.right
        page = AlignedPage(
            f"{left.graph.name} and {right.graph.name}: judged candidates", left.graph.name,
            right.graph.name, left.names.lang, right.names.lang,
            [pairs[i] for i in sorted(shown)], len(pairs), facts,
            ["Where the voters abstained, the first candidate is shown, with score 0."],
        )  # fmt: skip
        write_aligned(path, page)

    def _pair(self, row: Mapping[str, Any]) -> AlignedPair:
        votes = [vote for vote in row["votes"].values() if vote is not None]
        answer = row["candidates"][0] if row["abstain"] else row["choice"]
        share = 0.0 if row["abstain"] else votes.count(answer) / len(row["votes"])
        verdict = ""
        if self.gold is not None and row["src"] in self.gold:
            verdict = "right" if answer in self.gold[row["src"]] else "wrong"
        said = [
            f"{name}: {'nothing' if vote is None else self.right.name(vote) or vote}"
            for name, vote in row["votes"].items()
        ]
        facts = [str(fact) for fact in self.left.relations(row["src"])[:SHOWN]]
        return AlignedPair(
            row["src"], answer, self.left.name(row["src"]), self.right.name(answer), share,
            None, verdict, tuple(facts), tuple(said),
        )  # fmt: skip
