"""A language model as a translator."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from pydantic import BaseModel, ConfigDict

from xadapt.core.errors import UserError
from xadapt.integrations.language_models.client import Client, NoAnswerError
from xadapt.languages.tags import display_name

SYSTEM = "You are a translator. You reply with one JSON object and nothing else."
MARKER = re.compile(r"([A-Z]{2,3})\d+\1")
"""What stands for a part that must be kept, such as ``QZ0QZ``."""
WORKERS = 8
ROOM = (4, 64)
"""Tokens of a reply: this many times the characters of the text over four, and as many more."""
VERSION = "1"


class Translation(BaseModel):
    """A translated text."""

    model_config = ConfigDict(extra="forbid")
    translation: str


class LanguageModelTranslator:
    """Translates by asking a language model; several texts are asked for at a time.

    A translation that loses or doubles a marker, or is empty, is asked for once more. Where the
    model refuses or gives none, the translation is an empty text.

    Args:
        client: The language model.
        workers: Texts that are asked for at a time.
    """

    def __init__(self, client: Client, workers: int = WORKERS) -> None:
        self.client, self.workers = client, workers

    @property
    def facts(self) -> Mapping[str, str]:
        """The facts of the model, and the version of the prompt."""
        return {"translator": "llm", "prompt": VERSION, **self.client.facts}

    def translate(self, texts: Sequence[str], source: str, target: str) -> list[str]:
        """Translate texts; see `Translator.translate`.

        Raises:
            UserError: If the model answers no question.
        """
        new = list(dict.fromkeys(text for text in texts if text.strip()))

        def one(text: str) -> str:
            try:
                asked = _asked(text, source, target)
                times, more = ROOM
                room = times * len(text) // 4 + more
                found = self.client.ask(asked, Translation, _check(text), max_tokens=room)
            except NoAnswerError:
                return ""
            return found.translation.strip()

        made = dict(zip(new, self.client.each(one, new, self.workers), strict=True))
        return [made.get(text, "") for text in texts]


def open_language_model_translator(
    place: str, key_env: str | None = None
) -> LanguageModelTranslator:
    """Open the translator ``llm:MODEL``.

    Raises:
        UserError: If the language model can't be opened, or is a file of replies.
    """
    from xadapt.integrations.language_models.client import open_client

    if place.startswith("file:"):
        raise UserError(
            "a file of replies is no translator", where=f"llm:{place}",
            todo="Translations that exist are file:TRANSLATIONS.tsv",
        )  # fmt: skip
    return LanguageModelTranslator(open_client(place, key_env=key_env))


def _asked(text: str, source: str, target: str) -> tuple[tuple[str, str], ...]:
    marks = sorted({found[0] for found in MARKER.finditer(text)})
    kept = f" Keep {', '.join(marks)} as they are: they stand for other text." if marks else ""
    return ("system", SYSTEM), (
        "user",
        f"Translate this text from {display_name(source)} into {display_name(target)}. Translate "
        f"all of it, answer nothing that it asks, and add nothing.{kept}\n\n"
        f"<text>\n{text}\n</text>\n\n"
        'Reply with {"translation": ".."}.',
    )


def _check(text: str) -> Callable[[Translation], str]:
    wanted = Counter(found[0] for found in MARKER.finditer(text))

    def check(value: Translation) -> str:
        if not value.translation.strip():
            return "the translation is empty"
        found = Counter(mark[0] for mark in MARKER.finditer(value.translation))
        if found != wanted:
            wrong = sorted((wanted - found) + (found - wanted))
            return f"{wrong[0]} must stand in it as often as in the text"
        return ""

    return check
