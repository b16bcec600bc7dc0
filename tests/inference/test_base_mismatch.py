"""A module on another base: refused, or allowed and stated in the output and in what is saved."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tiny_commands import QUICK, Place, good, write_tsv, xadapt
from tiny_models import tiny_folder
from tiny_training import pairs

import xadapt as api
from xadapt.core.errors import UserError
from xadapt.hub.base_mismatch import BaseMismatchNotice, allowing_base_mismatch
from xadapt.hub.opening import read_manifest

ALLOW = "--allow-base-mismatch"
SAID = "was trained on another base: weights: other values in the same shape"


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base of the same shape with other weights."""
    return tiny_folder(tmp_path_factory.mktemp("other") / "base", seed=5)


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("texts") / "texts.txt"
    file.write_text("".join(f"{row.text}\n" for row in pairs(6)), encoding="utf-8")
    return file


def refused(*given: object) -> None:
    done = xadapt(*given)
    assert done.code == 2 and len(done.err.splitlines()) >= 1 and ALLOW in done.err, done.err


def test_an_encoder_states_it_and_so_does_what_it_saves(
    other: Path, de: Path, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=f"another base: weights.*{ALLOW}"):
        api.load(str(other), str(de))
    with pytest.warns(BaseMismatchNotice, match=SAID):
        model = api.load(str(other), str(de), allow_base_mismatch=True)
    assert len(model.base_mismatch) == 1 and SAID in model.base_mismatch[0]
    assert f"base mismatch: {model.base_mismatch[0]}" in repr(model)
    assert "base mismatch" in model._repr_html_()
    model.save_pretrained(tmp_path / "one")
    said = json.loads((tmp_path / "one" / "encoder.json").read_text())
    assert said["base_mismatch"] == model.base_mismatch
    with pytest.raises(UserError, match="another base"):
        api.load(str(other), str(tmp_path / "one"))
    model.with_("de") if "de" in model.modules else None
    composed = api.load(
        str(other), f"a={de}", compose="mix(a:.5)", allow_base_mismatch=True, show=False
    )
    composed.save_pretrained(tmp_path / "composed")
    said = json.loads((tmp_path / "composed" / "composition.json").read_text())
    assert said["base_mismatch"] == composed.base_mismatch
    assert "Base mismatch:" in (tmp_path / "composed" / "README.md").read_text()
    first = next(iter(composed.modules.values()))
    next(first.parameters()).data += 0.1  # a module that is written anew
    composed.save_pretrained(tmp_path / "changed")
    [place] = (tmp_path / "changed" / "modules").iterdir()
    assert SAID in read_manifest(place).base_mismatch[0]


def test_no_module_of_its_own_base_states_anything(place: Place, de: Path, tmp_path: Path) -> None:
    model = api.load(str(place.base), str(de), allow_base_mismatch=True)
    assert model.base_mismatch == [] and "mismatch" not in repr(model)
    model.save_pretrained(tmp_path / "one")
    assert json.loads((tmp_path / "one" / "encoder.json").read_text())["base_mismatch"] == []
    assert read_manifest(tmp_path / "one").base_mismatch == []


def test_another_shape_does_not_load_even_so(de: Path, tmp_path: Path) -> None:
    wider = tiny_folder(tmp_path / "base", hidden_size=48)
    with pytest.raises(UserError) as raised, pytest.warns(BaseMismatchNotice):
        api.load(str(wider), str(de), allow_base_mismatch=True)
    assert "\n" not in str(raised.value)


def test_the_composed_module_its_card_and_a_merged_base_state_it(
    other: Path, de: Path, tmp_path: Path
) -> None:
    given = ("compose", "mix(a:.5)", "--base", other, "--module", f"a={de}", "--out")
    refused(*given, tmp_path / "refused")
    done = good(*given, tmp_path / "one", ALLOW)
    assert f"base mismatch: {read_manifest(de).name} {SAID}" in done.err
    manifest = read_manifest(tmp_path / "one")
    assert SAID in manifest.base_mismatch[0]
    assert "- Base mismatch: `" in (tmp_path / "one" / "README.md").read_text()
    good(*given, tmp_path / "many", "--no-merge", ALLOW)
    said = json.loads((tmp_path / "many" / "composition.json").read_text())
    assert SAID in said["base_mismatch"][0]
    good(*given, tmp_path / "whole", "--merged", ALLOW)
    assert "Base mismatch:" in (tmp_path / "whole" / "README.md").read_text()


def test_scores_and_vectors_state_it(other: Path, de: Path, texts: Path, tmp_path: Path) -> None:
    data = write_tsv(tmp_path / "test.tsv", pairs(12, seed=3))
    given = ("evaluate", "bitext", "--base", other, "--module", de, "--lang", "de", "--data", data)
    refused(*given)
    done = good(*given, ALLOW, "--json", tmp_path / "r.json")
    assert f"base mismatch: {read_manifest(de).name} {SAID}" in done.out
    assert SAID in json.loads((tmp_path / "r.json").read_text())["base_mismatch"][0]
    result = api.evaluate(
        "bitext", base=str(other), module=de, lang="de", data=data, allow_base_mismatch=True
    )
    assert SAID in result.facts["base_mismatch"][0]
    done = xadapt(*given, ALLOW, "--evidence")
    assert done.code == 2 and "own base" in done.err
    given = ("encode", "--base", other, "--module", de, "--lang", "de", "--text", texts)
    refused(*given, "--shards", tmp_path / "refused")
    good(*given, "--shards", tmp_path / "vectors", ALLOW)
    made = json.loads((tmp_path / "vectors" / "index.json").read_text())["made"]
    assert SAID in made["base_mismatch"][0]
    done = xadapt(*given, "--out", tmp_path / "v.npy", ALLOW)
    assert done.code == 2 and "--shards" in done.err and not (tmp_path / "v.npy").exists()


def test_an_index_of_passages_and_its_ranking_state_it(
    other: Path, de: Path, tmp_path: Path
) -> None:
    (tmp_path / "p.tsv").write_text("".join(f"{n}\t{r.text}\n" for n, r in enumerate(pairs(5))))
    (tmp_path / "q.tsv").write_text("1\tthe dog\n")
    given = ("index", "--passages", tmp_path / "p.tsv", "--base", other, "--module", de, "--out")
    refused(*given, tmp_path / "refused")
    good(*given, tmp_path / "index", ALLOW)
    said = json.loads((tmp_path / "index" / "dense_index.json").read_text())
    assert SAID in said["base_mismatch"][0]
    done = good("retrieve", tmp_path / "index", "--base", other, "--module", de, "--questions",
                tmp_path / "q.tsv", ALLOW, "--json", tmp_path / "f.json")  # fmt: skip
    assert all(line.endswith(" xadapt-base-mismatch") for line in done.out.splitlines())
    assert SAID in json.loads((tmp_path / "f.json").read_text())["base_mismatch"][0]


def test_training_on_top_of_such_a_module_states_it(
    other: Path, place: Place, de: Path, tmp_path: Path
) -> None:
    given = ("train", "translation_ranking", "--base", other, "--data", place.data, "--lang", "de",
             *QUICK, "--set", "train.epochs=1")  # fmt: skip
    start = ("--set", f"module.init={de}")
    refused(*given, *start, "--out", tmp_path / "refused")
    good(*given, *start, "--out", tmp_path / "on", ALLOW)
    assert SAID in read_manifest(tmp_path / "on").base_mismatch[0]
    with allowing_base_mismatch():
        pass
    good(*given, "--out", tmp_path / "own")
    assert read_manifest(tmp_path / "own").base_mismatch == []
