"""A stranger's test: a part is one file, one test and one recipe, and no list is edited.

Each folder here holds what a stranger writes. It is run end to end by the real command line, once
as another package that is found by its entry points, and once as a file dropped into its room.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import test_contract as contract
from extending.listing import HERE, KINDS, examples
from tiny_commands import Place, good, write_tsv, xadapt
from tiny_folders import tensor_file
from tiny_models import tiny_encoder
from tiny_training import labelled, pairs

from xadapt.core import registry
from xadapt.core.files import read_json
from xadapt.hub.opening import read_manifest
from xadapt.training.metrics_log import read_metrics

ROOT = HERE.parent.parent
LONGEST = 80


@pytest.fixture
def words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with the dictionary that the recipe names."""
    (tmp_path / "words.tsv").write_text("katze\tcat\nhund\tdog\nmatte\tmat\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def train(place: Place, recipe: Any, data: Path, out: Path, *more: Any) -> Any:
    given = ("--base", place.base, "--data", data, "--lang", "de", "--out", out)
    return good("train", recipe, *given, "--set", "dtype=float32", *more)


def test_an_example_is_one_small_file_one_test_and_one_recipe() -> None:
    assert {file.parent.name for file in examples().values()} == set(KINDS)
    for place, file in examples().items():
        assert (file.parent / f"test_{file.name}").is_file(), place
        lines = [line for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
        assert len(lines) <= LONGEST, place
        if file.parent.name != "metric":  # which is named on the command line
            assert len(list(file.parent.glob("*.yaml"))) == 1, place


def test_every_example_is_listed_and_explained(tmp_path: Path) -> None:
    good("list", "--json", tmp_path / "l.json")
    listed = read_json(tmp_path / "l.json")
    for place in examples():
        room, name = place.split("/")
        assert name in listed[room] and name not in registry._own(room)
        assert f"{room[:-1]} {name}\n" in good("explain", name).out
    assert "margin" in good("explain", "hardest_negative").out
    assert "takes records  ParallelPair" in good("explain", "word_switch").out


def test_the_examples_keep_the_contract_of_their_rooms() -> None:
    name, encoder = "hardest_negative", tiny_encoder("bert", mlm=True)
    contract.test_objective_is_a_documented_frozen_dataclass(name)
    contract.test_objective_gives_one_finite_loss_a_record(name, encoder)
    contract.test_permuting_records_permutes_losses(name, encoder)
    contract.test_gradient_reaches_every_view_with_the_module(name, encoder)
    contract.test_transform_is_a_documented_frozen_dataclass("word_switch")


def test_an_objective_of_a_stranger_trains(place: Place, tmp_path: Path) -> None:
    recipe = HERE / "objective" / "hardest_negative.yaml"
    train(place, recipe, place.data, tmp_path / "m")
    assert read_manifest(tmp_path / "m").objectives == ["hardest_negative"]
    rows = [
        r["loss"] for r in read_metrics(tmp_path / "m" / "run" / "metrics.jsonl") if "loss" in r
    ]
    assert sum(rows[-3:]) < sum(rows[:3])
    done = xadapt("train", recipe, "--set", "objectives.0.margn=1", "--data", place.data,
                  "--lang", "de", "--base", place.base, "--out", tmp_path / "n")  # fmt: skip
    assert done.code == 2 and "did you mean 'margin'" in done.err


def test_a_reader_of_a_stranger_feeds_a_run(place: Place, tmp_path: Path) -> None:
    data = tmp_path / "train.txt"
    lines = [f"__label__{row.label} {row.text}\n" for row in labelled(60)]
    data.write_text("".join(lines), encoding="utf-8")
    recipe = HERE / "reader" / "fasttext_classes.yaml"
    done = train(place, recipe, data, tmp_path / "m")
    manifest = read_manifest(tmp_path / "m")
    assert "60 texts" in done.err and manifest.head.labels == ["none", "some"]
    data.write_text("".join([*lines, "no label\n"]), encoding="utf-8")
    done = xadapt("train", recipe, "--data", data, "--lang", "de", "--base", place.base,
                  "--out", tmp_path / "n")  # fmt: skip
    assert done.code == 2 and f"{data}:61" in done.err and not (tmp_path / "n").exists()


def test_a_transform_of_a_stranger_changes_what_is_trained_on(place: Place, words: Path) -> None:
    recipe = HERE / "transform" / "word_switch.yaml"
    done = train(place, recipe, place.data, words / "m")
    assert "words replaced in 54 pairs" in done.err and "60 of 60 pairs kept" in done.err
    train(place, recipe, place.data, words / "same")
    none = ("--set", "data.train.transforms.1.share=0")
    train(place, recipe, place.data, words / "off", *none)
    weights = [tensor_file(words / n).read_bytes() for n in ("m", "same", "off")]
    assert weights[0] == weights[1] != weights[2]
    wrong = ("--set", "data.train.transforms.1.dictionary=none.tsv")
    done = xadapt("train", recipe, *wrong, "--data", place.data, "--lang", "de",
                  "--base", place.base, "--out", words / "n")  # fmt: skip
    assert done.code == 2 and "finds no dictionary" in done.err and len(done.lines) == 1


def test_a_metric_of_a_stranger_is_a_row_of_the_table(place: Place, tmp_path: Path) -> None:
    lines = [f"{row.text}\t{row.label}\n" for row in labelled(60)]
    (tmp_path / "d.tsv").write_text("".join(lines), encoding="utf-8")
    train(place, "classification", tmp_path / "d.tsv", tmp_path / "m")
    given = ("--base", place.base, "--data", tmp_path / "d.tsv", "--module", tmp_path / "m")
    shown = ("--metric", "worst_class", "--metric", "matthews", "--json", tmp_path / "r.json")
    done = good("evaluate", "classification", *given, "--dtype", "float32", *shown)
    assert "worst_class" in done.out and "matthews" in done.out
    result = read_json(tmp_path / "r.json")
    assert result["measures"] == ["accuracy", "macro f1", "worst_class", "matthews"]
    scores = {row["system"]: row["scores"] for row in result["rows"]}
    assert scores["most frequent class"]["worst_class"]["mean"] == 0
    assert scores["most frequent class"]["matthews"]["mean"] == 0
    assert scores["module"]["worst_class"]["low"] <= scores["module"]["worst_class"]["mean"]
    done = xadapt("evaluate", "classification", *given, "--metric", "worst_clas")
    assert done.code == 2 and "did you mean 'worst_class'" in done.err and len(done.lines) == 1


EACH = """
import json, sys
from xadapt.cli.app import main
for line in json.loads(sys.argv[1]):
    sys.argv = ["xadapt", *line]
    try:
        main()
    except SystemExit as end:
        if end.code:
            raise
"""


def run_in(home: Path, folder: Path, *commands: tuple[Any, ...]) -> None:
    """Run commands one after the other, in one interpreter that knows another copy alone."""
    env = {**os.environ, "PYTHONPATH": str(home), "OMP_NUM_THREADS": "1"}
    lines = json.dumps([list(map(str, line)) for line in commands])
    call = [sys.executable, "-c", EACH, lines]
    done = subprocess.run(call, cwd=folder, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_part_dropped_into_its_room_needs_no_entry_point(place: Place, words: Path) -> None:
    """In a copy of the package, where a recipe is a file of ``adapter_configs``."""
    home = words / "checkout"
    shutil.copytree(ROOT / "xadapt", home / "xadapt", ignore=shutil.ignore_patterns("__pycache__"))
    for folder in ("adapter_configs", "kg_data"):
        shutil.copytree(ROOT / folder, home / folder)
    shutil.copy(ROOT / "pyproject.toml", home)
    for kind in KINDS:
        for file in (HERE / kind).glob("*.yaml"):
            shutil.copy(file, home / "adapter_configs")
    for part, file in examples().items():
        room = registry.ROOMS[part.split("/")[0]]
        shutil.copy(file, home / room.replace(".", "/"))

    both = write_tsv(words / "pairs.tsv", pairs(40))
    train = (
        *("train", "word_switch", "--base", place.base, "--data", both, "--lang", "de"),
        *("--out", words / "m", "--set", "objectives.0.name=hardest_negative"),
        *("--set", "dtype=float32"),
    )
    run_in(home, words, ("list", "--json", words / "l.json"), train)
    listed = read_json(words / "l.json")
    for part in examples():
        room, name = part.split("/")
        assert name in listed[room]
    assert {"word_switch", "hardest_negative", "fasttext_classes"} <= set(listed["recipes"])
    assert read_manifest(words / "m").objectives == ["hardest_negative"]
