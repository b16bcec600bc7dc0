"""Links between words as text: one sentence pair a line, or one link a line with numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from xadapt.core.errors import UserError
from xadapt.data.readers.notes import RowError

Links = tuple[tuple[int, int], ...]
Both = tuple[Links, Links]

_LINK = re.compile(r"(\d+)([-p?])(\d+)(?:[/:].*)?")
_FORM = "Write i-j for a sure link and ipj for a possible one, with spaces between"


def parse_links(text: str, where: str, first: int = 0) -> Both:
    """Read links ``i-j`` (sure) and ``ipj`` or ``i?j`` (possible), as Pharaoh and its followers.

    A weight after the link, as in ``0-1/1``, is not read.

    Args:
        text: The links of one sentence pair, with spaces between.
        where: Place of the text, for errors.
        first: Number of the first word, 0 or 1.

    Returns:
        The sure and the possible links, sorted, with words from 0.

    Raises:
        RowError: If a part of the text is no link, or a number is below ``first``.
    """
    sure: set[tuple[int, int]] = set()
    possible: set[tuple[int, int]] = set()
    for part in text.split():
        found = _LINK.fullmatch(part)
        if found is None or len(part) > 40:
            raise RowError(f"{part[:40]!r} is no link", where=where, todo=_FORM)
        link = int(found[1]) - first, int(found[3]) - first
        if min(link) < 0:
            raise RowError(
                f"the link {part!r} has a word number below {first}",
                where=where,
                todo="Word numbers begin with 0 here: leave one_based out",
            )
        (sure if found[2] == "-" else possible).add(link)
    return tuple(sorted(sure)), tuple(sorted(possible - sure))


def is_numbered(line: str) -> bool:
    """Return whether a line is a link with the number of its sentence pair, as in NAACL's files."""
    return bool(re.fullmatch(r"\d+\s+\d+\s+\d+(\s+[SP])?(\s+[\d.eE+-]+)?", line.strip()))


def numbered_links(lines: Iterable[tuple[int, str]], source: str) -> Iterator[tuple[str, Both]]:
    """Read the links of NAACL's shared tasks: ``pair left right [S|P] [weight]``, words from 1.

    Source: Mihalcea and Pedersen 2003, https://aclanthology.org/W03-0301, section 3. The word 0
    stands for no word, and its links are left out.

    Args:
        lines: Numbered lines.
        source: Name of the file.

    Yields:
        The number of each sentence pair as it is written, without zeros before it, and its links.

    Raises:
        UserError: If a line is no such link, or the links of a pair do not stand together.
    """
    rows: list[list[str]] = []
    done: set[str] = set()
    for number, line in lines:
        if not line.strip():
            continue
        where = f"{source}:{number}"
        if not is_numbered(line):
            raise UserError(
                f"{line.strip()[:40]!r} is no numbered link",
                where=where,
                todo="Write: number of the pair, left word, right word, S or P",
            )
        cells = line.split()
        cells[0] = cells[0].lstrip("0") or "0"
        if rows and rows[0][0] != cells[0]:
            yield rows[0][0], _numbered(rows)
            done.add(rows[0][0])
            rows = []
        if cells[0] in done:
            raise UserError(
                f"the links of pair {cells[0]} do not stand together",
                where=where,
                todo="Sort the file by its first column",
            )
        rows.append(cells)
    if rows:
        yield rows[0][0], _numbered(rows)


def _numbered(rows: Sequence[Sequence[str]]) -> Both:
    sure: set[tuple[int, int]] = set()
    possible: set[tuple[int, int]] = set()
    for _, left, right, *more in rows:
        link = int(left) - 1, int(right) - 1
        if min(link) >= 0:
            (possible if more and more[0] == "P" else sure).add(link)
    return tuple(sorted(sure)), tuple(sorted(possible - sure))


def format_links(links: Iterable[tuple[int, int]]) -> str:
    """Write links as Pharaoh does: ``0-0 1-2``, sorted."""
    return " ".join(f"{left}-{right}" for left, right in sorted(links))
