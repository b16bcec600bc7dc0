from __future__ import annotations

import json
from pathlib import Path

from tiny_commands import Place, everything, good, xadapt


def test_a_picture_a_table_and_numbers(made: tuple[Place, Path], tmp_path: Path) -> None:
    place, folder = made
    (tmp_path / "t.txt").write_text("die katze\nein hund sitzt\n")
    given = ("usage", "--base", place.base, "--text", tmp_path / "t.txt", "--lang", "de")
    route = ("--compose", f"route(arrow; {folder}/de, {folder}/sw)")
    done = good(*given, *route, "--out", tmp_path / "u.svg", "--json", tmp_path / "u.json")
    assert "arrow" in done.out and "sw" in done.out
    told = json.loads((tmp_path / "u.json").read_text())
    assert told["texts"] == 2 and told["usage"][0]["experts"] == ["de", "sw"]
    assert (tmp_path / "u.svg").read_text().startswith("<?xml")
    before = everything(tmp_path)
    for more, said in (
        ((*route, "--out", tmp_path / "u.gif"), "a picture is"),
        (("--compose", f"{folder}/de", "--out", tmp_path / "v.svg"), "is routed"),
    ):
        wrong = xadapt(*given, *more)
        assert wrong.code == 2 and len(wrong.lines) == 1 and said in wrong.err
    assert everything(tmp_path) == before


def test_what_is_there_or_read_stays(made: tuple[Place, Path], tmp_path: Path) -> None:
    place, folder = made
    text, picture = tmp_path / "t.svg", tmp_path / "u.svg"
    text.write_text("die katze\n")
    picture.write_text("mine")
    route = ("--compose", f"route(arrow; {folder}/de, {folder}/sw)")
    given = ("usage", "--base", place.base, "--text", text, "--lang", "de", *route)
    for more, said in (
        (("--out", picture), "such a file already"),
        (("--out", text), "read by the same command"),
        (("--out", text, "--force"), "read by the same command"),
        (("--out", tmp_path / "n.svg", "--json", tmp_path / "n.svg"), "are one file"),
    ):
        done = xadapt(*given, *more)
        assert done.code == 2 and len(done.lines) == 1 and said in done.err, done.err
    assert text.read_text() == "die katze\n" and picture.read_text() == "mine"
    assert everything(tmp_path) == ["t.svg", "u.svg"]
    good(*given, "--out", picture, "--force")
    assert picture.read_text().startswith("<?xml")
