from __future__ import annotations

import math

import pytest
import torch
from pydantic import ValidationError
from tiny_training import scored

from xadapt.config.recipe import strict
from xadapt.core.errors import UserError
from xadapt.data.records import ScoredPair
from xadapt.objectives.cosent import Cosent


def unit(*angles):
    return torch.tensor([[math.cos(a), math.sin(a)] for a in angles])


def test_the_loss_by_a_slow_loop():
    scores, cosines = [3.0, 1.0, 1.0, 5.0], [math.cos(a) for a in (0.3, 0.1, 2.0, 1.2)]
    total = 1.0
    for i in range(4):
        for j in range(4):
            if scores[i] > scores[j]:
                total += math.exp((cosines[j] - cosines[i]) / 0.2)
    found = Cosent(temperature=0.2).loss(unit(0, 0, 0, 0), unit(0.3, 0.1, 2.0, 1.2), scores)
    assert found.values.tolist() == pytest.approx([math.log(total)] * 4, abs=1e-5)
    assert float(found.total()) == pytest.approx(math.log(total), abs=1e-5)


def test_only_the_order_of_the_scores_counts():
    left, right = unit(0, 0.2, 0.5), unit(0.3, 0.9, 0.6)
    one, other = (Cosent().loss(left, right, s).values for s in ([1, 2, 3], [-5, 0, 1e6]))
    assert torch.equal(one, other)


def test_a_batch_of_equal_scores_or_of_one_pair_has_no_gradient():
    for n in (1, 3):
        left = torch.randn(n, 4, requires_grad=True)
        loss = Cosent().loss(left, torch.randn(n, 4), [2.0] * n)
        loss.total().backward()
        assert loss.values.tolist() == [0] * n and not left.grad.any()


def test_views_and_data_without_an_order():
    records = scored(3)
    made = Cosent().views(records, None)
    assert made["left"].rows == [r.left for r in records] and made["right"].module is True
    with pytest.raises(UserError, match="nothing to learn"):
        Cosent().prepare([ScoredPair("a", "b", 1.0, "en", "en")])


@pytest.mark.parametrize("option", [{"temperature": -1}, {"scale": 20}])
def test_wrong_options_are_refused(option):
    with pytest.raises(ValidationError):
        strict(Cosent).validate_python(option)
