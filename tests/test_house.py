"""The walls of the house: floors, circles, outside libraries, tidy files; each rule is tried out.

The rules are functions over a tree of files (`house_rules`). Each one is tried on a small package
that keeps all of them, and on the same package with one fault put in.
"""

from __future__ import annotations

import ast
import shutil
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from types import MappingProxyType

import pytest
from house_rules import (
    LONG,
    REASON,
    ROOMS,
    House,
    all_faults,
    circles,
    hidden_rooms,
    homeless_files,
    outside_imports,
    relative_imports,
    untidy_files,
    upward_imports,
)

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "xadapt"

GOOD = {
    "__init__": "if TYPE_CHECKING:\n    from pack.api import train",
    "__main__": "from pack.cli.app import main",
    "api": "from pack.pipelines.train import train",
    "core/__init__": "",
    "core/errors": "import json",
    "core/files": "from pack.core.errors import UserError\nfrom pack.core import errors",
    "languages/__init__": "from pack.core.errors import UserError",
    "data/__init__": "",
    "data/records": "from dataclasses import dataclass",
    "data/readers/__init__": "",
    "data/readers/tsv": "from pack.data import records\nfrom pack.data.records import Row",
    "data/transforms/__init__": "",
    "data/transforms/filter": "from pack.data.records import Row\nimport pack.languages",
    "data/loading/__init__": "",
    "data/loading/load": "from pack.data.readers.tsv import Tsv\nimport torch",
    "hub/__init__": "",
    "hub/folder": "from pack.core import files",
    "integrations/__init__": "",
    "integrations/peft": "import peft\nimport importlib\nimportlib.import_module('mteb')",
    "pipelines/__init__": "",
    "pipelines/train": "from pack.data.loading import load\nfrom pack.hub import folder",
    "cli/__init__": "",
    "cli/app": "def main():\n    from pack.api import train\n    import pack",
}


@pytest.fixture
def build(tmp_path: Path) -> Callable[..., House]:
    """Write the package that keeps all rules, with some files added or written over."""

    def made(changes: Mapping[str, str] = MappingProxyType({})) -> House:
        source = tmp_path / "pack"
        shutil.rmtree(source, ignore_errors=True)
        for name, text in {**GOOD, **changes}.items():
            file = source / f"{name}.py"
            file.parent.mkdir(parents=True, exist_ok=True)
            bare = text.startswith(('"""', "#"))
            file.write_text(text if bare else f'"""A file."""\n{text}\n', encoding="utf-8")
        return House(source)

    return made


def test_a_package_that_keeps_the_rules_has_no_fault(build) -> None:
    house = build()
    assert all_faults(house) == [] and len(house.files) == len(GOOD)


UPWARD = [
    # among the rooms of one folder
    ("data/records", "from pack.data.loading.load import x",
     "pack.data.records (data.records, floor 2) imports pack.data.loading.load (data.loading, "
     "floor 7)"),
    ("data/readers/tsv", "from pack.data.transforms import filter",
     "imports pack.data.transforms.filter (data.transforms, floor 4)"),
    # between rooms
    ("core/files", "import pack.hub.folder", "(core, floor 0) imports pack.hub.folder"),
    ("core/files", "from pack.languages import normalise", "imports pack.languages (languages, fl"),
    ("hub/folder", "from pack.integrations import peft", "imports pack.integrations.peft (integra"),
    ("hub/folder", "from pack.pipelines.train import train", "(pipelines, floor 11)"),
    # among the files of the root, and from anywhere to the root
    ("api", "import pack.__main__", "pack.api (api, floor 12) imports pack.__main__ (__main__, fl"),
    ("api", "import pack", "pack.api (api, floor 12) imports pack (__init__, floor 12.5)"),
    ("hub/folder", "from pack import train", "pack.hub.folder (hub, floor 8) imports pack (__init"),
    # late, for types alone, and by text
    ("hub/folder", "def f():\n    from pack.cli import app", "imports pack.cli.app (cli, floor 13"),
    ("hub/folder", "if TYPE_CHECKING:\n    from pack.api import x", "imports pack.api (api"),
    ("hub/folder", "import importlib\nimportlib.import_module('pack.api')", "imports pack.api"),
]  # fmt: skip


@pytest.mark.parametrize(("file", "text", "fault"), UPWARD)
def test_an_import_that_goes_up_or_sideways_is_seen(build, file, text, fault) -> None:
    house = build({file: text})
    [found] = upward_imports(house)
    assert fault in found and found in all_faults(house)


def test_the_ground_is_open_to_its_neighbours_and_to_nobody_else(build) -> None:
    assert upward_imports(build({"functional/losses": "import pack.core.errors"})) == []
    assert len(upward_imports(build({"functional/losses": "import pack.languages"}))) == 1


@pytest.mark.parametrize(
    ("files", "circle"),
    [
        ({"core/errors": "import pack.core.files"}, {"core.errors", "core.files"}),
        (
            {
                "hub/card": "from pack.hub.manifest import x",
                "hub/manifest": "def f():\n    from pack.hub import files",
                "hub/files": "from pack.hub.card import y",
            },
            {"hub.card", "hub.manifest", "hub.files"},
        ),
    ],
)
def test_a_circle_is_seen(build, files, circle) -> None:
    house = build(files)
    [found] = circles(house)
    first, *inner, last = found.split(" -> ")
    assert first == last and {first, *inner} == {f"pack.{name}" for name in circle}
    assert upward_imports(house) == [] and len(inner) == len(circle) - 1


@pytest.mark.parametrize(
    "text",
    [
        "import peft",
        "import peft.tuners.lora as x",
        "from sentence_transformers import SentenceTransformer",
        "def f():\n    import mteb",
        "from importlib import import_module\nimport_module('adapters')",
        "__import__('ray.data')",
    ],
)
def test_an_outside_library_is_seen_in_every_room_but_its_own(build, text) -> None:
    for file in ("hub/other", "cli/other", "api"):
        [fault] = outside_imports(build({file: text}))
        assert fault.startswith(f"pack.{file.replace('/', '.')} imports ")
        assert fault.endswith("which only integrations may")
    assert outside_imports(build({"integrations/more": text})) == []
    assert outside_imports(build({"hub/other": "import json, torch, transformers"})) == []


@pytest.mark.parametrize(
    ("file", "fault"),
    [
        ("records_in", "pack.records_in lies loose at the root"),
        ("attic/box", "pack.attic.box is in no room of the table"),
        ("data/box", "pack.data.box is in no room of the table"),
    ],
)
def test_a_file_without_a_room_is_seen(build, file, fault) -> None:
    assert homeless_files(build({file: "x = 1"})) == [fault]


def test_a_folder_that_leads_to_several_floors_imports_none_of_them(build) -> None:
    [fault] = homeless_files(build({"data/__init__": "from pack.data import records"}))
    assert "pack.data leads to rooms on several floors" in fault


@pytest.mark.parametrize("text", ["from . import files", "from ..hub import folder"])
def test_a_relative_import_is_seen(build, text) -> None:
    assert relative_imports(build({"core/errors": text})) == [
        "pack.core.errors:2: a relative import"
    ]


@pytest.mark.parametrize("text", ["__all__ = ['hub', 'x']", "__all__: list[str] = ['hub']"])
def test_a_room_with_the_name_of_a_function_is_seen(build, text) -> None:
    assert hidden_rooms(build({"__init__": text})) == [
        "the room hub is hidden by what the package exports"
    ]
    assert hidden_rooms(build({"__init__": "__all__ = ['train']\nx = ['hub']"})) == []


@pytest.mark.parametrize(
    ("file", "text", "fault"),
    [
        ("hub/card", "print('x')", "a print call"),
        ("hub/card", "def f():\n    return [print(1)]", "a print call"),
        ("hub/card", "# no docstring\nx = 1\n", "no docstring"),
        ("hub/card", "x = 1  # TODO: more", "unfinished"),
        ("hub/card", "def f():\n    raise NotImplementedError", "unfinished"),
        ("hub/card", "x = '/home/me/x'", "a path of one machine"),
        ("hub/utils", "x = 1", "a name that says nothing"),
        ("hub/card", '"""Long."""\n' + "x = 1\n" * LONG, f"{LONG + 1} lines, and the docstring"),
        ("hub/card", '"""Long.\n\nWell."""\n' + "x = 1\n" * LONG, f"{LONG + 3} lines"),
    ],
)
def test_an_untidy_file_is_seen(build, file, text, fault) -> None:
    [found] = untidy_files(build({file: text}))
    assert found.startswith("pack.hub.") and fault in found


@pytest.mark.parametrize(
    "text",
    [
        "def blueprint():\n    return 1",
        "log.print('x')",
        '"""As long as may be."""\n' + "x = 1\n" * (LONG - 1),
        f'"""Long.\n\n{REASON.capitalize()}\nit is one table."""\n' + "x = 1\n" * LONG,
        "x = 'https://example.org/opt/x'",
    ],
)
def test_a_tidy_file_is_let_pass(build, text) -> None:
    assert untidy_files(build({"hub/card": text})) == []


def test_the_table_has_every_floor_and_one_ground() -> None:
    assert sorted(set(map(int, ROOMS.values()))) == list(range(14)) and ROOMS["core"] == 0


def test_the_house_keeps_its_rules() -> None:
    house = House(SOURCE)
    assert len(house.files) > 100 and len(set(house.edges())) > 100
    faults = all_faults(house)
    assert not faults, "\n".join(faults)


EXAMPLES = sorted((ROOT / "examples").rglob("*.py"))


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda f: f.stem)
def test_what_an_example_takes_from_us_is_there(file: Path) -> None:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and str(node.module).split(".")[0] == "xadapt":
            room = import_module(str(node.module))
            for alias in node.names:
                if not hasattr(room, alias.name):
                    import_module(f"{node.module}.{alias.name}")
