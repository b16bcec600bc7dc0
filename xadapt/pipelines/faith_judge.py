"""Judge translations by a language model: the five scores of FAITH.

Source: Paul et al. 2025, https://arxiv.org/abs/2507.14304, section on quality filtering: fluency,
accuracy, idiomaticity, terminology and handling of format, from 1 to 5; -1 where text is missing, 0
where a score does not apply. Rows with all scores at 5 are kept. The prompt is our own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field

from xadapt.core.errors import UserError
from xadapt.integrations.language_models.client import Client, NoAnswerError
from xadapt.languages.tags import display_name

SYSTEM = "You judge translations. You reply with one JSON object and nothing else."
MISSING, NOT_APPLICABLE, BEST = -1, 0, 5


class FaithScores(BaseModel):
    """The five scores of one translation."""

    model_config = ConfigDict(extra="forbid")
    fluency: int = Field(ge=MISSING, le=BEST)
    accuracy: int = Field(ge=MISSING, le=BEST)
    idiomaticity: int = Field(ge=MISSING, le=BEST)
    terminology: int = Field(ge=MISSING, le=BEST)
    format: int = Field(ge=MISSING, le=BEST)

    def fault(self, least: int) -> str:
        """Return the first score that is too low, or an empty text.

        Args:
            least: The least score that is good; 0 (does not apply) is good too.
        """
        for name, value in self:
            if value == MISSING:
                return f"text is missing, {name} can't be judged"
            if value != NOT_APPLICABLE and value < least:
                return f"{name} is {value}, below {least}"
        return ""


@dataclass
class FaithJudge:
    """A language model that judges translations.

    Attributes:
        client: The language model.
        least: The least score that is good.
        workers: Rows that are judged at a time.
    """

    client: Client
    least: int = BEST
    workers: int = 8

    def __post_init__(self) -> None:
        if not 1 <= self.least <= BEST:
            raise UserError("a score is from 1 to 5", where="--judge-least")

    def faults(
        self, rows: Sequence[Sequence[tuple[str, str]]], source: str, target: str
    ) -> list[str]:
        """Judge rows.

        Args:
            rows: The texts of each row with their translations.
            source: Language of the texts.
            target: Language of the translations.

        Returns:
            Why each row is not good enough, or an empty text.

        Raises:
            UserError: If the model answers no question.
        """

        def one(row: Sequence[tuple[str, str]]) -> str:
            for text, translation in row:
                if text == translation or not text.strip():
                    continue  # nothing was to be translated
                try:
                    scores = self.client.ask(
                        _asked(text, translation, source, target), FaithScores, max_tokens=128
                    )
                except NoAnswerError as error:
                    return f"not judged: {error}"
                if fault := scores.fault(self.least):
                    return f"judged too low: {fault}"
            return ""

        return self.client.each(one, rows, self.workers)


def _asked(text: str, translation: str, source: str, target: str) -> tuple[tuple[str, str], ...]:
    return ("system", SYSTEM), (
        "user",
        f"Judge this translation from {display_name(source)} into {display_name(target)}. Give "
        "five scores from 1 (bad) to 5 (faultless): fluency (grammar and natural words), accuracy "
        "(nothing changed, added or left out), idiomaticity (what speakers would say), terminology "
        "(terms of the field), format (code, numbers, lists and markup as in the source). Give 0 "
        "to a score that does not apply, and -1 if the source or the translation is missing.\n\n"
        f"<source>\n{text}\n</source>\n\n<translation>\n{translation}\n</translation>\n\n"
        'Reply with {"fluency": N, "accuracy": N, "idiomaticity": N, "terminology": N, '
        '"format": N}.',
    )
