"""Read relations as TACRED has them: a JSON list, or JSON lines, Parquet and ``hf:``.

Two shapes are known, and differ in their offsets over tokens, from 0:

- TACRED's JSON, ``{"token": [..], "relation": "org:founded_by", "subj_start": 0, "subj_end": 1,
  "obj_start": 5, "obj_end": 5, "subj_type": .., "obj_type": ..}``: ends are **inclusive**. The data
  sheet of MultiTACRED calls them exclusive, its files are inclusive.
- MultiTACRED's JSON lines, ``{"tokens": [..], "label": .., "entities": [[0, 2], [5, 6]], "type":
  [.., ..]}``: ends are **exclusive**. Of a row with ``tokens_translated`` and
  ``entities_translated`` the translation is read, in the language ``language_translated``.

The subject is the head, the object is the tail.

Source: Zhang et al. 2017, https://aclanthology.org/D17-1004; Hennig et al. 2023 and its code,
https://github.com/DFKI-NLP/MultiTACRED.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from xadapt.core.errors import UserError
from xadapt.data.readers.jsonl import parse_json
from xadapt.data.readers.lines import has_suffix, open_bytes, take
from xadapt.data.readers.mapped_rows import MappedRows, kind_of_rows
from xadapt.data.readers.notes import Notes, RowError, attempt, noted, without_faulty
from xadapt.data.records import RelationExample
from xadapt.functional.entity_tags import span_fault
from xadapt.languages.tags import is_spaced, is_tag, normalise, text_of

MAX_BYTES = 1 << 29
"""The largest size of a JSON file in bytes, since the file is read as a whole."""
Ends = Literal["", "inclusive", "exclusive"]
Each = Iterator[RelationExample | RowError]


@dataclass(frozen=True)
class Tacred:
    """Reader of tokens with a subject, an object and their relation. It never claims a file.

    Attributes:
        ends: Whether the token at ``subj_end`` and ``obj_end`` belongs to the entity:
            ``inclusive`` or ``exclusive``. Without it the keys of a row decide.
    """

    ends: Ends = ""

    format: ClassVar[str] = "tacred"
    gives: ClassVar[type] = RelationExample

    def claims(self, source: str, request: object) -> bool:
        """Return False: a recipe or a command names this reader."""
        return False

    def read(self, source: str, lang: str, notes: Notes | None = None) -> Iterator[RelationExample]:
        """Stream the texts.

        Args:
            source: The file, or ``hf:org/name``.
            lang: Language of texts that name none.
            notes: Where skipped rows are reported.

        Raises:
            UserError: If the file is no JSON, has no row, or half of the rows are faulty: a key is
                missing, an entity is empty or leaves the tokens, or the entities cross each other.
        """
        yield from filled(self.read_each(source, lang), source, noted(notes))

    def read_each(self, source: str, lang: str) -> Each:
        """Yield the text of each row, or the fault of a faulty row.

        Args:
            source: The file, or ``hf:org/name``.
            lang: Language of texts that name none.

        Raises:
            UserError: If the file is no JSON.
        """
        for where, row in json_rows(source):
            yield attempt(row_of_tokens, row, lang, where, self.ends)


def filled(rows: Each, source: str, notes: Notes) -> Iterator[RelationExample]:
    """Yield the texts without faulty rows, at least one.

    Raises:
        UserError: If there is none, or half of the rows are faulty.
    """
    empty = True
    langs: set[str] = set()
    for row in without_faulty(rows, source, notes, "text"):
        empty = False
        langs.add(row.lang)
        yield row
    if empty:
        raise UserError("there is no text with a relation in this file", where=source)
    if len(langs) > 1:
        notes.add(source, f"texts in {', '.join(sorted(langs))}")


def json_rows(source: str) -> Iterator[tuple[str, Any]]:
    """Yield the place and the row of each entry of a JSON list, or of rows with named columns.

    Raises:
        UserError: If a ``.json`` file is no list or too large, or a source can't be read.
    """
    if kind_of_rows(source) or not has_suffix(source, ".json"):
        yield from MappedRows(source)
        return
    with open_bytes(source) as stream:
        raw = take(stream.read, MAX_BYTES + 1, source)
    if len(raw) > MAX_BYTES:
        raise UserError(f"this file is larger than {MAX_BYTES >> 20} MiB", where=source)
    rows = parse_json(raw, source)
    if not isinstance(rows, list):
        raise UserError("this JSON is no list of texts", where=source)
    for number, row in enumerate(rows, 1):
        yield f"{source}:[{number}]", row


def row_of_tokens(row: Any, lang: str, where: str, ends: Ends = "") -> RelationExample:
    """Make a record of a row with tokens.

    Args:
        row: The row.
        lang: Its language, if it names none.
        where: Its place.
        ends: As for `Tacred`.

    Raises:
        RowError: If the row is faulty.
    """
    if not isinstance(row, Mapping):
        raise RowError("this row is no JSON object", where=where)
    translated = "tokens_translated" in row
    key = "tokens_translated" if translated else "token" if "token" in row else "tokens"
    words = row.get(key)
    fine = isinstance(words, (list, tuple)) and all(isinstance(word, str) for word in words)
    if not fine or not words:
        raise RowError(f"{key} is no list of words", where=where)
    lang = language(row, "language_translated" if translated else "lang", lang, where)
    spans, exclusive = _spans(row, "entities_translated" if translated else "entities", where)
    last = (ends or ("exclusive" if exclusive else "inclusive")) == "inclusive"
    found = []
    for name, (start, end) in zip(("head", "tail"), spans, strict=True):
        stop = end + last
        if not 0 <= start < stop <= len(words):
            raise RowError(
                f"the {name} {start}-{end} is empty or leaves a text of {len(words)} words, if its "
                f"end is {'inclusive' if last else 'exclusive'}",
                where=where,
                todo="The option ends of the reader tacred says which it is",
            )
        found.append(_characters(words, start, stop, lang))
    names = row.get("type") or (row.get("subj_type"), row.get("obj_type"))
    types = names if isinstance(names, (list, tuple)) and len(names) == 2 else ("", "")
    return record(
        text_of(words, lang),
        found[0],
        found[1],
        row.get("relation", row.get("label")),
        lang,
        where,
        types=(str(types[0] or ""), str(types[1] or "")),
        row=str(row.get("id") or ""),
    )


def record(
    text: str,
    head: tuple[int, int],
    tail: tuple[int, int],
    relation: Any,
    lang: str,
    where: str,
    *,
    types: tuple[str, str] = ("", ""),
    row: str = "",
) -> RelationExample:
    """Make a checked record.

    Args:
        text: The text.
        head: The head in characters.
        tail: The tail.
        relation: The relation.
        lang: The language.
        where: The place of the row.
        types: Types of head and tail.
        row: The row that this one is a translation of, or its own id.

    Raises:
        RowError: If a span is empty, leaves the text or crosses the other, or there is no relation.
    """
    fault = span_fault(text, head, tail)
    if not fault and (not isinstance(relation, str) or not relation.strip()):
        fault = "there is no relation"
    if fault:
        raise RowError(fault, where=where)
    return RelationExample(text, head, tail, relation.strip(), lang, types, row=row, origin=where)


def language(row: Mapping[str, Any], key: str, lang: str, where: str) -> str:
    """Return the language that a row names, or else the given one.

    Raises:
        RowError: If the row names none that is a language tag.
    """
    own = row.get(key)
    if own is None:
        return lang
    if not isinstance(own, str) or not is_tag(own.lower()):
        raise RowError(f"{key} {str(own)[:20]!r} is no language tag", where=where)
    return normalise(own.lower())


def whole(value: Any) -> bool:
    """Return whether a value is a whole number."""
    return isinstance(value, int) and not isinstance(value, bool)


def pair(value: Any) -> bool:
    """Return whether a value is two whole numbers."""
    return isinstance(value, (list, tuple)) and len(value) == 2 and all(map(whole, value))


def _spans(row: Mapping[str, Any], key: str, where: str) -> tuple[list[tuple[int, int]], bool]:
    """Return the offsets of subject and object, and whether the row's shape excludes the ends."""
    given = row.get(key)
    if given is not None:
        if not isinstance(given, (list, tuple)) or len(given) != 2 or not all(map(pair, given)):
            raise RowError(f"{key} is not [[start, end], [start, end]]", where=where)
        ordered = list(reversed(given)) if row.get("grammar") == ["OBJ", "SUBJ"] else given
        return [(start, end) for start, end in ordered], True
    names = [(f"{one}_start", f"{one}_end") for one in ("subj", "obj")]
    missing = [name for both in names for name in both if not whole(row.get(name))]
    if missing:
        raise RowError(f"{missing[0]} is no whole number", where=where)
    return [(row[start], row[end]) for start, end in names], False


def _characters(words: list[str], start: int, stop: int, lang: str) -> tuple[int, int]:
    """Return the characters of words in their text."""
    before = len(text_of(words[:start], lang)) + (start > 0 and is_spaced(lang))
    return before, before + len(text_of(words[start:stop], lang))


Part = Tacred
