"""Define a translator, and open one by the text that names it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Protocol, runtime_checkable

from xadapt.core.errors import UserError

FORMS = "apertium, seq2seq:ORG/NAME, llm:MODEL or file:TRANSLATIONS.tsv"


@runtime_checkable
class Translator(Protocol):
    """Anything that translates texts.

    Attributes:
        facts: What decides the translations, by name: the system, its version, the model and its
            revision. The facts stand in a module's manifest and in the keys of the cache.
    """

    @property
    def facts(self) -> Mapping[str, str]:
        """What decides the translations."""
        ...

    def translate(self, texts: Sequence[str], source: str, target: str) -> list[str]:
        """Translate texts.

        Args:
            texts: Any number of texts.
            source: Language of the texts, a BCP-47 tag.
            target: Language to translate into.

        Returns:
            A translation for each text, in the order of the texts.

        Raises:
            UserError: If the translator doesn't know one of the languages, or fails.
        """
        ...


def open_translator(text: str, *, key_env: str | None = None) -> Translator:
    """Open the translator that a text names, see `xadapt.integrations.translators`.

    Args:
        text: The name.
        key_env: Environment variable with the key of a language model.

    Raises:
        UserError: If the text names no translator, or the translator is not there.
    """
    kind, _, place = text.partition(":")
    makers: dict[str, Callable[[str], Translator]] = {
        "apertium": _apertium,
        "seq2seq": _seq2seq,
        "file": _file,
        "llm": lambda place: _language_model(place, key_env),
    }
    if kind not in makers:
        near = get_close_matches(kind, makers, n=1)
        raise UserError(
            f"unknown translator {text!r}" + (f"; did you mean {near[0]}?" if near else ""),
            todo=f"Write {FORMS}",
        )
    if (kind == "apertium") == bool(place):
        raise UserError(f"the translator {text!r} is incomplete", todo=f"Write {FORMS}")
    if key_env is not None and kind != "llm":
        raise UserError(
            "only a language model has a key", where="--api-key-env", todo="Leave it out"
        )
    return makers[kind](place)


def _apertium(_: str) -> Translator:
    from xadapt.integrations.translators.apertium import Apertium

    return Apertium()


def _seq2seq(place: str) -> Translator:
    from xadapt.integrations.translators.seq2seq import Seq2SeqTranslator

    return Seq2SeqTranslator.from_pretrained(place)


def _language_model(place: str, key_env: str | None) -> Translator:
    from xadapt.integrations.translators.language_model import open_language_model_translator

    return open_language_model_translator(place, key_env)


def _file(place: str) -> Translator:
    from xadapt.integrations.translators.translations_file import TranslationsFile

    return TranslationsFile.read(place)
