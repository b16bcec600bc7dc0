"""Moses pairs: two files, one for each language, whose lines correspond.

The source is a prefix (``corpus`` with ``corpus.en`` and ``corpus.de`` beside it, as OPUS gives
them) or two paths joined by a comma. Two paths are told apart by the languages their names end in,
else the first is the pivot.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import ClassVar

from xadapt.core.errors import UserError
from xadapt.data.readers.lines import read_lines
from xadapt.data.readers.sides import Request, find_language, make_pair
from xadapt.data.records import ParallelPair


class Moses:
    """Reader of two line-aligned files, each also ``.gz``."""

    format: ClassVar[str] = "moses"
    gives: ClassVar[type] = ParallelPair

    def claims(self, source: str, request: Request) -> bool:
        """Whether the source names two files, or is the prefix of at least one side's file."""
        if Path(source).exists():
            return False
        return "," in source or bool(set(_twins(source, request)) - {None})

    def read(self, source: str, request: Request) -> Iterator[ParallelPair]:
        """Stream the pairs; lines empty on both sides are passed over.

        Raises:
            UserError: A file is missing, one has fewer lines, a side is empty, or a line can't
                be read.
        """
        pivot_path, text_path = _paths(source, request)
        limit = request.limits.chars
        rows = zip_longest(read_lines(pivot_path, limit=limit), read_lines(text_path, limit=limit))
        for pivot, text in rows:
            if pivot is None or text is None:
                short, (line, _) = (pivot_path, text) if pivot is None else (text_path, pivot)
                raise UserError(
                    f"this file ends after line {line - 1}, but its twin goes on",
                    where=f"{short}:{line}",
                    todo="Both files must have the same number of lines",
                )
            where = f"{text_path}:{text[0]}"
            pair = make_pair(request, text=text[1], pivot=pivot[1], where=where)
            if pair:
                yield pair


def _paths(source: str, request: Request) -> tuple[str, str]:
    if "," in source:
        paths = [part.strip() for part in source.split(",")]
        if len(paths) != 2 or not all(paths):
            raise UserError(
                "this does not name two files", where=source, todo="Write PIVOT_FILE,LANGUAGE_FILE"
            )
        return _order(paths, request)
    pivot, text = _twins(source, request)
    if pivot is None or text is None:
        lang = request.pivot_lang if pivot is None else request.lang
        raise UserError(
            f"the {lang} file of this Moses pair is missing",
            where=source,
            todo=f"Put {Path(source).name}.{lang} beside it, or name both files: PIVOT,LANGUAGE",
        )
    return pivot, text


def _order(paths: list[str], request: Request) -> tuple[str, str]:
    by_tag = {_ending(path): path for path in paths}
    pivot = find_language(list(by_tag), request.pivot_lang)
    text = find_language(list(by_tag), request.lang)
    if pivot is not None and text is not None and pivot != text:
        return by_tag[pivot], by_tag[text]
    return paths[0], paths[1]


def _twins(prefix: str, request: Request) -> tuple[str | None, str | None]:
    path = Path(prefix)
    beside: dict[str, str] = {}
    try:
        if path.parent.is_dir():
            # Plain files sort before their .gz twins, and the first one stays.
            for name in sorted(p.name for p in path.parent.iterdir() if p.is_file()):
                if name.startswith(f"{path.name}."):
                    rest = name.removeprefix(f"{path.name}.").removesuffix(".gz")
                    beside.setdefault(rest, str(path.parent / name))
    except (OSError, ValueError):
        return None, None
    pivot = find_language(list(beside), request.pivot_lang)
    text = find_language(list(beside), request.lang)
    if pivot == text:
        text = None
    return beside.get(pivot or ""), beside.get(text or "")


def _ending(path: str) -> str:
    return path.removesuffix(".gz").rpartition(".")[2]


Part = Moses
