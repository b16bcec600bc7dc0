"""Translate tagged sentences that have no translation, by the translator that the user names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from xadapt.data.records import TaggedSentence, TranslatedSentence
from xadapt.data.transforms.protocol import Services
from xadapt.data.transforms.translate import TranslateTexts


@dataclass(frozen=True)
class TranslateWords(TranslateTexts):
    """Give each tagged sentence without a translation one, as words; labels don't move along.

    The words are joined by spaces and translated as a text, whose parts between spaces are the
    words of the translation. The rest is as for ``translate``.

    Source: translate-train, Conneau et al. 2018, "XNLI", https://arxiv.org/abs/1809.05053.

    Attributes:
        into: Languages into which sentences in the pivot language are translated, such as ``de``.
    """

    consumes: ClassVar[type] = TaggedSentence
    gives: ClassVar[type] = TranslatedSentence

    def apply(self, records: Sequence[Any], services: Services) -> list[Any]:
        """Return the sentences with translations; the log has their number.

        Raises:
            UserError: If no language is named to translate into, or as for the translator.
        """
        rows = [
            row
            if isinstance(row, TranslatedSentence)
            else TranslatedSentence(row.words, row.spans, row.lang, origin=row.origin)
            for row in records
        ]
        return TranslateTexts.apply(self, rows, services)


Part = TranslateWords
