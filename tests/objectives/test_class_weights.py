from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.utils.class_weight import compute_class_weight

from xadapt.core.errors import UserError
from xadapt.data.records import LabelledText
from xadapt.heads.head import Head
from xadapt.objectives.class_weights import weighted_classes
from xadapt.objectives.classification import Classification, cross_entropy
from xadapt.objectives.contract import States

FOUND = ["a"] * 6 + ["b"] * 3 + ["c"]


def test_balanced_is_that_of_scikit_learn():
    labels = weighted_classes(FOUND, "balanced")
    wanted = compute_class_weight("balanced", classes=np.array(["a", "b", "c"]), y=FOUND)
    assert labels == ("a", "b", "c") and labels.weights == pytest.approx(wanted.tolist())


def test_named_weights_and_none():
    assert weighted_classes(FOUND, None).weights is None
    assert weighted_classes(FOUND, {"c": 4.0}).weights == [1, 1, 4]
    with pytest.raises(UserError, match="unknown class 'cc'"):
        weighted_classes(FOUND, {"cc": 4.0})
    for bad in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="above 0"):
            Classification(class_weights={"a": bad})


def test_the_weighted_loss_is_that_of_torch():
    torch.manual_seed(0)
    scores, labels = torch.randn(10, 3), [0, 0, 1, 2, 1, 0, 0, 2, 1, 0]
    weights = [0.5, 2.0, 3.0]
    loss = cross_entropy(scores, labels, 0.0, weights)
    wanted = F.cross_entropy(scores, torch.tensor(labels), torch.tensor(weights))
    torch.testing.assert_close(loss.total(), wanted)


def test_classification_hands_the_weights_on():
    rows = [LabelledText(f"t {i}", label, "en") for i, label in enumerate(FOUND)]
    objective = Classification(class_weights="balanced")
    memory = objective.prepare(rows)
    states = States(torch.ones(10, 2, 4), torch.ones(10, 2))
    made = objective.views(rows, memory)
    loss = objective.loss(states, made["labels"], Head("classification", memory, 4), memory)
    assert loss.weights is not None and loss.weights.tolist() == pytest.approx(
        [memory.weights[i] for i in made["labels"]]
    )
