"""The prompt before each text, by the names in the base's own files."""

from __future__ import annotations

from collections.abc import Mapping

from xadapt.backbones.encoder.prompts import DOCUMENT as DOCUMENT
from xadapt.backbones.encoder.prompts import QUERY as QUERY
from xadapt.backbones.encoder.prompts import first_of as first_of
from xadapt.core.errors import UserError
from xadapt.core.registry import unknown
from xadapt.hub.manifest import Manifest


def prompts_of(base: Mapping[str, str], manifests: Mapping[str, Manifest]) -> dict[str, str]:
    """Return the prompts of a base and of modules that were trained with prompts of their own.

    Args:
        base: The base's own prompts by name.
        manifests: The manifests of the modules by name.

    Raises:
        UserError: If the modules were trained with different prompts.
    """
    found = _found(base, manifests)
    first = next(iter(found), "")
    other = next((name for name, own in found.items() if own != found[first]), None)
    if other is not None:
        raise UserError(
            f"the modules {first!r} and {other!r} were trained with different prompts",
            todo="Give prompt='...', or encode with one of them",
        )
    return found.get(first, dict(base))


def agreed_prompts(base: Mapping[str, str], manifests: Mapping[str, Manifest]) -> dict[str, str]:
    """Return the prompts as `prompts_of` does, or the base's own where the modules differ."""
    found = list(_found(base, manifests).values())
    return found[0] if found and all(own == found[0] for own in found) else dict(base)


def _found(base: Mapping[str, str], manifests: Mapping[str, Manifest]) -> dict[str, dict[str, str]]:
    return {name: dict(one.pooling.get("prompts", base)) for name, one in manifests.items()}


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
