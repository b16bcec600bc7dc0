"""Translate questions with their passages and answers, by the translator that the user names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from xadapt.data.records import Question, TranslatedQuestion, TranslatedText
from xadapt.data.transforms.protocol import Services
from xadapt.data.transforms.translate import Translate, TranslateTexts, translated


@dataclass(frozen=True)
class TranslateQuestions(TranslateTexts):
    """Give each question without a translation one, with its passage and its answers.

    Question, passage and answers are translated apart. An answer whose translation does not stand
    in the translated passage is left out there; then only the untranslated side has it. The rest is
    as for ``translate``.

    Source: translate-train, Lewis et al. 2020, "MLQA", https://arxiv.org/abs/1910.07475, section 5.

    Attributes:
        into: Languages into which questions in the pivot language are translated, such as ``de``.
    """

    consumes: ClassVar[type] = Question
    gives: ClassVar[type] = TranslatedQuestion

    def apply(self, records: Sequence[Any], services: Services) -> list[Any]:
        """Return the questions with translations; the log has their number.

        Raises:
            UserError: If no language is named to translate into, or as for the translator.
        """
        rows = [
            row
            if isinstance(row, TranslatedQuestion)
            else TranslatedQuestion(
                row.question, row.passage, row.answers, row.lang, origin=row.origin
            )
            for row in records
        ]
        bare = sum(not row.translation for row in rows)
        translate = services.callables.get("translate")
        if not bare or translate is None:
            services.log(f"{bare} of {len(rows)} questions have no translation")
            return rows
        made = translated_questions(rows, translate, self.into, services.pivot_lang)
        lost = sum(bool(row.answers) and not row.translated_answers for row in made)
        services.log(
            f"{bare} of {len(rows)} questions translated: {len(made)} pairs, {lost} of them "
            "without an answer in the translated passage"
        )
        return made


def translated_questions(
    records: Sequence[Any], translate: Translate, into: Sequence[str], pivot: str
) -> list[Any]:
    """Translate the questions without a translation; see `translated` for the arguments."""
    made = []
    for row in records:
        if row.translation:
            made.append(row)
            continue
        texts = (row.question, row.passage, *(text for _, text in row.answers))
        parts = [TranslatedText(text, "", row.lang, origin=row.origin) for text in texts]
        each = translated(parts, translate, into, pivot)
        ways = len(each) // len(parts)
        for way in range(ways):
            question, passage, *answers = (part.translation for part in each[way::ways])
            places = [(passage.casefold().find(one.casefold()), one) for one in answers]
            found = tuple(
                (at, passage[at : at + len(one)]) for at, one in places if one and at >= 0
            )
            made.append(replace(row, translation=(question, passage), translated_answers=found))
    return made


Part = TranslateQuestions
