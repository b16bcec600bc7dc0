"""Define a question, a reply and a language model, and open a model by the text that names it."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property
from typing import Any, Literal, Protocol, runtime_checkable
from urllib.parse import urlsplit

from xadapt.core.errors import UserError

FORMS = "openai:MODEL@URL, local:FOLDER or file:REPLIES.jsonl"
KINDS = ("openai", "local", "file")
OFFICIAL = "https://api.openai.com/v1"
OFFICIAL_KEY = "OPENAI_API_KEY"
_ENDPOINT = re.compile(r"^(?P<model>.+?)@(?P<url>https?://.+)$", re.S)

Finish = Literal["stop", "length", "refusal"]
"""How a reply ended: by itself, at the limit of tokens, or as a refusal."""


@dataclass(frozen=True)
class Question:
    """A question to a language model.

    Attributes:
        messages: The conversation as ``(role, text)``; roles are system, user and assistant.
        schema: JSON schema of the reply, if it has to be JSON.
        name: Name of the schema.
        max_tokens: The most tokens of the reply.
        temperature: 0 for the most likely reply; above 0 the model samples.
        sample: Tells several samples of one question apart.
    """

    messages: tuple[tuple[str, str], ...]
    schema: Mapping[str, Any] | None = field(default=None, hash=False)
    name: str = "reply"
    max_tokens: int = 1024
    temperature: float = 0.0
    sample: int = 0

    @cached_property
    def key(self) -> str:
        """The hash of the content, as hexadecimal; the model is no part of it."""
        content = [
            self.messages, self.schema, self.max_tokens, float(self.temperature), self.sample
        ]  # fmt: skip
        text = json.dumps(content, sort_keys=True, ensure_ascii=True)
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def prompt(self) -> str:
        """The last message of the user."""
        return next((text for role, text in reversed(self.messages) if role == "user"), "")


@dataclass(frozen=True)
class Reply:
    """A reply of a language model.

    Attributes:
        text: What the model wrote; for a refusal, its words.
        finish: How the reply ended.
        prompt_tokens: Tokens of the question, as the model counts them; 0 if it doesn't say.
        completion_tokens: Tokens of the reply.
    """

    text: str
    finish: Finish = "stop"
    prompt_tokens: int = 0
    completion_tokens: int = 0


class TemporaryFaultError(Exception):
    """The model gave no reply now, and may give one later.

    Args:
        what: The fault, for people.
        after: Seconds after which to ask again, if the model says so.
    """

    def __init__(self, what: str, after: float | None = None) -> None:
        super().__init__(what)
        self.what, self.after = what, after


class RejectedQuestionError(Exception):
    """The model will never answer this question, for example because it is too long."""


class UnansweredError(Exception):
    """The file of replies has no reply to this question yet."""


@runtime_checkable
class LanguageModel(Protocol):
    """Anything that replies to questions. Several threads may ask at once.

    Attributes:
        facts: What decides the replies, by name: the system, the model, its address. Never a key.
            The facts stand in the keys of the cache and in results.
    """

    @property
    def facts(self) -> Mapping[str, str]:
        """What decides the replies."""
        ...

    def reply(self, question: Question) -> Reply:
        """Reply to a question.

        Args:
            question: The question.

        Raises:
            TemporaryFaultError: If there is no reply now.
            RejectedQuestionError: If there will never be a reply to this question.
            UnansweredError: If a file of replies lacks it.
            UserError: If no question can be answered: a wrong key, an unknown model.
        """
        ...


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
