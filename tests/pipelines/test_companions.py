"""Teachers in a recipe: found, checked, loaded, part of the run's identity and of the manifest."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
import yaml
from tiny_commands import Place, everything, good, xadapt
from tiny_folders import tensor_file
from tiny_models import tiny_encoder, tiny_folder
from tiny_tagging import train as train_tagger
from tiny_training import module_for, pairs, shaken, tagged, trainer

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.config.recipe import CompanionSpec
from xadapt.config.recipe_file import check_recipe
from xadapt.core.errors import UserError
from xadapt.data.records import TaggedSentence
from xadapt.hub.opening import read_manifest
from xadapt.objectives.contract import EncodeView, Loss, States, TeacherView
from xadapt.objectives.distillation import Distillation
from xadapt.pipelines.companions import find_companions
from xadapt.training.loop import Trainer
from xadapt.training.metrics_log import read_metrics
from xadapt.training.settings import Companion
from xadapt.training.tasks import Task

TAUGHT = {
    "name": "taught",
    "source": {"paper": "p", "url": "https://example.org"},
    "module": {"kind": "lora", "rank": 2},
    "objectives": [{"name": "distillation", "teacher": "t"}],
    "companions": {"t": None},
    "data": {"train": {"dev": 6}},
    "train": {"epochs": 1, "batch_size": 8, "evaluations": 2},
}


def recipe(folder: Path, **change: Any) -> Path:
    path = folder / "taught.yaml"
    path.write_text(yaml.safe_dump({**TAUGHT, **change}), encoding="utf-8")
    return path


def student(place: Place, folder: Path, out: Path, *more: Any) -> tuple[Any, ...]:
    return place.train(out, *more, recipe=recipe(folder))


def weights(folder: Path) -> bytes:
    return tensor_file(folder).read_bytes()


@pytest.fixture(scope="module")
def sw(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("modules") / "sw"
    good(*place.train(folder, "--set", "seed=3"))
    return folder


def test_a_teacher_from_the_command_line_teaches_and_is_named(
    place: Place, de: Path, sw: Path, tmp_path: Path
) -> None:
    good(*student(place, tmp_path, tmp_path / "a", "--companion", f"t={de}"))
    good(*student(place, tmp_path, tmp_path / "b", "--companion", f"t={de}"))
    good(*student(place, tmp_path, tmp_path / "c", "--companion", f"t={sw}"))
    assert weights(tmp_path / "a") == weights(tmp_path / "b") != weights(tmp_path / "c")
    manifest = read_manifest(tmp_path / "a")
    assert manifest.parents == ["de"] and read_manifest(tmp_path / "c").parents == ["sw"]
    assert str(de.parent) not in manifest.model_dump_json()


def test_a_teacher_named_in_the_recipe_is_the_same_as_one_on_the_command_line(
    place: Place, de: Path, sw: Path, tmp_path: Path
) -> None:
    good(*student(place, tmp_path, tmp_path / "a", "--companion", f"t={de}"))
    named = recipe(tmp_path, companions={"t": str(de)})
    good(*place.train(tmp_path / "b", recipe=named))
    assert weights(tmp_path / "a") == weights(tmp_path / "b")
    assert str(de.parent) not in (tmp_path / "b" / "xadapt.json").read_text(encoding="utf-8")
    good(*place.train(tmp_path / "c", "--companion", f"t={sw}", recipe=named))  # goes before it
    assert weights(tmp_path / "c") != weights(tmp_path / "b")


def test_a_composition_teaches(place: Place, de: Path, sw: Path, tmp_path: Path) -> None:
    both = f"{de} + {sw}"
    good(*student(place, tmp_path, tmp_path / "a", "--companion", f"t={both}"))
    assert read_manifest(tmp_path / "a").parents == ["de", "sw"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((), "companion 't' has no module. Name its folder: --companion t=FOLDER"),
        (("--companion", "t"), "Write NAME=FOLDER"),
        (("--companion", "t=a", "--companion", "t=b"), "two modules are given for 't'"),
        (("--companion", "tt=runs/none"), "unknown companion 'tt'; did you mean 't'?"),
        (("--companion", "t=runs/none"), "there is no such module folder"),
        (("--companion", "t=hf:no/such/name"), "can't fetch this module"),
        (("--companion", "t=by_language(de = {de})"), "acts alike on every row"),
        (("--companion", "t={de}", "--set", "companions.t.head=true"), "has no task head"),
        (("--companion", "t={de}", "--set", "companions.u.module={de}"), "learns from the comp"),
        (("--companion", "t={de}", "--set", "objectives.0.teacher=u"), "companion 'u', and there"),
    ],
)
def test_wrong_companions_are_one_line_and_nothing_is_written(
    place: Place, de: Path, tmp_path: Path, given: tuple[str, ...], said: str
) -> None:
    more = [text.replace("{de}", str(de)) for text in given]
    done = xadapt(*student(place, tmp_path, tmp_path / "out", *more))
    assert done.code == 2 and said in done.err, done.err
    assert len(done.lines) == 1 and not (tmp_path / "out").exists()


def test_a_recipe_without_companions_takes_none(place: Place, de: Path, tmp_path: Path) -> None:
    done = xadapt(*place.train(tmp_path / "out", "--companion", f"t={de}"))
    assert done.code == 2 and "the recipe has no companions, and 't' is given" in done.err


def test_a_teacher_of_another_base_is_refused(place: Place, de: Path, tmp_path: Path) -> None:
    other = tiny_folder(tmp_path / "other", seed=8)
    out = tmp_path / "out"
    done = xadapt(
        "train", recipe(tmp_path), "--base", other, "--data", place.data, "--lang", "de",
        "--out", out, "--companion", f"t={de}", "--set", "dtype=float32",
    )  # fmt: skip
    assert done.code == 2 and "was trained on another base" in done.err and not out.exists()


def test_a_run_is_resumed_with_the_same_teacher_alone(
    place: Place, de: Path, sw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    real, steps = Trainer._step, []

    def cut(self: Trainer, rates: Any) -> Any:
        if len(steps) == 4:
            raise KeyboardInterrupt
        steps.append(1)
        return real(self, rates)

    often = ("--set", "train.checkpoint_seconds=1e-9")
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_step", cut)
        assert xadapt(*student(place, tmp_path, out, *often, "--companion", f"t={de}")).code != 0
    before = {name: (out / name).stat().st_mtime_ns for name in everything(out)}
    done = xadapt(*student(place, tmp_path, out, *often, "--resume", "--companion", f"t={sw}"))
    assert done.code == 2 and "this run was started with another companions" in done.err
    assert {n: (out / n).stat().st_mtime_ns for n in everything(out) if "checkpoint" in n} == {
        n: t for n, t in before.items() if "checkpoint" in n
    }
    moved = tmp_path / "moved"  # the same teacher at another place
    shutil.copytree(de, moved)
    good(*student(place, tmp_path, out, *often, "--resume", "--companion", f"t={moved}"))
    good(*student(place, tmp_path, tmp_path / "whole", *often, "--companion", f"t={de}"))
    assert weights(out) == weights(tmp_path / "whole")


def test_the_identity_is_of_content_and_of_the_head(de: Path, sw: Path, tmp_path: Path) -> None:
    spec = {"t": CompanionSpec()}
    own = find_companions(spec, {"t": str(de)}).identity()
    shutil.copytree(de, tmp_path / "moved")
    assert find_companions(spec, {"t": str(tmp_path / "moved")}).identity() == own
    assert find_companions(spec, {"t": str(sw)}).identity() != own
    one, other = (find_companions(spec, {"t": t}).identity()
                  for t in (f"{de} + {sw}", f"{sw} + {de}"))  # fmt: skip
    assert one != other and find_companions({}).identity() == {}
    assert find_companions({"u": CompanionSpec()}, {"u": str(de)}).identity() != own


@dataclass(frozen=True)
class Taught:
    """Squared differences of the student's head to the teacher's, on each sentence's first token.

    Attributes:
        teacher: Name of the companion.
    """

    teacher: str = "t"
    consumes: ClassVar[type] = TaggedSentence
    source: ClassVar[str] = "https://example.org"
    coupled: ClassVar[bool] = False

    def views(self, records, tokenize_words) -> dict[str, Any]:
        rows = [row.ids for row in tokenize_words([r.words for r in records])]
        return {
            "text": EncodeView(rows, output="states"),
            "taught": TeacherView(rows, self.teacher, output="states"),
        }

    def loss(self, text: States, taught: States, companions) -> Loss:
        head = companions[self.teacher]
        both = [head(states.hidden[:, 0]) for states in (text, taught)]
        return Loss((both[0] - both[1].detach()).square().mean(-1))


def test_the_head_of_a_teacher_comes_along_and_stays(
    made: tuple[Place, Path], head: Path, tmp_path: Path
) -> None:
    place, _ = made
    encoder = Encoder.from_pretrained(str(place.base), dtype="float32")
    found = find_companions({"t": CompanionSpec(head=True)}, {"t": str(head)})
    others = found.open(encoder)
    assert others["t"].heads.labels == tuple(read_manifest(head).head.labels)
    shaken(others["t"].module, 5)  # so that there is much to learn
    before = [
        p.clone() for p in (*others["t"].heads.parameters(), *others["t"].module.parameters())
    ]
    assert before and not any(p.requires_grad for p in others["t"].module.parameters())
    run = trainer(
        tmp_path, [Task("t", Taught(), tagged(12))], encoder=encoder,
        module=module_for(encoder), companions=others, learning_rate=1e-2, epochs=12,
    )  # fmt: skip
    run.train()
    after = (*others["t"].heads.parameters(), *others["t"].module.parameters())
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    losses = [row["loss"] for row in read_metrics(tmp_path / "metrics.jsonl")]
    assert losses[-1] < losses[0] / 2
    bare = {"t": Companion(others["t"].module)}
    with pytest.raises(UserError, match=r"reads the head of the companion 't'.*head: true"):
        trainer(tmp_path, [Task("t", Taught(), tagged(4))], encoder=encoder, companions=bare)


def test_a_missing_or_idle_companion_is_refused_before_training(tmp_path: Path) -> None:
    encoder = tiny_encoder("bert", mlm=True)
    teacher = Companion(shaken(module_for(encoder)))
    task = Task("d", Distillation(teacher="t"), pairs(4))
    with pytest.raises(UserError, match="d learns from the companion 't', and there is none"):
        trainer(tmp_path, [task], encoder=encoder, companions={"u": teacher})
    with pytest.raises(UserError, match="no objective learns from the companion 'u'"):
        trainer(tmp_path, [task], encoder=encoder, companions={"t": teacher, "u": teacher})
    plain = Task("d", Distillation(), pairs(4))
    with pytest.raises(UserError, match="no objective learns from the companion 't'"):
        trainer(tmp_path, [plain], encoder=encoder, companions={"t": teacher})


def test_several_heads_in_a_composition_are_too_many(
    made: tuple[Place, Path], head: Path, tmp_path: Path
) -> None:
    place, folder = made
    good(*train_tagger(place, folder, tmp_path / "other"))
    both = f"{head} + {tmp_path / 'other'}"
    with pytest.raises(UserError, match="has several heads"):
        find_companions({"t": CompanionSpec(head=True)}, {"t": both})
    one = find_companions({"t": CompanionSpec(head=True)}, {"t": f"{folder / 'de'} + {head}"})
    assert one.sources["t"].head == str(head)


def test_the_schema_is_strict_and_a_module_alone_stands_for_a_companion() -> None:
    read = check_recipe({**TAUGHT, "companions": {"t": "runs/x"}})
    assert read.companions == {"t": CompanionSpec(module="runs/x", head=False)}
    with pytest.raises(UserError, match="did you mean 'module'"):
        check_recipe({**TAUGHT, "companions": {"t": {"modul": "x"}}})
