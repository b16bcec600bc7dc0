"""Read the words of sentences without labels: one word a line, an empty line after each sentence.

The first column is the word. Other columns, such as labels, are not read, so that a file of
labelled sentences can serve as unlabelled text. A prefix such as ``en:`` of all words (as in
WikiANN) is removed. JSON lines, Parquet and ``hf:`` have a column of words (``tokens``).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import chain, islice
from typing import Any, ClassVar

from xadapt.data.readers.conll import word_prefix
from xadapt.data.readers.mapped_rows import kind_of_rows
from xadapt.data.readers.notes import Notes, noted
from xadapt.data.readers.row_records import WORDS, read_mapped, words_of
from xadapt.data.readers.word_columns import read_words
from xadapt.data.readers.word_rows import HEAD
from xadapt.data.records import TaggedSentence


class UnlabelledWords:
    """Reader of sentences as words, whose labels are not read. It never claims a file."""

    format: ClassVar[str] = "unlabelled_words"
    gives: ClassVar[type] = TaggedSentence

    def claims(self, source: str, request: object) -> bool:
        """Return False: a recipe names this reader."""
        return False

    def read(self, source: str, lang: str, notes: Notes | None = None) -> Iterator[TaggedSentence]:
        """Stream the sentences, none of which has a span.

        Args:
            source: The file, or ``hf:org/name``.
            lang: Language of the sentences.
            notes: Where unused columns and a removed prefix are reported.

        Raises:
            UserError: If the file has no word, the words are withheld, numbers or in another
                language.
        """
        found = noted(notes)
        if kind_of_rows(source):
            yield from read_mapped(source, {"words": WORDS}, partial(_row, lang), found, "sentence")
            return
        sentences = read_words(source)
        head = list(islice(sentences, HEAD))
        prefix = word_prefix([word for words in head for word in words], lang, source)
        if prefix:
            found.add(source, f"all words begin with {prefix!r}: it is taken off")
        for number, words in enumerate(chain(head, sentences), start=1):
            own = tuple(word.removeprefix(prefix) or word for word in words)
            yield TaggedSentence(own, (), lang, origin=f"{source}, sentence {number}")


def _row(lang: str, values: dict[str, Any], where: str) -> TaggedSentence:
    words = words_of(values["words"], "the column of words", where)
    return TaggedSentence(words, (), lang, origin=where)


Part = UnlabelledWords
