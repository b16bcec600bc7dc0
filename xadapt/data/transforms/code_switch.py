"""Code-switching: the entities of a sentence take their names in another language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field

from xadapt.core.errors import UserError
from xadapt.data.records import LinkedSentence
from xadapt.data.transforms.protocol import Applies, Services
from xadapt.languages.match import find_same
from xadapt.languages.tags import normalise

Table = Mapping[str, Mapping[str, tuple[str, ...]]]


@dataclass(frozen=True)
class CodeSwitch:
    """Put names in another language in the place of the mentions of a sentence.

    An entity is mapped if it has a name in one of the languages. A sentence can be switched into
    the languages in which all its mapped entities have a name; of more than ``most`` languages,
    ``most`` are drawn. A switched sentence is in one language: all its mapped entities take it.
    Other mentions stay as they are and are no mentions any more. Names are inserted without
    inflection, and no marks are left in the text. A sentence without such a language is left out.

    Source: EntityCS, Whitehouse et al. 2022, https://arxiv.org/abs/2210.12540, section 2.1.

    Attributes:
        names: The source of names, see `xadapt.data.readers.name_tables.read_name_table`.
        languages: The languages. Without them, the language of the run; if the sentences are in it,
            all languages of the names.
        most: Largest number of languages of a sentence.
        keep_original: Whether each sentence also stays as it is.
        smoothing: Languages with n sentences keep sentences in proportion to n to this power; the
            language with the fewest keeps all. 1 keeps all sentences; 0.5 is published.
    """

    names: str = "cldr:all"
    languages: tuple[str, ...] = ()
    most: Annotated[int, Field(ge=1)] = 5
    keep_original: bool = False
    smoothing: Annotated[float, Field(ge=0, le=1)] = 1.0

    consumes: ClassVar[type] = LinkedSentence
    gives: ClassVar[type] = LinkedSentence
    needs: ClassVar[tuple[str, ...]] = ("names",)
    applies: ClassVar[Applies] = "all"

    def apply(self, records: Sequence[LinkedSentence], services: Services) -> list[LinkedSentence]:
        """Return the switched sentences, in the order of the sentences and of the languages.

        Raises:
            UserError: If the names can't be read, or there are none in a language.
        """
        table: Table = services["names"](self.names)
        made: list[LinkedSentence] = []
        unmapped = without = 0
        for record in services.track(records, "code-switching"):
            langs = self._languages(table, record.lang, services.lang)
            known = [m for m in record.mentions if any(m[2] in table[lang] for lang in langs)]
            unmapped += len(record.mentions) - len(known)
            shared = [lang for lang in langs if all(m[2] in table[lang] for m in known)]
            if self.keep_original:
                made.append(record)
            if not known or not shared:
                without += 1
                continue
            if len(shared) > self.most:
                shared = services.rng("code_switch", record.text).sample(shared, self.most)
            made += [_switched(record, known, lang, table[lang]) for lang in sorted(shared)]
        kept = self._smoothed(made, services)
        services.log(
            f"{len(kept):,} switched sentences of {len(records):,}; {without:,} have no language, "
            f"{unmapped:,} mentions have no name"
        )
        return kept

    def _languages(self, table: Table, own: str, run: str) -> list[str]:
        """Return the tags of the table for the languages, without that of the sentence."""
        tags = self.languages or ((run,) if find_same(run, [own]) is None else tuple(table))
        found = []
        for tag in tags:
            same = find_same(normalise(tag), table)
            if same is None:
                known = ", ".join(list(table)[:20])
                raise UserError(
                    f"there are no names in {normalise(tag)!r}",
                    where=self.names,
                    todo=f"There are some in {known}",
                )
            if find_same(same, [own]) is None:
                found.append(same)
        return list(dict.fromkeys(found))

    def _smoothed(
        self, records: Sequence[LinkedSentence], services: Services
    ) -> list[LinkedSentence]:
        places: dict[str, list[int]] = {}
        for place, record in enumerate(records):
            places.setdefault(record.lang, []).append(place)
        least = min(map(len, places.values()), default=0)
        kept: set[int] = set()
        for lang, own in places.items():
            quota = round(least * (len(own) / least) ** self.smoothing)
            kept |= set(services.rng("smoothing", lang).sample(own, min(quota, len(own))))
        return [record for place, record in enumerate(records) if place in kept]


def _switched(
    record: LinkedSentence,
    mentions: Sequence[tuple[int, int, str]],
    lang: str,
    names: Mapping[str, tuple[str, ...]],
) -> LinkedSentence:
    text, done = "", 0
    placed: list[tuple[int, int, str]] = []
    for start, end, entity in mentions:
        text += record.text[done:start]
        name = names[entity][0]
        placed.append((len(text), len(text) + len(name), entity))
        text += name
        done = end
    return LinkedSentence(
        text + record.text[done:], tuple(placed), lang,
        row=record.row or record.text, origin=record.origin,
    )  # fmt: skip


Part = CodeSwitch
