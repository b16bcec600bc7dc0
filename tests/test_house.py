"""The walls of the house: floors, circles, lengths, a test for each file."""

from __future__ import annotations

import ast
import re
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "xadapt"
FILES = sorted(SOURCE.rglob("*.py"))
NAMES = [str(file.relative_to(SOURCE)) for file in FILES]
ROOMS = {
    "backbones": 1, "report": 1, "search": 1,
    "objectives": 2, "modules": 2, "readers": 2, "makers": 2,
    "compose": 3,
    "train": 4, "evaluate": 4, "hub": 4,
    "inference": 5, "bridges": 5,
    "predict": 6, "shards": 6,
    "assess": 7,
    "cli": 10,
}  # fmt: skip
FLOORS = {
    1: "errors files records registry losses matching metrics languages language_match resources "
    "text_key tag_scheme heads language_families vector_index "
    "process_identity folder_lock output_files sequences",
    3: "attach attach_rows attach_sums attach_merged store recipe recipe_file vector_shards",
    4: "records_in trees_in source_options",
    8: "run run_identity outcome "
    "out_folder held_out inside composing few_shot few_shot_loss quickstart",
    9: "__init__ verbs",
    11: "__main__",
}
LONE = {name: floor for floor, names in FLOORS.items() for name in names.split()}
GROUND = {
    "tag_scheme",
    "errors",
    "files",
    "process_identity",
    "output_files",
    "sequences",
    "records",
    "languages",
    "language_match",
    "language_families",
    "registry",
    "search",
}
OTHERS = {"adapters", "peft", "sentence_transformers", "mteb", "pykeen"}


def module_name(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


KNOWN = {module_name(file): file for file in FILES}


def imports(file: Path) -> set[str]:
    """Full names of the modules a file imports anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name for name in inner if name in KNOWN} or {str(node.module)}
    return found


def place(name: str) -> tuple[int, str]:
    """Floor and room of one of our modules; files that stand alone are their own room."""
    parts = name.split(".")
    room = parts[1] if len(parts) > 1 else "__init__"
    assert room in ROOMS or room in LONE, f"{name} has no floor in tests/test_house.py"
    return (ROOMS[room], room) if room in ROOMS else (LONE[room], room)


def edges() -> list[tuple[str, str]]:
    return [
        (name, other)
        for name, file in KNOWN.items()
        for other in imports(file)
        if other.split(".")[0] == "xadapt" and other not in ("xadapt", name)
    ]


def test_imports_go_down():
    wrong = []
    for name, other in edges():
        (floor, room), (below, other_room) = place(name), place(other)
        beside = room in LONE and other_room in LONE and floor > 1
        ground = floor == 1 and other_room in GROUND
        if not (below < floor or room == other_room or beside or ground):
            wrong.append(f"{name} (floor {floor}) imports {other} (floor {below})")
    assert not wrong, "\n".join(sorted(wrong))


def test_there_are_no_circles():
    graph: dict[str, set[str]] = {name: set() for name in KNOWN}
    for name, other in edges():
        graph[name].add(other)
    done: set[str] = set()

    def visit(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, " -> ".join((*way, name))
        if name not in done:
            for other in graph.get(name, ()):
                visit(other, (*way, name))
            done.add(name)

    for name in graph:
        visit(name, ())


def test_a_circle_or_an_upward_import_would_be_seen():
    assert place("xadapt.cli.app") > place("xadapt.training.loop") > place("xadapt.objectives.mlm")
    assert ("xadapt.training.loop", "xadapt.injection.attachment") in edges()
    assert imports(SOURCE / "attach.py") >= {
        "torch",
        "xadapt.injection.row_groups",
        "xadapt.core.errors",
    }


@pytest.mark.parametrize("file", FILES, ids=NAMES)
def test_only_bridges_import_the_other_libraries(file):
    room = file.relative_to(SOURCE).parts[0]
    found = {name.split(".")[0] for name in imports(file)} & OTHERS
    assert room == "bridges" or not found, f"{found}"


@pytest.mark.parametrize("file", FILES, ids=NAMES)
def test_a_file_is_short_clean_and_documented(file):
    text = file.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 300
    assert ast.get_docstring(ast.parse(text)), "no docstring"
    assert not re.search(r"\b(TODO|FIXME)\b|raise NotImplemented", text)
    assert not re.search(r"(?<![\w.])/(work|opt|home|root)/", text), "a path of one machine"
    calls = [n.func for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Call)]
    assert not any(isinstance(f, ast.Name) and f.id == "print" for f in calls)
    assert file.stem not in ("utils", "helpers", "common", "misc")


@pytest.mark.parametrize("file", sorted((ROOT / "examples").rglob("*.py")), ids=lambda f: f.stem)
def test_what_an_example_takes_from_us_is_there(file):
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and str(node.module).split(".")[0] == "xadapt":
            room = import_module(str(node.module))
            for alias in node.names:
                there = hasattr(room, alias.name) or f"{node.module}.{alias.name}" in KNOWN
                assert there, f"{file.name}: {node.module} has no {alias.name}"


@pytest.mark.parametrize("file", FILES, ids=NAMES)
def test_every_file_has_its_test(file):
    if file.stem == "__init__":
        return
    test = ROOT / "tests" / file.relative_to(SOURCE).with_name(f"test_{file.name}")
    assert test.is_file(), f"write {test.relative_to(ROOT)}"


def test_every_test_has_its_file():
    own = {"test_init.py", "test_house.py", "test_contract.py", "test_contract_sketches.py"}
    own |= {"test_matrix.py"}  # every kind and composition at once
    for test in (ROOT / "tests").rglob("test_*.py"):
        source = test.relative_to(ROOT / "tests").with_name(test.name[5:])
        there = (SOURCE / source).is_file() or (ROOT / source).is_file()  # or one of examples/
        assert there or test.name in own, f"{test.name} tests nothing in xadapt"
