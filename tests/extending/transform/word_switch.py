"""Code-switching: some words of the language side are written in the pivot language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field

from xadapt.core.errors import UserError
from xadapt.data.records import ParallelPair
from xadapt.data.transforms.protocol import Applies, Services


@dataclass(frozen=True)
class CodeSwitch:
    """Replace words by their translations in a dictionary; training pairs alone are changed.

    Source: CoSDA-ML, Qin et al. 2020, https://arxiv.org/abs/2006.06402, section 3.2.

    Attributes:
        dictionary: File with a word, a tab and its translation a line.
        share: Share of the words with a translation that are replaced.
    """

    dictionary: str = ""
    share: Annotated[float, Field(ge=0, le=1)] = 0.5

    consumes: ClassVar[type] = ParallelPair
    gives: ClassVar[type] = ParallelPair
    needs: ClassVar[tuple[str, ...]] = ()
    applies: ClassVar[Applies] = "train"

    def apply(self, records: Sequence[ParallelPair], services: Services) -> list[ParallelPair]:
        """As many pairs; which words are replaced depends on the seed and the pair alone.

        Raises:
            UserError: If there is no dictionary.
        """
        known = self._read()
        rows, replaced = [], 0
        for record in services.track(records, "code-switching"):
            rng = services.rng("word_switch", record)
            words = record.text.split()
            for place, word in enumerate(words):
                if word in known and rng.random() < self.share:
                    words[place] = known[word]
                    replaced += 1
            rows.append(replace(record, text=" ".join(words)))
        services.log(f"{replaced} words replaced in {len(rows)} pairs")
        return rows

    def _read(self) -> Mapping[str, str]:
        try:
            lines = Path(self.dictionary).read_text(encoding="utf-8").splitlines()
        except OSError:
            raise UserError(
                "word_switch finds no dictionary",
                where=self.dictionary,
                todo="Name it: {name: word_switch, dictionary: FILE}",
            ) from None
        return dict(line.split("\t", 1) for line in lines if "\t" in line)


Part = CodeSwitch
