"""The prompt before each text, by the names in the base's own files."""

from __future__ import annotations

from collections.abc import Mapping

from xadapt.core.errors import UserError
from xadapt.core.registry import unknown

QUERY = ("query",)
DOCUMENT = ("document", "passage", "corpus")
"""Names of prompts of queries and documents, the first one counts, as in sentence-transformers."""


def choose_prompt(
    prompts: Mapping[str, str], prompt_name: str | None, prompt: str | None
) -> str | None:
    """Return the prompt of a call; ``None`` means the base's default prompt.

    Args:
        prompts: The base's prompts by name.
        prompt_name: A name among them.
        prompt: The prompt itself, which wins over the name; empty for none.

    Raises:
        UserError: If there is no prompt of that name.
    """
    if prompt is not None:
        return prompt
    if prompt_name is None:
        return None
    if prompt_name not in prompts:
        if not prompts:
            raise UserError(
                f"there is no prompt {prompt_name!r}: the base has none", todo="Give prompt='...'"
            )
        raise UserError(unknown("prompt", prompt_name, list(prompts)))
    return prompts[prompt_name]


def first_of(names: tuple[str, ...], prompts: Mapping[str, str]) -> str | None:
    """Return the first of some names that is the name of a prompt, or ``None``."""
    return next((name for name in names if name in prompts), None)
