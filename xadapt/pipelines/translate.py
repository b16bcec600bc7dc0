"""Translate texts by a named translator, each text once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from xadapt.config.recipe import Recipe
from xadapt.core.errors import UserError
from xadapt.core.progress import meter
from xadapt.core.sequences import as_strings
from xadapt.data.loading.transform_chain import Callables
from xadapt.inference.module_translator import ModuleTranslator
from xadapt.integrations.translators.cached import cached_translator
from xadapt.integrations.translators.protocol import Translator
from xadapt.languages.tags import normalise

NEED = "translate"
"""The callable of transforms that translate."""


def translate(
    texts: str | Sequence[str],
    *,
    translator: str | Translator,
    source: str,
    target: str,
    module: str | Path | None = None,
    show: bool = False,
) -> list[str]:
    """Translate texts; a translation is kept on disk, so that no text is translated twice.

    Args:
        texts: Any number of texts, or one.
        translator: ``apertium``, ``seq2seq:ORG/NAME``, ``file:TRANSLATIONS.tsv``, or an object with
            ``facts`` and ``translate`` (`xadapt.integrations.translators.protocol.Translator`).
        source: Language of the texts, BCP-47 or ISO 639-3.
        target: Language to translate into.
        module: Folder of a module that was trained to translate on the base of ``seq2seq:BASE``,
            such as by the recipe ``translation``, its id on the Hub, or a composition of folders.
        show: Whether progress is shown.

    Returns:
        A translation for each text.

    Raises:
        UserError: If the translator is unknown or not installed, doesn't know a language, or
            fails.
    """
    languages = normalise(source), normalise(target)
    if languages[0] == languages[1]:
        raise UserError(f"source and target are the same language, {languages[0]}")
    given = as_strings(texts)
    opened = cached_translator(with_module(translator, module))
    with meter("translating", len(set(given)), show=show) as bar:
        opened.progress = bar.advance
        return opened.translate(given, *languages)


def with_module(translator: str | Translator, module: str | Path | None) -> str | Translator:
    """Return the translator that acts with a module; without one, the translator as it is.

    Args:
        translator: As for `translate`.
        module: As for `translate`.

    Raises:
        UserError: If the translator is no model of transformers, or the module was trained on
            another base.
    """
    return translator if module is None else ModuleTranslator.open(translator, module)


def callables_of(recipe: Recipe, translator: str | Translator | None) -> Callables:
    """Return the callable ``translate`` for the transforms of a recipe, if there is a translator.

    Raises:
        UserError: If no transform of the recipe translates, or as for `cached_translator`.
    """
    if translator is None:
        return {}
    steps = [step for data in recipe.data.values() for _, step in data.chain()]
    if not any(NEED in (*step.needs, *getattr(step, "uses", ())) for step in steps):
        raise UserError("the recipe translates nothing", where="--translator", todo="Leave it out")
    return {NEED: cached_translator(translator).translate}
