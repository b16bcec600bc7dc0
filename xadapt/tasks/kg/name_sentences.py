"""Names in sentences for translators, and the name taken out of a translated sentence.

A translator takes a bare name for a common word. So the name stands in quotes before a description
of the entity, and what stands in quotes in the translation is the translated name.

Source: Conia et al. 2023, https://arxiv.org/abs/2311.15781, section 4 (contextual translation).
"""

from __future__ import annotations

import re

MOST = 200
"""Most characters of a description in a sentence."""
_OPEN, _CLOSED = "\"'“”„«»‘’‹›「『《〈", "\"'“”«»‘’‹›」』》〉"
_QUOTED = re.compile(rf"[{_OPEN}]\s*([^{_OPEN}{_CLOSED}]+?)\s*[{_CLOSED}]")
_HEAD = re.compile(r"\s*([^:：]+?)\s*[:：]")


def in_sentence(name: str, description: str = "") -> str:
    """Return a text for a translator: the name in quotes and its description, or the bare name.

    Args:
        name: The name.
        description: A description of the entity in the same language; empty for none.
    """
    return f'"{name}": {description[:MOST].strip()}' if description.strip() else name


def name_in(translation: str, has_description: bool) -> str | None:
    """Return the name of a translated text, or ``None`` if it can't be told.

    Args:
        translation: The translation of a text by `in_sentence`.
        has_description: Whether the text had a description.
    """
    text = " ".join(translation.split())
    if not has_description:
        return text or None
    found = _QUOTED.search(text) or _HEAD.match(text)
    return None if found is None else found[1]
