"""ProKD from data to published modules: two stages, prototypes on disk, resuming, refusals."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tiny_models import tiny_folder
from tiny_tagging import write_conll
from tiny_training import tagged, translated_words

import xadapt
from xadapt.core.errors import UserError
from xadapt.data.records import TaggedSentence
from xadapt.hub.opening import open_head, read_manifest
from xadapt.tasks import Tagger

MODULE = {"kind": "bottleneck", "width": 4}


def english(n: int, seed: int = 0) -> list[TaggedSentence]:
    return [TaggedSentence(r.words, r.spans, "en") for r in translated_words(n, seed)]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny_folder(tmp_path_factory.mktemp("prokd") / "base"))


@pytest.fixture(scope="module")
def teacher(base: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("prokd")
    files = str(write_conll(folder / "en.conll", english(40)))
    target = str(write_conll(folder / "de.conll", tagged(30, seed=7)))
    train("prokd_teacher", base, folder / "tea", {"train": files, "target": target})
    return folder / "tea"


def train(recipe, base, out, data=None, settings=(), **more):
    own = {
        "train.evaluations": 2, "dtype": "float32", "data.train.dev": 10, "module": MODULE,
        "data.target.lang": "de", **dict(settings),
    }  # fmt: skip
    if recipe == "prokd_teacher":
        own.setdefault("objectives.0.wait", 1)
    texts = [f"{name}={json.dumps(value)}" for name, value in own.items()]
    given = {"epochs": 1, "batch_size": 6, "loaders": "none", "lang": "en", **more}
    data = data or {"train": english(40), "target": tagged(30, seed=7)}
    return xadapt.train(recipe, data=data, base=base, out=out, settings=texts, **given)


def student(base, out, teacher, **more):
    return train("prokd_student", base, out, companions={"teacher": str(teacher)}, **more)


class Stop:
    """A callback that stops a run as Ctrl-C does."""

    def on_step_end(self, args, state, control, **_) -> None:
        if state.global_step == 3:
            raise KeyboardInterrupt


def test_the_teacher_keeps_prototypes_of_both_languages(base: str, teacher: Path) -> None:
    manifest = read_manifest(teacher)
    assert manifest.head is not None and manifest.head.sizes == {"prototypes": 2}
    assert manifest.languages == ["en", "de"] and [d.rows for d in manifest.data] == [36, 30]
    stored = load_file(teacher / "head.safetensors")
    assert stored["prototypes"].shape == (2, 3, 32)
    assert stored["seen"].tolist()[0] == [1, 1, 0]  # no animal has two words
    assert stored["seen"][1].any() and stored["prototypes"].abs().amax((1, 2)).min() > 0
    head = open_head(teacher, manifest.head, 32)
    assert torch.equal(head.prototypes, stored["prototypes"])


def test_the_student_learns_without_the_teacher_changing(
    base: str, teacher: Path, tmp_path: Path
) -> None:
    before = {f.name: f.read_bytes() for f in teacher.iterdir() if f.is_file()}
    student(base, tmp_path / "stu", teacher)
    assert {f.name: f.read_bytes() for f in teacher.iterdir() if f.is_file()} == before
    manifest = read_manifest(tmp_path / "stu")
    assert manifest.head is not None and manifest.head.sizes == {"prototypes": 1}
    assert manifest.parents == ["tea"] and manifest.evidence
    stored = load_file(tmp_path / "stu" / "head.safetensors")
    assert stored["prototypes"].shape == (1, 3, 32) and stored["prototypes"].abs().max() > 0
    test = tagged(12, seed=9)
    found = xadapt.evaluate("tagging", base=base, data=test, module=tmp_path / "stu")
    assert found.count == 12
    tags = Tagger.load(base, tmp_path / "stu").tag([row.words for row in test])
    assert [len(own) for own in tags] == [len(row.words) for row in test]


@pytest.mark.parametrize("recipe", ["prokd_teacher", "prokd_student"])
def test_a_cut_run_goes_on_bit_for_bit(
    base: str, teacher: Path, tmp_path: Path, recipe: str
) -> None:
    given = {"companions": {"teacher": str(teacher)}} if recipe == "prokd_student" else {}
    train(recipe, base, tmp_path / "whole", **given)
    with pytest.raises(KeyboardInterrupt):
        train(recipe, base, tmp_path / "cut", callbacks=[Stop()], **given)
    train(recipe, base, tmp_path / "cut", resume=True, **given)
    for name in ("module.safetensors", "head.safetensors"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "cut" / name).read_bytes()


def test_labels_of_the_target_language_change_nothing(base: str, tmp_path: Path) -> None:
    target = tagged(30, seed=7)
    for name, rows in (("labels", target), ("bare", [replace(row, spans=()) for row in target])):
        data = {"train": english(40), "target": rows}
        train("prokd_teacher", base, tmp_path / name, data)
    for name in ("module.safetensors", "head.safetensors"):
        both = [(tmp_path / run / name).read_bytes() for run in ("labels", "bare")]
        assert both[0] == both[1]


def test_text_of_the_development_part_is_no_target_text(base: str, tmp_path: Path) -> None:
    dev = english(12, seed=3)
    target = [replace(row, lang="de", spans=()) for row in dev] + tagged(9, seed=7)
    data = {"train": english(30), "target": target}
    result = train("prokd_teacher", base, tmp_path / "m", data, dev=dev)
    assert [share.rows for share in result.manifest.data][1] == 9


def test_what_lacks_a_part_is_refused_in_one_line(base: str, teacher: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="the recipe's companion 'teacher' has no module"):
        train("prokd_student", base, tmp_path / "m")
    with pytest.raises(UserError, match="wants data 'target'"):
        train("prokd_teacher", base, tmp_path / "m", english(30))
    with pytest.raises(UserError, match="needs a head that labels words"):
        headless = {"companions": {"teacher": {"head": False}}}
        student(base, tmp_path / "m", teacher, settings=headless)
    assert not (tmp_path / "m" / "xadapt.json").exists()
