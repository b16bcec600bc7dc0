from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from tiny_commands import Place, good, write_tsv, xadapt
from tiny_folders import tensor_file
from tiny_training import pairs

from xadapt.core.errors import UserError
from xadapt.core.files import read_json, sha256_file
from xadapt.data.loading.records import digest
from xadapt.data.readers.parallel import read_parallel
from xadapt.hub.card import card_header
from xadapt.hub.evidence import FILE, PICTURE, read_evidence
from xadapt.hub.opening import open_folder, read_manifest
from xadapt.hub.training_texts import training_texts
from xadapt.pipelines.evidence import add_evidence
from xadapt.pipelines.rerun_evidence import rerun

ACCURACY = "accuracy to pivot"


@pytest.fixture(scope="module")
def family(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Modules beside one another: two of one recipe, a masked language model, another base."""
    folder = tmp_path_factory.mktemp("family")
    good(*place.train(folder / "de", "--controls"))
    for tag in ("fi", "nl"):
        given = [tag if one == "de" else one for one in place.train(folder / tag)]
        good(*given)
    texts = folder.parent / f"{folder.name}.txt"
    texts.write_text("\n".join(row.text for row in pairs(40)), encoding="utf-8")
    return folder


@pytest.fixture
def own(family: Path, tmp_path: Path) -> Path:
    """A copy of the family, to be written to; the folder of its German module."""
    shutil.copytree(family, tmp_path / "family")
    return tmp_path / "family" / "de"


def test_a_module_gets_scores_controls_and_what_measures_them_again(place, own):
    done = good("evaluate", "bitext", "--base", place.base, "--module", own, "--data", place.test,
                "--evidence")  # fmt: skip
    assert "control: fi as wrong language" in done.err  # nl is the nearer one
    manifest, _ = open_folder(own)
    [one] = read_evidence(own, manifest).measurements
    roles = [row.role for row in one.systems]
    assert sorted(set(roles)) == sorted(
        {"frozen base", "module", "shuffled pairs", "wrong language", "tf-idf"}
    )
    assert roles.count("module") == roles.count("wrong language") == 2
    for row in one.systems:
        for score in row.scores.values():
            assert 0 <= score.low <= score.value <= score.high <= 1
        assert (row.module is not None) == (row.role in ("module", "wrong language"))
    rows = list(read_parallel(str(place.test), lang="de"))
    assert one.data.sha256 == digest(rows) and one.data.file_sha256 == sha256_file(place.test)
    assert (one.data.name, one.lang, one.seed, one.resamples) == ("test.tsv", "de", 0, 1000)
    wrong = one.of_role("wrong language")[0].module
    assert (wrong.languages, wrong.seed, wrong.objectives) == (
        ["fi"], 0, ["translation_ranking", "distillation"]
    )  # fmt: skip
    assert one.overlap.found == 0 and one.overlap.texts == 2 * len(rows) and one.overlap.complete
    assert one.command.startswith("xadapt evaluate bitext --base") and "--evidence" in one.command
    text = (own / FILE).read_text(encoding="utf-8")
    assert str(place.base) not in text and str(own.parent) not in text


def test_the_card_and_the_manifest_claim_it_and_the_folder_is_whole(place, own):
    before = read_manifest(own).evidence
    done = add_evidence("bitext", base=str(place.base), module=own, data=str(place.test))
    manifest, _ = open_folder(own)
    claimed = [one for one in manifest.evidence if one.data == "test.tsv"]
    assert manifest.evidence == [*claimed, *before] and len(claimed) == 4
    row = done.result["module, both sides"]
    both = next(one for one in claimed if one.sides == "both" and one.metric == ACCURACY)
    assert both.value == row.scores[ACCURACY].mean and both.rows == done.result.count
    assert both.base == done.result["frozen base"].scores[ACCURACY].mean
    assert set(both.controls) == {"tf-idf", "shuffled pairs", "wrong language (fi)"}
    results = card_header(manifest)["model-index"][0]["results"]
    assert results[0]["dataset"]["name"] == "test.tsv"
    text = (own / "README.md").read_text(encoding="utf-8")
    assert f"]({PICTURE})" in text and FILE in text and "test.tsv" in text
    assert (own / PICTURE).read_bytes().startswith(b"\x89PNG")
    assert {FILE, PICTURE} <= set(manifest.integrity.files)


def test_measuring_again_replaces_and_other_data_add(place, own, tmp_path):
    other = write_tsv(tmp_path / "other.tsv", pairs(30, seed=21))
    for data in (place.test, place.test, other):
        add_evidence("bitext", base=str(place.base), module=own, data=str(data))
    manifest, _ = open_folder(own)
    found = read_evidence(own, manifest).measurements
    assert [one.data.name for one in found] == ["test.tsv", "other.tsv"]
    assert manifest.evidence[0].data == "other.tsv"  # the newest stands for the module


def test_a_rerun_is_inside_and_a_changed_score_is_outside(place, own):
    add_evidence("bitext", base=str(place.base), module=own, data=str(place.test))
    rows = rerun(own, place.test, base=str(place.base))
    measured = [row for row in rows if row.now is not None]
    assert all(row.inside and row.now == pytest.approx(row.recorded, abs=1e-9) for row in measured)
    assert {row.system for row in measured} == {
        "frozen base", "module, language side only", "module, both sides",
        "shuffled-pairs control, both sides", "tf-idf",
    }  # fmt: skip
    # by the folder that the file is in, also under another name
    shutil.copy(place.test, own.parent / "renamed.tsv")
    assert rerun(own, own.parent, base=str(place.base)) == rows
    for given in (None, place.data, own / "1_Pooling"):
        away = rerun(own, given, base=str(place.base))
        assert away and all(row.inside is None and "not at hand" in row.reason for row in away)
    content = read_json(own / FILE)
    for row in content["measurements"][0]["systems"]:
        for score in row["scores"].values():
            score |= {"value": 2.0, "low": 1.9, "high": 2.1}
    from xadapt.hub.renewing import renew

    renew(own, {FILE: json.dumps(content).encode()})
    assert all(row.inside is False for row in rerun(own, place.test, base=str(place.base)))


def test_data_that_were_trained_on_are_refused_and_nothing_is_written(place, own, tmp_path):
    before = {path: path.read_bytes() for path in own.rglob("*") if path.is_file()}
    rows = [*pairs(20, seed=9), pairs(60)[17], *pairs(9, seed=33)]
    data = write_tsv(tmp_path / "leak.tsv", rows)
    given = ("--base", place.base, "--module", own, "--evidence")
    done = xadapt("evaluate", "bitext", *given, "--data", data)
    assert done.code == 2 and "hold a text that the module was trained on" in done.err
    assert "number 21" in done.err and "Take them out" in done.err
    dev = write_tsv(tmp_path / "whole.tsv", pairs(60))  # also what was held out for development
    done = xadapt("evaluate", "bitext", *given, "--data", dev)
    assert done.code == 2 and "60 of 60 test pairs" in done.err
    assert {p: p.read_bytes() for p in own.rglob("*") if p.is_file()} == before
    good("evaluate", "bitext", *given[:-1], "--data", data)  # without evidence, as before


def test_every_training_text_is_in_the_fingerprint(place, family):
    manifest = read_manifest(family / "de")
    known = training_texts(family / "de", manifest)
    rows = pairs(60)
    assert known.overlap(rows).found == 120 and known.overlap(pairs(40, seed=9)).found == 0
    assert manifest.training_texts.texts == len({t for r in rows for t in (r.text, r.pivot)})
    assert manifest.training_texts.false_positive_rate <= 1.1e-6


def test_a_module_without_a_fingerprint_is_reported(place, own):
    said = json.loads((own / "xadapt.json").read_text())
    manifest = read_manifest(own)
    from xadapt.hub.renewing import renew

    renew(own, {}, training_texts=None)
    assert said["training_texts"] and manifest.training_texts
    lines: list[str] = []
    add_evidence(
        "bitext", base=str(place.base), module=own, data=str(place.test), report=lines.append
    )
    assert any("keeps no fingerprint" in line for line in lines)
    [one] = read_evidence(own, read_manifest(own)).measurements
    assert one.overlap is None


def test_given_controls(place, own):
    lines: list[str] = []
    done = add_evidence(
        "bitext", base=str(place.base), module=own, data=str(place.test), report=lines.append,
        control={"wrong-language": own.parent / "nl", "seed-1": own.parent / "fi"},
    )  # fmt: skip
    assert [row.module.languages for row in done.measurement.of_role("wrong language")] == [
        ["nl"], ["nl"]
    ]  # fmt: skip
    [one, two] = done.measurement.of_role("control")
    assert one.system.startswith("seed-1: module") and one.sides != two.sides
    # the same module as its own control is ahead of itself by nothing
    done = add_evidence(
        "bitext", base=str(place.base), module=own, data=str(place.test),
        control={"twin": own}, find_controls=False,
    )  # fmt: skip
    for row in done.measurement.of_role("control"):
        assert all(np.allclose([g.value, g.low, g.high], 0) for g in row.ahead.values())
        assert set(row.ahead) == {"accuracy to pivot", "accuracy from pivot"}


def test_an_edited_card_stays(place, own):
    (own / "README.md").write_text("---\nlicense: mit\n---\nmine\n", encoding="utf-8")
    lines: list[str] = []
    done = add_evidence(
        "bitext", base=str(place.base), module=own, data=str(place.test), report=lines.append
    )
    assert not done.card_renewed and any("card was edited" in line for line in lines)
    assert "mine" in (own / "README.md").read_text(encoding="utf-8")


def test_evidence_of_other_tensors_is_refused(place, own, family):
    add_evidence("bitext", base=str(place.base), module=own, data=str(place.test))
    shutil.copy(own / FILE, own.parent / "fi" / FILE)
    other = own.parent / "fi"
    with pytest.raises(UserError, match="not among its files"):
        read_evidence(other, read_manifest(other))
    assert tensor_file(own).exists()


def test_mistakes_are_one_line(place, own, tmp_path):
    given = ("evaluate", "bitext", "--data", place.test, "--base", place.base)
    stranger = tmp_path / "stranger"
    shutil.copytree(own.parent / "fi", stranger)
    for more, said in (
        (("--evidence", "--lang", "de"), "--evidence is of one module"),
        (("--module", own, "--control", "a=b"), "--control belongs to --evidence"),
        (("--module", own, "--evidence", "--control", "a"), "NAME=FOLDER"),
        (("--module", own, "--evidence", "--control", "a=nowhere"), "nowhere"),
        (("--module", own.parent / "none", "--evidence"), "folder"),
        (("--module", own, "--evidence", "--compose", str(own)), "without compose"),
    ):
        done = xadapt(*given, *more)
        assert done.code == 2 and len(done.lines) == 1 and said in done.err, (said, done.err)
    with pytest.raises(UserError, match="no evidence"):
        rerun(own, place.test)
