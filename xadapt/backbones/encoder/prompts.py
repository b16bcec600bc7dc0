"""The prompts before queries and before passages, by their usual names in a base's files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

from xadapt.backbones.encoder.pooling import Pooling
from xadapt.core.errors import UserError

Side = Literal["query", "passage"]
QUERY = ("query",)
DOCUMENT = ("document", "passage", "corpus")
"""Names of prompts of queries and documents, the first one counts, as in sentence-transformers."""


def first_of(names: tuple[str, ...], prompts: Mapping[str, str]) -> str | None:
    """Return the first of some names that is the name of a prompt, or ``None``."""
    return next((name for name in names if name in prompts), None)


def side_prompts(pooling: Pooling) -> dict[Side, str]:
    """Return the prompt of each side, as ``encode_query`` and ``encode_document`` choose it.

    A base with a default prompt, or whose pooling leaves the prompt out, has no prompts by side
    here: its default prompt stands before every text.
    """
    if pooling.prompt or not pooling.include_prompt:
        return {}
    found = {
        "query": first_of(QUERY, pooling.prompts),
        "passage": first_of(DOCUMENT, pooling.prompts),
    }
    return {side: pooling.prompts[name] for side, name in found.items() if name is not None}  # type: ignore[misc]


def with_prompts(pooling: Pooling, prompts: Mapping[str, str]) -> Pooling:
    """Return a pooling with further prompts; a prompt of passages replaces the base's own."""
    sides = set(DOCUMENT) if set(DOCUMENT) & set(prompts) else set()
    kept = {name: text for name, text in pooling.prompts.items() if name not in sides}
    return replace(pooling, prompts={**kept, **prompts})


def prefixed(
    prompts: Mapping[Side, str] | Mapping[str, str], side: str, texts: Sequence[str]
) -> list[str]:
    """Return texts with the prompt of their side, if it has one."""
    prompt = prompts.get(side, "")  # type: ignore[call-overload]
    return [prompt + text for text in texts]


def require_side_prompts(pooling: Pooling, base: str) -> None:
    """Refuse prompts by side for a base on which they would not be what they say.

    Raises:
        UserError: If the base has a default prompt, or its pooling leaves the prompt out.
    """
    said = f"has the default prompt {pooling.prompt[:40]!r} before every text"
    if pooling.prompt or not pooling.include_prompt:
        said = said if pooling.prompt else "leaves the tokens of a prompt out of its pooling"
        raise UserError(
            f"the base {said}, so that it takes no prompts by side",
            where=base,
            todo="Leave prompts out of the recipe",
        )
