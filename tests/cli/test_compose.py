from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tiny_commands import Place, everything, good, xadapt
from tiny_folders import tensor_file, without_hashes


def test_help_shows_an_expression() -> None:
    assert "mix(a:.7" in good("compose", "--help").out


def test_a_missing_option_is_one_line() -> None:
    done = xadapt("compose", "a + b", "--base", "x")
    assert done.code == 2 and len(done.lines) == 1 and "--out" in done.err


def test_a_changed_module_is_refused_unless_it_is_allowed(
    place: Place, de: Path, tmp_path: Path
) -> None:
    changed = tmp_path / "changed"
    shutil.copytree(de, changed)
    raw = bytearray(tensor_file(changed).read_bytes())
    raw[-1] ^= 1
    tensor_file(changed).write_bytes(raw)
    command = ("compose", f"mix({changed}:.5)", "--base", place.base, "--out", tmp_path / "o")
    done = xadapt(*command)
    assert done.code == 2 and len(done.lines) == 1 and not (tmp_path / "o").exists()
    assert "not what was published (other: adapter_model.safetensors (tensor '" in done.err
    assert "--allow-modified" in done.err
    done = good(*command, "--allow-modified")
    assert (tmp_path / "o" / "xadapt.json").is_file()
    assert len([line for line in done.lines if "not what was published" in line]) == 1
    assert xadapt(*command[:-1], tmp_path / "p").code == 2  # it ends with the command
    old = good("compose", f"mix({without_hashes(shutil.copytree(de, tmp_path / 'old'))}:.5)",
               "--base", place.base, "--out", tmp_path / "q")  # fmt: skip
    assert len([line for line in old.lines if "before xadapt kept hashes" in line]) == 1


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--json", "r.json"), "--json does nothing without --few-shot"),
        (("--budget", "9"), "--budget does nothing without --few-shot"),
        (("--lang", "de"), "--lang does nothing without --few-shot"),
        (("--module", "c=runs/c"), "no composition names 'c'"),
    ],
)
def test_options_that_would_do_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: tuple[str, ...], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = xadapt("compose", "a + b", "--base", "/no/such", "--out", "o", *more)
    assert done.code == 2 and len(done.lines) == 1 and said in done.err
    assert everything(tmp_path) == []


@pytest.mark.parametrize("path", ["file/inside", "x" * 300, "file", "/proc/nowhere/o"])
def test_a_folder_that_cannot_be_made_is_one_line_first(tmp_path: Path, path: str) -> None:
    (tmp_path / "file").write_text("mine")
    done = xadapt("compose", "a + b", "--base", "/no/such", "--out", tmp_path / path)
    assert done.code == 2 and len(done.lines) == 1 and path[:30] in done.err
    assert everything(tmp_path) == ["file"] and (tmp_path / "file").read_text() == "mine"
