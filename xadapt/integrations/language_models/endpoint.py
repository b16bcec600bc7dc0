"""A model behind an endpoint that speaks OpenAI's API of chat completions."""

from __future__ import annotations

import email.utils
import time
from collections.abc import Mapping
from typing import Any

from xadapt.core.errors import UserError, missing_extra
from xadapt.integrations.language_models.protocol import (
    Question,
    RejectedQuestionError,
    Reply,
    TemporaryFaultError,
)

TIMEOUT = 120.0
"""Seconds until a request counts as failed."""
LATER = frozenset({408, 409, 425, 429})
"""States of HTTP, besides those from 500 on, after which the same request may succeed."""
NEVER = frozenset({400, 413, 422})
"""States by which an endpoint refuses one question."""
CHARACTERS = 200
NO_KEY = "none"


class Endpoint:
    """A model behind an OpenAI-compatible endpoint.

    Endpoints differ in what they accept. If one refuses a request because of ``response_format``,
    ``max_tokens``, ``temperature`` or ``seed``, later requests say it in another way, or leave it
    out.

    Args:
        model: The model's name at the endpoint.
        url: The address, up to and including ``/v1``.
        key: The key. It is sent to the endpoint, and nothing else is done with it.
        timeout: Seconds until a request counts as failed.

    Raises:
        UserError: If the package openai is not installed.
    """

    def __init__(self, model: str, url: str, *, key: str = "", timeout: float = TIMEOUT) -> None:
        try:
            import openai
        except ImportError:
            raise missing_extra("openai", "llm") from None
        self.model, self.url = model, url
        self._openai, self._key = openai, key
        self._client = openai.OpenAI(
            base_url=url, api_key=key or NO_KEY, max_retries=0, timeout=timeout
        )
        self._ways = {"format": "schema", "limit": "max_tokens", "temperature": "", "seed": ""}

    @property
    def facts(self) -> Mapping[str, str]:
        """The model and the address."""
        return {"language model": "openai", "model": self.model, "address": self.url}

    def reply(self, question: Question) -> Reply:
        """Ask once; see `LanguageModel.reply`."""
        while True:
            ways = dict(self._ways)
            try:
                return self._reply_of(
                    self._client.chat.completions.create(**self._request(question, ways))
                )
            except self._openai.APIStatusError as error:
                if not (error.status_code in NEVER and self._adapted(error, ways)):
                    raise self._fault(error) from None
            except self._openai.APIConnectionError as error:
                raise TemporaryFaultError(self._told(error)) from None
            except (self._openai.OpenAIError, ValueError, RecursionError) as error:
                told = f"an answer that can't be read ({self._told(error)})"
                raise TemporaryFaultError(told) from None

    def _request(self, question: Question, ways: Mapping[str, str]) -> dict[str, Any]:
        made: dict[str, Any] = {
            "model": self.model,
            "messages": [{"role": role, "content": text} for role, text in question.messages],
            ways["limit"]: question.max_tokens,
        }
        if ways["temperature"] != "none":
            made["temperature"] = question.temperature
        if question.temperature and ways["seed"] != "none":
            made["seed"] = question.sample
        if question.schema is not None and ways["format"] == "schema":
            schema = {"name": question.name, "schema": dict(question.schema)}
            made["response_format"] = {"type": "json_schema", "json_schema": schema}
        elif question.schema is not None and ways["format"] == "object":
            made["response_format"] = {"type": "json_object"}
        return made

    def _adapted(self, error: Any, ways: Mapping[str, str]) -> bool:
        """Change how requests are written after a refusal; return whether to ask again."""
        said = self._told(error).lower()
        asked = self._ways
        if any(name in said for name in ("response_format", "json_schema", "json_object")):
            after = {"schema": "object", "object": "none"}.get(ways["format"])
            if after:
                asked["format"] = after
                return True
        if "max_completion_tokens" in said and ways["limit"] == "max_tokens":
            asked["limit"] = "max_completion_tokens"
            return True
        for name in ("temperature", "seed"):
            if name in said and ways[name] != "none":
                asked[name] = "none"
                return True
        return False

    def _reply_of(self, answer: Any) -> Reply:
        """Read the first choice of an answer.

        Raises:
            TemporaryFaultError: If there is none.
        """
        choice = next(iter(getattr(answer, "choices", None) or ()), None)
        message = getattr(choice, "message", None)
        if message is None:
            raise TemporaryFaultError("an answer without a choice")
        usage = getattr(answer, "usage", None)
        tokens = {
            name: max(0, int(getattr(usage, name, 0) or 0))
            for name in ("prompt_tokens", "completion_tokens")
        }
        refusal = getattr(message, "refusal", None)
        end = getattr(choice, "finish_reason", None)
        if refusal or end == "content_filter":
            return Reply(self._clean(str(refusal or "content filter")), "refusal", **tokens)
        text = getattr(message, "content", None)
        if not isinstance(text, str):
            raise TemporaryFaultError("an answer without text")
        return Reply(self._clean(text), "length" if end == "length" else "stop", **tokens)

    def _fault(self, error: Any) -> Exception:
        """Return what a state of HTTP means: ask later, never, or stop."""
        state, said = int(error.status_code), self._told(error)
        code = str(getattr(error, "code", "") or "")
        if code == "insufficient_quota" or state == 402:
            return UserError(f"the account has no quota left: {said}", where=self.url)
        if state in LATER or state >= 500:
            return TemporaryFaultError(f"state {state}: {said}", _after(error.response.headers))
        if state in NEVER:
            refused = code == "content_filter"
            return RejectedQuestionError(f"{'refused' if refused else f'state {state}'}: {said}")
        todo = {
            401: "Check the key in the variable that --api-key-env names",
            403: "Check the key and what it may use",
            404: "Check the name of the model, and that the address ends as the endpoint says, "
            "such as in /v1",
        }
        return UserError(f"state {state}: {said}", where=self.url, todo=todo.get(state, ""))

    def _told(self, error: Exception) -> str:
        """Return the words of an error in one line, without the key and control characters."""
        body = getattr(error, "body", None)
        said = body.get("message") if isinstance(body, dict) else None
        cause = error.__cause__
        text = said or (f"{error} {cause}" if cause else str(error)) or type(error).__name__
        shown = "".join(sign if sign.isprintable() else " " for sign in str(text))
        return self._clean(" ".join(shown.split()))[:CHARACTERS]

    def _clean(self, text: str) -> str:
        return text.replace(self._key, "[key]") if self._key else text


def _after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds after which an endpoint wants to be asked again, if it says so."""
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        value = headers.get(name)
        if value is None:
            continue
        try:
            seconds = float(value) / unit
        except ValueError:
            try:
                seconds = email.utils.parsedate_to_datetime(value).timestamp() - time.time()
            except (ValueError, TypeError, OverflowError):
                continue
        if seconds == seconds:  # not NaN
            return max(0.0, seconds)
    return None
