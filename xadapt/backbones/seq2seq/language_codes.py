"""The tokens by which a translation model names languages: those of NLLB, M2M100, mBART, Marian."""

from __future__ import annotations

import re
from typing import Any

import langcodes

from xadapt.core.errors import UserError
from xadapt.languages.tags import script

Codes = dict[tuple[str, str], str]
"""Tokens by ISO 639-3 code and script; the script is empty for the language as such."""
_NAMED = re.compile(r"^(?:>>|__)?([a-z]{2,3})(?:[_-]([A-Za-z]{2,4}))?(?:<<|__)?$")


def codes_of(tokenizer: Any) -> Codes:
    """Return the tokens that name languages, by ISO 639-3 code and script.

    A token without a script also stands for the most likely one; the first token of a language
    stands for the language.
    """
    found: Codes = {}
    tokens = [
        *tokenizer.get_added_vocab(),
        *getattr(tokenizer, "supported_language_codes", []),
        *getattr(tokenizer, "lang_code_to_token", {}).values(),  # of M2M100
    ]
    for token in sorted(set(tokens), key=str):
        match = _NAMED.match(token)
        if not match:
            continue
        language, part = match.groups()
        tag = language if part is None or len(part) == 2 else f"{language}-{part}"
        try:
            code = _alpha3(tag)
        except (LookupError, ValueError):
            continue
        found.setdefault((code, script(tag)), token)
        found.setdefault((code, ""), token)
    return found


def code_of(codes: Codes, tag: str, where: str) -> str:
    """Return the token of a language.

    Args:
        codes: The tokens of a model.
        tag: The language, BCP-47.
        where: The model.

    Raises:
        UserError: If the model doesn't know the language.
    """
    own, written = _alpha3(tag), script(tag)
    for wanted in ((own, written), (own, "")):
        if wanted in codes:
            return codes[wanted]
    raise UserError(
        f"the model has no code for the language {tag}; it has {len(codes)} others", where=where
    )


def spelled(token: str) -> str:
    """Return a code as ``src_lang`` takes it: M2M100 writes ``__de__`` and takes ``de``."""
    return token.removeprefix("__").removesuffix("__")


def _alpha3(tag: str) -> str:
    """Return the code of three letters; ``sw``, ``swa`` and ``swh`` have the same one.

    Raises:
        ValueError: If there is no such language.
    """
    language = langcodes.Language.get(tag)
    if not language.is_valid():
        raise ValueError(tag)
    return str(language.prefer_macrolanguage().to_alpha3())
