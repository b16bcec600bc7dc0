"""Strict reading of JSON and YAML: unique keys, finite numbers, no aliases, a size limit."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import yaml
from yaml.composer import Composer
from yaml.constructor import SafeConstructor
from yaml.resolver import Resolver

from xadapt.core.errors import UserError

MAX_BYTES = 64 * 2**20
"""Maximum size of a JSON file, if a caller gives no other limit."""

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]:,]')


class _TwiceError(ValueError):
    """Error for an object that has a key twice."""

    def __init__(self, key: str) -> None:
        super().__init__(f"the key {key!r} stands twice in one object")
        self.key = key


def read_bytes(path: Path | str, most: int = MAX_BYTES) -> bytes:
    """Read a whole file of at most ``most`` bytes.

    The rest of a larger file is never read.

    Raises:
        UserError: If the file is absent, is not a regular file, is unreadable, or is larger than
            ``most`` bytes.
    """
    path = Path(path)
    try:
        if path.exists() and not path.is_file():
            raise UserError("this is no file", where=str(path))
        with path.open("rb") as stream:
            raw = stream.read(most + 1)
    except FileNotFoundError:
        raise UserError("there is no such file", where=str(path)) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"can't read this file ({reason})", where=str(path)) from None
    if len(raw) > most:
        raise UserError(f"this file is larger than {_size(most)}", where=str(path))
    return raw


def parse_json(raw: bytes | str, *, where: str = "") -> Any:
    """Read JSON in which no object has a key twice and every number is finite.

    Args:
        raw: The text; bytes are read as UTF-8.
        where: The file's name, for error messages.

    Raises:
        UserError: If the text is not such JSON. For a repeated key, the message names the key and
            its line.
    """
    text = ""
    try:
        text = raw.decode("utf-8") if isinstance(raw, bytes) else raw
        return json.loads(
            text, object_pairs_hook=_once, parse_constant=_no_number, parse_float=_finite
        )
    except _TwiceError as error:
        line = _line_of_second(text, error.key)
        at = f"{where}:{line}" if where and line else where
        raise UserError(str(error), where=at, todo="Leave one of the two out") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"this is not JSON ({_one_line(error)})", where=where) from None


def parse_yaml(text: str, *, where: str = "", kind: str = "a file") -> tuple[Any, yaml.Node | None]:
    """Read YAML in which no mapping has a key twice and nothing is an alias.

    Args:
        text: The text.
        where: The file's name, for error messages.
        kind: The kind of text, for error messages.

    Returns:
        The value, and its YAML node, which has the line numbers.

    Raises:
        UserError: If the text is not such YAML. The message names the line, if it is known.
    """
    try:
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            return (None if node is None else loader.construct_document(node)), node
        finally:
            loader.dispose()
    except _WrongError as error:
        at = f"{where}:{error.line}" if where else f"line {error.line}"
        raise UserError(error.what.format(kind=kind), where=at, todo=error.todo) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        at = f"{where}:{mark.line + 1}" if mark and where else where
        raise UserError(f"not YAML ({getattr(error, 'problem', error)})", where=at) from None
    except (ValueError, TypeError, RecursionError, OverflowError) as error:
        raise UserError(f"a value is not right ({_one_line(error)})", where=where) from None


class _WrongError(Exception):
    """Error for YAML that is well formed but refused."""

    def __init__(self, what: str, mark: Any, todo: str) -> None:
        super().__init__(what)
        self.what, self.line, self.todo = what, mark.line + 1, todo


class _Refusing(Composer):
    """A composer that refuses aliases and repeated keys."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        parser: Any = self
        if parser.check_event(yaml.AliasEvent):  # a few of them can stand for gigabytes
            event: Any = parser.peek_event()
            raise _WrongError("{kind} can't use YAML aliases", event.start_mark, "Write it out")
        return super().compose_node(parent, index)

    def compose_mapping_node(self, anchor: Any) -> Any:
        node: Any = super().compose_mapping_node(anchor)
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if (key.tag, key.value) in seen:
                    shown = repr(key.value).replace("{", "{{").replace("}", "}}")
                    what = f"the key {shown} stands twice in one mapping"
                    raise _WrongError(what, key.start_mark, "Leave one of the two out")
                seen.add((key.tag, key.value))
        return node


class _PythonLoader(_Refusing, yaml.SafeLoader):
    """PyYAML's safe loader, written in Python."""


def _fast_loader() -> type[Any]:
    """Return the safe loader on libyaml, about five times as fast, or else the one in Python."""
    if not yaml.__with_libyaml__:
        return _PythonLoader
    from yaml.cyaml import CParser  # type: ignore[attr-defined]

    class FastLoader(_Refusing, CParser, SafeConstructor, Resolver):
        """PyYAML's safe loader on the parser of libyaml."""

        def __init__(self, stream: str) -> None:
            CParser.__init__(self, stream)
            Composer.__init__(self)
            SafeConstructor.__init__(self)
            Resolver.__init__(self)

    return FastLoader


_Loader = _fast_loader()


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        seen: set[str] = set()
        raise _TwiceError(next(key for key, _ in pairs if key in seen or seen.add(key)))  # type: ignore[func-returns-value]
    return made


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:40]} is too large")
    return value


def _line_of_second(text: str, key: str) -> int | None:
    """Return the first line where an object repeats this key."""
    for name, at, again in _keys(text):
        if again and name == key:
            return text.count("\n", 0, at) + 1
    return None


def _keys(text: str) -> Iterator[tuple[str, int, bool]]:
    """Yield each key of well-formed JSON, its position, and whether its object repeats the key.

    The position is that of the key's first character.
    """
    inside: list[set[str]] = []
    last: re.Match[str] | None = None
    for token in _TOKEN.finditer(text):
        if token[0] in "{[":
            inside.append(set())
        elif token[0] in "}]":
            inside.pop()
        elif token[0] == ":" and last is not None:
            name = json.loads(last[0])
            yield name, last.start(), name in inside[-1]
            inside[-1].add(name)
        last = token


def _size(most: int) -> str:
    for power, unit in ((20, "MiB"), (10, "KiB")):
        if most >= 2**power:
            return f"{most >> power} {unit}"
    return f"{most} bytes"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
