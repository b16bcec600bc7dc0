"""Make records of data in memory, with the checks that readers of files make.

One faulty row is skipped and counted; data with half of its rows faulty are refused.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from xadapt.config.recipe import build_reader
from xadapt.core import registry
from xadapt.core.errors import UserError
from xadapt.data.readers.in_memory import InMemory, plain_value
from xadapt.data.readers.label_columns import Rows, as_options
from xadapt.data.readers.named_columns import find_columns
from xadapt.data.readers.notes import Notes, RowError, attempt, without_faulty
from xadapt.data.readers.sides import Request, follow, is_unicode, make_pair, row_pair
from xadapt.data.readers.text_pairs import rows_in_memory
from xadapt.data.readers.word_alignment import aligned_words
from xadapt.data.records import (
    AlignedWords,
    LabelledText,
    MultiLabelText,
    ParallelPair,
    ParsedSentence,
    PlainText,
    Question,
    Record,
    ScoredPair,
    TaggedSentence,
    TextPair,
    WordPair,
)
from xadapt.functional.tag_scheme import OUTSIDE, Scheme, to_spans
from xadapt.languages.tags import normalise

BIO_READER = "conll"
"""The reader whose tags are spans; for every other reader each word has a tag of its own."""
Maker = Callable[[Any, str], Any]
TEXTS = (
    "text",
    "text_pair",
    "left",
    "right",
    "question",
    "passage",
    "word",
    "label",
    "anchor",
    "positive",
)
"""The fields of records that must hold text."""


@dataclasses.dataclass(frozen=True)
class Columns:
    """The column of each field of a record.

    Attributes:
        of: Column by field.
        labels: Names of the numbers in a column, by column.
        scheme: How the tags of words are read: spans in BIO, or one tag a word.
    """

    of: Mapping[str, str]
    labels: Mapping[str, Sequence[str]]
    scheme: Scheme = "bio"


def read_in_memory(
    table: InMemory,
    reader: str,
    request: Request,
    notes: Notes,
    options: Mapping[str, Any] | None = None,
) -> Iterator[Any]:
    """Stream the records that a reader of files would give.

    Args:
        table: The data.
        reader: Name of the reader that a recipe or a task uses for files.
        request: The languages, and the columns if the user names them.
        notes: Where the columns, unused columns and skipped rows are reported.
        options: Options of the reader, which a reader with ``read_rows`` also has for such data.

    Raises:
        UserError: If a column is not found, a record is of another type or language, half of the
            rows are faulty, or there is no row.
    """
    part = registry.load("readers", reader)
    gives: type[Record] = part.gives
    scheme: Scheme = "bio" if reader == BIO_READER else "word"
    rows = table.rows()
    if hasattr(part, "read_rows") and (options or gives not in BUILDERS):
        first = next(rows, None)
        rows = chain([] if first is None else [first], rows)
        if first is None or not isinstance(first[1], Record):
            own = {**(options or {}), **as_options(part, table.columns or request.columns)}
            given = Rows(table.name, rows, table.labels)
            yield from build_reader(part, own).read_rows(given, request.lang, notes)
            return
    make: Maker | None = None

    def made() -> Iterator[Any]:
        nonlocal make
        for where, row in rows:
            if isinstance(row, RowError):
                yield row
                continue
            make = make or _maker(row, table, gives, request, notes, scheme)
            record = attempt(make, row, where)
            if record is not None:
                yield record

    empty = True
    for record in without_faulty(made(), table.name, notes):
        empty = False
        yield record
    if empty:
        raise UserError("there is no row in these data, or all are empty", where=table.name)


def _maker(
    first: Any, table: InMemory, gives: type[Record], request: Request, notes: Notes, scheme: Scheme
) -> Maker:
    """Return the function that makes a record of a row, chosen by the first row."""
    if isinstance(first, Record):
        return lambda row, where: _own(row, gives, request, where)
    if gives is TextPair:
        asked = table.columns or request.columns
        return rows_in_memory(first, asked, request.lang, table.name, notes)
    found = find_columns(first, gives, request, table.columns or request.columns, table.name, notes)
    if gives is ParallelPair:
        sides = dataclasses.replace(request, columns=(found["pivot"], found["text"]))
        return lambda row, where: row_pair(_mapping(row, where), sides, where)
    columns = Columns(found, table.labels, scheme)
    build = BUILDERS.get(gives)
    if build is None:
        return lambda row, where: _any(gives, _values(row, columns, where), request, where)
    return lambda row, where: build(_values(row, columns, where), request, columns, where)


def _mapping(row: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(row, Mapping):
        raise RowError(f"this row is {type(row).__name__}, and the first one is not", where=where)
    return row


def _values(row: Any, columns: Columns, where: str) -> dict[str, Any]:
    found = {}
    for field, column in columns.of.items():
        try:
            value = follow(_mapping(row, where), column)
        except KeyError:
            raise RowError(f"there is no {column!r} in this row", where=where) from None
        found[field] = plain_value(value)
    return found


def _own(row: Any, gives: type[Record], request: Request, where: str) -> Any:
    """Return a record that the user made, checked.

    Raises:
        UserError: If it is of another type or language.
    """
    if not isinstance(row, gives):
        raise UserError(
            f"this row is {type(row).__name__}, and the recipe reads {gives.__name__}",
            where=where,
            todo=f"Give rows of xadapt.data.records.{gives.__name__}",
        )
    lang = language_of(row)
    if lang is not None and request.lang != "und" and normalise(lang) != request.lang:
        raise UserError(
            f"this record is in {lang}, and the language is {request.lang}",
            where=where,
            todo="Leave lang out, or give the records of this language alone",
        )
    if isinstance(row, ParallelPair):
        made = make_pair(request, text=_text(row.text, "text", where),
                         pivot=_text(row.pivot, "pivot", where), where=where)  # fmt: skip
        return row if made == row else made
    for field in dataclasses.fields(row):
        value = getattr(row, field.name)
        # A tuple is the words of a sentence.
        if field.name in TEXTS and not isinstance(value, tuple):
            _text(value, field.name, where)
    if isinstance(row, MultiLabelText):
        labels = {_text(label, "label", where) for label in _labels(row.labels, where)}
        return dataclasses.replace(row, labels=tuple(sorted(labels)))
    return row


def _labels(value: Any, where: str) -> Iterable[Any]:
    """Return the labels of a record; there may be none."""
    if isinstance(value, (tuple, list, set, frozenset)):
        return value
    raise RowError(f"the labels are {type(value).__name__}, not a tuple", where=where)


def language_of(row: Any) -> str | None:
    """Return the language that a record names, if its type names one."""
    found = getattr(row, "lang", None) or getattr(row, "left_lang", None)
    return str(found) if found else None


def _text(value: Any, field: str, where: str) -> str:
    if value is not None and not isinstance(value, str):
        raise RowError(f"the {field} is {type(value).__name__}, not text", where=where)
    if not value or not value.strip():
        raise RowError(f"the {field} is empty", where=where)
    if not value.isascii() and not is_unicode(value):
        raise RowError(
            f"the {field} holds half a surrogate pair, which is no character", where=where
        )
    return value.strip()


def _label(value: Any, column: str, columns: Columns, where: str) -> str:
    """Return a label as text; a number stands for its name where the data have names."""
    if isinstance(value, float) and value.is_integer():  # a column of a frame with missing values
        value = int(value)
    if not isinstance(value, (int, str)):
        kind = "empty" if value is None else f"{type(value).__name__}, not a name or a number"
        raise RowError(f"the label is {kind}", where=where)
    names = columns.labels.get(column)
    if isinstance(value, int) and names:
        if not 0 <= value < len(names):
            raise RowError(f"the label {value} has no name", where=where)
        return names[value]
    return _text(str(value), "label", where)


def _list(value: Any, field: str, where: str) -> list[Any]:
    if isinstance(value, str) or not isinstance(value, Iterable) or isinstance(value, Mapping):
        kind = "empty" if value is None else type(value).__name__
        raise RowError(f"the {field} are {kind}, not a list", where=where)
    found = [plain_value(item) for item in value]
    if not found:
        raise RowError(f"the {field} are empty", where=where)
    return found


def _words(value: Any, where: str) -> tuple[str, ...]:
    return tuple(_text(word, "word", where) for word in _list(value, "words", where))


def _plain_text(values: dict[str, Any], request: Request, _: Columns, where: str) -> Any:
    text = values["text"]
    if text is None or (isinstance(text, str) and not text.strip()):
        return None  # as an empty line of a file
    return PlainText(_text(text, "text", where), request.lang, origin=where)


def _labelled(values: dict[str, Any], request: Request, columns: Columns, where: str) -> Any:
    label = _label(values["label"], columns.of["label"], columns, where)
    return LabelledText(_text(values["text"], "text", where), label, request.lang, origin=where)


def _word_pair(values: dict[str, Any], request: Request, _: Columns, where: str) -> Any:
    word, pivot = (_text(values[side], side, where) for side in ("word", "pivot"))
    return WordPair(word, pivot, request.lang, request.pivot_lang, origin=where)


def _scored(values: dict[str, Any], request: Request, columns: Columns, where: str) -> Any:
    try:
        score = float(values["score"])
    except (TypeError, ValueError):
        score = math.nan
    if not math.isfinite(score):
        raise RowError(f"the score {values['score']!r} is no number"[:80], where=where)
    left, right = (_text(values[side], f"{side} text", where) for side in ("left", "right"))
    return ScoredPair(left, right, score, request.lang, request.pivot_lang, origin=where)


def _tagged(values: dict[str, Any], request: Request, columns: Columns, where: str) -> Any:
    words, column = _words(values["words"], where), columns.of["tags"]
    tags = [_label(tag, column, columns, where) for tag in _list(values["tags"], "tags", where)]
    if len(words) != len(tags):
        raise RowError(f"there are {len(words)} words and {len(tags)} tags", where=where)
    strange = next((tag for tag in tags if not _is_bio(tag)), None)
    if columns.scheme == "bio" and strange is not None:
        named = "is a number without a name" if strange.isdigit() else "is no BIO tag"
        raise RowError(
            f"{strange[:40]!r} {named}",
            where=where,
            todo="Tags are O, B-TYPE and I-TYPE; a datasets.Dataset may have numbers with names",
        )
    return TaggedSentence(words, to_spans(tags, columns.scheme), request.lang, origin=where)


def _is_bio(tag: str) -> bool:
    return tag == OUTSIDE or (tag.startswith(("B-", "I-")) and len(tag) > 2)


def _question(values: dict[str, Any], request: Request, columns: Columns, where: str) -> Any:
    passage = values["passage"]
    _text(passage, "passage", where)
    found = _answers(values["answers"], where)
    if not found:
        raise RowError("this question has no answer", where=where)
    for start, text in found:
        if start < 0 or not text or passage[start : start + len(text)] != text:
            raise RowError(
                f"the answer {text[:40]!r} does not stand at character {start} of the passage",
                where=where,
                todo="answer_start counts characters from 0",
            )
    question = _text(values["question"], "question", where)
    return Question(question, passage, tuple(found), request.lang, origin=where)


def _answers(value: Any, where: str) -> list[tuple[int, str]]:
    """Return the answers of SQuAD's two shapes: a dict of lists, or a list of dicts or tuples."""
    try:
        if isinstance(value, Mapping):
            starts, texts = (list(plain_value(value[k])) for k in ("answer_start", "text"))
            pairs = list(zip(starts, texts, strict=True))
        else:
            pairs = [
                (one["answer_start"], one["text"]) if isinstance(one, Mapping) else tuple(one)
                for one in value
            ]
        found = [(int(start), text) for start, text in pairs]
    except (KeyError, TypeError, ValueError):
        raise RowError(
            "the answers are not texts with their place",
            where=where,
            todo='Write {"text": [...], "answer_start": [...]}',
        ) from None
    if not all(isinstance(text, str) for _, text in found):
        raise RowError("an answer is not text", where=where)
    return found


def _parsed(values: dict[str, Any], request: Request, columns: Columns, where: str) -> Any:
    words = _words(values["words"], where)
    upos, relations = (
        tuple(_label(one, columns.of[field], columns, where)
              for one in _list(values[field], field, where))
        for field in ("upos", "relations")
    )  # fmt: skip
    heads = tuple(_list(values["heads"], "heads", where))
    if not all(isinstance(head, int) and 0 <= head <= len(words) for head in heads):
        raise RowError("the heads are not word numbers from 0", where=where)
    if len({len(words), len(upos), len(heads), len(relations)}) > 1:
        raise RowError("words, upos, heads and relations differ in length", where=where)
    return ParsedSentence(words, upos, heads, relations, request.lang, origin=where)


def _aligned(values: dict[str, Any], request: Request, _: Columns, where: str) -> Any:
    return aligned_words(values, (request.lang, request.pivot_lang), where)


def _any(gives: type[Record], values: dict[str, Any], request: Request, where: str) -> Any:
    """Make a record of another type, whose columns are named after its fields."""
    own = {field.name for field in dataclasses.fields(gives)}
    langs = {"lang": request.lang, "pivot_lang": request.pivot_lang}
    more = {name: tag for name, tag in langs.items() if name in own}
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
    for field, value in values.items():
        if value is None:
            raise RowError(f"the {field} is empty", where=where)
    return gives(**values, **more, origin=where)


BUILDERS: Mapping[type, Callable[..., Any]] = {
    AlignedWords: _aligned,
    PlainText: _plain_text,
    LabelledText: _labelled,
    ScoredPair: _scored,
    WordPair: _word_pair,
    TaggedSentence: _tagged,
    Question: _question,
    ParsedSentence: _parsed,
}
