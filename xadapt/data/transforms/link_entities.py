"""Links by names: the names of known entities are found in plain text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar
from unicodedata import category

from pydantic import Field

from xadapt.core.errors import UserError
from xadapt.data.records import LinkedSentence, PlainText
from xadapt.data.transforms.protocol import Applies, Services
from xadapt.languages.match import find_same

UNSPACED = re.compile(
    "[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]"
)
"""Letters of scripts without a space between words: kana, Han, Thai, Lao, Burmese, Khmer."""


@dataclass(frozen=True)
class LinkEntities:
    """Mark the names of entities in texts, as whole words and with their case.

    At each place the longest name is taken. A name that several entities share links to none of
    them. In scripts without spaces a name may stand anywhere. Texts without a name are left out.

    Source: linking by a dictionary, as the dictionary of anchor texts in
    https://aclanthology.org/D07-1074, section 3.1, without its disambiguation.

    Attributes:
        names: The source of names, see `xadapt.data.readers.name_tables.read_name_table`.
        shortest: The least number of characters of a name; names of unspaced scripts may be half as
            long.
    """

    names: str = "cldr:all"
    shortest: Annotated[int, Field(ge=1)] = 4

    consumes: ClassVar[type] = PlainText
    gives: ClassVar[type] = LinkedSentence
    needs: ClassVar[tuple[str, ...]] = ("names",)
    applies: ClassVar[Applies] = "all"

    def apply(self, records: Sequence[PlainText], services: Services) -> list[LinkedSentence]:
        """Return the texts with a name, in order.

        Raises:
            UserError: If the names can't be read, or there are none in the language of a text.
        """
        table = services["names"](self.names)
        indexes: dict[str, Index] = {}
        made, count = [], 0
        for record in services.track(records, "linking names"):
            if record.lang not in indexes:
                same = find_same(record.lang, table)
                if same is None:
                    raise UserError(f"there are no names in {record.lang!r}", where=self.names)
                indexes[record.lang] = Index(table[same], self.shortest)
            mentions = tuple(indexes[record.lang].find(record.text))
            if mentions:
                count += len(mentions)
                made.append(
                    LinkedSentence(record.text, mentions, record.lang, origin=record.origin)
                )
        services.log(f"{count:,} names in {len(made):,} of {len(records):,} texts")
        return made


class Index:
    """The names of one language, for the search in texts.

    Args:
        names: The names of each entity.
        shortest: The least number of characters of a name.
    """

    def __init__(self, names: Mapping[str, Sequence[str]], shortest: int) -> None:
        owners: dict[str, set[str]] = {}
        for entity, own in names.items():
            for name in own:
                least = (shortest + 1) // 2 if UNSPACED.search(name) else shortest
                if len(name) >= least:
                    owners.setdefault(name, set()).add(entity)
        self._entity = {name: next(iter(own)) for name, own in owners.items() if len(own) == 1}
        self._by_start: dict[str, list[str]] = {}
        for name in sorted(owners, key=lambda name: (-len(name), name)):
            self._by_start.setdefault(name[:2], []).append(name)

    def find(self, text: str) -> Iterator[tuple[int, int, str]]:
        """Yield the mentions of entities, from left to right; they do not overlap."""
        at = 0
        while at < len(text):
            name = next(
                (
                    name
                    for name in self._by_start.get(text[at : at + 2], ())
                    if text.startswith(name, at) and _is_whole(text, at, at + len(name))
                ),
                None,
            )
            if name is None:
                at += 1
                continue
            # A shared name takes its place in the text too: no shorter name inside it is meant.
            if name in self._entity:
                yield at, at + len(name), self._entity[name]
            at += len(name)


def _is_whole(text: str, start: int, end: int) -> bool:
    """Whether a span neither begins nor ends inside a word."""
    return not (
        (start > 0 and _joined(text[start - 1], text[start]))
        or (end < len(text) and _joined(text[end - 1], text[end]))
    )


def _joined(left: str, right: str) -> bool:
    """Whether two neighbouring characters are inside one word."""
    if not (category(left)[0] in "LNM" and category(right)[0] in "LNM"):
        return False
    if category(right)[0] == "M":
        return True
    return not (UNSPACED.match(left) or UNSPACED.match(right))


Part = LinkEntities
