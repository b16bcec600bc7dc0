"""Draw training records of several languages by temperature."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from xadapt.data.records import (
    LabelledText,
    OpenTriples,
    ParallelPair,
    PlainText,
    Record,
    TaggedSentence,
)
from xadapt.data.transforms.protocol import Applies, Services
from xadapt.functional.language_shares import rows_of_shares, temperature_shares

KINDS: dict[str, type[Record]] = {
    "tagged_sentences": TaggedSentence,
    "open_triples": OpenTriples,
    "plain_texts": PlainText,
    "labelled_texts": LabelledText,
    "pairs": ParallelPair,
}


@dataclass(frozen=True)
class LanguageTemperature:
    """Change how many training records each language has, in proportion to ``n ** (1 / T)``.

    A language with fewer records than its share has each of them equally often, and some once more,
    drawn without repetition. A language with more has a part of them. The order is drawn.

    Source: temperature sampling of languages, Arivazhagan et al. 2019,
    https://arxiv.org/abs/1907.05019, section 3; MT4CrossOIE (https://arxiv.org/abs/2308.06552)
    takes 7, or 100, which is nearly uniform.

    Attributes:
        records: The kind of records: ``tagged_sentences``, ``open_triples``, ``plain_texts``,
            ``labelled_texts`` or ``pairs``.
        temperature: 1 leaves the shares as they are; the higher, the more equal they get.
        total: Number of records to make; 0 makes as many as there are.
    """

    records: Literal[
        "tagged_sentences", "open_triples", "plain_texts", "labelled_texts", "pairs"
    ] = "tagged_sentences"
    temperature: Annotated[float, Field(gt=0)] = 7.0
    total: Annotated[int, Field(ge=0)] = 0

    needs: ClassVar[tuple[str, ...]] = ()
    applies: ClassVar[Applies] = "train"

    @property
    def consumes(self) -> type[Record]:
        """The record class that ``records`` names."""
        return KINDS[self.records]

    @property
    def gives(self) -> type[Record]:
        """The same record class."""
        return KINDS[self.records]

    def apply(self, records: Sequence[Any], services: Services) -> list[Any]:
        """Draw the records; the log has the number of each language."""
        places: dict[str, list[int]] = {}
        for place, record in enumerate(records):
            places.setdefault(record.lang, []).append(place)
        if not places:
            return []
        shares = temperature_shares(
            {lang: len(own) for lang, own in places.items()}, self.temperature
        )
        wanted = rows_of_shares(shares, self.total or len(records))
        drawn: list[int] = []
        for lang, own in sorted(places.items()):
            times, more = divmod(wanted[lang], len(own))
            drawn += own * times + services.rng("temperature", lang).sample(own, more)
            services.log(f"{lang}: {wanted[lang]:,} records drawn from {len(own):,}")
        services.rng("temperature order").shuffle(drawn)
        return [records[place] for place in drawn]


Part = LanguageTemperature
