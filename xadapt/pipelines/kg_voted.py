"""The result of a vote on names: rows, measures, a page to look through, JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from xadapt.core.files import atomic_file
from xadapt.data.readers.name_files import CheckedNames
from xadapt.evaluation.statistics import Interval
from xadapt.report.aligned_page import AlignedPage, AlignedPair, write_aligned
from xadapt.tasks.kg.name_votes import CHECK, COVERAGE, FLAGS, NameCounts, Voted, normal_name
from xadapt.tasks.table import interval_cell, new_table

MOST = 5000
OTHERS = 4


@dataclass(frozen=True)
class VotedNames:
    """The result of `xadapt.pipelines.kg_names.vote_names`.

    Attributes:
        lang: Language of the names.
        voted: The names of each entity, most votes first.
        min_votes: Votes that a name needs to be written.
        confirms: Votes that keep a known name from being flagged as wrong.
        sources: Number of names of each source.
        scores: Measures on checked names, if there are any.
        counts: The counts that they are computed from.
        checked: The checked names.
        notes: Lines for people.
    """

    lang: str
    voted: Voted
    min_votes: int
    confirms: int
    sources: Mapping[str, int]
    scores: Mapping[str, Interval]
    counts: NameCounts | None
    checked: Mapping[str, CheckedNames]
    notes: tuple[str, ...] = ()

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield the entities with names that have enough votes, as JSON values.

        ``values`` holds votes, name and whether it is primary; ``sources`` the sources of each.
        """
        for entity, names in self.voted.items():
            own = [one for one in names if one.votes >= self.min_votes]
            if own:
                yield {
                    "wikidata_id": entity,
                    "values": [[one.votes, one.name, one.primary] for one in own],
                    "sources": [list(one.sources) for one in own],
                }

    def write(self, path: str | Path) -> None:
        """Write the names as JSON lines, whole or not at all.

        Raises:
            UserError: If the file can't be written.
        """
        with atomic_file(path) as temporary, temporary.open("w", encoding="utf-8") as stream:
            for row in self.rows():
                stream.write(json.dumps(row, ensure_ascii=False) + "\n")

    def to_dict(self) -> dict[str, Any]:
        """Return counts and measures as JSON values; the names stand in the file."""
        own = [len(row["values"]) for row in self.rows()]
        found: dict[str, Any] = {
            "language": self.lang,
            "min_votes": self.min_votes,
            "confirms": self.confirms,
            "sources": dict(self.sources),
            "entities": {"all": len(self.voted), "written": len(own)},
            "names": sum(own),
            "notes": list(self.notes),
        }
        if self.counts is not None:
            found["checked"] = {
                "entities": len(self.counts.right),
                "right": int(self.counts.known_right.sum()),
                "wrong": int(self.counts.known_wrong.sum()),
                "wrong found": int(self.counts.found_wrong.sum()),
                "right flagged": int(self.counts.found_right.sum()),
            }
            found["scores"] = {name: one.to_dict() for name, one in self.scores.items()}
        return found

    def table(self) -> Table:
        """Render sources and measures, within 80 columns."""
        own = [len(row["values"]) for row in self.rows()]
        made = new_table(
            f"{self.lang}: {sum(own):,} names of {len(own):,} entities with {self.min_votes} or "
            "more votes",
            ("", "", "score [95 %]" if self.scores else "names"),
        )
        if not self.scores:
            for name, count in self.sources.items():
                made.add_row(name, "source", f"{count:,}")
            return made
        for group, names in (("coverage", COVERAGE), ("check of known names", CHECK)):
            for place, name in enumerate(names):
                made.add_row(
                    "" if place else group, name.split()[-1], interval_cell(self.scores[name])
                )
        made.add_row("flagged names", "wrong", interval_cell(self.scores[FLAGS]))
        made.caption = (
            f"coverage: names with {self.min_votes} or more votes against right names. check: a "
            f"known\nname with fewer than {self.confirms} votes is flagged; P is the accuracy over "
            "all known\nnames, as the authors compute it"
        )
        return made

    def write_page(self, path: str | Path, most: int = MOST) -> None:
        """Write a page to look through the names and mark them as right or wrong.

        The marked names are saved as a table that is a source again. The least sure entities are
        on the page if there are too many.

        Args:
            path: The file.
            most: Most names on the page.

        Raises:
            UserError: If the file can't be written.
        """
        pairs = list(self._pairs())
        shown = sorted(range(len(pairs)), key=lambda i: (pairs[i].margin or 0, i))[:most]
        facts = [(name, f"{count:,} names") for name, count in self.sources.items()]
        facts += [(name, interval_cell(one)) for name, one in self.scores.items()]
        page = AlignedPage(
            f"Names in {self.lang}: one for each entity",
            "entities",
            f"names in {self.lang}",
            "und",
            self.lang,
            [pairs[i] for i in sorted(shown)],
            len(pairs),
            facts,
            list(self.notes),
            exported=f"names-{self.lang}.tsv",
        )
        write_aligned(path, page)

    def _pairs(self) -> Iterator[AlignedPair]:
        """Yield entities with the name that has most votes; the lead is that over the next."""
        for entity, names in self.voted.items():
            if not names or names[0].votes < self.min_votes:
                continue
            first, others = names[0], names[1:]
            lead = first.votes - others[0].votes if others else first.votes
            yield AlignedPair(
                entity,
                first.name,
                "",
                "",
                float(first.votes),
                float(lead),
                self._verdict(entity, first.name),
                tuple(f"{one.name} ({one.votes})" for one in others[:OTHERS]),
                (", ".join(first.sources),),
            )

    def _verdict(self, entity: str, name: str) -> str:
        gold = self.checked.get(entity)
        if gold is None:
            return ""
        key = normal_name(name)
        if key in {normal_name(one) for one in gold.right}:
            return "right"
        return "wrong" if key in {normal_name(one) for one in gold.wrong} else ""
