"""Finding the parts of every room (objectives, readers, graphs, ...) by their file names.

A part is a file of one room (``xadapt/objectives/mine.py``), or an entry point of the same room in
another package (group ``xadapt.objectives``). The entry point names such a file or the class
itself. The name of a part is the file's name. The file assigns the part to ``Part``
(``Part = Mine``): a class, or for a task also an instance. No list of parts is kept. An entry point
can't replace a file.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import io
import pkgutil
import tokenize
from ast import literal_eval
from functools import cache
from importlib.metadata import entry_points
from inspect import cleandoc
from pathlib import Path
from typing import Any

from xadapt.core.errors import UserError

ROOMS: dict[str, str] = {
    "objectives": "xadapt.objectives",
    "modules": "xadapt.modules",
    "readers": "xadapt.data.readers",
    "transforms": "xadapt.data.transforms",
    "graphs": "xadapt.data.graphs",
    "tasks": "xadapt.tasks",
    "metrics": "xadapt.evaluation.metrics",
    "maps": "xadapt.maps",
}
"""The package that holds the files of each room."""


@cache
def names(room: str) -> tuple[str, ...]:
    """Return the names of all parts of a room, sorted, with entry points of other packages."""
    return tuple(sorted(_own(room) | {e.name for e in entry_points(group=f"xadapt.{room}")}))


@cache
def _own(room: str) -> frozenset[str]:
    package = importlib.import_module(ROOMS[room])
    files = {m.name for m in pkgutil.iter_modules(package.__path__) if not m.name.startswith("_")}
    return frozenset(files - set(getattr(package, "NOT_PARTS", ())))


def is_shipped(room: str, name: str) -> bool:
    """Whether a part is a file of this package, not an entry point of another package."""
    return name in _own(room)


def load(room: str, name: str) -> Any:
    """Load the part of that name.

    Raises:
        UserError: If there is no such part. The message suggests the nearest name.
    """
    if name not in names(room):
        raise UserError(unknown(room[:-1], name, names(room)))
    if name in _own(room):
        return importlib.import_module(f"{ROOMS[room]}.{name}").Part
    found = next(e for e in entry_points(group=f"xadapt.{room}") if e.name == name).load()
    return getattr(found, "Part", found)


def source(room: str, name: str) -> Path | None:
    """Return the file of a part, without importing it; ``None`` if it can't be found."""
    if name in _own(room):
        module = f"{ROOMS[room]}.{name}"
    else:
        module = next(e for e in entry_points(group=f"xadapt.{room}") if e.name == name).module
    try:
        spec = importlib.util.find_spec(module)
    except Exception:  # the package of an entry point may fail to be imported
        return None
    return Path(spec.origin) if spec and spec.has_location and spec.origin else None


def summary(room: str, name: str) -> str:
    """Return the first line of the docstring of a part's file, without importing the part.

    Listing all parts so takes milliseconds, where importing them takes seconds. A part without a
    readable docstring has the summary "".
    """
    file = source(room, name)
    if file is None:
        return ""
    try:
        text = file.read_text(encoding="utf-8")
        found = next(
            token.string
            for token in tokenize.generate_tokens(io.StringIO(text).readline)
            if token.type not in _BEFORE_DOCSTRING
        )
        lines = cleandoc(literal_eval(found)).splitlines()
    except (OSError, *_NO_DOCSTRING):
        return ""
    return lines[0].replace("``", "").rstrip(".") if lines else ""


_NO_DOCSTRING = (
    StopIteration,
    ValueError,
    TypeError,
    SyntaxError,
    AttributeError,
    tokenize.TokenError,
)
_BEFORE_DOCSTRING = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.ENCODING)


def unknown(kind: str, name: str, known: tuple[str, ...] | list[str]) -> str:
    """Return a sentence that refuses a name and suggests the nearest known name."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(known))}"
    return f"unknown {kind} {name!r}; {hint}"
