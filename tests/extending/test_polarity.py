"""A task is added by one file, one entry point and a recipe; no file of xadapt is touched."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from tiny_commands import Place, good, xadapt
from tiny_training import labelled

import xadapt as face
from xadapt.core import registry
from xadapt.core.files import read_json
from xadapt.hub.opening import read_manifest
from xadapt.hub.snippets import snippets
from xadapt.tasks.protocol import find, of_record

HERE = Path(__file__).parent
ENTRY_POINTS = """[xadapt.tasks]
polarity = polarity

[xadapt.objectives]
polarity = polarity:PolarityLoss

[xadapt.readers]
reviews = polarity:Reviews
"""


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A distribution of one module, installed by being on the path."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copy(HERE / "polarity.py", folder)
    about = folder / "polarity-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: polarity\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(ENTRY_POINTS)
    sys.path.insert(0, str(folder))
    registry.names.cache_clear()
    yield folder
    sys.path.remove(str(folder))
    sys.modules.pop("polarity", None)
    registry.names.cache_clear()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reviews")
    for name, seed in (("train", 0), ("test", 4)):
        rows = [f"{'+' if r.label == 'some' else '-'} {r.text}\n" for r in labelled(80, seed)]
        (folder / f"{name}.txt").write_text("".join(rows), encoding="utf-8")
    return folder


def test_it_is_found_trained_judged_and_measured(
    stranger: Path, data: Path, place: Place, tmp_path: Path
) -> None:
    assert "polarity" in good("list", "tasks").out
    assert "Lines of + or -" in good("explain", "polarity").out
    assert "--baseline" in good("evaluate", "polarity", "--help").out
    task = find("polarity")
    assert of_record(task.record, "polarity") is task and not registry.is_shipped(
        "tasks", "polarity"
    )

    given = ("--base", place.base, "--lang", "de")
    recipe = HERE / "polarity.yaml"
    done = good("train", recipe, *given, "--data", data / "train.txt", "--out", tmp_path / "m")
    assert "reviews to train on" in done.err and "held-out reviews" in done.out
    manifest = read_manifest(tmp_path / "m")
    assert manifest.head is not None and manifest.head.task == "polarity"
    (claim,) = manifest.evidence
    assert (claim.task, claim.metric, claim.task_type) == (
        "polarity", "accuracy", "text-classification",
    )  # fmt: skip
    assert claim.interval is not None and claim.controls.keys() == {"always good"}
    card = (tmp_path / "m" / "README.md").read_text(encoding="utf-8")
    assert "Its head says whether a review is good." in card
    assert "xadapt evaluate polarity --base BASE --module FOLDER --data FILE" in card
    assert "pipeline_tag: text-classification" in card
    assert all("good = (states" in code for code in snippets(manifest).values())

    measured = ("evaluate", "polarity", *given, "--data", data / "test.txt", "--dtype", "float32")
    named = ("--module", f"m={tmp_path}/m", "--compose", "m", "--baseline", "mix(m:0.2)")
    done = good(*measured, *named, "--json", tmp_path / "r.json")
    assert "80 reviews" in done.out and "gain: over baseline" in done.out
    rows = {row["system"]: row for row in read_json(tmp_path / "r.json")["rows"]}
    assert list(rows) == ["baseline", "module", "always good"]
    assert rows["module"]["scores"]["accuracy"]["mean"] > 0.8
    result = face.evaluate(
        "polarity", base=str(place.base), data=data / "test.txt", modules=tmp_path / "m",
        dtype="float32",
    )  # fmt: skip
    assert result["module"].to_dict()["scores"] == rows["module"]["scores"]


def test_the_code_of_its_card_says_what_it_says(
    stranger: Path, data: Path, place: Place, tmp_path: Path
) -> None:
    pytest.importorskip("peft")
    given = ("--base", place.base, "--lang", "de", "--data", data / "train.txt")
    good("train", HERE / "polarity.yaml", *given, "--out", tmp_path / "m", "--set",
         "train.epochs=1")  # fmt: skip
    code = snippets(read_manifest(tmp_path / "m"))["peft"]
    names: dict[str, object] = {}
    exec(code.replace('"BASE"', repr(str(place.base))).replace("FOLDER", f"{tmp_path}/m"), names)
    task = find("polarity")
    critic = task.predictor.load(str(place.base), str(tmp_path / "m"), dtype="float32")  # type: ignore[attr-defined]
    rows = [task.record(text, True, "de") for text in ("A sentence.", "Another, longer one.")]
    found = task.predict_each({"m": critic}, rows)["m"]  # type: ignore[attr-defined]
    assert torch.equal(names["good"], torch.tensor(found))  # type: ignore[arg-type]


def test_without_it_its_module_is_told_by_what_its_folder_says(
    stranger: Path, data: Path, place: Place, tmp_path: Path
) -> None:
    """Where the package is not installed, the folder still opens; its task is not known."""
    given = ("--base", place.base, "--lang", "de", "--data", data / "train.txt")
    good("train", HERE / "polarity.yaml", *given, "--out", tmp_path / "m", "--set",
         "train.epochs=1")  # fmt: skip
    sys.path.remove(str(stranger))
    registry.names.cache_clear()
    try:
        manifest = read_manifest(tmp_path / "m")
        assert manifest.head is not None and manifest.head.card is not None
        assert manifest.head.card.does == "says whether a review is good"
        done = xadapt("evaluate", "polarity", "--base", place.base, "--data", data / "test.txt")
        assert done.code == 2 and "unknown task 'polarity'" in done.err and len(done.lines) == 1
    finally:
        sys.path.insert(0, str(stranger))
        registry.names.cache_clear()
