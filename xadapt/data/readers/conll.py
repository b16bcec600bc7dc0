"""CoNLL columns: one word a line with its BIO label last, an empty line after each sentence.

The first column is the word, the last its label; tabs or spaces separate. Lines that begin with
``-DOCSTART-`` and, between sentences, with ``#`` and a space are passed over. Also ``.gz``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from xadapt.core.errors import UserError
from xadapt.data.readers.lines import has_suffix, read_lines
from xadapt.data.records import TaggedSentence
from xadapt.functional.tag_scheme import OUTSIDE, to_spans

WORDS = 10_000
"""The longest sentence that is read, in words."""


class Conll:
    """Reader of named entities and other spans as BIO labels."""

    format: ClassVar[str] = "conll"
    gives: ClassVar[type] = TaggedSentence

    def claims(self, source: str, request: object) -> bool:
        """Whether the name ends as such a file's does."""
        return has_suffix(source, ".conll", ".bio", ".iob2")

    def read(self, source: str, lang: str) -> Iterator[TaggedSentence]:
        """Stream the sentences.

        Raises:
            UserError: A line has no label or one that is not BIO, a sentence has no end, or there
                is no sentence.
        """
        rows: list[tuple[str, str]] = []
        begins, empty, number = 1, True, 0
        for number, line in read_lines(source):
            comment = not rows and line.startswith(("# ", "-DOCSTART-"))
            if line.strip() and not comment:
                begins = begins if rows else number
                rows.append(_word(line, f"{source}:{number}"))
                if len(rows) > WORDS:
                    raise UserError(
                        f"this sentence has more than {WORDS:,} words",
                        where=f"{source}:{number}",
                        todo="Put an empty line after each sentence",
                    )
            elif rows:
                empty = False
                yield _sentence(rows, lang, f"{source}:{begins}")
                rows = []
        if rows:
            empty = False
            yield _sentence(rows, lang, f"{source}:{begins}")
        if empty:
            raise UserError("there is no sentence in this file", where=source)


def _word(line: str, where: str) -> tuple[str, str]:
    cells = [cell for cell in line.split("\t" if "\t" in line else None) if cell]
    if len(cells) < 2:
        raise UserError("this line has no label", where=where, todo="A line is: word, tab, label")
    word, label = cells[0], cells[-1].strip()
    if label != OUTSIDE and not (label.startswith(("B-", "I-")) and len(label) > 2):
        raise UserError(
            f"{label[:40]!r} is no BIO label", where=where, todo="Labels are O, B-TYPE and I-TYPE"
        )
    return word, label


def _sentence(rows: list[tuple[str, str]], lang: str, origin: str) -> TaggedSentence:
    words, labels = zip(*rows, strict=True)
    return TaggedSentence(words, to_spans(labels, "bio"), lang, origin=origin)


Part = Conll
