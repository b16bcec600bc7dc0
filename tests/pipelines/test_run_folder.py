from __future__ import annotations

from pathlib import Path

import pytest
from tiny_commands import everything

from xadapt.core.errors import UserError
from xadapt.pipelines import run_folder as out_folder


def fill(path: Path, text: str = "x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_absent_and_empty_folders_are_usable_and_not_made(tmp_path: Path) -> None:
    assert out_folder.require_usable(tmp_path / "new", False) is False
    assert not (tmp_path / "new").exists()
    (tmp_path / "empty").mkdir()
    assert out_folder.require_usable(tmp_path / "empty", False) is False


@pytest.mark.parametrize(
    ("file", "resume", "said"),
    [
        ("xadapt.json", False, "finished"),
        ("run/metrics.jsonl", False, "--resume"),
        ("notes.txt", False, "not empty"),
        ("notes.txt", True, "not empty"),
    ],
)
def test_what_is_refused(tmp_path: Path, file: str, resume: bool, said: str) -> None:
    fill(tmp_path / file)
    with pytest.raises(UserError, match=said):
        out_folder.require_usable(tmp_path, resume)


def test_resume_takes_unfinished_and_finished(tmp_path: Path) -> None:
    fill(tmp_path / "run" / "metrics.jsonl")
    fill(tmp_path / "README.md")  # put in place before the manifest
    assert out_folder.require_usable(tmp_path, True) is False
    fill(tmp_path / "xadapt.json")
    assert out_folder.require_usable(tmp_path, True) is True


def test_a_failure_leaves_nothing_it_made(tmp_path: Path) -> None:
    out = tmp_path / "a" / "b" / "out"
    with pytest.raises(KeyboardInterrupt), out_folder.nothing_left(out):
        fill(out / "run" / "metrics.jsonl")
        raise KeyboardInterrupt
    assert everything(tmp_path) == []


def test_a_failure_keeps_folders_that_were_there_and_strangers_files(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(ValueError), out_folder.nothing_left(out):
        fill(out / "run" / "metrics.jsonl")
        raise ValueError
    assert everything(tmp_path) == ["out"]


def test_a_failure_keeps_a_run_that_can_go_on(tmp_path: Path) -> None:
    with pytest.raises(ValueError), out_folder.nothing_left(tmp_path / "out"):
        fill(tmp_path / "out" / "run" / "shuffled" / "checkpoint.safetensors")
        raise ValueError
    assert out_folder.has_checkpoint(tmp_path / "out")


def test_only_the_main_process_cleans(tmp_path: Path) -> None:
    with pytest.raises(ValueError), out_folder.nothing_left(tmp_path / "out", main=False):
        fill(tmp_path / "out" / "run" / "metrics.jsonl")
        raise ValueError
    assert (tmp_path / "out" / "run" / "metrics.jsonl").exists()


def test_settle_cut_short_anywhere_ends_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["1_Pooling/config.json", "README.md", "module.safetensors", "xadapt.json"]
    replace = Path.replace
    for stop in range(6):
        out = tmp_path / str(stop)
        for name in names:
            fill(out / "run" / "module" / name, "new")
        fill(out / "1_Pooling" / "config.json", "old")
        fill(out / "run" / "checkpoint.safetensors")
        fill(out / "run" / ".module.abc" / "half")
        moves: list[str] = []

        def move(self: Path, target: Path, moves: list[str] = moves, stop: int = stop) -> Path:
            if len(moves) == stop:
                raise OSError("cut")
            moves.append(self.name)
            return replace(self, target)

        monkeypatch.setattr(Path, "replace", move)
        if stop < 4:
            with pytest.raises(OSError):
                out_folder.settle(out)
            assert not (out / "xadapt.json").exists()
            assert out_folder.has_checkpoint(out)
        monkeypatch.setattr(Path, "replace", replace)
        out_folder.settle(out)
        assert sorted(p for p in everything(out) if "." in p) == sorted(names)
        assert (out / "1_Pooling" / "config.json").read_text() == "new"
        assert everything(out / "run") == []
