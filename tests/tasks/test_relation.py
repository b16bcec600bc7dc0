"""The task of relations: scores by hand, a run of the whole recipe, predictions, and mistakes."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score, precision_score, recall_score
from tiny_commands import Place, good, xadapt
from tiny_models import tiny_encoder
from tiny_training import module_for, related

from xadapt.core.errors import UserError
from xadapt.core.files import read_json
from xadapt.data.records import RelationExample
from xadapt.heads.relation_head import RelationHead
from xadapt.hub.opening import read_manifest
from xadapt.injection.activation import Activation, ActiveAdapter
from xadapt.pipelines.project_relations import to_row
from xadapt.tasks import RelationClassifier
from xadapt.tasks.relation import MACRO, MAJORITY, MICRO, PRECISION, RECALL, Part, probabilities


def rows_of(labels, langs="en"):
    langs = [langs] * len(labels) if isinstance(langs, str) else langs
    return [
        RelationExample("a b", (0, 1), (2, 3), label, lang)
        for label, lang in zip(labels, langs, strict=True)
    ]


GOLD = ["x", "x", "no_relation", "y", "Other", "no_relation"]
FOUND = ["x", "no_relation", "x", "z", "no_relation", "Other"]


def test_scores_by_hand():
    result = Part.evaluate(rows_of(GOLD), {"m": FOUND}, resamples=20)
    own = {name: score.mean for name, score in result["m"].scores.items()}
    # one right of three found (x, x, z) and of three that are there (x, x, y)
    assert own[PRECISION] == own[RECALL] == own[MICRO] == pytest.approx(1 / 3)
    assert own[MACRO] == pytest.approx((2 / 4 + 0) / 2)
    assert result["m"].details == {"x": pytest.approx(0.5), "y": 0.0}
    assert result[MAJORITY].scores[MICRO].mean == pytest.approx(2 * 2 / (3 + 6))
    assert result.facts == {"without_relation": 3, "negative": ["no_relation", "Other"]}


def test_scores_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    names = ["x", "y", "z", "no_relation"]
    gold, found = (list(map(str, rng.choice(names, 200))) for _ in range(2))
    result = Part.evaluate(rows_of(gold), {"m": found}, resamples=20)
    ways = {MICRO: f1_score, PRECISION: precision_score, RECALL: recall_score}
    for measure, way in ways.items():
        wanted = way(gold, found, labels=names[:3], average="micro")
        assert result["m"].scores[measure].mean == pytest.approx(wanted)
    wanted = f1_score(gold, found, labels=names[:3], average="macro")
    assert result["m"].scores[MACRO].mean == pytest.approx(wanted)


def test_several_languages_have_a_score_each():
    rows = rows_of(["x", "y", "x", "no_relation"], ["de", "de", "sw", "sw"])
    result = Part.evaluate(rows, {"m": ["x", "x", "x", "x"]}, resamples=20)
    assert result["m"].details == {"de": pytest.approx(0.5), "sw": pytest.approx(2 / 3)}


def test_what_does_not_fit_is_refused():
    for rows, systems, text in (
        ([], {}, "no texts"),
        (rows_of(["no_relation"]), {"m": ["x"]}, "no text has a relation"),
        (rows_of(["x"]), {"m": []}, "0 relations for 1 texts"),
    ):
        with pytest.raises(UserError, match=text):
            Part.evaluate(rows, systems)


def test_a_prediction_does_not_depend_on_the_batch_and_needs_the_markers():
    encoder = tiny_encoder()
    module = module_for(encoder, "own_tokens", count=4, module={"kind": "none"})
    acts = Activation.of(ActiveAdapter(encoder, module))
    torch.manual_seed(0)
    rows = related(12)
    for states in (1, 2):
        head = RelationHead(("a", "b", "c"), encoder.width, states=states)
        found = probabilities(encoder, head, rows, acts)
        assert found.shape == (12, 3) and np.allclose(found.sum(1), 1, atol=1e-5)
        assert np.allclose(probabilities(encoder, head, rows[3:5], acts), found[3:5], atol=1e-5)
    with pytest.raises(UserError, match="has a vector for the entity markers"):
        probabilities(encoder, head, rows)
    with pytest.raises(ValueError, match="1 or 2 states"):
        RelationHead(("a", "b"), 8, states=3)


def test_a_long_text_is_told_and_answered():
    encoder = tiny_encoder()
    module = module_for(encoder, "own_tokens", count=4, module={"kind": "none"})
    acts = Activation.of(ActiveAdapter(encoder, module))
    text = "the cat sat on the mat " * 20
    row = RelationExample(text, (4, 7), (len(text) - 4, len(text) - 1), "", "en")
    with pytest.warns(UserWarning, match="1 text is longer than"):
        found = probabilities(encoder, RelationHead(("a", "b"), encoder.width), [row], acts)
    assert found.shape == (1, 2)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A base, a module of the recipe, and data of the task."""
    place = Place(tmp_path_factory.mktemp("relations"))
    folder = place.data.parent
    lines = [json.dumps(to_row(row)) + "\n" for row in related(80)]
    data, test = folder / "train.jsonl", folder / "test.jsonl"
    data.write_text("".join(lines[:60]), encoding="utf-8")
    test.write_text("".join(lines[60:]), encoding="utf-8")
    good(
        "train", "relation_extraction", "--base", place.base, "--data", data, "--lang", "de",
        "--out", folder / "m", "--set", "module.module.rank=2", "--set", "dtype=float32",
        "--set", "train.epochs=1", "--set", "data.train.dev=20", "--set", "train.evaluations=2",
    )  # fmt: skip
    return place, test, folder / "m"


def test_a_recipe_is_trained_measured_and_loaded(trained, tmp_path):
    place, test, out = trained
    manifest = read_manifest(out)
    assert (manifest.head.task, manifest.head.sizes) == ("relation", {"states": 2})
    assert manifest.head.labels == ["cats", "dogs", "no_relation"]
    assert manifest.evidence[0].task == "relation" and manifest.module.kind == "own_tokens"
    given = ("evaluate", "relation", "--base", place.base, "--module", out, "--data", test)
    good(*given, "--json", tmp_path / "r.json", "--lang", "de")
    told = read_json(tmp_path / "r.json")
    assert {row["system"] for row in told["rows"]} == {"module", MAJORITY}
    classifier = RelationClassifier.load(str(place.base), out, dtype="float32")
    rows = related(80)[60:]
    said = classifier.relations([(row.text, row.head, row.tail) for row in rows])
    wanted = Part.evaluate(rows, {"module": said}, resamples=5)["module"].scores[MICRO].mean
    assert told["rows"][0]["scores"][MICRO]["mean"] == pytest.approx(wanted)
    good(*given, "--json", tmp_path / "n.json", "--negative", "cats")
    assert read_json(tmp_path / "n.json")["negative"] == ["cats"]


def test_mistakes_are_one_line(trained, tmp_path):
    place, _, out = trained
    other = tmp_path / "other.tsv"
    other.write_text("<e1>a</e1> <e2>b</e2>\tstrange\n" * 3, encoding="utf-8")
    given = ("evaluate", "relation", "--base", place.base, "--module", out, "--data")
    done = xadapt(*given, other)
    assert done.code == 2 and "knows none of the data's relations (strange)" in done.err
    done = xadapt(*given, place.data)
    assert done.code == 2 and "no text with tags" in done.err and "Traceback" not in done.err
    classifier = RelationClassifier.load(str(place.base), out, dtype="float32")
    for bad, text in ((("a", (0, 9), (0, 1)), "the head 0-9"), ("a", "it is no"), (3, "it is no")):
        with pytest.raises(UserError, match=f"text 0: {text}"):
            classifier.relations([bad])


def test_a_module_of_another_kind_is_refused(trained, tmp_path):
    place, test, _ = trained
    done = xadapt(
        "train", "relation_extraction", "--base", place.base, "--data", test, "--lang", "de",
        "--out", tmp_path / "x", "--set", "module={kind: lora}", "--set", "data.train.dev=0",
    )  # fmt: skip
    assert done.code == 2 and "needs 4 tokens" in done.err and not (tmp_path / "x").exists()
