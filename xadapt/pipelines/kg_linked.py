"""The result of linking: rows, measures by system and language, a page to look through, JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from xadapt.core.files import write_errors
from xadapt.data.readers.concept_names import ConceptNames
from xadapt.evaluation.statistics import Interval, interval
from xadapt.pipelines.kg_reranked import Choice
from xadapt.report.aligned_page import AlignedPage, AlignedPair, write_aligned
from xadapt.tasks.table import interval_cell, new_table

MOST = 5000
OTHERS = 4
UNKNOWN = "und"


@dataclass
class Ranks:
    """What the measures of linking need of each mention.

    Attributes:
        mentions: Number of mentions.
        nil: Number of mentions for which the answer is that no concept is right.
        langs: The language of each mention with a right concept.
        covered: Whether its right concept has a name in the index.
        answers: Whether its answer is right: the first candidate, or none where the right concept
            has no name.
        ranks: By system, the rank of the right concept, infinite where it has no name.
    """

    mentions: int = 0
    nil: int = 0
    langs: list[str] = field(default_factory=list)
    covered: list[bool] = field(default_factory=list)
    answers: list[bool] = field(default_factory=list)
    ranks: dict[str, list[float]] = field(default_factory=dict)

    def add(self, row: Mapping[str, Any]) -> None:
        """Count a row.

        Args:
            row: The row of a mention, as it is written.
        """
        self.mentions += 1
        self.nil += bool(row["nil"])
        if "ranks" not in row:
            return
        ranks = {name: np.inf if r is None else r for name, r in row["ranks"].items()}
        last = next(reversed(ranks.values()))
        self.langs.append(row.get("lang", UNKNOWN))
        self.covered.append(bool(np.isfinite(last)))
        first = row["candidates"][0]["concept"] in row["right"] if row["candidates"] else False
        self.answers.append(row["nil"] if np.isinf(last) else first and not row["nil"])
        for name, rank in ranks.items():
            self.ranks.setdefault(name, []).append(float(rank))


@dataclass(frozen=True)
class Linked:
    """The result of `xadapt.pipelines.kg_link.link_mentions`.

    Attributes:
        concepts: The names of concepts.
        top: Candidates of each mention.
        ranks: The ranks of right concepts.
        path: The file of rows, if there is one.
        kept: The rows, if there is no file.
        systems: The names of what was compared; the last one ranks the candidates.
        resamples: Number of bootstrap samples.
        seed: Seed of the bootstrap.
        choice: What was chosen on development mentions, if there are any.
    """

    concepts: ConceptNames
    top: int
    ranks: Ranks
    path: Path | None
    kept: Sequence[Mapping[str, Any]]
    systems: tuple[str, ...]
    resamples: int = 1000
    seed: int = 0
    choice: Choice | None = None

    def rows(self) -> Iterator[Mapping[str, Any]]:
        """Yield the rows of the mentions.

        A row has the mention, its candidates with their scores by system, whether the answer is
        that no concept is right, and, where they are known, the right concepts and their ranks.
        """
        if self.path is None:
            yield from self.kept
            return
        with write_errors(self.path), self.path.open(encoding="utf-8") as stream:
            for line in stream:
                yield json.loads(line)

    def measures(self) -> tuple[str, ...]:
        """Return the names of the measures: R@1, R@5 and R@k for the number of candidates."""
        return tuple(dict.fromkeys(("R@1", "R@5", f"R@{self.top}")))

    def scores(self, lang: str | None = None) -> dict[str, dict[str, Interval]]:
        """Return the measures of each system, with intervals over mentions.

        A right concept without a name in the index is a miss. Equal scores count as their mean
        rank.

        Args:
            lang: Mentions of one language; by default all.
        """
        chosen = np.array([lang in (None, own) for own in self.ranks.langs], dtype=bool)
        found: dict[str, dict[str, Interval]] = {}
        for name, ranks in self.ranks.ranks.items() if chosen.any() else ():
            own = np.array(ranks)[chosen]
            found[name] = {
                measure: self._interval(own <= int(measure[2:])) for measure in self.measures()
            }
            found[name]["MRR"] = self._interval(1 / own)
        return found

    def _interval(self, values: NDArray[Any]) -> Interval:
        return interval(values.astype(float), resamples=self.resamples, seed=self.seed)

    def to_dict(self) -> dict[str, Any]:
        """Return counts and measures as JSON values; the candidates stand in the file."""
        ranks = self.ranks
        made: dict[str, Any] = {
            "mentions": ranks.mentions,
            "nil": ranks.nil,
            "concepts": len(self.concepts.concepts),
            "names": len(self.concepts.names),
            "languages": list(self.concepts.languages),
            "systems": list(self.systems),
            "top": self.top,
        }
        if self.choice is not None:
            made["chosen"] = self.choice.to_dict()
        if ranks.langs:
            made["measured"] = len(ranks.langs)
            made["coverage"] = float(np.mean(ranks.covered))
            made["answers"] = self._interval(np.array(ranks.answers)).to_dict()
            made["scores"] = _as_json(self.scores())
            made["by_language"] = {
                lang: {"mentions": ranks.langs.count(lang), "scores": _as_json(self.scores(lang))}
                for lang in dict.fromkeys(ranks.langs)
            }
        return made

    def table(self) -> Table:
        """Render the measures of each system, or counts, within 80 columns."""
        ranks, names = self.ranks, self.concepts
        title = f"{ranks.mentions:,} mentions among {len(names.concepts):,} concepts"
        if not ranks.langs:
            made = new_table(title, ("", "", "mentions"))
            made.add_row("linked", "", f"{ranks.mentions - ranks.nil:,}")
            made.add_row("no concept", "", f"{ranks.nil:,}")
            return made
        measures = self.measures()
        made = new_table(title, ("", "", f"{measures[0]} [95 %]", *measures[1:], "MRR"))
        for lang in (None, *dict.fromkeys(ranks.langs)) if len(set(ranks.langs)) > 1 else (None,):
            for place, (system, own) in enumerate(self.scores(lang).items()):
                others = (own[name].mean for name in (*measures[1:], "MRR"))
                made.add_row(
                    "" if place else lang or "all", system, interval_cell(own[measures[0]]),
                    *(f"{value:.3f}" for value in others),
                )  # fmt: skip
        made.caption = (
            f"{len(ranks.langs):,} mentions have right concepts; {np.mean(ranks.covered):.1%} of "
            "these have a name here,\nthe others are misses"
        )
        if ranks.nil:
            made.caption += f"; {np.mean(ranks.answers):.1%} of the answers are right"
        return made

    def write_page(self, path: str | Path, most: int = MOST) -> None:
        """Write a page to look through the links, mark them and export them.

        Args:
            path: The file.
            most: Most mentions on the page; the least sure ones stay.

        Raises:
            UserError: If the file can't be written.
        """
        pairs = [_pair(row) for row in self.rows() if row["candidates"]]
        shown = sorted(range(len(pairs)), key=lambda i: (pairs[i].margin or 0.0, i))[:most]
        facts = [("Concepts", f"{len(self.concepts.concepts):,}")]
        facts += [(f"R@1 {name}", interval_cell(own["R@1"])) for name, own in self.scores().items()]
        page = AlignedPage(
            "Mentions and their concepts", "mentions", "concepts", "und", "und",
            [pairs[i] for i in sorted(shown)], len(pairs), facts, exported="concepts.tsv",
        )  # fmt: skip
        write_aligned(path, page)


def _as_json(scores: Mapping[str, Mapping[str, Interval]]) -> dict[str, Any]:
    return {name: {m: one.to_dict() for m, one in own.items()} for name, own in scores.items()}


def _pair(row: Mapping[str, Any]) -> AlignedPair:
    first, *others = row["candidates"]
    verdict = ""
    if "right" in row:
        verdict = "right" if first["concept"] in row["right"] else "wrong"
    scores = [
        f"{name}: {value:.3f}"
        for name, value in first.items()
        if name not in ("concept", "name", "score")
    ]
    return AlignedPair(
        row["mention"], first["concept"], row["text"], first["name"], float(first["score"]),
        float(first["score"] - others[0]["score"]) if others else None, verdict,
        tuple(f"{one['name']} ({one['score']:.3f})" for one in others[:OTHERS]), tuple(scores),
    )  # fmt: skip
