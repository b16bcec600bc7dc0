"""Relations of a corpus on a translation of it: MultiTACRED.

Each text is translated with tags around its head and its tail; the tags of the translation are
repaired and read, or the row is dropped with a reason. The first pair of tags is ``<b>`` and
``<i>``, which translators of HTML keep without reading a sentence as several; a text whose tags are
lost is translated once more with ``<H>`` and ``<T>``, the tags of the paper.

Source: Hennig et al. 2023, https://arxiv.org/abs/2305.04582, section 3.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from xadapt.core.errors import UserError
from xadapt.core.files import atomic_file
from xadapt.data.readers.lines import has_suffix
from xadapt.data.readers.notes import RowError
from xadapt.data.readers.relations import Relations
from xadapt.data.records import RelationExample
from xadapt.functional.entity_tags import (
    LOOKALIKE,
    Entities,
    Names,
    find_whole,
    is_escaped,
    looks_tagged,
    read_tags,
    span_fault,
    with_tags_around,
)
from xadapt.integrations.translators.cached import cached_translator
from xadapt.integrations.translators.protocol import Translator
from xadapt.languages.tags import normalise
from xadapt.pipelines.projection import LEFT_OUT, UNTRANSLATED

TAGS = ("b,i", "H,T")
DIRECTIONS = ("forward", "back")
SAME_WORDS = "same words"
BLOCK = 256


@dataclass(frozen=True)
class RelationDrop:
    """A row that gave no row of its own.

    Attributes:
        row: Number of the row, from 1.
        where: Its place in the file.
        text: The text, with tags; empty if the row could not be read.
        translation: Its translation, empty if there is none.
        relation: The relation.
        reason: Why, in a few words.
    """

    row: int
    where: str
    text: str
    translation: str
    relation: str
    reason: str


@dataclass(frozen=True)
class RelationProjection:
    """A corpus of relations in the other language.

    Attributes:
        rows: The translations with their heads and tails.
        numbers: The number of each row's source row, from 1.
        drops: The rows that were dropped.
        ways: How the entities of each row were found: the names of the tags, such as ``b,i``, or
            ``same words``.
    """

    rows: list[RelationExample] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    drops: list[RelationDrop] = field(default_factory=list)
    ways: list[str] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """The share of source rows that have a row of their own."""
        count = len(self.rows) + len(self.drops)
        return len(self.rows) / count if count else 1.0

    def to_dict(self) -> dict[str, Any]:
        """Return counts, the projection rate, ways, and the number of drops by reason."""
        return {
            "source_rows": len(self.rows) + len(self.drops),
            "rows": len(self.rows),
            "projection_rate": self.rate,
            "found_by": dict(Counter(self.ways).most_common()),
            "dropped": dict(Counter(drop.reason for drop in self.drops).most_common()),
        }


def project_relations(
    data: str | PathLike[str] | Iterable[RelationExample],
    *,
    source: str,
    target: str,
    translator: str | Translator | None,
    direction: str = "forward",
    tags: Sequence[str] | None = None,
    same_words: bool = False,
    out: str | Path | None = None,
    log: str | Path | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> RelationProjection:
    """Translate texts with a head and a tail, and keep both and their relation.

    Args:
        data: Texts with relations, in a form that `xadapt.data.readers.relations` reads; or
            records.
        source: Language of the labelled corpus.
        target: The other language.
        translator: Any translator, as for `xadapt.translate`.
        direction: ``forward`` translates from source to target. ``back`` translates a test set in
            the target language to the source, so that a module of the source can read it.
        tags: Names of the tags of head and tail, tried in this order; without them `TAGS`, of a
            file of translations the first alone.
        same_words: Whether an entity whose tags were lost is looked for: by its own words, and by
            those of its translation alone, in a translation without tags.
        out: A file to write: JSON lines, or text with ``<e1>`` and ``<e2>`` if it ends in ``.tsv``.
        log: A file to write: a JSON line for each dropped row, with the reason.
        progress: Called with the number of rows after each block.

    Raises:
        UserError: If an option is wrong, there is no row, or the translator doesn't know a
            language or fails. No file is left behind.
    """
    if direction not in DIRECTIONS:
        raise UserError(
            f"the direction is {' or '.join(DIRECTIONS)}, not {direction!r}", where="direction"
        )
    if translator is None:
        raise UserError("relations need a translator", todo="Name one with --translator")
    given = normalise(source), normalise(target)
    langs = given if direction == "forward" else (given[1], given[0])
    opened = cached_translator(translator)
    usual = TAGS[:1] if opened.facts.get("translator") == "file" else TAGS
    names = [_names(one) for one in (usual if tags is None else tags)]
    if not names:
        raise UserError("there are no tags", where="tags")
    rows = list(_rows(data, langs[0]))
    if not rows:
        raise UserError("there is no text with a relation", where="data")
    made = RelationProjection()
    for start in range(0, len(rows), BLOCK):
        block = _Block(rows[start : start + BLOCK], lambda texts: opened.translate(texts, *langs))
        for own in names:
            block.carry(own)
        if same_words:
            block.look()
        block.add_to(made, start, langs[1])
        progress(len(block.rows))
    write(made, out, log)
    return made


def _names(text: str) -> Names:
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != 2 or not all(part.isalnum() and part.isascii() for part in parts):
        raise UserError(
            f"{text!r} are no names of two tags", where="tags", todo="Write them as H,T"
        )
    if parts[0].casefold() == parts[1].casefold():
        raise UserError("head and tail have the same tag", where="tags")
    return parts[0], parts[1]


def _rows(data: Any, lang: str) -> Iterable[RelationExample | RowError]:
    if isinstance(data, (str, PathLike)):
        return Relations().read_each(fspath(data), lang)
    rows = list(data)
    if not all(isinstance(row, RelationExample) for row in rows):
        raise UserError("a row is no RelationExample", where="data")
    return rows


@dataclass
class _Block:
    """A block of rows, and what became of each by its place in the block.

    Attributes:
        rows: The rows.
        translate: Translates texts.
        good: The rows that can be translated.
        found: Translated texts with their entities, and how these were found.
        reasons: Why a row has none, the first reason.
        said: The first translation of a row whose tags could not be read.
    """

    rows: Sequence[RelationExample | RowError]
    translate: Callable[[Sequence[str]], list[str]]
    good: dict[int, RelationExample] = field(default_factory=dict)
    found: dict[int, tuple[Entities, str]] = field(default_factory=dict)
    reasons: dict[int, str] = field(default_factory=dict)
    said: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for n, row in enumerate(self.rows):
            if isinstance(row, RowError):
                self.reasons[n] = row.what
            elif fault := span_fault(row.text, row.head, row.tail):
                self.reasons[n] = fault
            else:
                self.good[n] = row

    @property
    def left(self) -> list[int]:
        """The rows without a translated text."""
        return [n for n in self.good if n not in self.found]

    def carry(self, names: Names) -> None:
        """Translate the rows that are left with tags around their entities."""
        asked = [n for n in self.left if not looks_tagged(self.good[n].text, names)]
        for n in set(self.left) - set(asked):
            self.reasons.setdefault(n, LOOKALIKE)
        made = self.translate([with_tags_around(_entities(self.good[n]), names) for n in asked])
        for n, text in zip(asked, made, strict=True):
            read = _read(text, names, self.good[n])
            if isinstance(read, Entities):
                self.found[n] = read, ",".join(names)
            else:
                self.said.setdefault(n, text)
                self.reasons.setdefault(n, read)

    def look(self) -> None:
        """Find entities in translations without tags; only where both stand there once."""
        left = self.left
        rows = [self.good[n] for n in left]
        spans = [(row.text[slice(*row.head)], row.text[slice(*row.tail)]) for row in rows]
        alone = list(dict.fromkeys(name for both in spans for name in both))
        made = self.translate([*(row.text for row in rows), *alone])
        said = dict(zip(alone, made[len(rows) :], strict=True))
        for n, text, both in zip(left, made, spans, strict=False):
            head, tail = (
                find_whole(text, name) or find_whole(text, said[name].strip(" .,;:!?"))
                for name in both
            )
            if head and tail and not span_fault(text, head, tail):
                self.found[n] = Entities(text, head, tail), SAME_WORDS

    def add_to(self, made: RelationProjection, before: int, lang: str) -> None:
        """Add to a projection what became of each row."""
        for n, row in enumerate(self.rows):
            number = before + n + 1
            if n in self.found:
                entities, way = self.found[n]
                made.rows.append(_translated(self.good[n], entities, lang, number))
                made.numbers.append(number)
                made.ways.append(way)
                continue
            reason = self.reasons[n] + LEFT_OUT
            if isinstance(row, RowError):
                made.drops.append(RelationDrop(number, row.where, "", "", "", reason))
                continue
            text = with_tags_around(_entities(row), ("e1", "e2")) if n in self.good else row.text
            said = self.said.get(n, "")
            made.drops.append(RelationDrop(number, row.origin, text, said, row.relation, reason))


def _entities(row: RelationExample) -> Entities:
    return Entities(row.text, row.head, row.tail)


def _read(text: str, names: Names, row: RelationExample) -> Entities | str:
    if not text.strip():
        return UNTRANSLATED
    return read_tags(text, names, joined=True, escaped=is_escaped(row.text))


def _translated(row: RelationExample, own: Entities, lang: str, number: int) -> RelationExample:
    return RelationExample(
        own.text, own.head, own.tail, row.relation, lang, row.types, row=row.row or str(number),
        origin=row.origin,
    )  # fmt: skip


def write(made: RelationProjection, out: str | Path | None, log: str | Path | None) -> None:
    """Write the log, then the corpus, so that a corpus never stands without its log."""
    if log is not None:
        with atomic_file(log) as temporary, temporary.open("w", encoding="utf-8") as stream:
            stream.writelines(_line(vars(drop)) for drop in made.drops)
    if out is None:
        return
    table = has_suffix(str(out), ".tsv")
    with atomic_file(out) as temporary, temporary.open("w", encoding="utf-8") as stream:
        for row in made.rows:
            stream.write(_tagged_line(row) if table else _line(to_row(row)))


def to_row(row: RelationExample) -> dict[str, Any]:
    """Return a text with its relation as a row of JSON, see `xadapt.data.readers.relations`."""
    types = {"types": list(row.types)} if any(row.types) else {}
    return {
        "id": row.row, "lang": row.lang, "text": row.text, "head": list(row.head),
        "tail": list(row.tail), "relation": row.relation, **types,
    }  # fmt: skip


def _tagged_line(row: RelationExample) -> str:
    text = " ".join(with_tags_around(_entities(row), ("e1", "e2")).split())
    return f"{row.row}\t{text}\t{row.relation}\n"


def _line(values: dict[str, Any]) -> str:
    return json.dumps(values, ensure_ascii=False) + "\n"
