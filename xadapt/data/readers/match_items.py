"""Rows and texts to match: tables with named columns, JSON lines, or an id and a text a line."""

from __future__ import annotations

from dataclasses import dataclass

from xadapt.core.errors import UserError
from xadapt.data.readers.graph_files import json_rows, text_of, tidy
from xadapt.data.readers.lines import has_suffix, read_lines

ID = "id"
FORMS = "an id and a text; or a header that begins with id, and a cell for each column"
JSON = '{"id": "r1", "country": "Kenya", "cases": "12"}'


@dataclass(frozen=True)
class Item:
    """A row of a table, or a text.

    Attributes:
        id: Its id.
        fields: Columns with their values; a text has one field without a name.
    """

    id: str
    fields: tuple[tuple[str, str], ...]

    @property
    def text(self) -> str:
        """The item as one text: the values with their columns, if they have names."""
        return "; ".join(f"{name}: {value}" if name else value for name, value in self.fields)


def read_items(path: str) -> list[Item]:
    """Read items.

    A file with tabs has an id and a text on each line. If its first cell is ``id``, the first line
    is a header, and each further cell is a field. JSON lines hold an object an item, with ``id``.

    Args:
        path: The file, plain or compressed.

    Raises:
        UserError: If the file can't be read or is empty, a line is faulty, or two items have one
            id.
    """
    found = _from_json(path) if has_suffix(path, ".jsonl", ".json") else _from_table(path)
    if not found:
        raise UserError("there is no item", where=path, todo=f"A line holds {FORMS}")
    known: set[str] = set()
    for where, item in found:
        if item.id in known:
            raise UserError(f"two items have the id {item.id[:80]!r}", where=where)
        known.add(item.id)
    return [item for _, item in found]


def read_matches(path: str) -> dict[str, set[str]]:
    """Read right matches.

    Args:
        path: The file: a text's id and a row's id on each line, separated by a tab. A text may have
            several lines.

    Returns:
        The rows by text.

    Raises:
        UserError: If the file can't be read, is empty, or a line is faulty.
    """
    found: dict[str, set[str]] = {}
    for number, line in read_lines(path):
        if line.strip():
            cells = [cell.strip() for cell in line.split("\t")]
            if len(cells) != 2 or not all(cells):
                raise UserError(
                    "this is no pair of ids", where=f"{path}:{number}",
                    todo="A line holds the id of a text, a tab, and the id of a row",
                )  # fmt: skip
            found.setdefault(cells[0], set()).add(cells[1])
    if not found:
        raise UserError("there is no pair", where=path)
    return found


def _from_table(path: str) -> list[tuple[str, Item]]:
    found: list[tuple[str, Item]] = []
    header: list[str] | None = None
    for number, line in read_lines(path):
        if not line.strip():
            continue
        where, cells = f"{path}:{number}", [tidy(cell) for cell in line.split("\t")]
        if header is None:
            header = cells if cells[0].lower() == ID else ["", ""]
            if cells[0].lower() == ID:
                if len(cells) < 2 or not all(cells):
                    raise UserError("a column of the header has no name", where=where)
                continue
        if len(cells) != len(header) or not cells[0]:
            raise UserError(
                f"this line has {len(cells)} cells instead of {len(header)}, or no id",
                where=where, todo=f"A line holds {FORMS}",
            )  # fmt: skip
        fields = zip(header[1:], cells[1:], strict=True)
        own = tuple((name, value) for name, value in fields if value)
        if not own:
            raise UserError("this item has no text", where=where)
        found.append((where, Item(cells[0], own)))
    return found


def _from_json(path: str) -> list[tuple[str, Item]]:
    found = []
    for where, row in json_rows(path, JSON):
        own = []
        for name, value in row.items():
            plain = isinstance(value, (int, float)) and not isinstance(value, bool)
            if name != ID and value not in (None, ""):
                own.append((name, text_of(str(value) if plain else value, name, where)))
        if not own:
            raise UserError("this item has no text", where=where, todo=f"A line holds {JSON}")
        fields = [("" if name == "text" else name, value) for name, value in own]
        found.append((where, Item(text_of(str(row.get(ID, "")), ID, where), tuple(fields))))
    return found
