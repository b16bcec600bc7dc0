"""Read tagged sentences with the words of their translations.

JSON lines, Parquet and ``hf:`` with named columns (``tokens``, ``ner_tags``, ``translation``); the
translation is a list of words or a text. Other files are read as CoNLL columns, and so are rows
without a column of translations: their sentences have no translation.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, ClassVar

from xadapt.data.readers.conll import Conll, tagged_row
from xadapt.data.readers.mapped_rows import MappedRows, kind_of_rows
from xadapt.data.readers.notes import Notes, noted
from xadapt.data.readers.row_records import SPANS, WORDS, read_mapped, text_of, words_of
from xadapt.data.readers.translated_text import TRANSLATION
from xadapt.data.records import TaggedSentence, TranslatedSentence


class TranslatedWords:
    """Reader of tagged sentences with translations. It never claims a file."""

    format: ClassVar[str] = "translated_words"
    gives: ClassVar[type] = TranslatedSentence

    def claims(self, source: str, request: object) -> bool:
        """Return False: a recipe or a task names this reader."""
        return False

    def read(
        self, source: str, lang: str, notes: Notes | None = None
    ) -> Iterator[TranslatedSentence]:
        """Stream the sentences.

        Args:
            source: The file, or ``hf:org/name``.
            lang: Language of the sentences.
            notes: Where guesses, unused columns and skipped sentences are reported.

        Raises:
            UserError: If the file has no sentence, or half of the sentences are faulty.
        """
        found = noted(notes)
        first = next(iter(MappedRows(source)), None) if kind_of_rows(source) else None
        names = {str(key).casefold() for key in first[1]} if first else set()
        if names & set(TRANSLATION):
            columns = {"words": WORDS, "labels": SPANS, "translation": TRANSLATION}
            yield from read_mapped(source, columns, partial(_row, lang), found, "sentence")
            return
        for row in Conll().read(source, lang, found):
            yield _sentence(row, ())


def _row(lang: str, values: dict[str, Any], where: str) -> TranslatedSentence:
    given = values["translation"]
    if isinstance(given, str) and given.strip():
        said = tuple(text_of(given, "the translation", where).split())
    else:
        said = words_of(given, "the translation", where) if given else ()
    return _sentence(tagged_row(lang, values, where), said)


def _sentence(row: TaggedSentence, said: tuple[str, ...]) -> TranslatedSentence:
    return TranslatedSentence(row.words, row.spans, row.lang, said, origin=row.origin)


Part = TranslatedWords
