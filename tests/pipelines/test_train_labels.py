"""Runs with several labels a text and with pairs: kinds of modules, resuming, thresholds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tiny_models import tiny_folder
from tiny_training import labelled_pairs, multi_labelled

import xadapt
from xadapt.core.errors import UserError
from xadapt.hub.opening import read_manifest
from xadapt.tasks import MultiLabelClassifier

MODULES = {
    "lora": {"kind": "lora", "rank": 2},
    "bottleneck": {"kind": "bottleneck", "width": 4},
    "mixture": {"kind": "mixture_of_loras", "rank": 2, "experts": 2},
}
PER_LABEL = {"objectives.0.threshold": "per_label", "objectives.0.class_weights": "balanced"}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny_folder(tmp_path_factory.mktemp("labels") / "base"))


def train(recipe: str, rows, base: str, out: Path, settings=(), **more):
    own = {"train.evaluations": 2, "dtype": "float32", "data.train.dev": 10, **dict(settings)}
    texts = [f"{name}={json.dumps(value)}" for name, value in own.items()]
    given = {"epochs": 1, "loaders": "none", "lang": "de", **more}
    return xadapt.train(recipe, data=rows, base=base, out=out, settings=texts, **given)


@pytest.mark.parametrize("kind", MODULES)
@pytest.mark.parametrize("recipe", ["multi_label", "pair_classification"])
def test_every_kind_of_module_learns_and_is_measured(
    base: str, tmp_path: Path, recipe: str, kind: str
) -> None:
    rows = (multi_labelled if recipe == "multi_label" else labelled_pairs)(40)
    train(recipe, rows, base, tmp_path / "m", {"module": MODULES[kind]})
    manifest = read_manifest(tmp_path / "m")
    assert manifest.head is not None and manifest.head.task == recipe
    assert {row.task for row in manifest.evidence} == {recipe}
    result = xadapt.evaluate(recipe, base=base, data=rows[:20], module=tmp_path / "m")
    assert "module" in result and result.count == 20


def test_thresholds_are_chosen_saved_and_used(base: str, tmp_path: Path) -> None:
    rows = multi_labelled(40)
    train("multi_label", rows, base, tmp_path / "m", PER_LABEL)
    spec = read_manifest(tmp_path / "m").head
    assert spec is not None and spec.problem_type == "multi_label_classification"
    assert len(spec.thresholds) == 2 and spec.thresholds != [0.5, 0.5]
    classifier = MultiLabelClassifier.load(base, tmp_path / "m")
    assert classifier.head.thresholds == tuple(spec.thresholds)
    assert "chosen on the development split" in (tmp_path / "m" / "README.md").read_text("utf-8")
    train("multi_label", rows, base, tmp_path / "none", {**PER_LABEL, "data.train.dev": 0})
    assert read_manifest(tmp_path / "none").head.thresholds == [0.5, 0.5]  # type: ignore[union-attr]


class Stop:
    """A callback that stops a run as Ctrl-C does."""

    def on_step_end(self, args, state, control, **_) -> None:
        if state.global_step == 2:
            raise KeyboardInterrupt


def test_resumed_is_uninterrupted_bitwise(base: str, tmp_path: Path) -> None:
    rows = multi_labelled(40)
    train("multi_label", rows, base, tmp_path / "whole", PER_LABEL)
    with pytest.raises(KeyboardInterrupt):
        train("multi_label", rows, base, tmp_path / "cut", PER_LABEL, callbacks=[Stop()])
    train("multi_label", rows, base, tmp_path / "cut", PER_LABEL, resume=True)
    for name in ("module.safetensors", "head.safetensors"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    whole, cut = (read_manifest(tmp_path / name).head for name in ("whole", "cut"))
    assert whole == cut


def test_options_name_columns_of_files_and_of_data_in_memory(base: str, tmp_path: Path) -> None:
    rows = [{"body": r.text, "kinds": "|".join(r.labels)} for r in multi_labelled(40)]
    options = {"text": "body", "labels": "kinds", "label_separator": "|"}
    named = {"data.train.options": options}
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows), "utf-8")
    shas = []
    for name, data, settings, more in (
        ("memory", rows, named, {}),
        ("file", tmp_path / "a.jsonl", named, {}),
        ("columns", tmp_path / "a.jsonl", {}, {"columns": {"text": "body", "labels": "kinds"}}),
    ):
        train("multi_label", data, base, tmp_path / name, settings, **more)
        shas.append(read_manifest(tmp_path / name).data[0].sha256)
    assert len(set(shas)) == 1
    with pytest.raises(UserError, match="unknown option 'lables'"):
        train("multi_label", rows, base, tmp_path / "no", {"data.train.options": {"lables": "x"}})
    where = {"base": base, "data": str(tmp_path / "a.jsonl"), "module": tmp_path / "file"}
    result = xadapt.evaluate("multi_label", **where, columns="body,kinds", label_separator="|")
    assert result.count == 40
