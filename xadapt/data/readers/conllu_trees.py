"""Dependency trees in CoNLL-U (https://universaldependencies.org/format.html). Also ``.gz``.

Ranges of words that are written as one (``3-4``) and empty nodes (``5.1``) are passed over, so the
words are the syntactic ones, numbered from 1 in each sentence.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar, NamedTuple

from xadapt.core.errors import UserError
from xadapt.data.readers.lines import has_suffix, read_lines
from xadapt.data.records import ParsedSentence

COLUMNS = 10
ID, FORM, UPOS, HEAD, DEPREL = 0, 1, 3, 6, 7


class Row(NamedTuple):
    """One word of a tree, with the place it stands at."""

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
        """Whether the name ends as a treebank's does."""
        return has_suffix(source, ".conllu")

    def read(self, source: str, lang: str) -> Iterator[ParsedSentence]:
        """Stream the sentences.

        Raises:
            UserError: A row is malformed, or the rows of a sentence are no tree, or there is no
                sentence.
        """
        rows: list[Row] = []
        found = False
        for number, line in read_lines(source):
            if line.strip() and not line.startswith("#"):
                row = _row(line, len(rows) + 1, f"{source}:{number}")
                rows += [row] if row else []
            elif not line.strip() and rows:
                found = True
                yield _sentence(rows, lang)
                rows = []
        if rows:
            found = True
            yield _sentence(rows, lang)
        if not found:
            raise UserError("there is no sentence in this file", where=source)


def _row(line: str, expected: int, where: str) -> Row | None:
    cells = line.split("\t")
    if len(cells) != COLUMNS:
        raise UserError(
            f"a row of CoNLL-U has ten columns, this one {len(cells)}",
            where=where,
            todo="Columns are separated by tabs",
        )
    if "-" in cells[ID] or "." in cells[ID]:
        return None
    if cells[ID] != str(expected):
        raise UserError(
            f"this is word {expected} of its sentence, and is numbered {cells[ID]!r}",
            where=where,
            todo="A sentence ends with an empty line",
        )
    if not cells[UPOS].strip() or cells[UPOS] == "_":
        raise UserError("this word has no part of speech (column 4)", where=where)
    if not cells[HEAD].isascii() or not cells[HEAD].isdecimal() or len(cells[HEAD]) > 6:
        raise UserError(f"this word's head (column 7) is no number: {cells[HEAD]!r}", where=where)
    if not cells[DEPREL].strip() or cells[DEPREL] == "_":
        raise UserError("this word has no relation to its head (column 8)", where=where)
    return Row(cells[FORM], cells[UPOS], int(cells[HEAD]), cells[DEPREL], where)


def _sentence(rows: Sequence[Row], lang: str) -> ParsedSentence:
    for row in rows:
        if row.head > len(rows):
            raise UserError(f"this word's head is word {row.head} of {len(rows)}", where=row.where)
    _require_tree(rows)
    words, upos, heads, relations, where = zip(*rows, strict=True)
    return ParsedSentence(words, upos, heads, relations, lang, origin=where[0])


def _require_tree(rows: Sequence[Row]) -> None:
    """Every word must lead to the root, head by head. Several roots are let pass."""
    safe = {0}
    for start in range(1, len(rows) + 1):
        way: list[int] = []
        seen: set[int] = set()
        at = start
        while at not in safe:
            if at in seen:
                raise UserError("this word hangs in a circle of heads", where=rows[at - 1].where)
            seen.add(at)
            way.append(at)
            at = rows[at - 1].head
        safe.update(way)


Part = ConlluTrees
