"""Training that begins with a module: checks, values, guards, manifest, and resume."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from local_hub import LocalHub
from safetensors.torch import load_file
from tiny_commands import QUICK, Place, everything, good, write_tsv, xadapt
from tiny_folders import manifest_of, random_module, tensor_file
from tiny_models import tiny_encoder
from tiny_tagging import train as train_tagger
from tiny_training import pairs

import xadapt as package
from xadapt.backbones.fingerprint import Fingerprint
from xadapt.config.recipe import Recipe
from xadapt.config.recipe_file import find_recipe, load_recipe
from xadapt.core.errors import UserError
from xadapt.data.loading.records import Source
from xadapt.hub.folder import write_folder
from xadapt.hub.opening import open_folder, read_manifest
from xadapt.pipelines import train as run
from xadapt.pipelines.starting_module import START
from xadapt.training.metrics_log import read_metrics


def recipe(init: Any, *settings: str) -> Recipe:
    more = [] if init is None else [f"module.init={init}"]
    return load_recipe(find_recipe("translation_ranking"), [*QUICK[1::2], *more, *settings])


def nothing(*_: Any) -> Mapping[str, Any]:
    return {}


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def job(place: Place, out: Path, data: Path | None = None, **more: Any) -> run.TrainingJob:
    source = Source(str(data or place.data), more.pop("lang", "de"))
    return run.TrainingJob(str(place.base), (source,), out, show=False, **more)


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tsv(tmp_path_factory.mktemp("data") / "more.tsv", pairs(50, seed=3))


@pytest.fixture(scope="module")
def continued(place: Place, de: Path, other: Path, tmp_path_factory: Any) -> Path:
    out = tmp_path_factory.mktemp("continued") / "m"
    run.train(recipe(de), job(place, out, other, lang="sw"), nothing)
    return out


def test_the_first_step_acts_on_the_values_of_the_module(
    place: Place, de: Path, other: Path, tmp_path: Path
) -> None:
    """A rate of almost nothing leaves them: bitwise those of the module, not of a new one."""
    still = "train.learning_rate=1e-30"
    run.train(recipe(de, still), job(place, tmp_path / "m", other), nothing)
    before, after = open_folder(de)[1], open_folder(tmp_path / "m")[1]
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert any(value.abs().max() > 0 for name, value in after.items() if name.endswith("B"))


def test_the_manifest_names_the_parent_and_claims_only_what_was_measured(
    place: Place, de: Path, other: Path, continued: Path
) -> None:
    before, made = read_manifest(de), read_manifest(continued)
    [parent] = made.started_from
    assert (parent.name, parent.id, parent.languages) == (before.name, None, ["de"])
    assert parent.tensors == sha256(tensor_file(de))
    assert parent.base == Fingerprint.from_dict(before.base.fingerprint).id
    assert made.languages == ["sw"] and made.data[0].name == "more.tsv"
    values = [one.value for one in made.evidence]
    assert values and values != [one.value for one in before.evidence]
    assert all(one.base is not None and START in one.controls for one in made.evidence)
    assert str(de) not in (continued / "xadapt.json").read_text()
    assert before.name in (continued / "README.md").read_text().replace("\\", "")


def test_the_start_is_scored_as_the_module_was(
    place: Place, de: Path, other: Path, tmp_path: Path
) -> None:
    """On the module's own data: the score at step 0 and the control are those of its manifest."""
    run.train(recipe(de), job(place, tmp_path / "m"), nothing)
    first = read_metrics(tmp_path / "m" / "run" / "metrics.jsonl")[0]
    last = [row for row in read_metrics(de / "run" / "metrics.jsonl") if "dev" in row]
    assert first["step"] == 0
    assert first["dev"]["score"] == max(row["dev"]["score"] for row in last)
    own = {(e.metric, e.sides): e.value for e in read_manifest(de).evidence}
    for one in read_manifest(tmp_path / "m").evidence:
        assert one.controls[START] == pytest.approx(own[one.metric, one.sides], abs=1e-6)


def test_a_run_that_finds_nothing_better_keeps_the_start_and_says_so(
    place: Place, de: Path, tmp_path: Path
) -> None:
    """Pairs that are no translations, and development pairs that are."""
    wrong = [replace(a, pivot=b.pivot) for a, b in pairwise(pairs(60, seed=21))]
    data = write_tsv(tmp_path / "wrong.tsv", wrong)
    asked = job(place, tmp_path / "m", data, dev=(Source(str(place.test), "de"),))
    done = run.train(recipe(de, "train.learning_rate=0.02"), asked, nothing)
    scores = [row["dev/score"] for row in done.history.evaluations]
    assert scores[0] > max(scores[1:])
    assert any("No step was better on the development data than" in note for note in done.notes)
    before, after = open_folder(de)[1], open_folder(tmp_path / "m")[1]
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_chain_of_parents_stays(place: Place, continued: Path, tmp_path: Path) -> None:
    run.train(recipe(continued), job(place, tmp_path / "m"), nothing)
    names = [one.name for one in read_manifest(tmp_path / "m").started_from]
    assert names == [read_manifest(continued).name, *names[1:]] and len(names) == 2


def test_a_resumed_run_is_bitwise_the_uninterrupted_one(
    place: Place, de: Path, other: Path, continued: Path, tmp_path: Path
) -> None:
    class Stop:
        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.global_step == 2:
                raise KeyboardInterrupt

    asked = job(place, tmp_path / "m", other, lang="sw")
    plan = recipe(de, "train.checkpoint_seconds=1e-9")
    straight = tmp_path / "straight"
    run.train(plan, job(place, straight, other, lang="sw"), nothing)
    with pytest.raises(KeyboardInterrupt):
        run.train(plan, run.TrainingJob(**{**vars(asked), "callbacks": [Stop()]}), nothing)
    again = run.TrainingJob(**{**vars(asked), "resume": True})
    changed = tmp_path / "changed"
    shutil.copytree(de, changed)
    file = tensor_file(changed)
    run.train(plan, again, nothing)
    assert tensor_file(tmp_path / "m").read_bytes() == tensor_file(straight).read_bytes()
    assert file.read_bytes() == tensor_file(de).read_bytes()
    assert run.train(plan, again, nothing).reused


def test_another_start_is_another_run(place: Place, de: Path, continued: Path, tmp_path: Path):
    out = tmp_path / "m"
    parent = tmp_path / "parent"
    shutil.copytree(de, parent)
    run.train(recipe(parent), job(place, out), nothing)
    shutil.rmtree(parent)
    shutil.copytree(continued, parent)  # another module at the same place
    with pytest.raises(UserError, match="another starting module"):
        run.train(recipe(parent), job(place, out, resume=True), nothing)


def test_inside_a_frozen_composition(place: Place, de: Path, continued: Path, tmp_path: Path):
    asked = job(place, tmp_path / "m", compose=(f'"{continued}" + self',))
    run.train(recipe(de), asked, nothing)
    made = read_manifest(tmp_path / "m")
    assert made.trained_inside == ["m + self"] and made.started_from[0].languages == ["de"]
    notes: list[str] = []
    run.train(recipe(tmp_path / "m"), job(place, tmp_path / "n"), nothing, notes.append)
    assert any("was trained inside m + self, and now it is not" in note for note in notes)


WRONG: dict[str, tuple[str, str]] = {
    "rank": ("module.rank=4", r"rank is 2, not 4\. .*--set module\.rank=2"),
    "sites": ("module.sites=[q]", r"sites is \[.*\], not \[q\]"),
    "layers": ("module.layers=[0,2]", r"layers is all, not \[0,2\]"),
    "kind": ("module.kind=bottleneck", "is a lora, and the recipe trains a bottleneck"),
    "unknown option": ("module.rnk=2", "rnk"),
}


@pytest.mark.parametrize("case", WRONG)
def test_another_shape_is_one_line(place: Place, de: Path, tmp_path: Path, case: str) -> None:
    setting, said = WRONG[case]
    with pytest.raises(UserError, match=said) as caught:
        changed = recipe(de, *([setting] if case != "kind" else []))
        if case == "kind":
            plan = load_recipe(find_recipe("translation_ranking_bottleneck"), [])
            raw = plan.model_dump(mode="json")
            raw["module"] |= {"init": str(de)}
            changed = Recipe.model_validate(raw)
        run.train(changed, job(place, tmp_path / "m"), nothing)
    assert "\n" not in str(caught.value) and not (tmp_path / "m").exists()


def test_options_that_are_not_named_are_those_of_the_module(
    place: Place, de: Path, tmp_path: Path
) -> None:
    raw = recipe(de).model_dump(mode="json")
    raw["module"] = {"kind": "lora", "init": str(de)}
    run.train(Recipe.model_validate(raw), job(place, tmp_path / "m"), nothing)
    assert read_manifest(tmp_path / "m").module.options == read_manifest(de).module.options


def test_another_base_no_module_and_a_flipped_byte_are_refused(
    place: Place, de: Path, tmp_path: Path
) -> None:
    stranger = tiny_encoder("bert", seed=5)
    own = {"model_type": "bert", "fingerprint": stranger.identity.to_dict()}
    module = random_module(stranger, "lora", rank=2, alpha=256, sites=["q"])
    folder = tmp_path / "stranger"
    write_folder(folder, module, stranger, manifest_of(stranger, module, base=own), verify={})
    plan = recipe(folder, "module.sites=[q]")
    broken = tmp_path / "broken"
    shutil.copytree(de, broken)
    raw = bytearray(tensor_file(broken).read_bytes())
    raw[-1] ^= 1
    tensor_file(broken).write_bytes(raw)
    for wanted, said in (
        (plan, "was trained on another base"),
        (recipe(tmp_path / "none"), "no such module folder"),
        (recipe(place.base), "no file xadapt.json"),
        (recipe(broken), "not what was published"),
    ):
        with pytest.raises(UserError, match=said) as caught:
            run.train(wanted, job(place, tmp_path / "m"), nothing)
        assert "\n" not in str(caught.value) and not (tmp_path / "m").exists()


def test_from_the_hub_by_command_and_from_python(
    local_hub: LocalHub, place: Place, de: Path, tmp_path: Path
) -> None:
    oid = local_hub.put_folder("org/de", de)
    good(*place.train(tmp_path / "m", "--set", "module.init=org/de"))
    [parent] = read_manifest(tmp_path / "m").started_from
    assert (parent.id, parent.revision) == ("org/de", oid)
    assert "https://huggingface.co/org/de/tree/" + oid in (tmp_path / "m/README.md").read_text()
    made = package.train(
        "translation_ranking",
        data=str(place.data),
        lang="de",
        base=str(place.base),
        out=tmp_path / "p",
        init=de,
        rank=2,
        dtype="float32",
        show=False,
    )
    assert read_manifest(made.module).started_from[0].name == parent.name  # type: ignore[union-attr]
    done = xadapt(*place.train(tmp_path / "x", "--set", "module.init=org/none"))
    assert done.code == 2 and len(done.lines) == 1 and "x" not in everything(tmp_path)


def test_the_head_goes_on_with_the_same_labels_and_begins_anew_with_others(
    made: tuple[Place, Path], head: Path, tmp_path: Path
) -> None:
    place, folder = made
    still = ("--set", f"module.init={head}", "--set", "train.learning_rate=1e-30")
    good(*train_tagger(place, folder, tmp_path / "same", *still))
    before, after = (load_file(one / "head.safetensors") for one in (head, tmp_path / "same"))
    assert all(torch.equal(before[name], after[name]) for name in before)
    manifest = read_manifest(tmp_path / "same")
    assert manifest.started_from[0].head == sha256(head / "head.safetensors")
    assert all(one.controls[START] == one.value for one in manifest.evidence)
    text = (folder / "train.conll").read_text(encoding="utf-8")
    (tmp_path / "train.conll").write_text(text.replace("ANIMAL", "BEAST"), encoding="utf-8")
    done = good(*train_tagger(place, tmp_path, tmp_path / "other", *still))
    assert "the task head begins anew: " in done.err and "one with other labels" in done.err
    assert all(START not in one.controls for one in read_manifest(tmp_path / "other").evidence)


def test_a_search_refuses_it(place: Place, de: Path, tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    given = ("--base", place.base, "--data", place.data, "--lang", "de", "--out", tmp_path / "t")
    done = xadapt(
        "tune", "translation_ranking", *given, *QUICK, "--set", f"module.init={de}", "--trials", 1
    )
    assert done.code == 2 and "a search trains new modules" in done.err
    assert not (tmp_path / "t").exists()


def test_recipes_without_it_are_written_as_before() -> None:
    said = recipe(None).model_dump(mode="json")["module"]
    assert "init" not in said and json.dumps(said)
