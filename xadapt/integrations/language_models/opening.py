"""Open a language model by the text that names it."""

from __future__ import annotations

import os
import re
from difflib import get_close_matches
from urllib.parse import urlsplit

from xadapt.core.errors import UserError
from xadapt.integrations.language_models.protocol import LanguageModel

FORMS = "openai:MODEL@URL, local:FOLDER or file:REPLIES.jsonl"
KINDS = ("openai", "local", "file")
OFFICIAL = "https://api.openai.com/v1"
OFFICIAL_KEY = "OPENAI_API_KEY"
_ENDPOINT = re.compile(r"^(?P<model>.+?)@(?P<url>https?://.+)$", re.S)


def open_language_model(text: str, *, key_env: str | None = None) -> LanguageModel:
    """Open the language model that a text names, see `xadapt.integrations.language_models`.

    Args:
        text: The name.
        key_env: Environment variable with the key of an endpoint. Without it, ``OPENAI_API_KEY`` is
            used for OpenAI's own address, and no key for any other address.

    Raises:
        UserError: If the text names no model, the variable is empty, or the model is not there.
    """
    kind, _, place = text.partition(":")
    if kind not in KINDS:
        near = get_close_matches(kind, KINDS, n=1)
        raise UserError(
            f"unknown language model {text[:80]!r}"
            + (f"; did you mean {near[0]}?" if near else ""),
            todo=f"Write {FORMS}",
        )
    if not place.strip():
        raise UserError(f"the language model {text!r} is incomplete", todo=f"Write {FORMS}")
    if kind == "openai":
        return _endpoint(place, key_env)
    if key_env is not None:
        raise UserError("only an endpoint has a key", where="--api-key-env", todo="Leave it out")
    if kind == "file":
        from xadapt.integrations.language_models.replies_file import RepliesFile

        return RepliesFile.read(place)
    from xadapt.integrations.language_models.local_model import LocalModel

    return LocalModel.from_pretrained(place)


def _endpoint(place: str, key_env: str | None) -> LanguageModel:
    from xadapt.integrations.language_models.endpoint import Endpoint

    found = _ENDPOINT.match(place)
    model, url = (found["model"], found["url"]) if found else (place, OFFICIAL)
    if not found and re.search(r"@[a-z]+:|@[\w.]+:\d|://", place):
        raise UserError(
            f"{place[:80]!r} has no address that begins with http", todo=f"Write {FORMS}"
        )
    _check_address(url)
    official = urlsplit(url).hostname == urlsplit(OFFICIAL).hostname
    name = key_env or (OFFICIAL_KEY if official else None)
    key = os.environ.get(name, "").strip() if name else ""
    if name and not key:
        raise UserError(
            f"the environment variable {name} is empty",
            where="--api-key-env" if key_env else "",
            todo=f"Put the key into {name}, or name another variable with --api-key-env",
        )
    return Endpoint(model, url.rstrip("/"), key=key)


def _check_address(url: str) -> None:
    try:
        parts = urlsplit(url)
        there = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        raise UserError(f"{url[:80]!r} is no address", todo=f"Write {FORMS}") from None
    if parts.username or parts.password or parts.query or parts.fragment:
        raise UserError(
            "an address holds no key, user or query",
            where=f"{parts.scheme}://{parts.hostname}",
            todo="Put the key into a variable of the environment, and name it with --api-key-env",
        )
    if not there:
        raise UserError(f"{url[:80]!r} is no address", todo=f"Write {FORMS}")
