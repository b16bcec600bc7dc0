"""CoNLL-U treebanks (https://universaldependencies.org/format.html): words with parts of speech.

Ranges of words that are written as one (``3-4``) and empty nodes (``5.1``) are passed over, so the
words are the syntactic ones. Also ``.gz``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from xadapt.core.errors import UserError
from xadapt.data.readers.lines import has_suffix, read_lines
from xadapt.data.records import TaggedSentence

FORM, UPOS = 1, 3


class Conllu:
    """Reader of the universal part of speech of each word, as a span of its own."""

    format: ClassVar[str] = "conllu"
    gives: ClassVar[type] = TaggedSentence

    def claims(self, source: str, request: object) -> bool:
        """Whether the name ends as a treebank's does."""
        return has_suffix(source, ".conllu")

    def read(self, source: str, lang: str) -> Iterator[TaggedSentence]:
        """Stream the sentences.

        Raises:
            UserError: A row lacks columns or a part of speech, or there is no sentence.
        """
        words: list[str] = []
        tags: list[str] = []
        begins, found = 1, False
        for number, line in read_lines(source):
            if line.strip() and not line.startswith("#"):
                row = _row(line, f"{source}:{number}")
                if row:
                    begins = begins if words else number
                    words.append(row[0])
                    tags.append(row[1])
            elif not line.strip() and words:
                found = True
                yield _sentence(words, tags, lang, f"{source}:{begins}")
                words, tags = [], []
        if words:
            found = True
            yield _sentence(words, tags, lang, f"{source}:{begins}")
        if not found:
            raise UserError("there is no sentence in this file", where=source)


def _row(line: str, where: str) -> tuple[str, str] | None:
    cells = line.split("\t")
    if len(cells) <= UPOS:
        raise UserError(
            f"a row of CoNLL-U has ten columns, this one {len(cells)}",
            where=where,
            todo="Columns are separated by tabs",
        )
    if "-" in cells[0] or "." in cells[0]:
        return None
    if not cells[UPOS].strip() or cells[UPOS] == "_":
        raise UserError("this word has no part of speech (column 4)", where=where)
    return cells[FORM], cells[UPOS]


def _sentence(words: list[str], tags: list[str], lang: str, origin: str) -> TaggedSentence:
    spans = tuple((i, i + 1, tag) for i, tag in enumerate(tags))
    return TaggedSentence(tuple(words), spans, lang, origin=origin)


Part = Conllu
