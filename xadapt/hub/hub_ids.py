"""Ids of repositories on the Hub: ``org/name`` and ``org/name@revision``."""

from __future__ import annotations

import re

from xadapt.core.errors import UserError

_PART = r"[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9_])?"
_ID = re.compile(rf"{_PART}/{_PART}", re.ASCII)


def is_repository_id(text: str) -> bool:
    """Whether a text is the id of a repository: two names with a slash between."""
    return bool(len(text) <= 96 and _ID.fullmatch(text) and "--" not in text and ".." not in text)


def repository_id(text: str) -> str:
    """Return the id of a repository.

    Raises:
        UserError: If the text is no such id.
    """
    if not is_repository_id(str(text)):
        raise UserError(
            f"{str(text)!r} is no id of a repository", where="--repo", todo="Write ORG/NAME"
        )
    return str(text)
