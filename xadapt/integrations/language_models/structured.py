"""Read a reply as JSON of a given form, checked by pydantic."""

from __future__ import annotations

import re
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from xadapt.integrations.language_models.protocol import Reply
from xadapt.integrations.protected.checks import REFUSAL

M = TypeVar("M", bound=BaseModel)
_FENCE = re.compile(r"```(?:json)?[ \t]*\n(.*?)```", re.S)
_THOUGHT = re.compile(r"\A\s*<think>.*?</think>", re.S)
CHARACTERS = 80


class ReplyFaultError(Exception):
    """A reply that can't be used. Its text says why, and the model may be told so."""


class RefusalError(Exception):
    """A reply by which the model refuses."""


def read_reply(reply: Reply, form: type[M]) -> M:
    """Read a reply.

    JSON may stand in a block of Markdown, after thoughts between ``<think>`` and ``</think>``, or
    between other words.

    Args:
        reply: The reply.
        form: The form of the JSON.

    Raises:
        RefusalError: If the model refuses.
        ReplyFaultError: If the reply was cut, is not JSON, or has another form.
    """
    if reply.finish == "refusal":
        raise RefusalError(shortened(reply.text))
    text = _json_of(reply.text)
    if not text:
        if REFUSAL.search(reply.text):
            raise RefusalError(shortened(reply.text))
        cut = reply.finish == "length"
        raise ReplyFaultError("cut at the limit of tokens" if cut else "not JSON")
    try:
        return form.model_validate_json(text)
    except ValidationError as error:
        if reply.finish == "length":
            raise ReplyFaultError("cut at the limit of tokens") from None
        raise ReplyFaultError(_told(error)) from None


def shortened(text: str) -> str:
    """Return the beginning of a text, in one line."""
    line = " ".join("".join(s if s.isprintable() else " " for s in text).split())
    return line if len(line) <= CHARACTERS else line[: CHARACTERS - 3] + "..."


def _json_of(text: str) -> str:
    """Return the part of a reply that may be an object of JSON, or an empty text."""
    text = _THOUGHT.sub("", text).strip()
    fenced = _FENCE.search(text)
    if fenced and not text.startswith("{"):
        text = fenced[1].strip()
    start, end = text.find("{"), text.rfind("}")
    return text[start : end + 1] if 0 <= start < end else text[start:] if start >= 0 else ""


def _told(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    if first["type"] == "json_invalid":
        return "not JSON"
    place = ".".join(str(part) for part in first["loc"])
    return f"not of the form: {f'{place}: ' if place else ''}{first['msg']}"
