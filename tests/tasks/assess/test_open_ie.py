from __future__ import annotations

import json
from pathlib import Path

import pytest
from tiny_commands import Place, good, xadapt

import xadapt as verbs
from xadapt.hub.opening import read_manifest


def evaluate(place: Place, folder: Path, *more: object) -> tuple[object, ...]:
    given = ("--base", place.base, "--data", folder / "test.conllu", "--lang", "de")
    own = () if "--predicates" in more else ("--predicates", folder / "p")
    return ("evaluate", "open_ie", *given, *own, "--arguments", folder / "a", *more)


def test_a_table_for_people(taggers: tuple[Place, Path], tmp_path: Path) -> None:
    place, folder = taggers
    done = good(*evaluate(place, folder, "--dtype", "float32", "--json", tmp_path / "r.json"))
    assert "20 sentences, 40 triples by rule" in done.out and "left and right" in done.out
    assert all(len(line) <= 80 for line in done.out.splitlines())
    said = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    rows = {row["system"]: row["scores"] for row in said["rows"]}
    assert rows["module"]["predicates"]["mean"] > 0.9 and rows["module"]["triples"]["mean"] > 0.7
    assert rows["left and right"]["triples"]["mean"] < 0.6
    assert said["task"] == "open_ie" and said["data"] == "test.conllu"


def test_another_tagger_beside_it(taggers: tuple[Place, Path]) -> None:
    place, folder = taggers
    result = verbs.evaluate_open_ie(
        base=str(place.base),
        data=folder / "test.conllu",
        predicates=folder / "p",
        arguments=[f"a={folder}/a", f"two={folder}/a2"],
        compose_arguments="a + two",
        against_arguments=folder / "a",
        dtype="float32",
    )
    assert [row.system for row in result.rows] == ["against", "module", "left and right"]
    gain = result["module"].gain
    assert gain is not None and gain["predicates"].mean == 0
    for name in ("arguments", "triples"):
        values = [result[system].scores[name].mean for system in ("against", "module")]
        assert gain[name].mean == pytest.approx(values[1] - values[0])


def test_the_evidence_is_told_again(taggers: tuple[Place, Path], tmp_path: Path) -> None:
    _, folder = taggers
    (told,) = read_manifest(folder / "a").evidence
    assert told.metric == "f1 of arguments given predicates" and told.rows == 6
    assert told.value > told.controls["left and right"] - 0.2
    card = (folder / "a" / "README.md").read_text(encoding="utf-8")
    assert "no other library has such a head" in card
    assert "--predicates OTHER --arguments FOLDER" in card


def test_mistakes_are_one_line(taggers: tuple[Place, Path], tmp_path: Path) -> None:
    place, folder = taggers
    bad = tmp_path / "x.conllu"
    bad.write_text("1\ta\t_\tNOUN\t_\t_\t1\tdep\t_\t_\n", encoding="utf-8")
    for more, said in (
        (("--data", bad), "x.conllu:1: this word hangs in a circle"),
        (("--predicates", folder / "a"), "none of these modules has a head for tagging"),
        (("--compose-predicates", "mix("), "composition"),
    ):
        done = xadapt(*evaluate(place, folder, *more))
        assert done.code == 2 and said in done.err and len(done.lines) == 1, done.err
