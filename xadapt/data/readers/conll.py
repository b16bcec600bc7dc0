"""Read CoNLL columns: one word a line, the BIO label last, an empty line after each sentence.

The first column is the word, the last column its label. Columns are separated by tabs or, in a line
without tabs, by spaces. No other character separates: a no-break space belongs to the word. Lines
that begin with ``-DOCSTART-`` are skipped, and so are comments. A comment begins with ``#``. In
addition, the number of columns differs from the other lines, or the line is before the first word
of a sentence and ends in no BIO label. A first column of word numbers is skipped. A prefix such as
``en:`` of all words (as in WikiANN) is removed. IOB1, IOBES, BILOU and BMES are told apart from the
first sentences, and read as the same spans. In JSON lines, Parquet and ``hf:``, the columns are
named (``tokens``, ``ner_tags``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import Any, ClassVar

from xadapt.core.errors import UserError
from xadapt.data.readers.lines import has_suffix
from xadapt.data.readers.mapped_rows import kind_of_rows
from xadapt.data.readers.notes import Notes, RowError, attempt, joined, noted, without_faulty
from xadapt.data.readers.row_records import SPANS, read_mapped, words_of
from xadapt.data.readers.row_records import WORDS as FORMS
from xadapt.data.readers.sides import find_language
from xadapt.data.readers.word_rows import (
    LONG,
    WITHHELD,
    WORDS,
    Line,
    blocks,
    require_words,
    take,
    tell_long,
)
from xadapt.data.records import TaggedSentence
from xadapt.functional.tag_scheme import OUTSIDE, PREFIXES, as_bio, encoding_of, to_spans
from xadapt.languages.tags import normalise

__all__ = ["WORDS", "Conll", "Part"]

_BIO = ("B-", "I-")
_SPACES = re.compile(r"[ \t]+")
_HEADERS = frozenset({"word", "words", "token", "tokens", "form", "text", "id", "index"})
_PREFIX = re.compile(r"([a-z]{2,3}(?:-[a-z]{2,8})*):.")


@dataclass(frozen=True)
class Layout:
    """The columns of a file.

    Attributes:
        width: Number of columns.
        word: Column of the word, from 0.
        prefix: Common prefix of all words, such as ``en:``; empty if there is none.
        encoding: How the labels mark spans, see `xadapt.functional.tag_scheme.encoding_of`.
    """

    width: int
    word: int = 0
    prefix: str = ""
    encoding: str = "IOB2"

    def is_label(self, cell: str) -> bool:
        """Return whether a cell is a label of the encoding."""
        return _is_label(cell, PREFIXES.get(self.encoding, _BIO))


class Conll:
    """Reader of named entities and other spans as BIO labels."""

    format: ClassVar[str] = "conll"
    gives: ClassVar[type] = TaggedSentence

    def claims(self, source: str, request: object) -> bool:
        """Return whether the name ends in ``.conll``, ``.bio`` or ``.iob2``."""
        return has_suffix(source, ".conll", ".bio", ".iob2")

    def read(self, source: str, lang: str, notes: Notes | None = None) -> Iterator[TaggedSentence]:
        """Stream the sentences.

        Args:
            source: The file.
            lang: Language of the file.
            notes: Where guesses, unused columns and skipped sentences are reported.

        Raises:
            UserError: If a sentence has no end, the words are withheld, numbers or in another
                language, half of the sentences are faulty (a line without a BIO label), or the
                file has no sentence.
        """
        found = noted(notes)
        if kind_of_rows(source):
            columns = {"words": FORMS, "labels": SPANS}
            yield from read_mapped(source, columns, partial(tagged_row, lang), found, "sentence")
            return
        all_blocks = blocks(source)
        head = _without_header(take(all_blocks), source, found)
        layout = _layout(head, source, lang)
        _tell(layout, head, source, found)
        lengths: list[tuple[int, int]] = []

        def sentences() -> Iterator[TaggedSentence | RowError]:
            for block in chain(head, all_blocks):
                rows = _rows(block, layout)
                if len(rows) > LONG:
                    lengths.append((rows[0][0], len(rows)))
                if rows:
                    yield attempt(_sentence, rows, layout, lang, source)

        empty = True
        for sentence in without_faulty(sentences(), source, found, "sentence"):
            empty = False
            yield sentence
        if empty:
            raise UserError("there is no sentence in this file", where=source)
        tell_long(lengths, source, found)


def cells_of(line: str) -> list[str]:
    """Return the columns of a line: separated by tabs or, without a tab, by spaces."""
    if "\t" in line:
        return [cell for cell in line.split("\t") if cell]
    return [cell for cell in _SPACES.split(line) if cell]


def _is_label(cell: str, prefixes: tuple[str, ...] = _BIO) -> bool:
    return cell == OUTSIDE or (cell.startswith(prefixes) and len(cell) > 2)


def _rows(block: Sequence[Line], layout: Layout) -> list[tuple[int, list[str]]]:
    """Return the words of a block: its lines without comments."""
    rows: list[tuple[int, list[str]]] = []
    for number, line in block:
        cells = cells_of(line)
        comment = line.startswith("#") and (
            len(cells) != layout.width or not (rows or layout.is_label(cells[-1].strip()))
        )
        if not comment and (rows or not line.startswith("-DOCSTART-")):
            rows.append((number, cells))
    return rows


def _without_header(head: list[list[Line]], source: str, notes: Notes) -> list[list[Line]]:
    """Return the first sentences without a line that names the columns, such as ``word tag``."""
    if not head:
        return head
    number, line = head[0][0]
    cells = cells_of(line)
    if len(cells) < 2 or cells[0].casefold() not in _HEADERS or _is_label(cells[-1].strip()):
        return head
    notes.add(source, f"line {number} is a header: {', '.join(cells)}")
    return [head[0][1:], *head[1:]]


def _layout(head: Sequence[Sequence[Line]], source: str, lang: str) -> Layout:
    marks = ("#", "-DOCSTART-")
    widths = (
        len(cells_of(line)) for block in head for _, line in block if not line.startswith(marks)
    )
    width = next(widths, 2)
    lines = [[cells_of(line)[-1].strip() for _, line in block if not line.startswith(marks)]
             for block in head]  # fmt: skip
    plain = Layout(width, encoding=encoding_of(lines) or "IOB2")
    sentences = [rows for rows in ([c for _, c in _rows(block, plain)] for block in head) if rows]
    if not sentences:
        return plain
    word = 1 if width > 2 and _counts(sentences) else 0
    words = [[row[word] for row in rows if word < len(row)] for rows in sentences]
    require_words(words, source, word + 1)
    prefix = word_prefix([w for row in words for w in row], lang, source)
    return replace(plain, word=word, prefix=prefix)


def _counts(sentences: Sequence[Sequence[Sequence[str]]]) -> bool:
    """Return whether the first column counts the words, in each sentence or through the file."""
    first = [[row[0] for row in rows] for rows in sentences]
    flat = [cell for cells in first for cell in cells]

    def counted(cells: Sequence[str]) -> bool:
        return any(list(cells) == [str(i + start) for i in range(len(cells))] for start in (0, 1))

    return len(flat) > len(first) and (counted(flat) or all(map(counted, first)))


def word_prefix(words: Sequence[str], lang: str, source: str) -> str:
    """Return the language prefix of all words, such as ``en:``, or an empty string.

    Args:
        words: The words of the first sentences.
        lang: The language of the file, or ``und``.
        source: The file.

    Raises:
        UserError: If the prefix is of another language.
    """
    match = _PREFIX.match(words[0]) if len(words) > 1 else None
    if match is None or not all(word.startswith(f"{match[1]}:") for word in words):
        return ""
    try:
        normalise(match[1])
    except UserError:
        return ""
    if lang != "und" and find_language([match[1]], lang) is None:
        raise UserError(
            f"all words begin with '{match[1]}:', but the language is {lang}",
            where=source,
            todo="Check --lang, or remove the prefix",
        )
    return f"{match[1]}:"


def _tell(layout: Layout, head: Sequence[Sequence[Line]], source: str, notes: Notes) -> None:
    if layout.word:
        notes.add(source, "column 1 counts the words: column 2 is read as the word")
    if layout.prefix:
        notes.add(source, f"all words begin with {layout.prefix!r}: it is taken off")
    if layout.encoding == "IOB1":
        notes.add(source, "labels are IOB1 (a span begins with I-): they are read as such")
    elif layout.encoding != "IOB2":
        notes.add(source, f"labels are {layout.encoding}: they are converted to IOB2")
    unused = list(range(layout.word + 1, layout.width - 1))
    if not unused:
        return
    rows = [cells for block in head for _, cells in _rows(block, layout)]
    labels = [i for i in unused if all(i < len(r) and layout.is_label(r[i].strip()) for r in rows)]
    are = "columns {} are" if len(unused) > 1 else "column {} is"
    line = f"{are.format(joined(str(i + 1) for i in unused[:12]))} not used"
    if labels:
        line += f"; column {joined(str(i + 1) for i in labels[:12])} holds BIO labels too, and the "
        line += "last one is read"
    notes.add(source, line)


def _sentence(
    rows: Sequence[tuple[int, list[str]]], layout: Layout, lang: str, source: str
) -> TaggedSentence:
    words, labels = [], []
    for number, cells in rows:
        word, label = _word(cells, layout, f"{source}:{number}")
        words.append(word)
        labels.append(label)
    origin = f"{source}:{rows[0][0]}"
    if len(words) > 1 and set(words) == {WITHHELD}:
        raise RowError("all words of this sentence are '_': they are withheld", where=origin)
    return TaggedSentence(tuple(words), to_spans(labels, "bio"), lang, origin=origin)


def _word(cells: Sequence[str], layout: Layout, where: str) -> tuple[str, str]:
    if len(cells) < layout.word + 2:
        raise RowError("this line has no label", where=where, todo="A line is: word, tab, label")
    label = cells[-1].strip()
    if not layout.is_label(label):
        name = "BIO" if layout.encoding in ("IOB1", "IOB2") else layout.encoding
        forms = joined(f"{prefix}TYPE" for prefix in PREFIXES.get(layout.encoding, _BIO))
        raise RowError(
            f"{label[:40]!r} is no {name} label", where=where, todo=f"Labels are O, {forms}"
        )
    if layout.encoding in PREFIXES:
        label = as_bio(label)
    return cells[layout.word].removeprefix(layout.prefix) or cells[layout.word], label


def tagged_row(lang: str, values: dict[str, Any], where: str) -> TaggedSentence:
    """Make a sentence of a list of words and a list of labels, in any encoding."""
    words = words_of(values["words"], "the column of words", where)
    labels = words_of(values["labels"], "the column of labels", where)
    if len(words) != len(labels):
        raise RowError(f"{len(words)} words have {len(labels)} labels", where=where)
    encoding = encoding_of([labels])
    layout = Layout(2, encoding=encoding or "IOB2")
    made = [
        _word((word, label), layout, where)[1] for word, label in zip(words, labels, strict=True)
    ]
    return TaggedSentence(words, to_spans(made, "bio"), lang, origin=where)


Part = Conll
