"""Words of sentences, one a line, without labels; and sentences with labels as CoNLL text.

An empty line follows each sentence. The word is in the first column; other columns, such as labels,
are not read. Lines that begin with ``-DOCSTART-`` are skipped.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from xadapt.core.errors import UserError
from xadapt.data.readers.conll import cells_of
from xadapt.data.readers.word_rows import blocks, require_words, take
from xadapt.data.records import TaggedSentence
from xadapt.functional.tag_scheme import to_labels


def read_words(source: str, column: int = 1) -> Iterator[tuple[str, ...]]:
    """Stream the words of each sentence.

    Args:
        source: A file with a word on each line, such as ``.conll`` or ``.tsv``, gzipped or not.
        column: Column of the words, from 1.

    Raises:
        UserError: If a line has fewer columns, the column holds numbers or nothing but ``_``, or
            the file has no word.
    """
    all_blocks = blocks(source)
    head = take(all_blocks)
    first = [_words(block, column, source) for block in head]
    found = [words for words in first if words]
    if not found:
        raise UserError("there is no word in this file", where=source)
    require_words(found, source, column)
    yield from found
    for block in all_blocks:
        words = _words(block, column, source)
        if words:
            yield words


def _words(block: Sequence[tuple[int, str]], column: int, source: str) -> tuple[str, ...]:
    words: list[str] = []
    for number, line in block:
        if not words and line.startswith("-DOCSTART-"):
            continue
        cells = cells_of(line)
        if len(cells) < column:
            raise UserError(
                f"this line has {len(cells)} column{'s' * (len(cells) != 1)}, not {column}",
                where=f"{source}:{number}",
                todo="A line is a word, perhaps with further columns",
            )
        words.append(cells[column - 1])
    return tuple(words)


def conll_text(row: TaggedSentence) -> str:
    """Return a sentence as lines of word, tab, label (IOB2), and an empty line.

    Raises:
        ValueError: If spans overlap or leave the sentence.
    """
    labels = to_labels(len(row.words), row.spans, "bio")
    lines = (f"{word}\t{label}\n" for word, label in zip(row.words, labels, strict=True))
    return "".join([*lines, "\n"])
