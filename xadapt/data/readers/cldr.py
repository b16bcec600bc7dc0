"""Read the built-in knowledge graph: ``cldr``, ``cldr:sw``, ``cldr:test``, ``cldr:sw:dev``.

Without a part the source means ``train``. ``all`` means every part.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from xadapt.core.errors import UserError
from xadapt.data.readers.cldr_graph import build
from xadapt.data.readers.cldr_split import PARTS, PartName
from xadapt.data.readers.sides import Request
from xadapt.data.records import EntityLabel, ParallelPair, Triple
from xadapt.languages.tags import normalise


class Cldr:
    """Reader of entity names in two languages."""

    format: ClassVar[str] = "cldr"
    gives: ClassVar[type] = ParallelPair

    def claims(self, source: str, request: Request) -> bool:
        """Return whether the source is ``cldr`` or begins with ``cldr:``, and is no file."""
        return source.split(":")[0] == "cldr" and not Path(source).exists()

    def read(self, source: str, request: Request) -> Iterator[ParallelPair]:
        """Yield the pairs of names, ordered by entity.

        Raises:
            UserError: If the graph lacks a language, or the source and the request name different
                languages.
        """
        lang, part = parse_source(source)
        if lang is not None and lang != request.lang:
            raise UserError(
                f"the source is {lang}, but {request.lang} was asked for",
                where=source,
                todo="Write cldr alone, or the same language in both places",
            )
        graph = build((request.lang, request.pivot_lang))
        yield from graph.pairs(request.lang, request.pivot_lang, part)


def read_labels(source: str, lang: str | None = None) -> list[EntityLabel]:
    """Read the names of a source such as ``cldr:sw``. ``lang`` is used if it names no language.

    Raises:
        UserError: If no language is named, or the graph lacks the language.
    """
    tag, part = parse_source(source)
    chosen = tag or lang
    if chosen is None:
        raise UserError("no language is named", where=source, todo="Write it as cldr:sw")
    return build((chosen,)).names(chosen, part)


def read_triples(source: str) -> list[Triple]:
    """Read the facts of a source such as ``cldr:train``.

    Raises:
        UserError: If the source is malformed.
    """
    return build(("en",)).facts(parse_source(source)[1])


def parse_source(source: str) -> tuple[str | None, PartName | None]:
    """Split ``cldr[:LANGUAGE][:PART]`` into language and part.

    Raises:
        UserError: If the source has another form, or the language tag is invalid.
    """
    first, *rest = source.split(":")
    named: dict[str, PartName | None] = {**{part: part for part in PARTS}, "all": None}
    part = named[rest.pop()] if rest and rest[-1] in named else "train"
    if first != "cldr" or len(rest) > 1:
        raise UserError("this is no source of the CLDR graph", where=source, todo="Write cldr:sw")
    return (normalise(rest[0]) if rest else None), part


Part = Cldr
