"""Read the sentences that ship with xadapt: ``sample``, ``sample:fr``, ``sample:fr:test``.

Without a part the source means ``train``. ``all`` means both parts. The files are in
``kg_data/tatoeba``, with their licence. No sentence is in both parts.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import ClassVar

import langcodes

from xadapt.core.errors import UserError
from xadapt.core.resources import resource
from xadapt.data.readers.sides import Request
from xadapt.data.records import ParallelPair
from xadapt.languages.match import find_same
from xadapt.languages.tags import normalise

PIVOT = "en"
PARTS = ("train", "test")
ENDING = ".tsv.gz"


class Sample:
    """Reader of short sentences and their English translations."""

    format: ClassVar[str] = "sample"
    gives: ClassVar[type] = ParallelPair

    def claims(self, source: str, request: Request) -> bool:
        """Return whether the source is ``sample`` or begins with ``sample:``, and is no file."""
        return source.split(":")[0] == "sample" and not Path(source).exists()

    def read(self, source: str, request: Request) -> Iterator[ParallelPair]:
        """Yield the pairs in the order of the files.

        Raises:
            UserError: If the sample lacks the language, the other side is not English, or the
                source and the request name different languages.
        """
        named, parts = parse_source(source)
        if named is not None and named != request.lang:
            raise UserError(
                f"the source is {named}, but {request.lang} was asked for",
                where=source,
                todo="Write sample alone, or the same language in both places",
            )
        if request.pivot_lang != PIVOT:
            raise UserError("the other side of the sample is English", where=source)
        tag = find_language(request.lang)
        for part in parts:
            path = resource("kg_data", "tatoeba", f"{tag}-{part}{ENDING}")
            with gzip.open(path, "rt", encoding="utf-8") as lines:
                for number, line in enumerate(lines, 1):
                    english, text = line.rstrip("\n").split("\t")
                    origin = f"{path.name}:{number}"
                    yield ParallelPair(text, english, request.lang, PIVOT, origin=origin)


@cache
def languages() -> tuple[str, ...]:
    """Return the tags of the languages in the sample, sorted."""
    ending = f"-{PARTS[0]}{ENDING}"
    names = [path.name for path in resource("kg_data", "tatoeba").iterdir()]
    return tuple(sorted(name.removesuffix(ending) for name in names if name.endswith(ending)))


def find_language(tag: str) -> str:
    """Return the sample's tag for a language: ``fra`` gives ``fr``.

    Raises:
        UserError: If the tag is invalid, or the sample lacks the language.
    """
    wanted, known = normalise(tag), languages()
    found = find_same(wanted, known)
    if found is None:
        near = langcodes.closest_match(wanted, list(known), max_distance=80)[0]
        guess = f"The nearest is {near!r}; it" if near != "und" else "It"
        raise UserError(
            f"the sample has no sentences in {wanted!r}", todo=f"{guess} has {', '.join(known)}"
        )
    return found


def parse_source(source: str) -> tuple[str | None, tuple[str, ...]]:
    """Split ``sample[:LANGUAGE][:PART]`` into language and parts.

    Raises:
        UserError: If the source has another form, or the language tag is invalid.
    """
    first, *rest = source.split(":")
    named = {**{part: (part,) for part in PARTS}, "all": PARTS}
    parts = named[rest.pop()] if rest and rest[-1] in named else PARTS[:1]
    if first != "sample" or len(rest) > 1:
        raise UserError(
            "this is no part of the sample", where=source, todo="Write sample:fr or sample:fr:test"
        )
    return (normalise(rest[0]) if rest else None), parts


Part = Sample
