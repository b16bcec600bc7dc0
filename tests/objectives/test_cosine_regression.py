from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError
from tiny_training import scored

from xadapt.config.recipe import strict
from xadapt.core.errors import UserError
from xadapt.objectives.cosine_regression import CosineRegression


def test_squared_differences_by_hand():
    left = torch.tensor([[1.0, 0.0], [0.0, 2.0], [3.0, 0.0]])
    right = torch.tensor([[2.0, 0.0], [5.0, 0.0], [-1.0, 0.0]])  # cosines 1, 0 and -1
    found = CosineRegression().loss(left, right, [1.0, 0.25, 0.0])
    assert found.values.tolist() == pytest.approx([0, 0.0625, 1], abs=1e-6)


def test_scores_are_scaled_to_0_to_1():
    records = scored(20)
    objective = CosineRegression(lowest=0, highest=5)
    assert objective.prepare(records) == (0, 5)
    made = objective.views(records, None, (0, 5))
    assert made["scores"] == [r.score / 5 for r in records]
    with pytest.raises(UserError, match="is not between 0 and 1"):
        CosineRegression(lowest=0, highest=1).prepare(records)


def test_dimensions_are_the_mean_over_first_values():
    torch.manual_seed(0)
    left, right, scores = torch.randn(3, 6), torch.randn(3, 6), [0.1, 0.5, 1.0]
    one = CosineRegression()
    each = [one.loss(left[:, :n], right[:, :n], scores).values for n in (6, 3)]
    found = one.loss(left, right, scores, dimensions=(6, 3)).values
    assert torch.allclose(found, (each[0] + each[1]) / 2)


def test_wrong_options_are_refused():
    with pytest.raises(ValidationError):
        strict(CosineRegression).validate_python({"lowest": "a"})
