"""Read parallel text from any source. The name of the source decides the format."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import chain, islice
from os import PathLike, fspath
from types import MappingProxyType
from typing import Any, ClassVar

from xadapt.config.recipe import build_reader
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
    options: Mapping[str, Any] | None = None,
) -> Iterator[ParallelPair]:
    """Stream parallel text from a file, a Moses prefix or a ``datasets`` Hub id.

    Args:
        path: The source: ``.tsv .csv .jsonl .parquet .tmx .xlf .po`` (each also compressed as
            ``.gz .bz2 .xz .zst .zip``), ``PREFIX`` or ``a.en,a.de`` (Moses), a folder with a file
            for each language, or ``hf:org/name[/config][:split]``.
        lang: The language being adapted: BCP-47 or ISO 639-3.
        pivot_lang: Language of the pivot side.
        columns: ``"PIVOT,LANGUAGE"``, numbers from 1 or names, or the two as a sequence.
        file_format: Name of the format, if the name of the source does not show the format.
        limits: Limits on the size of rows and the number of pairs.
        notes: Where readers report guesses, skipped rows and unused columns. Without ``notes``
            they are logged.
        options: Options of the reader, by name, such as ``{"min_score": 1.04}``.

    Returns:
        The pairs in the source's order. Arguments are checked at once, rows as they come.

    Raises:
        UserError: If an argument or a row is unusable. The error names the file and line.
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
    reader = with_options(pick_reader(source, request, file_format), options or {})
    pairs = read_with_notes(reader, source, request, noted(notes))
    return islice(_some(pairs, source), request.limits.pairs)


def parse_columns(columns: str | Sequence[str] | None) -> tuple[str, ...]:
    """Split ``"PIVOT,LANGUAGE"`` into two names. No columns give an empty tuple.

    Raises:
        UserError: If there are not two different columns, or a number is 0.
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
    """Return all installed readers of parallel text, by the names of their formats."""
    parts = [registry.load("readers", n) for n in registry.names("readers") if n != "parallel"]
    mine = [part() for part in parts if getattr(part, "gives", None) is ParallelPair]
    return MappingProxyType({part.format: part for part in mine})


def pick_reader(source: str, request: Request, file_format: str | None = None) -> PairReader:
    """Return the reader of the given format, or the first reader that claims the source.

    Raises:
        UserError: If there is no such format, or no reader claims the source.
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


def with_options(reader: PairReader, options: Mapping[str, Any]) -> PairReader:
    """Return a reader with options.

    Raises:
        UserError: If the reader has no such option, or a value is of the wrong type.
    """
    return build_reader(type(reader), options) if options else reader


class Parallel:
    """The reader that chooses among all readers of parallel text."""

    format: ClassVar[str] = "auto"
    gives: ClassVar[type] = ParallelPair

    def claims(self, source: str, request: Request) -> bool:
        """Return whether any reader claims the source."""
        return any(reader.claims(source, request) for reader in formats().values())

    def read(
        self, source: str, request: Request, notes: Notes | None = None
    ) -> Iterator[ParallelPair]:
        """Stream the pairs of the source with the reader that claims it.

        Raises:
            UserError: If no reader claims the source, or the reader can't read it.
        """
        reader = pick_reader(source, request)
        return _some(read_with_notes(reader, source, request, noted(notes)), source)


def _some(pairs: Iterator[ParallelPair], source: str) -> Iterator[ParallelPair]:
    """Return the pairs, and refuse a source without any; nothing is read before the first."""

    def parts() -> Iterator[Iterable[ParallelPair]]:
        for first in pairs:
            yield (first,)
            yield pairs
            return
        raise UserError(
            "there is no pair of sentences in this source (is it empty?)",
            where=source,
            todo="Check the file",
        )

    return chain.from_iterable(parts())


Part = Parallel
