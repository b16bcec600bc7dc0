"""Parallel text from any source: the format is picked by the source's name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import islice
from os import PathLike, fspath
from types import MappingProxyType
from typing import ClassVar

from xadapt.core import registry
from xadapt.core.errors import UserError
from xadapt.data.readers.notes import Notes, noted, read_with_notes
from xadapt.data.readers.sides import Limits, PairReader, Request
from xadapt.data.records import ParallelPair
from xadapt.languages.tags import normalise


def read_parallel(
    path: str | PathLike[str],
    *,
    lang: str,
    pivot_lang: str = "en",
    columns: str | Sequence[str] | None = None,
    file_format: str | None = None,
    limits: Limits | None = None,
    notes: Notes | None = None,
) -> Iterator[ParallelPair]:
    """Stream parallel text from a file, a Moses prefix or a ``datasets`` Hub id.

    Args:
        path: The source: ``.tsv .csv .jsonl .tmx .po`` (each also ``.gz``), ``PREFIX`` or
            ``a.en,a.de`` (Moses), ``hf:org/name[/config][:split]``.
        lang: The language being adapted: BCP-47 or ISO 639-3.
        pivot_lang: The other side's language.
        columns: ``"PIVOT,LANGUAGE"``, numbers from 1 or names, or the two as a sequence.
        file_format: A format's name, for sources whose name does not tell it.
        limits: How much is read.
        notes: Where readers report what they guessed, skipped and left unused; without, it is
            logged.

    Returns:
        The pairs in the source's order. Arguments are checked at once, rows as they come.

    Raises:
        UserError: What was given is unusable, with the file and line.
    """
    request = Request(
        normalise(lang),
        normalise(pivot_lang),
        parse_columns(columns),
        limits or Limits(),
    )
    if request.lang == request.pivot_lang:
        raise UserError(
            f"both sides are {request.lang}", where="--lang", todo="Name two different languages"
        )
    source = fspath(path)
    reader = pick_reader(source, request, file_format)
    pairs = read_with_notes(reader, source, request, noted(notes))
    return islice(_some(pairs, source), request.limits.pairs)


def parse_columns(columns: str | Sequence[str] | None) -> tuple[str, ...]:
    """Cut ``"PIVOT,LANGUAGE"`` into two names; nothing gives an empty tuple.

    Raises:
        UserError: They are not two different columns, or a number is 0.
    """
    if not columns:
        return ()
    parts = columns.split(",") if isinstance(columns, str) else columns
    names = tuple(str(part).strip() for part in parts)
    if len(names) != 2 or not all(names) or names[0] == names[1] or "0" in names:
        raise UserError(
            f"{','.join(names)!r} are not two columns",
            where="--columns",
            todo="Write PIVOT,LANGUAGE as numbers from 1 or names, such as 2,1 or English,German",
        )
    return names


@cache
def formats() -> Mapping[str, PairReader]:
    """Every reader of parallel text that is installed, by the name of its format."""
    parts = [registry.load("readers", n) for n in registry.names("readers") if n != "parallel"]
    mine = [part() for part in parts if getattr(part, "gives", None) is ParallelPair]
    return MappingProxyType({part.format: part for part in mine})


def pick_reader(source: str, request: Request, file_format: str | None = None) -> PairReader:
    """The reader of that format, or the first that claims the source.

    Raises:
        UserError: No such format, or no reader claims the source.
    """
    known = formats()
    if file_format is not None:
        if file_format not in known:
            message = registry.unknown("format", file_format, list(known))
            raise UserError(message, where="--format")
        return known[file_format]
    for reader in known.values():
        if reader.claims(source, request):
            return reader
    raise UserError(
        "can't tell the format of this source from its name",
        where=source,
        todo=f"Name it with --format, one of {', '.join(sorted(known))}; as a Moses "
        f"prefix it needs the files {source}.{request.pivot_lang} and {source}.{request.lang}",
    )


class Parallel:
    """The reader that picks among the others."""

    format: ClassVar[str] = "auto"
    gives: ClassVar[type] = ParallelPair

    def claims(self, source: str, request: Request) -> bool:
        """Whether any reader claims the source."""
        return any(reader.claims(source, request) for reader in formats().values())

    def read(
        self, source: str, request: Request, notes: Notes | None = None
    ) -> Iterator[ParallelPair]:
        """Stream the pairs of the source with the reader that claims it.

        Raises:
            UserError: If none does, or as the reader says.
        """
        reader = pick_reader(source, request)
        return _some(read_with_notes(reader, source, request, noted(notes)), source)


def _some(pairs: Iterator[ParallelPair], source: str) -> Iterator[ParallelPair]:
    count = 0
    for pair in pairs:
        count += 1
        yield pair
    if not count:
        raise UserError(
            "there is no pair of sentences in this source (is it empty?)",
            where=source,
            todo="Check the file",
        )


Part = Parallel
