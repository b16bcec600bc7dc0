from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_commands import everything

from xadapt.core.errors import UserError
from xadapt.core.files import read_json
from xadapt.core.output_files import (
    is_own_json,
    require_json,
    require_output,
    require_outputs,
    write_json,
)

READ = "this file is read by the same command"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "base" / "1_Pooling").mkdir(parents=True)
    (tmp_path / "base" / "config.json").write_text("{}")
    (tmp_path / "base" / "1_Pooling" / "config.json").write_text("{}")
    path = tmp_path / "texts.txt"
    path.write_text("mine")
    return path


def aliases(path: Path) -> list[Path]:
    """The same file under other names."""
    folder = path.parent
    (folder / "link").symlink_to(path)
    (folder / "chain").symlink_to("link")
    os.link(path, folder / "hard")
    return [
        path,
        folder / "link",
        folder / "chain",
        folder / "hard",
        folder / "base" / ".." / path.name,
        Path(os.path.relpath(path)),
    ]


def test_what_is_read_is_never_replaced_by_any_name_or_force(data: Path) -> None:
    for one in aliases(data):
        for force in (False, True):
            with pytest.raises(UserError, match=READ):
                require_output(one, reads=[None, "hub/id", data], force=force)
        with pytest.raises(UserError, match=READ):
            require_output(data, reads=[one], force=True)
        with pytest.raises(UserError, match=READ):
            require_output(data, reads=[f"name={one}"], force=True)
    assert data.read_text() == "mine"


def test_files_of_a_folder_that_is_read_are_read(data: Path) -> None:
    base = data.parent / "base"
    for file in (base / "config.json", base / "1_Pooling" / "config.json"):
        for reads in ([base], [f"m={base}"]):
            with pytest.raises(UserError, match=READ):
                require_output(file, reads=reads, force=True)
        require_output(file, force=True)
    require_output(base / "vectors.npy", reads=[base])  # a new file there is no harm


def test_a_file_that_is_there_needs_force(data: Path) -> None:
    with pytest.raises(UserError, match=r"such a file already.*--force"):
        require_output(data)
    require_output(data, force=True)
    require_output(data, own=lambda path: path == data)
    assert data.read_text() == "mine"
    for path in ("/dev/null", "/dev/full"):
        require_output(Path(path))
    (data.parent / "dangling").symlink_to("new")
    require_output(data.parent / "dangling")
    assert not (data.parent / "new").exists()


@pytest.mark.parametrize("name", ["texts.txt/a", "x" * 300, "/proc/nowhere/a", "base"])
def test_a_path_that_cannot_be_written_is_one_line_before_the_work(data: Path, name: str) -> None:
    before = everything(data.parent)
    with pytest.raises(UserError) as caught:
        require_output(data.parent / name, force=True)
    assert "\n" not in str(caught.value) and name in str(caught.value)
    assert everything(data.parent) == before


def test_nothing_is_left_and_what_dead_writers_left_is_swept(tmp_path: Path) -> None:
    require_output(tmp_path / "a" / "b" / "c.npy")
    assert everything(tmp_path) == []
    code = (
        "import os, sys; from xadapt.core.files import atomic_file\n"
        "with atomic_file(sys.argv[1] + '/other.json'): os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert len(everything(tmp_path)) == 1
    require_json(tmp_path / "c.json")
    assert everything(tmp_path) == []


OTHERS = (b"", b"{}", b'{"a": 1}\n', b"[1]", b'{"written_by": "me"}\n', b'"xadapt"', b"\xff" * 300,
          b'{"text": "x"}\n{"written_by": "xadapt 1"}\n')  # fmt: skip


def test_only_results_of_xadapt_are_replaced_by_results(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    for number in range(2):
        write_json(path, {"ä": number, "rows": [{"b": None}] * 100 * number})
        assert is_own_json(path) and read_json(path)["ä"] == number
    assert list(read_json(path))[-1] == "written_by"
    whole = path.read_bytes()
    for content in (*OTHERS, whole[:-2], whole[1:]):
        path.write_bytes(content)
        with pytest.raises(UserError, match="not written by xadapt"):
            write_json(path, {"a": 1})
        assert path.read_bytes() == content
    assert json.loads(whole)["rows"]


def test_outputs_of_one_command_are_files_of_their_own(tmp_path: Path) -> None:
    one, two = tmp_path / "a.tsv", tmp_path / "b.html"
    (tmp_path / "link.tsv").symlink_to(one)
    require_outputs((one, None, two), json=tmp_path / "r.json")
    require_outputs((None,), json=None)
    for paths, json_path in (((one, one), None), ((one, two), two),
                             ((one, tmp_path / "link.tsv"), None),
                             ((one, tmp_path / "x" / ".." / "a.tsv"), None)):  # fmt: skip
        with pytest.raises(UserError, match="two outputs are one file"):
            require_outputs(paths, json=json_path)
    two.write_text("mine")
    with pytest.raises(UserError, match="such a file already"):
        require_outputs((one, two))
    require_outputs((one, two), force=True)
    with pytest.raises(UserError, match=READ):
        require_outputs((one, two), reads=iter([None, two]), force=True)
    require_outputs((Path("/dev/null"), Path("/dev/null")))
    assert everything(tmp_path) == ["b.html", "link.tsv"] and two.read_text() == "mine"
