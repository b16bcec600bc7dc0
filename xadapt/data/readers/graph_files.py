"""Files of knowledge graphs: found plain or compressed, read as rows with exact columns."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from xadapt.core.errors import UserError
from xadapt.core.strict_parsing import parse_json
from xadapt.data.readers.lines import read_lines
from xadapt.data.readers.sides import is_unicode
from xadapt.languages.tags import is_tag, normalise

PACKED = ("", ".gz", ".bz2", ".xz", ".zst")
RESOURCE = "/resource/"
UNKNOWN = ("und-x-1", "und-x-2")


def find_file(folder: str, *names: str) -> str | None:
    """Return the path of the first file that is in a folder, plain or compressed, or ``None``."""
    for name in names:
        for ending in PACKED:
            path = Path(folder) / f"{name}{ending}"
            if path.is_file():
                return str(path)
    return None


def need_file(folder: str, layout: str, *names: str) -> str:
    """Return the path of the first file that is in a folder, plain or compressed.

    Args:
        folder: The folder.
        layout: How a source of this layout is written, for errors.
        names: The names that the file may have.

    Raises:
        UserError: If the folder or the file is not there.
    """
    require_folder(folder, layout)
    found = find_file(folder, *names)
    if found is None:
        missing = " or ".join(names)
        raise UserError(f"there is no {missing} in this folder", where=folder, todo=layout)
    return found


def require_folder(folder: str, layout: str) -> None:
    """Refuse a place that is no folder.

    Raises:
        UserError: If there is no such folder.
    """
    try:
        there = Path(folder).is_dir()
    except (OSError, ValueError):
        there = False
    if not there:
        raise UserError("there is no such folder", where=folder, todo=layout)


def split_place(place: str, choices: tuple[str, ...] = ()) -> tuple[str, str | None]:
    """Split ``DIR/ja`` into the folder and the last part, if the whole is no folder itself.

    Args:
        place: The source without its prefix.
        choices: The only last parts that are split off; empty for any.
    """
    whole = place.rstrip("/")
    folder, slash, last = whole.rpartition("/")
    if not slash or (choices and last not in choices):
        return place, None
    try:
        is_folder = Path(whole).is_dir()
    except (OSError, ValueError):
        is_folder = False
    return (place, None) if is_folder and not choices else (folder, last)


def rows(
    path: str, columns: int | tuple[int, int], meaning: str
) -> Iterator[tuple[str, list[str]]]:
    """Stream the rows of a table with tabs, as ``(place, cells)``. Empty lines are skipped.

    Args:
        path: The file.
        columns: The number of columns, or the least and the most.
        meaning: What a row holds, such as ``head, relation and tail``.

    Raises:
        UserError: If the file can't be read, is empty, is not UTF-8, or a row has another number of
            columns or an empty cell among the first.
    """
    least, most = columns if isinstance(columns, tuple) else (columns, columns)
    number = 0
    for number, line in read_lines(path):
        if not line.strip():
            continue
        cells = line.split("\t")
        if not least <= len(cells) <= most:
            wanted = f"{least}" if least == most else f"{least} to {most}"
            raise UserError(
                f"this line has {_counted(len(cells))} instead of {wanted}",
                where=f"{path}:{number}",
                todo=f"A line holds {meaning}, separated by tabs",
            )
        cells = [cell.strip() for cell in cells]
        if not all(cells[:least]):
            raise UserError(
                "a cell of this line is empty",
                where=f"{path}:{number}",
                todo=f"A line holds {meaning}, separated by tabs",
            )
        yield f"{path}:{number}", cells
    if not number:
        raise UserError("this file is empty", where=path, todo=f"A line holds {meaning}")


def json_rows(path: str, meaning: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Stream the rows of a file with one JSON object a line, as ``(place, object)``.

    Raises:
        UserError: If the file can't be read, is empty, or a line is no JSON object.
    """
    number = 0
    for number, line in read_lines(path):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        row = parse_json(line, where=where)
        if not isinstance(row, dict):
            raise UserError("this line is no JSON object", where=where, todo=f"It holds {meaning}")
        yield where, row
    if not number:
        raise UserError("this file is empty", where=path, todo=f"A line holds {meaning}")


def text_of(value: Any, key: str, where: str) -> str:
    """Return a text of a JSON row, stripped and in NFC.

    Raises:
        UserError: If it is no text, is empty, or holds half a surrogate pair.
    """
    if not isinstance(value, str) or not value.strip():
        raise UserError(f"{key} is no text", where=where)
    if not is_unicode(value):
        raise UserError(f"{key} holds half a surrogate pair, which is no character", where=where)
    return tidy(value)


def wrong_id(what: str, found: str, known: str, where: str) -> UserError:
    """Build the error for an id that is not in its table.

    Args:
        what: Kind of the thing, such as ``entity``.
        found: The id.
        known: The file or table of ids.
        where: The place of the id.
    """
    return UserError(
        f"there is no {what} {found[:80]!r} in {Path(known).name}",
        where=where,
        todo="Check the id, and that the files belong together",
    )


def whole_number(text: str, where: str, *, floats: bool = False) -> int:
    """Read an id that is a number.

    Args:
        text: The number.
        where: Its place.
        floats: Whether ``3931.0`` is 3931.

    Raises:
        UserError: If it is no whole number from 0.
    """
    plain = text.removesuffix(".0") if floats else text
    if not (plain.isascii() and plain.isdigit() and len(plain) < 10):
        raise UserError(
            f"{text[:40]!r} is no id of this layout",
            where=where,
            todo="Ids are whole numbers from 0",
        )
    return int(plain)


def name_of_uri(uri: str) -> str:
    """Return the name that a URI ends with: what follows ``/resource/``, with spaces, in NFC."""
    plain = uri.strip().removeprefix("<").removesuffix(">")
    _, found, rest = plain.partition(RESOURCE)
    last = rest if found else plain.rstrip("/").rpartition("/")[2].rpartition("#")[2] or plain
    decoded = unquote(last, errors="replace").replace("\0", " ")
    return tidy(decoded.replace("_", " ")) or tidy(plain)


def language_of_uri(uri: str, default: str) -> str:
    """Return the language of a URI of DBpedia: ``http://ja.dbpedia.org/...`` is in ``ja``."""
    host = uri.strip("<>").partition("://")[2].partition("/")[0]
    first = host.partition(".dbpedia.org")[0]
    if host == "dbpedia.org":
        return "en"
    return normalise(first) if host.endswith(".dbpedia.org") and is_tag(first) else default


def languages_of_folder(folder: str) -> tuple[str, str]:
    """Return the two languages in the name of a folder: ``dbp15k_ja_en`` or ``EN_FR_15K_V2``.

    Without them, two names for private use.
    """
    parts = re.split(r"[_-]", Path(folder).resolve().name)
    for left, right in pairwise(parts):
        if len(left) == len(right) == 2 and is_tag(left) and is_tag(right):
            return normalise(left), normalise(right)
    return UNKNOWN


def without_ending(name: str) -> str:
    """Return the name of a file without an ending of compressed files."""
    return next(name.removesuffix(ending) for ending in PACKED[::-1] if name.endswith(ending))


def tidy(text: str) -> str:
    """Return a text in NFC with single spaces."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def _counted(number: int) -> str:
    return "1 column" if number == 1 else f"{number} columns"
