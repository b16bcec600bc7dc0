"""Records of rows with named columns: JSON lines, Parquet and ``hf:``, for readers of one language.

The columns are found by their usual names. Classes that ``datasets`` stores as numbers get their
names back.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, TypeVar

from xadapt.core.errors import UserError
from xadapt.data.readers.mapped_rows import MappedRows
from xadapt.data.readers.notes import Notes, RowError, attempt, joined, without_faulty
from xadapt.data.readers.sides import is_unicode

Names = Mapping[str, list[str]]
T = TypeVar("T")

TEXT = ("text", "sentence", "tweet", "content", "review", "utt", "utterance", "review_body")
LABEL = ("label", "labels", "class", "category", "sentiment", "intent", "topic", "target")
FIRST = ("sentence1", "sentence_1", "sent1", "text1", "text_1", "sentence_A", "premise")
SECOND = ("sentence2", "sentence_2", "sent2", "text2", "text_2", "sentence_B", "hypothesis")
SCORE = ("score", "similarity_score", "relatedness_score", "similarity", "scores", "label")
WORDS = ("tokens", "words", "token", "form")
SPANS = ("ner_tags", "tags", "labels", "ner", "ner_labels")
UPOS = ("upos", "pos_tags", "pos", "upos_tags")


def read_mapped(
    source: str,
    columns: Mapping[str, Sequence[str]],
    make: Callable[[dict[str, Any], str], T | None],
    notes: Notes,
    unit: str = "row",
) -> Iterator[T]:
    """Stream the records of a source with named columns.

    Args:
        source: A ``.jsonl`` or ``.parquet`` file, or ``hf:org/name``.
        columns: By the name of a value, the usual names of its column. The first that is there is
            taken.
        make: Makes a record from the values by name and the place of a row. It raises `RowError` if
            the row is faulty.
        notes: Where the columns and skipped rows are reported.
        unit: Name of a row, in the singular.

    Raises:
        UserError: If a column is missing, the source can't be read or has no row, or half of the
            rows are faulty.
    """
    rows = MappedRows(source)
    stream = iter(rows)
    first = next(stream, None)
    if first is None:
        raise UserError(f"there is no {unit} in this source", where=source)
    found = {name: _column(first[1], usual, first[0]) for name, usual in columns.items()}
    classes = rows.class_names()
    _tell(found, first[1], source, notes)

    def one(where: str, row: Mapping[str, Any]) -> T | None:
        values = {}
        for name, column in found.items():
            if column not in row:
                raise RowError(f"there is no column {column!r}", where=where)
            values[name] = named(row[column], classes.get(column, ()), where)
        return make(values, where)

    def made() -> Iterator[T | RowError]:
        for where, row in chain([first], stream):
            record = attempt(one, where, row)
            if record is not None:
                yield record

    yield from without_faulty(made(), source, notes, unit)


def _column(row: Mapping[str, Any], usual: Sequence[str], where: str) -> str:
    by_case = {str(key).casefold(): str(key) for key in row}
    column = next((by_case[name.casefold()] for name in usual if name.casefold() in by_case), None)
    if column is None:
        there = ", ".join(repr(str(key)[:40]) for key in list(row)[:8]) or "none"
        raise UserError(
            f"there is no column {' or '.join(map(repr, usual[:3]))} (found: {there})",
            where=where,
            todo="Rename the column",
        )
    return column


def _tell(found: Mapping[str, str], row: Mapping[str, Any], source: str, notes: Notes) -> None:
    unused = [repr(str(key)[:40]) for key in row if str(key) not in set(found.values())]
    read = ", ".join(f"{column!r} as {name}" for name, column in found.items() if column != name)
    if read:
        notes.add(source, f"column {read}", usual=True)
    if unused:
        are = "columns {} are" if len(unused) > 1 else "column {} is"
        notes.add(source, f"{are.format(joined(unused[:12]))} not used")


def named(value: Any, names: Sequence[str], where: str) -> Any:
    """Return a class, or a list of classes, by name if it is stored as a number.

    Raises:
        RowError: If there is no class of that number.
    """
    if not names:
        return value
    if isinstance(value, (list, tuple)):
        return [named(one, names, where) for one in value]
    if isinstance(value, int) and not isinstance(value, bool):
        if not 0 <= value < len(names):
            raise RowError(f"there is no class {value}", where=where)
        return names[value]
    return value


def text_of(value: Any, name: str, where: str) -> str:
    """Return a text without the space around it.

    Raises:
        RowError: If the value is no text, empty, or not valid Unicode.
    """
    if not isinstance(value, str):
        kind = "nothing" if value is None else type(value).__name__
        raise RowError(f"{name} holds {kind}, not text", where=where)
    if not value.strip():
        raise RowError(f"{name} is empty", where=where)
    if not is_unicode(value):
        raise RowError(f"{name} holds half a surrogate pair, which is no character", where=where)
    return value.strip()


def label_of(value: Any, name: str, where: str) -> str:
    """Return a class as text; a whole number is one too.

    Raises:
        RowError: If the value is neither.
    """
    if isinstance(value, (bool, int)):
        return str(value)
    return text_of(value, name, where)


def number_of(value: Any, name: str, where: str) -> float:
    """Return a finite number, also one that is written as text.

    Raises:
        RowError: If the value is none.
    """
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise RowError(f"{name} {str(value)[:40]!r} is no number", where=where)
    return number


def words_of(value: Any, name: str, where: str) -> tuple[str, ...]:
    """Return a list of words or labels.

    Raises:
        RowError: If the value is no list, empty, or holds something else than text.
    """
    if not isinstance(value, (list, tuple)) or not value:
        raise RowError(f"{name} holds no list of words", where=where)
    for one in value:
        if not isinstance(one, str) or not one.strip() or not is_unicode(one):
            raise RowError(f"{name} holds {str(one)[:40]!r}, which is no word", where=where)
    return tuple(value)
