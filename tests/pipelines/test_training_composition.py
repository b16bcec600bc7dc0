from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tiny_commands import Place, everything, good, xadapt
from tiny_models import tiny_encoder
from tiny_tagging import train, write_conll
from tiny_training import digest, module_for, shaken, tagged, trainer

from xadapt.composition.composed import Composed
from xadapt.composition.values import Stack
from xadapt.core.errors import UserError
from xadapt.hub.opening import read_manifest
from xadapt.objectives.tagging import Tagging
from xadapt.pipelines import training_composition as room
from xadapt.training.forward import Forward
from xadapt.training.tasks import Task


def test_only_the_module_learns_and_all_of_the_composition_acts(tmp_path: Path) -> None:
    encoder = tiny_encoder("bert", mlm=True)
    below = shaken(module_for(encoder), 5).requires_grad_(False)
    module = module_for(encoder, "bottleneck", width=4)
    whole = Composed(Stack("below", "self"), {"below": below, "self": module})
    run = trainer(
        tmp_path,
        [Task("t", Tagging(), tagged(12))],
        encoder=encoder,
        module=module,
        inside=[whole],
    )
    before = digest(below), digest(module)
    run.train()
    assert digest(below) == before[0] and digest(module) != before[1]
    assert all(p.grad is None for p in below.parameters())


def test_compositions_take_turns(
    tmp_path: Path, made: tuple[Place, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    place, folder = made
    texts = [f"{folder}/de + self", f"{folder}/sw + self"]
    good(*train(place, folder, tmp_path / "m", "--compose", texts[0], "--compose", texts[1]))
    manifest = read_manifest(tmp_path / "m")
    assert manifest.trained_inside == ["de + self", "sw + self"] and manifest.parents == [
        "de",
        "sw",
    ]
    assert str(folder) not in manifest.model_dump_json()
    card = (tmp_path / "m" / "README.md").read_text(encoding="utf-8")
    assert "`de + self`, then `sw + self`" in card and "token-classification" in card
    seen = []
    encoder = tiny_encoder("bert", mlm=True)
    module = module_for(encoder)
    run = trainer(
        tmp_path / "r",
        [Task("t", Tagging(), tagged(12))],
        encoder=encoder,
        module=module,
        inside=[module, module],
    )
    plain = Forward.__call__

    def watched(self: Forward, requests: Any) -> Any:
        seen.append(self.active_module)
        return plain(self, requests)

    monkeypatch.setattr(Forward, "__call__", watched)
    run.train()
    assert [run.turns.index(a) for a in seen] == [0, 1, 0]


def test_a_module_is_trained_inside_a_choice_by_language(
    tmp_path: Path, made: tuple[Place, Path]
) -> None:
    place, folder = made
    for lang, seed in (("de", 0), ("sw", 7)):
        write_conll(tmp_path / f"{lang}.conll", tagged(40, seed))
    text = f"by_language(de = {folder}/de + self, sw = {folder}/sw + self, * = self)"
    given = ("--base", place.base, "--data", f"{tmp_path}/{{lang}}.conll", "--lang", "de,sw",
             "--joint", "--set", "module.width=4", "--set", "train.epochs=1")  # fmt: skip
    good("train", "ner", *given, "--compose", text, "--out", tmp_path / "m")
    manifest = read_manifest(tmp_path / "m")
    assert manifest.trained_inside == ["by_language(de = de + self, sw = sw + self, * = self)"]
    assert manifest.parents == ["de", "sw"] and manifest.evidence[0].rows > 0
    pairs = xadapt(*place.train(tmp_path / "p", "--compose", text))
    assert pairs.code == 2 and "both of their sides" in pairs.err and len(pairs.lines) == 1
    assert not (tmp_path / "p").exists()


@pytest.mark.parametrize(("recipe", "word"), [("adapter_fusion", "fuse"), ("router", "route")])
def test_a_router_or_fusion_is_trained_over_frozen_modules_and_used_again(
    tmp_path: Path, made: tuple[Place, Path], recipe: str, word: str
) -> None:
    place, folder = made
    data = ("--base", place.base, "--data", folder / "train.conll", "--lang", "de", "--dev",
            folder / "test.conll", "--set", "dtype=float32", "--set", "train.epochs=1")  # fmt: skip
    if word == "fuse":
        data = (*data, "--set", "module.sites=[q,k,v,ffn_in,ffn_out]")
    alone = xadapt("train", recipe, *data, "--out", tmp_path / "m")
    assert alone.code == 2 and f"{word}(self; runs/a, runs/b)" in alone.err
    assert len(alone.lines) == 1 and not (tmp_path / "m").exists()
    three = f"{word}(self; {folder}/de, {folder}/sw, none)"
    many = xadapt("train", recipe, *data, "--out", tmp_path / "m", "--compose", three)
    assert many.code == 2 and "module.experts" in many.err, many.err
    text = f"{word}(self; {folder}/de, {folder}/sw)"
    good("train", recipe, *data, "--out", tmp_path / "m", "--compose", text)
    manifest = read_manifest(tmp_path / "m")
    assert manifest.trained_inside == [f"{word}(self; de, sw)"] and manifest.head
    (told,) = manifest.evidence
    good("evaluate", "tagging", "--base", place.base, "--data", folder / "test.conll",
         "--module", f"m={tmp_path}/m", "--compose", f"{word}(m; {folder}/de, {folder}/sw)",
         "--dtype", "float32", "--json", tmp_path / "r.json")  # fmt: skip
    row = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))["rows"][0]
    assert abs(row["score"]["mean"] - told.value) < 1e-6


def test_the_evidence_is_what_the_composition_gives_again(
    tmp_path: Path, made: tuple[Place, Path]
) -> None:
    place, folder = made
    text = f"{folder}/de + self"
    good(*train(place, folder, tmp_path / "m", "--compose", text, "--dev", folder / "test.conll"))
    (told,) = read_manifest(tmp_path / "m").evidence
    both = ["--module", f"m={tmp_path}/m", "--compose", f"{folder}/de + m"]
    good("evaluate", "tagging", "--base", place.base, "--data", folder / "test.conll", *both,
         "--dtype", "float32", "--baseline", "m", "--json", tmp_path / "r.json")  # fmt: skip
    rows = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))["rows"]
    assert [row["system"] for row in rows] == ["baseline", "module", "most frequent label"]
    assert abs(rows[1]["score"]["mean"] - told.value) < 1e-6
    assert rows[1]["gain"]["mean"] == pytest.approx(
        rows[1]["score"]["mean"] - rows[0]["score"]["mean"]
    )


def test_an_interrupted_run_of_another_composition_is_refused(
    tmp_path: Path, made: tuple[Place, Path]
) -> None:
    place, folder = made
    first = room.inside([f"{folder}/de + self"])
    other = room.inside([f"{folder}/sw + self"])
    assert first.identity() != other.identity() and room.inside([]).identity() == {}
    good(*train(place, folder, tmp_path / "m", "--compose", f"{folder}/de + self"))
    done = xadapt(*train(place, folder, tmp_path / "m", "--resume"))
    assert done.code == 2 and "another" in done.err
    good(*train(place, folder, tmp_path / "m", "--resume", "--compose", f"{folder}/de + self"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{folder}/de", "does not name the module under training"),
        ("self +", "composition"),
        ("{folder}/none + self", "no such module folder"),
        ("mix(self:.5", "composition"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(
    tmp_path: Path, made: tuple[Place, Path], text: str, said: str
) -> None:
    place, folder = made
    given = ("--compose", text.format(folder=folder))
    done = xadapt(*train(place, folder, tmp_path / "m", *given))
    assert done.code == 2 and len(done.lines) == 1 and said in done.err, done.err
    assert everything(tmp_path) == []


def test_a_module_of_another_base_is_refused(made: tuple[Place, Path]) -> None:
    _, folder = made
    encoder = tiny_encoder("roberta")
    with pytest.raises(UserError, match="another base"):
        room.inside([f"{folder}/de + self"]).build(encoder, module_for(encoder))
