"""Define a question, a reply and a language model."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, Protocol, runtime_checkable

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
