r"""The text form of compositions, for YAML and the command line: parsed, and printed back.

    lang-swh + mix(align-a:.7, align-b:.3) + ner
    by_language(swh = lang-swh + ner, de = "runs/de 2" + ner, * = none)
    route(router-1; expert-en, expert-de)
    route(arrow; a, b) or route(arrow@2; a, b, c), which keeps the best 2 in each token

``+`` stacks, ``none`` is the bare base, parentheses group, and ``mix(a, b)`` gives all parts
equal weights. A name consists of letters, digits and ``_-./\~@``. A name may contain one ``:`` that
is not followed by a digit (``lang:swh``), and may begin with a drive (``C:\runs\de``). In double
quotes, a name may contain any characters; a backslash is written twice there.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from typing import NoReturn, TypeVar

from xadapt.composition.values import (
    ANY,
    MAX_DEPTH,
    MAX_PARTS,
    ByLanguage,
    Composition,
    Fuse,
    Mix,
    Route,
    Stack,
)
from xadapt.core.errors import UserError

NAME = re.compile(
    r"[A-Za-z]:[\\/][A-Za-z0-9_./\\~@-]*|[A-Za-z0-9_./\\~@-]+(?::[A-Za-z][A-Za-z0-9_./@-]*)?",
    re.ASCII,
)
MAX_TEXT = 2**20
T = TypeVar("T")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def show(composition: Composition) -> str:
    """Write a composition as text; `parse` of this text gives an equal composition."""
    if composition is None:
        return "none"
    if isinstance(composition, str):
        return _show_name(composition)
    if isinstance(composition, Stack):
        return " + ".join(map(show, composition.parts))
    if isinstance(composition, Mix):
        mixed = (f"{_inside(part)}:{weight!r}" for part, weight in composition.parts)
        return f"mix({', '.join(mixed)})"
    if isinstance(composition, ByLanguage):
        rows = (
            f"{tag if tag == ANY else _show_name(tag)} = {show(part)}"
            for tag, part in composition.parts
        )
        return f"by_language({', '.join(rows)})"
    parts = ", ".join(map(show, composition.parts))
    return f"{type(composition).__name__.lower()}({_show_name(composition.leader)}; {parts})"


def _show_name(name: str) -> str:
    plain = NAME.fullmatch(name) and name != "none"
    return name if plain else json.dumps(name, ensure_ascii=False)


def _inside(part: Composition) -> str:
    return f"({show(part)})" if isinstance(part, Stack) else show(part)


def parse(text: str) -> Composition:
    """Read a composition.

    Raises:
        UserError: If the text is not a composition (the message has the position and the expected
            text), is longer than `MAX_TEXT` characters, or has more parts or a greater depth than
            `xadapt.composition.values` allows.
    """
    if len(text) > MAX_TEXT:
        raise UserError(f"the text is longer than {MAX_TEXT} characters", where="composition")
    reader = _Reader(text)
    found = reader.composition(0)
    reader.end()
    return found


class _Reader:
    """A recursive-descent parser of one text."""

    def __init__(self, text: str) -> None:
        self.text, self.at, self.count = text, 0, 0

    def composition(self, depth: int) -> Composition:
        parts = [self.part(depth)]
        while self.took("+"):
            parts.append(self.part(depth))
        return parts[0] if len(parts) == 1 else Stack(*parts)

    def part(self, depth: int) -> Composition:
        if depth > MAX_DEPTH:
            self.fail(f"this is nested more than {MAX_DEPTH} deep")
        if self.took("("):
            inner = self.composition(depth + 1)
            self.expect(")")
            return inner
        quoted = self.sees('"')
        name = self.name()
        if not quoted and name in _CALLS and self.took("("):
            made = _CALLS[name](self, depth + 1)
            self.expect(")")
            return made
        self.count += 1
        if self.count > MAX_PARTS:
            self.fail(f"there are more than {MAX_PARTS} parts")
        return None if name == "none" and not quoted else name

    def mix(self, depth: int) -> Mix:
        parts: dict[Composition, float | None] = {}
        weighed = True
        for part in self.listed(lambda: self.part(depth)):
            if part in parts:
                self.fail(f"{show(part)} is mixed in twice")
            if not parts:
                weighed = self.took(":")
            elif weighed:
                self.expect(":")
            parts[part] = self.number() if weighed else None
        alike = 1 / len(parts)
        return Mix({part: alike if own is None else own for part, own in parts.items()})

    def by_language(self, depth: int) -> ByLanguage:
        parts: dict[str, Composition] = {}
        for tag in self.listed(lambda: ANY if self.took(ANY) else self.name()):
            self.expect("=")
            if tag in parts:
                self.fail(f"{tag} is named twice")
            parts[tag] = self.composition(depth)
        return ByLanguage(parts)

    def led(self, depth: int) -> tuple[str, list[Composition]]:
        name = self.name()
        self.expect(";")
        return name, list(self.listed(lambda: self.composition(depth)))

    def listed(self, one: Callable[[], T]) -> Iterator[T]:
        yield one()
        while self.took(","):
            yield one()

    def name(self) -> str:
        self.skip()
        found = _QUOTED.match(self.text, self.at) or NAME.match(self.text, self.at)
        if found is None:
            self.fail("a module's name is missing")
        self.at = found.end()
        try:
            name = json.loads(found[0], strict=False) if found[0].startswith('"') else found[0]
        except ValueError:
            self.fail("a quoted name is malformed (a backslash is written twice)")
        return name or self.fail("a module's name is empty")

    def number(self) -> float:
        self.skip()
        found = _NUMBER.match(self.text, self.at)
        if found is None or not math.isfinite(float(found[0])):
            self.fail("a weight is missing")
        self.at = found.end()
        return float(found[0])

    def skip(self) -> None:
        while self.text[self.at : self.at + 1].isspace():
            self.at += 1

    def sees(self, sign: str) -> bool:
        self.skip()
        return self.text.startswith(sign, self.at)

    def took(self, sign: str) -> bool:
        there = self.sees(sign)
        self.at += there
        return there

    def expect(self, sign: str) -> None:
        if not self.took(sign):
            self.fail(f"{sign!r} is missing")

    def end(self) -> None:
        self.skip()
        if self.at < len(self.text):
            self.fail("this is too much")

    def fail(self, said: str) -> NoReturn:
        shown = f"{self.text[max(0, self.at - 60) : self.at]} >>> {self.text[self.at :][:60]}"
        raise UserError(
            f"{said}, at the mark: {' '.join(shown.split())}",
            where="composition",
            todo="Write for example: lang-swh + mix(align-a:.7, align-b:.3) + ner",
        )


_CALLS: dict[str, Callable[[_Reader, int], Composition]] = {
    "mix": _Reader.mix,
    "by_language": _Reader.by_language,
    "route": lambda reader, depth: Route(*reader.led(depth)),
    "fuse": lambda reader, depth: Fuse(*reader.led(depth)),
}
