"""Find the columns that a record is made of: by usual names, by order, or as the user says."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from xadapt.core import registry
from xadapt.core.errors import UserError
from xadapt.data.readers.labelled_text import LABELS
from xadapt.data.readers.notes import Notes, joined
from xadapt.data.readers.sides import Request, find_sides
from xadapt.data.records import (
    AlignedWords,
    LabelledText,
    ParallelPair,
    ParsedSentence,
    PlainText,
    Question,
    Record,
    ScoredPair,
    TaggedSentence,
)

SIDES = (
    ("source", "target"), ("src", "tgt"), ("src", "trg"), ("anchor", "positive"),
    ("sentence1", "sentence2"), ("sentence_1", "sentence_2"), ("sent1", "sent2"),
    ("text1", "text2"), ("text_1", "text_2"), ("source_text", "target_text"),
    ("src_text", "tgt_text"), ("source_sentence", "target_sentence"), ("english", "non_english"),
    ("original", "translation"),
)  # fmt: skip
"""Usual names of the two columns of parallel text: the pivot first, then the language."""

TEXT = ("text", "sentence", "content", "document", "tweet", "review", "utterance", "question")
FIELDS: Mapping[type, Mapping[str, tuple[str, ...]]] = {
    PlainText: {"text": (*TEXT, "line")},
    LabelledText: {"text": TEXT, "label": tuple(sorted(LABELS, key=lambda name: name != "label"))},
    AlignedWords: {
        "left": ("source", "src", "left", "source_words"),
        "right": ("target", "tgt", "right", "target_words"),
        "links": ("links", "sure", "alignment", "alignments"),
    },
    ScoredPair: {
        "left": (*(first for first, _ in SIDES), "left", "premise"),
        "right": (*(second for _, second in SIDES), "right", "hypothesis"),
        "score": ("score", "similarity_score", "similarity", "relatedness_score", "label"),
    },
    TaggedSentence: {
        "words": ("tokens", "words", "text"),
        "tags": ("ner_tags", "tags", "labels", "ner", "pos_tags", "upos", "pos"),
    },
    Question: {
        "question": ("question", "query"),
        "passage": ("context", "passage", "paragraph"),
        "answers": ("answers", "answer"),
    },
    ParsedSentence: {
        "words": ("tokens", "words"),
        "upos": ("upos", "pos", "pos_tags"),
        "heads": ("heads", "head"),
        "relations": ("relations", "deprel", "deprels"),
    },
}  # fmt: skip
"""For each type of record its columns, in order, and their usual names, the most usual first."""


def find_columns(
    row: Mapping[str, Any],
    gives: type[Record],
    request: Request,
    columns: Any,
    name: str,
    notes: Notes,
) -> dict[str, str]:
    """Find the column of each field of a record.

    Args:
        row: The first row.
        gives: The type of the record.
        request: The languages of the two sides of parallel text.
        columns: The columns that the user names: in the order of the fields, as text with commas or
            as a list, or by field (for parallel text also by language); none if none are named.
        name: Name of the data.
        notes: Where the columns that are read, and those that are not, are reported.

    Returns:
        The column by field; a nested one is written with dots, such as ``translation.en``.

    Raises:
        UserError: If there is no column for a field, or a named column is not there.
    """
    keys = [str(key) for key in row]
    pairs = gives is ParallelPair
    fields = ["pivot", "text"] if pairs else list(_names(gives))
    if pairs and isinstance(columns, Mapping):  # the sides may be named by their languages
        sides = {request.pivot_lang: "pivot", request.lang: "text"}
        columns = {sides.get(str(side), side): column for side, column in columns.items()}
    found = _asked(columns, fields, keys, name)
    if not found:
        found = _sides(row, keys, request, name) if pairs else _found(gives, keys, name)
    shown = (request.pivot_lang, request.lang) if pairs else tuple(found)
    _tell(dict(zip(shown, found.values(), strict=True)), keys, name, notes, bool(columns))
    return found


def _sides(row: Mapping[str, Any], keys: list[str], request: Request, name: str) -> dict[str, str]:
    found = _known_sides(row, keys, request)
    if found is None:
        named = f"{request.pivot_lang!r} and {request.lang!r}"
        raise UserError(
            f"there are no columns for {named} (found: {_listed(keys)})",
            where=name,
            todo="Name the column of each: columns=(PIVOT, LANGUAGE)",
        )
    return dict(zip(("pivot", "text"), found, strict=True))


def _listed(keys: list[str]) -> str:
    return ", ".join(repr(key[:40]) for key in keys[:8]) or "none"


def _known_sides(
    first: Mapping[str, Any], keys: list[str], request: Request
) -> tuple[str, str] | None:
    plain = dataclasses.replace(request, columns=())
    nested = first.get("translation")
    if isinstance(nested, Mapping):
        sides = find_sides(tuple(map(str, nested)), plain)
        if sides:
            return f"translation.{sides[0]}", f"translation.{sides[1]}"
    if _in_order(keys):
        return ("1", "2") if len(keys) > 1 else None
    sides = find_sides(tuple(keys), plain)
    if sides:
        return sides
    by_name = {key.casefold(): key for key in keys}
    both = next((pair for pair in SIDES if all(name in by_name for name in pair)), None)
    return (by_name[both[0]], by_name[both[1]]) if both else None


def _in_order(keys: Sequence[str]) -> bool:
    """Return whether the columns have no names but numbers from 1."""
    return list(keys) == [str(number) for number in range(1, len(keys) + 1)]


def _names(gives: type[Record]) -> Mapping[str, tuple[str, ...]]:
    """Return the usual names of the columns of a record type, by field."""
    if gives in FIELDS:
        return FIELDS[gives]
    own = [field.name for field in dataclasses.fields(gives) if field.name != "origin"]
    return {name: (name,) for name in own if not name.endswith("lang")}


def _asked(columns: Any, fields: list[str], keys: list[str], where: str) -> dict[str, str]:
    """Return the columns that a user names by field; none if the user names none.

    Raises:
        UserError: If a column is not there, or the number of columns is not that of the fields.
    """
    if not columns:
        return {}
    if isinstance(columns, Mapping):
        unknown = next((name for name in columns if name not in fields), None)
        if unknown is not None:
            raise UserError(registry.unknown("field", str(unknown), fields), where="columns")
        by_field = {str(field): str(column) for field, column in columns.items()}
    else:
        parts = columns.split(",") if isinstance(columns, str) else list(columns)
        if len(parts) != len(fields):
            raise UserError(
                f"{len(parts)} columns are named, and {len(fields)} are read",
                where="columns",
                todo=f"Name those of {joined(fields)}, in this order",
            )
        by_field = dict(zip(fields, (str(part).strip() for part in parts), strict=True))
    missing = [field for field in fields if field not in by_field]
    if missing:
        raise UserError(f"no column is named for {joined(missing)}", where="columns")
    return {field: _key(column, keys, where) for field, column in by_field.items()}


def _key(column: str, keys: list[str], where: str) -> str:
    """Return the name of a column that is given by name, by nested names or by number from 1."""
    if column in keys or column.partition(".")[0] in keys:
        return column
    if column.isascii() and column.isdigit() and 0 < int(column) <= len(keys):
        return keys[int(column) - 1]
    raise UserError(registry.unknown("column", column, keys), where=where)


def _found(gives: type[Record], keys: list[str], where: str) -> dict[str, str]:
    """Find the column of each field by the usual names, or by the order.

    Raises:
        UserError: If there is no column for a field.
    """
    names = _names(gives)
    if _in_order(keys):
        if len(keys) >= len(names):
            return dict(zip(names, keys, strict=False))
        raise UserError(
            f"a row has {len(keys)} value{'s' * (len(keys) != 1)}, and {joined(names)} are read",
            where=where,
        )
    free = {key.casefold(): key for key in keys}
    found: dict[str, str] = {}
    for field, usual in names.items():
        name = next((name for name in usual if name in free), None)
        if name is None:
            order = ", ".join(names).upper()
            raise UserError(
                f"there is no column for the {field} (found: {_listed(keys)})",
                where=where,
                todo=f"Name the columns: columns=({order})",
            )
        found[field] = free.pop(name)
    return found


def _tell(
    columns: Mapping[str, str], keys: list[str], name: str, notes: Notes, asked: bool
) -> None:
    """Report which columns are read and which are not."""
    if not asked:
        called = {to: key if key.isdigit() else repr(key) for to, key in columns.items()}
        read = joined(f"column {key} is read as {to}" for to, key in called.items())
        notes.add(name, read, usual=True)
    used = {column if column in keys else column.partition(".")[0] for column in columns.values()}
    unused = [repr(key[:40]) for key in keys if key not in used]
    if unused:
        are = "columns {} are" if len(unused) > 1 else "column {} is"
        notes.add(name, f"{are.format(joined(unused[:12]))} not used")
