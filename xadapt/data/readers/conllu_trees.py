"""Read dependency trees from CoNLL-U (https://universaldependencies.org/format.html).

Multiword ranges (``3-4``) and empty nodes (``5.1``) are skipped, so the words are the syntactic
words. They are numbered from 1 in each sentence.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import ClassVar, NamedTuple

from xadapt.core.errors import UserError
from xadapt.data.readers.conllu import forms, require_forms, rows_of
from xadapt.data.readers.lines import has_suffix
from xadapt.data.readers.notes import Notes, RowError, attempt, noted, without_faulty
from xadapt.data.readers.word_rows import Line, require_words, take
from xadapt.data.records import ParsedSentence

COLUMNS = 10
ID, FORM, UPOS, HEAD, DEPREL = 0, 1, 3, 6, 7


class Row(NamedTuple):
    """One word of a tree, with its place in the file."""

    word: str
    upos: str
    head: int
    relation: str
    where: str


class ConlluTrees:
    """Reader of words, parts of speech, heads and relations."""

    format: ClassVar[str] = "conllu_trees"
    gives: ClassVar[type] = ParsedSentence

    def claims(self, source: str, request: object) -> bool:
        """Return whether the name ends in ``.conllu``."""
        return has_suffix(source, ".conllu")

    def read(self, source: str, lang: str, notes: Notes | None = None) -> Iterator[ParsedSentence]:
        """Stream the sentences.

        Args:
            source: The file.
            lang: Language of the file.
            notes: Where skipped sentences are reported.

        Raises:
            UserError: If the words are withheld or numbers, half of the sentences are faulty (a
                row is malformed, or the rows are no tree), or the file has no sentence.
        """
        found = noted(notes)
        all_blocks = rows_of(source)
        head = take(all_blocks)
        require_words([forms(rows) for rows in head], source, FORM + 1)
        sentences = (attempt(_sentence, rows, lang, source) for rows in chain(head, all_blocks))
        empty = True
        for sentence in without_faulty(sentences, source, found, "sentence"):
            empty = False
            yield sentence
        if empty:
            raise UserError("there is no sentence in this file", where=source)


def _row(line: str, expected: int, where: str) -> Row:
    cells = line.split("\t")
    if len(cells) != COLUMNS:
        raise RowError(
            f"a row of CoNLL-U has ten columns, this one {len(cells)}",
            where=where,
            todo="Columns are separated by tabs",
        )
    if cells[ID] != str(expected):
        raise RowError(
            f"this is word {expected} of its sentence, and is numbered {cells[ID]!r}",
            where=where,
            todo="A sentence ends with an empty line",
        )
    if not cells[UPOS].strip() or cells[UPOS] == "_":
        raise RowError("this word has no part of speech (column 4)", where=where)
    if not cells[HEAD].isascii() or not cells[HEAD].isdecimal() or len(cells[HEAD]) > 6:
        raise RowError(f"this word's head (column 7) is no number: {cells[HEAD]!r}", where=where)
    if not cells[DEPREL].strip() or cells[DEPREL] == "_":
        raise RowError("this word has no relation to its head (column 8)", where=where)
    return Row(cells[FORM], cells[UPOS], int(cells[HEAD]), cells[DEPREL], where)


def _sentence(lines: Sequence[Line], lang: str, source: str) -> ParsedSentence:
    rows = [_row(line, i, f"{source}:{number}") for i, (number, line) in enumerate(lines, 1)]
    for row in rows:
        if row.head > len(rows):
            raise RowError(f"this word's head is word {row.head} of {len(rows)}", where=row.where)
    _require_tree(rows)
    words, upos, heads, relations, where = zip(*rows, strict=True)
    require_forms(words, where[0])
    return ParsedSentence(words, upos, heads, relations, lang, origin=where[0])


def _require_tree(rows: Sequence[Row]) -> None:
    """Check that every word leads to a root, head by head. Several roots are allowed."""
    safe = {0}
    for start in range(1, len(rows) + 1):
        way: list[int] = []
        seen: set[int] = set()
        at = start
        while at not in safe:
            if at in seen:
                raise RowError("this word hangs in a circle of heads", where=rows[at - 1].where)
            seen.add(at)
            way.append(at)
            at = rows[at - 1].head
        safe.update(way)


Part = ConlluTrees
