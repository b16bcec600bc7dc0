from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError
from tiny_training import pairs

from xadapt.config.recipe import strict
from xadapt.objectives.contract import TeacherView
from xadapt.objectives.distillation import Distillation


def test_views_of_both_sides():
    records = pairs(3)
    text = Distillation().views(records, None)
    assert text["student"].rows == [r.text for r in records] and text["student"].module is True
    assert text["teacher"].rows == [r.pivot for r in records] and text["teacher"].module is False
    held = Distillation(side="pivot").views(records, None)
    assert held["student"].rows == held["teacher"].rows == [r.pivot for r in records]


def test_a_companion_teaches_in_the_place_of_the_frozen_encoder():
    records = pairs(3)
    taught = Distillation(teacher="t").views(records, None)["teacher"]
    assert isinstance(taught, TeacherView) and (taught.teacher, taught.output) == ("t", "pooled")
    assert taught.rows == [r.pivot for r in records]


def test_distances_by_hand():
    student, teacher = (
        torch.tensor([[1.0, 0.0], [2.0, 0.0]]),
        torch.tensor([[0.0, 3.0], [2.0, 0.0]]),
    )
    cosine = Distillation().loss(student, teacher)
    assert cosine.values.tolist() == pytest.approx([1, 0], abs=1e-6) and cosine.weights is None
    squared = Distillation(distance="squared").loss(student, teacher)
    assert squared.values.tolist() == pytest.approx([(1 + 9) / 2, 0])


@pytest.mark.parametrize("option", [{"side": "both"}, {"distance": "l1"}, {"weights": 1}])
def test_wrong_options_are_refused(option):
    with pytest.raises(ValidationError):
        strict(Distillation).validate_python(option)
