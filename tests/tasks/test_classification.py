from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score
from tiny_heads import published
from tiny_models import tiny_folder
from tiny_training import labelled

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.encoder.long_texts import text_windows
from xadapt.composition.text import parse
from xadapt.core.errors import UserError
from xadapt.data.records import LabelledText
from xadapt.heads.head import Head
from xadapt.tasks import Classifier
from xadapt.tasks.classification import MAJORITY, Part, classes, f1s
from xadapt.tasks.predictor import first_scores

ROWS = [LabelledText(t, label, "de") for t, label in zip("abcd", "xxyz", strict=True)]


def test_accuracy_and_macro_f1_by_hand():
    result = Part.evaluate(ROWS, {"m": ["x", "y", "y", "other"]}, resamples=50)
    row = result["m"]
    assert row.scores["accuracy"].mean == 2 / 4
    # x: one of two found, nothing else called x; y: found, and one too many; z: never
    assert row.details == {"x": pytest.approx(2 / 3), "y": pytest.approx(2 / 3), "z": 0.0}
    assert row.scores["macro f1"].mean == pytest.approx(4 / 9)
    assert result[MAJORITY].scores["accuracy"].mean == 2 / 4
    assert result[MAJORITY].details["x"] == pytest.approx(2 * 2 / (2 + 4))


def test_f1_is_that_of_scikit_learn():
    rng = np.random.default_rng(3)
    gold, said = rng.integers(0, 4, size=(2, 60))
    own = f1s(gold[None], said[None], 4)[0]
    assert np.allclose(own, f1_score(gold, said, average=None))


def test_the_difference_is_paired():
    gold = [row.label for row in ROWS]
    result = Part.evaluate(ROWS, {"a": ["q"] * 4, "b": gold}, base="a", resamples=100)
    assert result["b"].gains["accuracy"].mean == result["b"].gains["macro f1"].mean == 1
    assert result["b"].gains["accuracy"].low == 1


def test_mistakes():
    with pytest.raises(UserError, match="no texts"):
        Part.evaluate([], {"m": []})
    with pytest.raises(UserError, match="3 classes for 4"):
        Part.evaluate(ROWS, {"m": ["x"] * 3})


def test_each_text_has_its_own_composition(tmp_path: Path) -> None:
    base = str(tiny_folder(tmp_path / "base"))
    encoder = Encoder.from_pretrained(base, dtype="float32")
    published(tmp_path / "m", encoder, "classification", 2)
    published(tmp_path / "de", encoder, seed=1)
    given = (f"m={tmp_path}/m", f"de={tmp_path}/de")
    classifier = Classifier.load(
        base, *given, compose="by_language(de = de + m, * = m)", dtype="float32"
    )
    texts = [row.text for row in labelled(24, seed=8)]
    tags = ["de", "sw"] * 12
    mixed = classifier.classify(texts, tags)
    apart = [classifier.classify([t], [g])[0] for t, g in zip(texts, tags, strict=True)]
    assert mixed == apart and set(mixed) <= {"x", "y", "z"}
    assert mixed != classifier.classify(texts, ["de"] * 24)
    rows = [parse("de + m"), parse("m")] * 12
    assert classifier.classify(texts, compositions=rows) == mixed
    bare = classes(classifier.adapted.encoder, classifier.head, texts)
    assert classifier.classify(texts, compositions=[None] * 24) == bare != mixed


def test_one_text_has_one_class(tmp_path: Path) -> None:
    base = str(tiny_folder(tmp_path / "base"))
    published(tmp_path / "m", Encoder.from_pretrained(base, dtype="float32"), "classification", 2)
    classifier = Classifier.load(base, tmp_path / "m", dtype="float32")
    texts = ["die katze sitzt", "ein hund"]
    assert classifier.classify(texts[0]) == classifier.classify([texts[0]])[0]
    assert classifier.classify(texts, "de") == classifier.classify(texts, ["de", "de"])
    with pytest.raises(UserError, match="text 0 is int"):
        classifier.classify([3])  # type: ignore[list-item]


def test_a_long_text_has_the_mean_scores_of_its_windows(tmp_path: Path) -> None:
    encoder = Encoder.from_pretrained(str(tiny_folder(tmp_path / "base")), dtype="float32")
    torch.manual_seed(3)
    head = Head("classification", ("a", "b", "c"), encoder.width)
    texts = ["ein hund", "die katze sitzt auf der matte " * 30, "", "paka ameketi " * 50]
    ids = encoder.tokenize(texts)
    windows = text_windows(encoder, texts, ids)
    owners = [one.owner for one in windows]
    found = first_scores(encoder, head, [one.ids for one in windows], owners=owners)
    for owner in range(len(texts)):
        own = [first_scores(encoder, head, [one.ids])[0] for one in windows if one.owner == owner]
        assert torch.allclose(found[owner], torch.stack(own).mean(0), atol=1e-5)
    cut = first_scores(encoder, head, ids)
    assert torch.equal(found[[0, 2]], cut[[0, 2]]) and not torch.allclose(found[1], cut[1])
    best = [head.labels[number] for number in found.argmax(1).tolist()]
    assert classes(encoder, head, texts) == best
