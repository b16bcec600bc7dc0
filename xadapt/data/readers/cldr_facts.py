"""Read the facts of the built-in knowledge graph: ``cldr``, ``cldr:test``, ``cldr:sw:dev``.

Without a part the source means ``train``. ``all`` means every part. Facts have no language. A
language that the source names must be the requested language.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from xadapt.core.errors import UserError
from xadapt.data.readers.cldr import parse_source, read_triples
from xadapt.data.records import Triple


class CldrFacts:
    """Reader of facts, as ids. The transform ``verbalise`` makes sentences from facts."""

    format: ClassVar[str] = "cldr_facts"
    gives: ClassVar[type] = Triple

    def claims(self, source: str, request: object) -> bool:
        """Return False: ``cldr`` alone means pairs of names unless a recipe says otherwise."""
        return False

    def read(self, source: str, lang: str) -> Iterator[Triple]:
        """Yield the facts, sorted.

        Raises:
            UserError: If the source is no part of the graph, or names another language.
        """
        named, _ = parse_source(source)
        if named not in (None, lang):
            raise UserError(
                f"the source is {named}, but {lang} was asked for",
                where=source,
                todo="Write cldr alone, or the same language in both places",
            )
        yield from read_triples(source)


Part = CldrFacts
