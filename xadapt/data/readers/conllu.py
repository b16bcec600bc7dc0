"""Read words and parts of speech from CoNLL-U (https://universaldependencies.org/format.html).

Multiword ranges (``3-4``) and empty nodes (``5.1``) are skipped, so the words are the syntactic
words. In JSON lines, Parquet and ``hf:``, the columns are named (``tokens``, ``upos``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain
from typing import Any, ClassVar

from xadapt.core.errors import UserError
from xadapt.data.readers.lines import has_suffix
from xadapt.data.readers.mapped_rows import kind_of_rows
from xadapt.data.readers.notes import Notes, RowError, attempt, noted, without_faulty
from xadapt.data.readers.row_records import UPOS as TAGS
from xadapt.data.readers.row_records import WORDS as FORMS
from xadapt.data.readers.row_records import read_mapped, words_of
from xadapt.data.readers.word_rows import (
    LONG,
    WITHHELD,
    Line,
    blocks,
    require_words,
    take,
    tell_long,
)
from xadapt.data.records import TaggedSentence

FORM, UPOS = 1, 3


class Conllu:
    """Reader of the universal part of speech of each word, as a span of its own."""

    format: ClassVar[str] = "conllu"
    gives: ClassVar[type] = TaggedSentence

    def claims(self, source: str, request: object) -> bool:
        """Return whether the name ends in ``.conllu``."""
        return has_suffix(source, ".conllu")

    def read(self, source: str, lang: str, notes: Notes | None = None) -> Iterator[TaggedSentence]:
        """Stream the sentences.

        Args:
            source: The file.
            lang: Language of the file.
            notes: Where long and skipped sentences are reported.

        Raises:
            UserError: If the words are withheld or numbers, half of the sentences are faulty (a
                row lacks columns or a part of speech), or the file has no sentence.
        """
        found = noted(notes)
        if kind_of_rows(source):
            columns = {"words": FORMS, "parts of speech": TAGS}
            yield from read_mapped(source, columns, partial(_mapped, lang), found, "sentence")
            return
        all_blocks = rows_of(source)
        head = take(all_blocks)
        require_words([forms(rows) for rows in head], source, FORM + 1)
        lengths: list[tuple[int, int]] = []

        def sentences() -> Iterator[TaggedSentence | RowError]:
            for rows in chain(head, all_blocks):
                if len(rows) > LONG:
                    lengths.append((rows[0][0], len(rows)))
                yield attempt(_sentence, rows, lang, source)

        empty = True
        for sentence in without_faulty(sentences(), source, found, "sentence"):
            empty = False
            yield sentence
        if empty:
            raise UserError("there is no sentence in this file", where=source)
        tell_long(lengths, source, found)


def rows_of(source: str) -> Iterator[list[Line]]:
    """Yield the word lines of each sentence, without comments, ranges and empty nodes.

    Raises:
        UserError: If a line can't be read, or a sentence is too long, as for
            `xadapt.data.readers.word_rows.blocks`.
    """
    for block in blocks(source):
        rows = [(n, line) for n, line in block if not line.startswith("#") and _is_word(line)]
        if rows:
            yield rows


def forms(rows: Sequence[Line]) -> list[str]:
    """Return the words of a sentence. Rows without a word column are skipped."""
    cells = [line.split("\t") for _, line in rows]
    return [row[FORM] for row in cells if len(row) > FORM]


def require_forms(words: Sequence[str], where: str) -> None:
    """Refuse a sentence with withheld words.

    Raises:
        RowError: If the sentence has more than one word, and all words are ``_``.
    """
    if len(words) > 1 and set(words) == {WITHHELD}:
        raise RowError("all words of this sentence are '_': they are withheld", where=where)


def _is_word(line: str) -> bool:
    number, tab, _ = line.partition("\t")
    return not tab or not ("-" in number or "." in number)


def _sentence(rows: Sequence[Line], lang: str, source: str) -> TaggedSentence:
    pairs = [_row(line, f"{source}:{number}") for number, line in rows]
    words, tags = zip(*pairs, strict=True)
    origin = f"{source}:{rows[0][0]}"
    require_forms(words, origin)
    spans = tuple((i, i + 1, tag) for i, tag in enumerate(tags))
    return TaggedSentence(words, spans, lang, origin=origin)


def _row(line: str, where: str) -> tuple[str, str]:
    cells = line.split("\t")
    if len(cells) <= UPOS:
        raise RowError(
            f"a row of CoNLL-U has ten columns, this one {len(cells)}",
            where=where,
            todo="Columns are separated by tabs",
        )
    if not cells[UPOS].strip() or cells[UPOS] == "_":
        raise RowError("this word has no part of speech (column 4)", where=where)
    return cells[FORM], cells[UPOS]


def _mapped(lang: str, values: dict[str, Any], where: str) -> TaggedSentence:
    words = words_of(values["words"], "the column of words", where)
    tags = words_of(values["parts of speech"], "the column of parts of speech", where)
    if len(words) != len(tags):
        raise RowError(f"{len(words)} words have {len(tags)} parts of speech", where=where)
    spans = tuple((i, i + 1, tag) for i, tag in enumerate(tags))
    return TaggedSentence(words, spans, lang, origin=where)


Part = Conllu
