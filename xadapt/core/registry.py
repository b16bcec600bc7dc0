"""Finding objectives, modules, readers, transforms, tasks and metrics by the name of their file.

A part is a file of one room (``xadapt/objectives/mine.py``) or an entry point of the same room in
another package (group ``xadapt.objectives``), which names such a file or the class itself. Its name
is the file's name. What is used is what the file calls ``Part`` by assignment (``Part = Mine``): a
class, or for a task also an instance. So no list is kept. An entry point can't take the place of a
file.
"""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from functools import cache
from importlib.metadata import entry_points
from typing import Any

from xadapt.core.errors import UserError

ROOMS: dict[str, str] = {
    "objectives": "xadapt.objectives",
    "modules": "xadapt.modules",
    "readers": "xadapt.data.readers",
    "transforms": "xadapt.data.transforms",
    "tasks": "xadapt.tasks",
    "metrics": "xadapt.evaluation.metrics",
}
"""The package that holds the files of each room."""


@cache
def names(room: str) -> tuple[str, ...]:
    """The names of all parts of a room, sorted; strangers' entry points among them."""
    return tuple(sorted(_own(room) | {e.name for e in entry_points(group=f"xadapt.{room}")}))


@cache
def _own(room: str) -> frozenset[str]:
    package = importlib.import_module(ROOMS[room])
    files = {m.name for m in pkgutil.iter_modules(package.__path__) if not m.name.startswith("_")}
    return frozenset(files - set(getattr(package, "NOT_PARTS", ())))


def is_shipped(room: str, name: str) -> bool:
    """Whether a part is a file of this package, and no entry point of another one."""
    return name in _own(room)


def load(room: str, name: str) -> Any:
    """The part of that name.

    Raises:
        UserError: There is none; the nearest name is suggested.
    """
    if name not in names(room):
        raise UserError(unknown(room[:-1], name, names(room)))
    if name in _own(room):
        return importlib.import_module(f"{ROOMS[room]}.{name}").Part
    found = next(e for e in entry_points(group=f"xadapt.{room}") if e.name == name).load()
    return getattr(found, "Part", found)


def unknown(kind: str, name: str, known: tuple[str, ...] | list[str]) -> str:
    """One sentence that refuses a name and suggests the nearest known one."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(known))}"
    return f"unknown {kind} {name!r}; {hint}"
