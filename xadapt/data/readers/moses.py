"""Read Moses pairs: two files, one for each language, with parallel lines.

The source is a prefix (``corpus`` with ``corpus.en`` and ``corpus.de``, or ``corpus.en.txt`` and
``corpus.de.txt``, in the same folder) or two paths joined by a comma. The languages in the names
(``.en``, ``.en.txt``, ``_en.txt``, ``en/``) decide which path is which side. If the names have no
language, the first path is the pivot.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import ClassVar

from xadapt.core.errors import UserError
from xadapt.data.readers.compressed import files_in, is_file, unpacked
from xadapt.data.readers.lines import has_suffix, read_lines
from xadapt.data.readers.notes import Notes, RowError, attempt, name_of, noted, without_faulty
from xadapt.data.readers.sides import Request, find_language, make_pair
from xadapt.data.records import ParallelPair
from xadapt.languages.tags import normalise

_BREAKS = re.compile(r"[./\\]"), re.compile(r"[./\\_-]")
"""Separators of names: first dots and slashes, then dashes and underscores too."""

_TABLES = (".tsv", ".tab", ".csv", ".jsonl", ".ndjson", ".parquet", ".tmx", ".xlf", ".xliff", ".po")


class Moses:
    """Reader of two line-aligned files, each also compressed, or in a zip archive."""

    format: ClassVar[str] = "moses"
    gives: ClassVar[type] = ParallelPair

    def claims(self, source: str, request: Request) -> bool:
        """Return whether the source names two files, or is the prefix of a file of either side."""
        if Path(source).exists():
            return False
        return "," in source or is_prefix(source, request)

    def read(
        self, source: str, request: Request, notes: Notes | None = None
    ) -> Iterator[ParallelPair]:
        """Stream the pairs. Lines that are empty on both sides are skipped.

        Args:
            source: A prefix, or two paths with a comma between them.
            request: Languages, columns and limits.
            notes: Where skipped lines are reported, and the order of two paths if their names
                have no language.

        Raises:
            UserError: If a file is missing, one file has fewer lines, half of the lines are faulty,
                or a line can't be read.
        """
        found = noted(notes)
        pivot_path, text_path, by_name = _paths(source, request)
        sides = f"this file is read as {request.pivot_lang}, {name_of(text_path)} as {request.lang}"
        found.add(pivot_path, sides + ("" if by_name else " (by order)"), usual=by_name)
        rows = aligned_pairs(pivot_path, text_path, request)
        yield from without_faulty(rows, text_path, found, "line")


def aligned_pairs(
    pivot_path: str, text_path: str, request: Request
) -> Iterator[ParallelPair | RowError]:
    """Yield a record for each line of two files; lines that are empty in both give none.

    Raises:
        UserError: If the files have different numbers of lines, or a line can't be read.
    """
    limit, lang, pivot_lang = request.limits.chars, request.lang, request.pivot_lang
    lines = read_lines(pivot_path, limit=limit), read_lines(text_path, limit=limit)
    for left, right in zip_longest(*lines):
        if left is None or right is None:
            counts = [(left or right)[0]] * 2
            rest = sum(1 for _ in lines[1 if left is None else 0])
            counts[1 if left is None else 0] += rest
            counts[0 if left is None else 1] -= 1
            short = pivot_path if left is None else text_path
            raise UserError(
                f"the files of one line a sentence differ in length: {name_of(pivot_path)} has "
                f"{counts[0]:,} lines, {name_of(text_path)} {counts[1]:,}",
                where=f"{short}:{(left or right)[0]}",
                todo="Both files must have the same number of lines",
            )
        pivot, text = left[1].strip(), right[1].strip()
        where = f"{text_path}:{right[0]}"
        if text and pivot:
            yield ParallelPair(text, pivot, lang, pivot_lang, origin=where)
        elif text or pivot:
            made = attempt(make_pair, request, text=text, pivot=pivot, where=where)
            if made is not None:
                yield made


def is_prefix(path: str, request: Request) -> bool:
    """Return whether a path is the prefix of a file of at least one side."""
    return bool(set(_files_of_sides(path, request)) - {None})


def is_pair(paths: Sequence[str], request: Request) -> bool:
    """Return whether two paths are one file of each side, judged by their names."""
    return may_be_pair(paths) and {_side(path, request) for path in paths} == {"pivot", "text"}


def may_be_pair(paths: Sequence[str]) -> bool:
    """Return whether there are two paths, and neither has the name of a table with both sides."""
    return len(paths) == 2 and not any(has_suffix(path, *_TABLES) for path in paths)


def other_file(path: str, request: Request) -> str | None:
    """Return ``PIVOT,LANGUAGE`` as two paths if the files of both sides exist, else None.

    The names of the two files differ only in the language.
    """
    name = Path(path).name
    for breaks in _BREAKS:
        pieces = re.split(f"({breaks.pattern})", name)
        for at in reversed(range(0, len(pieces), 2)):
            side = _side_of(pieces[at], request)
            for other in _neighbours(path) if side else ():
                theirs = re.split(f"({breaks.pattern})", other)
                rest = theirs[:at] + theirs[at + 1 :] == pieces[:at] + pieces[at + 1 :]
                if rest and {side, _side_of(theirs[at], request)} == {"pivot", "text"}:
                    both = [path, str(Path(path).with_name(other))]
                    return ",".join(both if side == "pivot" else both[::-1])
    return None


def _neighbours(path: str) -> list[str]:
    return files_in(str(Path(path).parent))


def _side_of(piece: str, request: Request) -> str | None:
    """Return the side of the language that a piece of a name means."""
    pivot = find_language([piece], request.pivot_lang)
    text = find_language([piece], request.lang)
    if pivot and text:  # two regions of one language: choose the nearer region
        nearest = find_language([request.pivot_lang, request.lang], normalise(piece))
        return "pivot" if nearest == request.pivot_lang else "text"
    return "pivot" if pivot else "text" if text else None


def _side(path: str, request: Request) -> str | None:
    """Return the side of a path, from the last language in the file name, then in the folders.

    ``en-de.en`` means ``en``: parts between dots come before parts between dashes.
    """
    for breaks in _BREAKS:
        for piece in reversed(breaks.split(path)):
            side = _side_of(piece, request) if piece else None
            if side:
                return side
    return None


def _paths(source: str, request: Request) -> tuple[str, str, bool]:
    if "," in source and not is_prefix(source, request):
        paths = _two(source)
        if paths is None:
            raise UserError(
                "this does not name two files", where=source, todo="Write PIVOT_FILE,LANGUAGE_FILE"
            )
        return _order(paths, request)
    pivot, text = _files_of_sides(source, request)
    if pivot is None or text is None:
        lang = request.pivot_lang if pivot is None else request.lang
        both = f"{pivot or 'PIVOT_FILE'},{text or 'LANGUAGE_FILE'}"
        raise UserError(
            f"the {lang} file of this Moses pair is missing",
            where=source,
            todo=f"Put its lines into {source}.{lang}, or name both files: --data {both}",
        )
    return pivot, text, True


def _two(source: str) -> list[str] | None:
    """Split two paths at a comma. If a path contains a comma, both files must exist."""
    parts = source.split(",")
    halves = [(",".join(parts[:i]), ",".join(parts[i:])) for i in range(1, len(parts))]
    there = [half for half in halves if all(is_file(path.strip()) for path in half)]
    chosen = there[0] if there else halves[0] if len(halves) == 1 else ("", "")
    paths = [path.strip() for path in chosen]
    return paths if all(paths) else None


def _order(paths: list[str], request: Request) -> tuple[str, str, bool]:
    """Return the paths of pivot and language, and whether their names decided the order."""
    sides = [_side(path, request) for path in paths]
    if sides[0] != "text" and sides[1] != "pivot":
        return paths[0], paths[1], sides[0] != sides[1]
    if sides[0] == sides[1]:
        return paths[0], paths[1], False
    return paths[1], paths[0], True


def _files_of_sides(prefix: str, request: Request) -> tuple[str | None, str | None]:
    path = Path(prefix)
    beside: dict[str, str] = {}
    # Plain files sort before their packed versions, and the first file is kept; so is corpus.en.
    for name in sorted(_neighbours(prefix), key=lambda name: ".txt" in name.lower()):
        if path.name and name.startswith(f"{path.name}."):
            rest = unpacked(name.removeprefix(f"{path.name}.")).removesuffix(".txt")
            beside.setdefault(rest, str(path.parent / name))
    pivot = find_language(list(beside), request.pivot_lang)
    text = find_language(list(beside), request.lang)
    if pivot == text:
        text = None
    return beside.get(pivot or ""), beside.get(text or "")


Part = Moses
