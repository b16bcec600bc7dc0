"""The one spelling of JSON that xadapt writes, so that no byte of a file can change unseen."""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

from pydantic_core import to_json

_SPACE, _END = "  ", "\n"


class _Number(str):
    """A number of a file, as it is spelt there."""


def is_as_written(raw: bytes) -> bool:
    """Whether JSON is spelt as xadapt spells it: indented by two, numbers in their short form.

    Key order is free. Two spellings of a float are known, that of Python and that of pydantic.

    Args:
        raw: The bytes of a file.
    """
    try:
        text = raw.decode("utf-8")
        value = json.loads(text, parse_float=_Number, parse_int=_Number, parse_constant=_refused)
        return _spelt(value, 0) + _END == text
    except (ValueError, RecursionError):
        return False


def _refused(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _spelt(value: Any, depth: int) -> str:
    if isinstance(value, _Number):
        return _number(value)
    if isinstance(value, dict):
        items = [f"{_text(key)}: {_spelt(inner, depth + 1)}" for key, inner in value.items()]
        return _block("{", items, "}", depth)
    if isinstance(value, list):
        return _block("[", [_spelt(inner, depth + 1) for inner in value], "]", depth)
    return _text(value)


def _block(start: str, items: list[str], stop: str, depth: int) -> str:
    if not items:
        return start + stop
    inner = f",\n{_SPACE * (depth + 1)}".join(items)
    return f"{start}\n{_SPACE * (depth + 1)}{inner}\n{_SPACE * depth}{stop}"


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _number(text: str) -> str:
    """Return a number as it is, if it is spelt in a known way; otherwise in Python's."""
    if re.fullmatch(r"-?\d+", text):
        return str(int(text))
    own = repr(float(text))
    short = re.sub(r"e([+-])0*", r"e\1", own)
    known = {own, short, short.replace("e+", "e"), to_json(float(text)).decode()}
    return text if text in known else own
