from __future__ import annotations

import json
from pathlib import Path

import pytest
from tiny_commands import Place, good

from xadapt.composition.text import parse
from xadapt.composition.values import Mix, Stack
from xadapt.core.errors import UserError
from xadapt.hub.composition_file import open_composition, write_composition


@pytest.fixture(scope="module")
def module(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("modules") / "de"
    good(*place.train(folder))
    return folder


def test_written_and_opened_again(module: Path, tmp_path: Path) -> None:
    twin = tmp_path / "x" / "de"
    twin.parent.mkdir()
    twin.symlink_to(module)
    odd = tmp_path / "a b.c"
    odd.mkdir()
    for name in ("xadapt.json", "module.safetensors"):
        (odd / name).write_bytes((module / name).read_bytes())
    value = Stack("/p", Mix({"q": 0.5, "r": 0.25, None: 1.0}))
    folders = {"/p": module, "q": twin, "r": odd}
    written = write_composition(tmp_path / "out", value, folders)
    assert written == parse("de + mix(de:.5, a-b-c:.25, none:1)")
    found = open_composition(tmp_path / "out")
    assert found is not None and found[0] == written
    for name, source in (("de", module), ("a-b-c", odd)):
        assert found[1][name] == tmp_path / "out" / "modules" / name
        for file in ("xadapt.json", "module.safetensors"):
            assert (found[1][name] / file).read_bytes() == (source / file).read_bytes()
    card = (tmp_path / "out" / "README.md").read_text()
    assert "de + mix(de:0.5" in card and str(tmp_path) not in card
    assert open_composition(module) is None
    with pytest.raises(UserError, match="not empty"):
        write_composition(tmp_path / "out", value, folders)


def test_two_folders_of_one_name_are_told_apart(module: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / "de"
    other.mkdir(parents=True)
    for name in ("xadapt.json", "module.safetensors"):
        (other / name).write_bytes((module / name).read_bytes())
    folders = {"a": module, "b": other}
    assert write_composition(tmp_path / "o", Stack("a", "b"), folders) == Stack("de", "de-2")


def test_what_cannot_be_read_leaves_nothing(module: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such module folder"):
        write_composition(tmp_path / "o", Stack("a", "b"), {"a": module, "b": tmp_path / "none"})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no composition"),
        ("[]", "no composition"),
        ('{"schema_version": 2, "composition": "a"}', "no composition"),
        ('{"schema_version": 1, "composition": 3}', "no composition"),
        (json.dumps({"schema_version": 1, "composition": "../x"}), "no name of a module"),
        (json.dumps({"schema_version": 1, "composition": '".." + a'}), "no name of a module"),
        (json.dumps({"schema_version": 1, "composition": "a +"}), "name is missing"),
        ("[" * 100_000, "no composition"),
        (" " * (2 << 20), "no composition"),
    ],
)
def test_a_malformed_file_is_one_clear_error(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "composition.json").write_text(text)
    with pytest.raises(UserError, match=said):
        open_composition(tmp_path)


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text('{"schema_version": 1, "composition": "a"}')
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "composition.json").symlink_to(tmp_path / "secret")
    with pytest.raises(UserError, match="no composition"):
        open_composition(tmp_path / "c")
