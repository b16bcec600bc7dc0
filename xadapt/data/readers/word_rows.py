"""Read sentences with one word a line: blocks and checks that CoNLL and CoNLL-U share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from xadapt.core.errors import UserError
from xadapt.data.readers.lines import read_lines
from xadapt.data.readers.notes import Notes

Line = tuple[int, str]
WORDS = 10_000
"""The largest length of a sentence, in lines."""
HEAD = 200
"""The number of sentences that are checked before the first sentence is yielded."""
FEW = 5
"""With fewer sentences (or words) no file is refused because of the form of its words."""
LONG = 200
"""Longer sentences, in words, are reported: there may be no empty lines between sentences."""
WITHHELD = "_"


def blocks(source: str) -> Iterator[list[Line]]:
    """Yield the blocks of lines between empty lines, each line with its number.

    Raises:
        UserError: If a line can't be read, or a block has more than `WORDS` lines.
    """
    block: list[Line] = []
    for number, line in read_lines(source):
        if line.strip(" \t"):
            block.append((number, line))
            if len(block) > WORDS:
                raise UserError(
                    f"this sentence has more than {WORDS:,} words",
                    where=f"{source}:{number}",
                    todo="Put an empty line after each sentence",
                )
        elif block:
            yield block
            block = []
    if block:
        yield block


def take(found: Iterator[list[Line]]) -> list[list[Line]]:
    """Return the first blocks."""
    return list(islice(found, HEAD))


def require_words(sentences: Sequence[Sequence[str]], source: str, column: int) -> None:
    """Refuse a file with a word column that does not contain words.

    Args:
        sentences: The words of the first sentences of the file.
        source: The file.
        column: Column of the words, from 1.

    Raises:
        UserError: If most words are ``_`` or numbers, or every sentence has one word.
    """
    words = [word for sentence in sentences for word in sentence]
    if 2 * words.count(WITHHELD) > len(words):
        raise UserError(
            f"the words (column {column}) are '_': the texts are withheld in this release",
            where=source,
            todo="Restore them first, with the data set's own merge script",
        )
    numbers = [word for word in words if _is_number(word)]
    if len(words) >= FEW and 2 * len(numbers) > len(words):
        raise UserError(
            f"column {column} holds numbers, where the words should be",
            where=source,
            todo="A line is: word, tab, label (other columns may stand between them)",
        )
    if len(sentences) >= FEW and all(len(sentence) == 1 for sentence in sentences):
        raise UserError(
            "every sentence has one word",
            where=source,
            todo="Put an empty line after each sentence, not after each word",
        )


def tell_long(lengths: Sequence[tuple[int, int]], source: str, notes: Notes) -> None:
    """Report long sentences, which a base may read in windows.

    Args:
        lengths: ``(first line, words)`` of the sentences with more than `LONG` words.
        source: The file.
        notes: Where the sentences are reported.
    """
    if lengths:
        line, most = max(lengths, key=lambda one: one[1])
        count = f"{len(lengths):,} sentence{'s have' if len(lengths) > 1 else ' has'}"
        notes.add(
            source,
            f"{count} more than {LONG} words (the longest, line {line}: {most:,}); a base "
            "that reads less takes them in overlapping windows",
        )


def _is_number(word: str) -> bool:
    return any(char.isdigit() for char in word) and not any(char.isalpha() for char in word)
