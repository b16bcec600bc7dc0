from __future__ import annotations

import json
from pathlib import Path

from tiny_commands import Place, good, xadapt

# the fixtures
from tiny_commands import de, place  # noqa: F401  # isort: skip


def test_verify_says_a_line_a_check_and_exits_by_the_result(
    place: Place,  # noqa: F811
    de: Path,  # noqa: F811
    tmp_path: Path,
) -> None:
    done = good("verify", de, "--base", place.base, "--json", tmp_path / "v.json")
    said = json.loads((tmp_path / "v.json").read_text())
    lines = done.out.splitlines()
    assert said["ok"] and len(lines) == len(said["checks"]) + 1
    assert lines[0].startswith("ok          xadapt.json: ") and lines[-1].startswith("verified: ")
    assert any("xadapt" not in line and "vectors of 4 texts" in line for line in lines)
    assert "loading" in done.err
    card = de / "README.md"
    before = card.read_text(encoding="utf-8")
    card.write_text(before + "x", encoding="utf-8")
    done = xadapt("verify", de, "--files-only", "--json", tmp_path / "v.json")
    card.write_text(before, encoding="utf-8")
    assert done.code == 1 and "FAILED      README.md: its hash is another" in done.out
    assert not json.loads((tmp_path / "v.json").read_text())["ok"]
    assert "NOT verified" in done.out.splitlines()[-1]


def test_mistakes_are_one_line(tmp_path: Path) -> None:
    done = xadapt("verify", tmp_path / "none")
    assert done.code == 2 and len(done.lines) == 1, done.err
    (tmp_path / "m.tar.gz").write_bytes(b"")
    done = xadapt("verify", tmp_path / "m.tar.gz")
    assert done.code == 2 and "an archive is not opened" in done.err
