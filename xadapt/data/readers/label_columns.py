"""Rows with labels from any source with columns: TSV, CSV, JSON lines, Parquet and ``hf:``.

A column is found by the name or the number that the user gives, else by its usual names, else by
its place in a table without a header.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, TypeVar

from xadapt.core import registry
from xadapt.core.errors import UserError
from xadapt.data.readers.in_memory import plain_value
from xadapt.data.readers.lines import LINE_CHARS, has_suffix, read_lines
from xadapt.data.readers.mapped_rows import MappedRows, kind_of_rows
from xadapt.data.readers.notes import Notes, RowError, attempt, joined, without_faulty
from xadapt.data.readers.row_records import label_of
from xadapt.data.readers.sides import follow
from xadapt.data.readers.tables import Row, quoted_rows, tab_rows

T = TypeVar("T")
Usual = Mapping[str, Sequence[str]]
"""The usual names of the column of each field, by field, the most usual first."""
Classes = Mapping[str, Sequence[str]]
"""Names of numbered classes, by field."""
Make = Callable[[dict[str, Any], Classes, str], T | None]


@dataclass(frozen=True)
class Rows:
    """The rows of a source.

    Attributes:
        name: Name of the source in notes and errors.
        rows: The place and the columns of each row. Columns of a table without a header are
            called ``1``, ``2`` and so on. A faulty row is a `RowError`.
        classes: Names of the numbers in a column, by column.
    """

    name: str
    rows: Iterator[tuple[str, Any]]
    classes: Mapping[str, Sequence[str]]


def open_rows(source: str, usual: Usual, asked: Sequence[str], notes: Notes) -> Rows:
    """Open a file or ``hf:org/name``.

    Args:
        source: The source. By its name it is JSON lines, Parquet or CSV, else tab-separated text.
        usual: The usual names of the columns. A first line that has a name for every field is a
            header; a line with more columns than fields needs only one for the first field.
        asked: The columns that the user names. With a name, the first line is a header.
        notes: Where a header is reported.

    Raises:
        UserError: If the source can't be read.
    """
    if kind_of_rows(source):
        mapped = MappedRows(source)
        return Rows(source, iter(mapped), mapped.class_names())
    return Rows(source, _table(source, usual, asked, notes), {})


def is_csv(source: str) -> bool:
    """Return whether the name of a file ends in ``.csv``, also compressed."""
    return has_suffix(source, ".csv")


def _table(source: str, usual: Usual, asked: Sequence[str], notes: Notes) -> Iterator[Any]:
    rows = _csv(source) if is_csv(source) else tab_rows(source, notes)
    filled = (
        (n, [cell.strip() for cell in cells]) for n, cells in rows if any(map(str.strip, cells))
    )
    first = next(filled, None)
    if first is None:
        return
    number, cells = first
    keys = [str(i) for i in range(1, len(cells) + 1)]
    if _is_header(cells, usual, asked):
        twice = next((cell for cell in cells if cells.count(cell) > 1), None)
        if twice is not None:
            raise UserError(
                f"two columns are named {twice[:40]!r}",
                where=f"{source}:{number}",
                todo="Rename one of them",
            )
        notes.add(source, f"line {number} is a header: {joined(cells)}")
        keys = cells
        start: list[Row] = []
    else:
        start = [first]
    for number, row in chain(start, filled):
        where = f"{source}:{number}"
        if len(row) == len(keys):
            yield where, dict(zip(keys, row, strict=True))
        else:
            yield (
                where,
                RowError(
                    f"this line has {len(row)} columns, and the first has {len(keys)}", where=where
                ),
            )


def _csv(source: str) -> Iterator[Row]:
    """Stream the rows of a CSV file; it may be separated by semicolons, as spreadsheets write."""
    first = next((line for _, line in read_lines(source) if line.strip()), "")
    sign = ";" if first.count(";") > first.count(",") else ","
    return quoted_rows(read_lines(source), source, sign, LINE_CHARS)


def _is_header(cells: Sequence[str], usual: Usual, asked: Sequence[str]) -> bool:
    if not all(name.isdigit() for name in asked):
        return True
    there = {cell.casefold() for cell in cells}
    named = [bool(there & {name.casefold() for name in names}) for names in usual.values()]
    return all(named) or (named[0] and len(cells) > len(usual))


def find_columns(
    keys: Sequence[str], usual: Usual, asked: Mapping[str, str], where: str
) -> dict[str, str]:
    """Find the column of each field.

    Args:
        keys: The columns that are there.
        usual: The usual names of the columns by field.
        asked: Columns that the user names, by name or number, by field; empty ones are not asked.
        where: Name of the source.

    Raises:
        UserError: If a field has no column, or a named column is not there.
    """
    found = {field: _key(name, keys, where) for field, name in asked.items() if name}
    if list(keys) == [str(i) for i in range(1, len(keys) + 1)] and not found:
        if len(keys) != len(usual):
            raise UserError(
                f"a row has {len(keys)} columns without names, and {joined(usual)} are read",
                where=where,
                todo=f"Name the columns: options {', '.join(f'{f}: NUMBER' for f in usual)}",
            )
        return dict(zip(usual, keys, strict=True))
    free = {key.casefold(): key for key in keys if key not in found.values()}
    for field, names in usual.items():
        if field in found:
            continue
        name = next((name for name in names if name.casefold() in free), None)
        if name is None:
            there = ", ".join(repr(key[:40]) for key in keys[:8]) or "none"
            raise UserError(
                f"there is no column for the {field} (found: {there})",
                where=where,
                todo=f"Name it with the option {field}",
            )
        found[field] = free.pop(name.casefold())
    return found


def _key(name: str, keys: Sequence[str], where: str) -> str:
    if name in keys or name.partition(".")[0] in keys:
        return name
    if name.isascii() and name.isdigit() and 0 < int(name) <= len(keys):
        return keys[int(name) - 1]
    raise UserError(registry.unknown("column", name, list(keys)), where=where)


def tell_columns(found: Mapping[str, str], keys: Sequence[str], rows: Rows, notes: Notes) -> None:
    """Report the columns that are read under another name, and those that are not read."""
    read = ", ".join(f"{column!r} as {field}" for field, column in found.items() if column != field)
    if read:
        notes.add(rows.name, f"column {read}", usual=True)
    used = {column if column in keys else column.partition(".")[0] for column in found.values()}
    unused = [repr(key[:40]) for key in keys if key not in used]
    if unused:
        are = "columns {} are" if len(unused) > 1 else "column {} is"
        notes.add(rows.name, f"{are.format(joined(unused[:12]))} not used")


def records_of(
    rows: Rows,
    usual: Usual,
    asked: Mapping[str, str],
    make: Make[T],
    notes: Notes,
    optional: str = "",
) -> Iterator[T]:
    """Stream the records of rows.

    Args:
        rows: The rows.
        usual: The usual names of the columns by field.
        asked: Columns that the user names by field.
        make: Makes a record of the values by field, the names of the classes by field, and the
            place of a row. It returns ``None`` for a row that is no record, and raises `RowError`
            if the row is faulty.
        notes: Where the columns and skipped rows are reported.
        optional: A field that may have no column; its value is then ``None``.

    Raises:
        UserError: If a column is missing, there is no row, or half of the rows are faulty.
    """
    faulty: list[RowError] = []
    first = next(rows.rows, None)
    while first is not None and isinstance(first[1], RowError):
        faulty.append(first[1])
        first = next(rows.rows, None)
    if first is None and faulty:
        raise UserError(faulty[0].what, where=faulty[0].where, todo=faulty[0].todo)
    if first is None:
        raise UserError("there is no row with text in this source", where=rows.name)
    keys = list(map(str, first[1]))
    found = find_columns(keys, _there(keys, usual, asked, optional), asked, rows.name)
    tell_columns(found, keys, rows, notes)
    names = {field: rows.classes.get(column, ()) for field, column in found.items()}

    def made() -> Iterator[T | RowError]:
        yield from faulty
        for where, row in chain([first], rows.rows):
            record = attempt(_made, row, found, names, make, where)
            if record is not None:
                yield record

    yield from without_faulty(made(), rows.name, notes)


def _there(
    keys: Sequence[str], usual: Usual, asked: Mapping[str, str], optional: str
) -> dict[str, Sequence[str]]:
    """Return the fields to find: all, or all but an optional one that has no column."""
    if not optional or asked.get(optional):
        return dict(usual)
    names = {name.casefold() for name in usual[optional]}
    numbered = list(keys) == [str(i) for i in range(1, len(keys) + 1)]
    there = len(keys) == len(usual) if numbered else any(key.casefold() in names for key in keys)
    return {field: n for field, n in usual.items() if field != optional or there}


def _made(
    row: Any, found: Mapping[str, str], names: Classes, make: Make[T], where: str
) -> T | None:
    if isinstance(row, RowError):
        raise row
    if not isinstance(row, Mapping):
        raise RowError(f"this row is {type(row).__name__}, and the first one is not", where=where)
    values = {field: value_in(row, column, where) for field, column in found.items()}
    return make(values, names, where)


def value_in(row: Mapping[str, Any], column: str, where: str) -> Any:
    """Return the value of a column, which may be nested, as a plain value of Python.

    Raises:
        RowError: If the row has no such column.
    """
    try:
        return plain_value(follow(row, column))
    except KeyError:
        raise RowError(f"there is no column {column!r}", where=where) from None


def class_of(value: Any, names: Sequence[str], where: str) -> str:
    """Return a class as text; a number stands for its name where there are names.

    Raises:
        RowError: If the value is no class, or a number without a name.
    """
    if isinstance(value, float) and value.is_integer():  # a column with missing values
        value = int(value)
    if isinstance(value, (list, tuple)):
        raise RowError(
            "the label is a list",
            where=where,
            todo="For several labels a text, use the recipe multi_label",
        )
    if names and isinstance(value, str) and value.strip().isascii() and value.strip().isdigit():
        value = int(value)  # a number in a text file
    if names and isinstance(value, int) and not isinstance(value, bool):
        if not 0 <= value < len(names):
            raise RowError(f"the label {value} has no name", where=where)
        return names[value]
    return label_of(value, "the label", where)


def as_options(part: Any, columns: Any) -> dict[str, Any]:
    """Return named columns as options of a reader.

    Args:
        part: The reader's class. Its ``columns`` are the options that name columns, in order.
            A reader without ``read_rows`` has no such options.
        columns: Text with commas, a list in that order, or a mapping by option; empty for none.
            The last option takes all further columns.

    Raises:
        UserError: If the number of columns is not that of the options.
    """
    if not columns or not hasattr(part, "read_rows"):
        return {}
    fields: tuple[str, ...] = part.columns
    if isinstance(columns, Mapping):
        return {str(field): column for field, column in columns.items()}
    parts = columns.split(",") if isinstance(columns, str) else list(columns)
    named = [str(one).strip() for one in parts]
    most = len(named) if part.several else len(fields)
    if not len(fields) <= len(named) <= most:
        raise UserError(
            f"{len(named)} columns are named, and {len(fields)} are read",
            where="columns",
            todo=f"Name those of {joined(fields)}, in this order",
        )
    last = ",".join(named[len(fields) - 1 :])
    return dict(zip(fields, (*named[: len(fields) - 1], last), strict=True))


def find_separator(cells: Sequence[str]) -> str:
    """Return the sign that joins several labels in one cell: ``|``, ``;``, ``,`` or none.

    A sign joins labels if at least half of the parts of joined cells also stand in another
    cell's value. A comma inside the name of one class is not such a sign, since its parts stand
    in no other value.
    """
    wholes = set(cells)
    for sign in "|;,":
        parts = {whole: {part.strip() for part in whole.split(sign)} - {""} for whole in wholes}
        seen: dict[str, int] = {}
        for own in parts.values():
            for part in own:
                seen[part] = seen.get(part, 0) + 1
        split = {part for own in parts.values() if len(own) > 1 for part in own}
        if split and 2 * sum(seen[part] > 1 for part in split) >= len(split):
            return sign
    return ""
