"""The rules of the house as functions over a tree of files: each gives a list of faults.

A room is a folder or a file of the package; the table says on which floor it is. Imports go down:
a file imports its own room, rooms on lower floors, and the ground, which imports nothing of ours.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

GROUND = "core"
"""The room that every other one may import, on its own floor too."""

ROOMS: dict[str, float] = {
    "core": 0, "functional": 0,
    "languages": 1,
    "report": 1.5,  # results of every room show themselves with it
    "config": 2, "vectors": 2, "data.records": 2, "heads": 2,
    "backbones": 3,
    "objectives": 4, "modules": 4, "data.readers": 4, "data.transforms": 4,
    "data.graphs": 4.5,  # whole graphs and links: they read files as readers do
    "injection": 5,
    "maps": 5.5,  # word vectors of a base: it reads the table of embeddings
    "composition": 6,
    "data.loading": 7,
    "training": 8, "evaluation": 8, "hub": 8, "integrations": 8,
    "inference": 9,
    "tasks": 10, "kg": 10,
    "pipelines": 11,
    "api": 12, "__init__": 12.5,  # half a floor up: it only opens the door to the one below
    "serving": 12.7,  # the verb `serve` starts it
    "cli": 13, "__main__": 13.5,
}  # fmt: skip
LOOSE = frozenset({"__init__", "__main__", "api"})
"""The only files at the root."""

OUTSIDE = frozenset({
    "adapters", "peft", "sentence_transformers", "mteb", "pykeen", "ray", "pyspark", "langchain",
    "langchain_core", "llama_index", "openai", "sacrebleu", "comet", "vllm", "py3langid", "lancedb",
    "qdrant_client", "psycopg", "optimum", "onnxruntime", "openvino", "gensim",
    "markdown_it", "pylatexenc",
})  # fmt: skip
"""Libraries that only ``integrations`` imports."""

LONG = 400
REASON = "the file is long because"
"""What the docstring of a longer file says, before its reason."""

VAGUE = frozenset({"utils", "helpers", "common", "misc"})
MACHINE_PATH = re.compile(r"(?<![\w.])/(work|opt|home|root)/")
UNFINISHED = re.compile(r"\b(TODO|FIXME)\b|raise NotImplemented")


@dataclass(frozen=True)
class House:
    """A package's files and the table of its rooms.

    Attributes:
        source: Folder of the package.
        rooms: By room, its floor; a room inside a folder is written with a dot.
        outside: Libraries that only one room imports.
        outside_room: That room.
    """

    source: Path
    rooms: Mapping[str, float] = field(default_factory=lambda: ROOMS)
    outside: frozenset[str] = OUTSIDE
    outside_room: str = "integrations"

    @cached_property
    def files(self) -> dict[str, Path]:
        """Every file by its full module name."""
        return {self._name(file): file for file in sorted(self.source.rglob("*.py"))}

    @cached_property
    def trees(self) -> dict[str, ast.Module]:
        """The syntax tree of every file."""
        return {n: ast.parse(f.read_text(encoding="utf-8")) for n, f in self.files.items()}

    def _name(self, file: Path) -> str:
        parts = file.relative_to(self.source.parent).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    def room(self, name: str) -> str | None:
        """The room of a module, if the table has it; the longest name that fits counts."""
        inner = name.split(".")[1:] or ["__init__"]
        ways = (".".join(inner[:end]) for end in range(len(inner), 0, -1))
        return next((way for way in ways if way in self.rooms), None)

    def imports(self, name: str) -> set[str]:
        """Full names of the modules that a file imports anywhere in it."""
        found: set[str] = set()
        for node in ast.walk(self.trees[name]):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                inner = {f"{node.module}.{alias.name}" for alias in node.names}
                ours = {way for way in inner if way in self.files}
                found |= ours if len(ours) == len(inner) else ours | {str(node.module)}
            elif isinstance(node, ast.Call):
                found |= set(_imported_by_text(node))
        return found

    def edges(self) -> Iterator[tuple[str, str]]:
        """Who imports whom among our own files."""
        for name in self.files:
            for other in self.imports(name):
                known = self._known(other)
                if known is not None and known != name:
                    yield name, known

    def _known(self, name: str) -> str | None:
        """The file that an imported name belongs to."""
        package = self.source.name
        parts = name.split(".")
        if parts[0] != package:
            return None
        ways = (".".join(parts[:end]) for end in range(len(parts), 0, -1))
        return next((way for way in ways if way in self.files), package)


def upward_imports(house: House) -> list[str]:
    """Imports that go up, or from one room of a floor to another."""
    faults = []
    for name, other in house.edges():
        room, below = house.room(name), house.room(other)
        if room is None or below is None or room == below:
            continue
        if below == GROUND or house.rooms[below] < house.rooms[room]:
            continue
        faults.append(
            f"{name} ({room}, floor {house.rooms[room]}) imports {other} "
            f"({below}, floor {house.rooms[below]})"
        )
    return sorted(faults)


def relative_imports(house: House) -> list[str]:
    """Imports with a dot, which hide where they lead."""
    return [
        f"{name}:{node.lineno}: a relative import"
        for name, tree in house.trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.level
    ]


def circles(house: House) -> list[str]:
    """Chains of imports that come back to where they began, one for each such knot."""
    graph: dict[str, list[str]] = {name: [] for name in house.files}
    for name, other in sorted(set(house.edges())):
        graph[name].append(other)
    found: list[str] = []
    done: set[str] = set()

    def visit(name: str, way: tuple[str, ...]) -> None:
        if name in way:
            found.append(" -> ".join((*way[way.index(name) :], name)))
        elif name not in done:
            for other in graph[name]:
                visit(other, (*way, name))
            done.add(name)

    for name in graph:
        visit(name, ())
    return found


def homeless_files(house: House) -> list[str]:
    """Files in no room of the table, and files at the root that don't belong there."""
    faults = []
    for name, file in house.files.items():
        loose = file.parent == house.source
        folders = {room.partition(".")[0] for room in house.rooms if "." in room}
        passage = file.name == "__init__.py" and file.parent.name in folders  # such as data/
        if loose and file.stem not in LOOSE:
            faults.append(f"{name} lies loose at the root")
        elif house.room(name) is None and not passage:
            faults.append(f"{name} is in no room of the table")
        elif passage and house.room(name) is None and any(_own(house, name)):
            faults.append(f"{name} leads to rooms on several floors and imports one of them")
    return faults


def outside_imports(house: House) -> list[str]:
    """Outside libraries that are imported in another room than theirs."""
    return sorted(
        f"{name} imports {library}, which only {house.outside_room} may"
        for name in house.files
        if house.room(name) != house.outside_room
        for library in {other.split(".")[0] for other in house.imports(name)} & house.outside
    )


def hidden_rooms(house: House) -> list[str]:
    """Rooms that have the name of something the package itself exports, which hides them."""
    root = house.trees.get(house.source.name, ast.Module([], []))
    exported = {
        text.value
        for node in root.body
        if isinstance(node, (ast.Assign, ast.AnnAssign))
        and any(getattr(t, "id", "") == "__all__" for t in _targets(node))
        for text in ast.walk(node)
        if isinstance(text, ast.Constant) and isinstance(text.value, str)
    }
    own = {name.split(".")[1] for name in house.files if "." in name}
    return [f"the room {name} is hidden by what the package exports" for name in own & exported]


def untidy_files(house: House) -> list[str]:
    """Files without a docstring, with a print call, unfinished, vague, or long without a reason."""
    return [
        f"{name}: {fault}"
        for name, file in house.files.items()
        for fault in _untidy(file, house.trees[name])
    ]


def _untidy(file: Path, tree: ast.Module) -> Iterator[str]:
    text = file.read_text(encoding="utf-8")
    docstring = ast.get_docstring(tree) or ""
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    lines = len(text.splitlines())
    if not docstring:
        yield "no docstring"
    if any(isinstance(call, ast.Name) and call.id == "print" for call in calls):
        yield "a print call"
    if UNFINISHED.search(text):
        yield "unfinished"
    if MACHINE_PATH.search(text):
        yield "a path of one machine"
    if file.stem in VAGUE:
        yield "a name that says nothing"
    if lines > LONG and REASON not in " ".join(docstring.lower().split()):
        yield f"{lines} lines, and the docstring doesn't say: {REASON} ..."


def all_faults(house: House) -> list[str]:
    """The faults of every rule."""
    rules = (
        upward_imports, relative_imports, circles, homeless_files, outside_imports, hidden_rooms,
        untidy_files,
    )  # fmt: skip
    return [fault for rule in rules for fault in rule(house)]


def _own(house: House, name: str) -> Iterator[str]:
    return (other for way, other in house.edges() if way == name)


def _targets(node: ast.Assign | ast.AnnAssign) -> list[ast.expr]:
    return node.targets if isinstance(node, ast.Assign) else [node.target]


def _imported_by_text(call: ast.Call) -> Iterator[str]:
    """Names in ``import_module("name")`` and ``__import__("name")``."""
    name = getattr(call.func, "attr", getattr(call.func, "id", ""))
    if name in ("import_module", "__import__") and call.args:
        first = call.args[0]
        if isinstance(first, ast.Constant) and isinstance(first.value, str):
            yield first.value
