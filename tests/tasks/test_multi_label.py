from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score
from tiny_heads import published
from tiny_models import tiny_folder
from tiny_training import multi_labelled

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.core.errors import UserError
from xadapt.data.records import MultiLabelText
from xadapt.evaluation.label_counts import label_matrix
from xadapt.heads.head import Head
from xadapt.tasks import MultiLabelClassifier
from xadapt.tasks.multi_label import ALL, FREQUENT, Part, labels_of, probabilities

ROWS = [
    MultiLabelText("a", ("x", "y"), "de"),
    MultiLabelText("b", ("x",), "de"),
    MultiLabelText("c", (), "de"),
    MultiLabelText("d", ("z",), "de"),
]


def test_scores_by_hand():
    result = Part.evaluate(ROWS, {"m": [("x",), ("x", "y"), (), ("new",)]}, resamples=50)
    row = result["m"]
    # right 2; given 4, of which one is no label of the data; gold 4
    assert row.scores["micro f1"].mean == pytest.approx(2 * 2 / (4 + 4))
    assert row.details == {"x": 1.0, "y": 0.0, "z": 0.0}
    assert row.scores["macro f1"].mean == pytest.approx(1 / 3)
    assert row.scores["subset accuracy"].mean == 1 / 4
    assert row.more["labels"]["y"] == {"precision": 0, "recall": 0, "f1": 0, "texts": 1}
    assert result[FREQUENT].details == {"x": pytest.approx(2 * 2 / (4 + 2)), "y": 0, "z": 0}
    assert result[ALL].scores["micro f1"].mean == pytest.approx(2 * 4 / (12 + 4))


def test_scores_are_those_of_scikit_learn():
    rng = np.random.default_rng(3)
    names = list("abcde")
    both = rng.random((2, 50, 5)) < 0.4
    gold, said = ([tuple(np.array(names)[row]) for row in one] for one in both)
    rows = [MultiLabelText(str(i), labels, "de") for i, labels in enumerate(gold)]
    row = Part.evaluate(rows, {"m": said}, resamples=20)["m"]
    assert row.scores["micro f1"].mean == pytest.approx(f1_score(*both, average="micro"))
    assert row.scores["macro f1"].mean == pytest.approx(f1_score(*both, average="macro"))
    assert row.scores["subset accuracy"].mean == pytest.approx(accuracy_score(*both))
    assert list(row.details.values()) == pytest.approx(f1_score(*both, average=None))
    assert (label_matrix(gold, names) == both[0]).all()


def test_mistakes():
    with pytest.raises(UserError, match="no texts"):
        Part.evaluate([], {"m": []})
    with pytest.raises(UserError, match="none of these texts has a label"):
        Part.evaluate([ROWS[2]], {"m": [()]})
    with pytest.raises(UserError, match="m answers 3 of 4"):
        Part.evaluate(ROWS, {"m": [()] * 3})
    head = Head("multi_label", ["x", "q"], 4)
    lines: list[str] = []
    Part.check(ROWS, head, lines.append)
    assert lines == ["the head has no label y, z: it counts as never found"]
    with pytest.raises(UserError, match="knows none"):
        Part.check(ROWS[3:], head, lines.append)


def test_labels_reach_their_thresholds():
    head = Head("multi_label", ["x", "y"], 4)
    assert head.thresholds == (0.5, 0.5)
    head.thresholds = (0.5, 0.25)
    found = np.array([[0.5, 0.2], [0.4, 0.3], [0.1, 0.1]], np.float32)
    assert labels_of(head, found) == [("x",), ("y",), ()]
    card = Part.card(head)
    assert "2 labels, each from the probability 0.25 to 0.5 on" in card.does


def test_a_published_head_gives_labels_and_probabilities(tmp_path: Path) -> None:
    base = str(tiny_folder(tmp_path / "base"))
    encoder = Encoder.from_pretrained(base, dtype="float32")
    published(tmp_path / "m", encoder, "multi_label", 2)
    classifier = MultiLabelClassifier.load(base, tmp_path / "m", dtype="float32")
    texts = [row.text for row in multi_labelled(24, seed=8)]
    found = classifier.scores(texts)
    assert found.shape == (24, 3) and ((found > 0) & (found < 1)).all()
    assert classifier.classify(texts) == labels_of(classifier.head, found)
    bare = probabilities(classifier.adapted.encoder, classifier.head, texts)
    assert np.abs(bare - found).max() > 1e-4
    assert np.allclose(classifier.scores(texts, compositions=[None] * 24), bare)
