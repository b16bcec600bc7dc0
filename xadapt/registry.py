"""Finding objectives, modules and readers by the name of their file.

A part is a file of one room (``xadapt/objectives/mine.py``) or an entry point of the same
room in another package (group ``xadapt.objectives``). Its name is the file's name; the class
to use is the one the file calls ``Part`` by assignment (``Part = Mine``), so no list is kept.
"""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from functools import cache
from importlib.metadata import entry_points
from typing import Any

from xadapt.errors import UserError

ROOMS = ("objectives", "modules", "readers")


@cache
def names(room: str) -> tuple[str, ...]:
    """The names of all parts of a room, sorted; strangers' entry points among them."""
    package = importlib.import_module(f"xadapt.{room}")
    own = {m.name for m in pkgutil.iter_modules(package.__path__) if not m.name.startswith("_")}
    own -= set(getattr(package, "NOT_PARTS", ()))
    return tuple(sorted(own | {e.name for e in entry_points(group=f"xadapt.{room}")}))


def load(room: str, name: str) -> Any:
    """The part of that name.

    Raises:
        UserError: There is none; the nearest name is suggested.
    """
    if name not in names(room):
        raise UserError(unknown(f"{room[:-1]}", name, names(room)))
    for entry in entry_points(group=f"xadapt.{room}"):
        if entry.name == name:
            return entry.load()
    return importlib.import_module(f"xadapt.{room}.{name}").Part


def unknown(kind: str, name: str, known: tuple[str, ...] | list[str]) -> str:
    """One sentence that refuses a name and suggests the nearest known one."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(known))}"
    return f"unknown {kind} {name!r}; {hint}"
