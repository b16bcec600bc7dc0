"""CZ-NCE and InfoNCE over all other queries and keys, by a slow loop and by hand."""

from __future__ import annotations

import math

import pytest
import torch

from xadapt.functional.losses import pair_contrast


def slow(queries, keys, temperature, crossing, same=()):
    found = []
    for i, query in enumerate(queries):

        def s(other, query=query):
            return float(torch.cosine_similarity(query, other, dim=0)) / temperature

        others = [j for j in range(len(keys)) if j != i and (i, j) not in same]
        negatives = [s(keys[j]) for j in others] + [s(queries[j]) for j in others]
        total = sum(map(math.exp, negatives)) + (0 if crossing else math.exp(s(keys[i])))
        found.append(math.log(total) - s(keys[i]))
    return found


@pytest.mark.parametrize("crossing", [True, False])
def test_the_loss_is_that_of_a_slow_loop(crossing):
    torch.manual_seed(0)
    queries, keys = torch.randn(5, 7), torch.randn(5, 7)
    found = pair_contrast(queries, keys, 0.5, crossing_zero=crossing)
    assert found.tolist() == pytest.approx(slow(queries, keys, 0.5, crossing), abs=1e-5)


def test_hidden_pairs_are_no_negatives():
    torch.manual_seed(0)
    queries, keys = torch.randn(4, 3), torch.randn(4, 3)
    hidden = torch.zeros(4, 4, dtype=torch.bool)
    hidden[0, 2] = hidden[2, 0] = True
    found = pair_contrast(queries, keys, 0.5, hidden)
    expected = slow(queries, keys, 0.5, True, same={(0, 2), (2, 0)})
    assert found.tolist() == pytest.approx(expected, abs=1e-5)


def test_cz_nce_goes_below_zero_and_keeps_its_gradient_where_info_nce_stops():
    """Two pairs that are apart: cosine 1 of each pair, -1 between them, temperature .07."""
    gradients = {}
    for crossing in (True, False):
        queries = torch.tensor([[1.0, 0.02], [-1.0, 0.0]], requires_grad=True)
        keys = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
        loss = pair_contrast(queries, keys, 0.07, crossing_zero=crossing)
        assert (loss[0].item() < 0) == crossing
        loss[0].backward()
        gradients[crossing] = float(queries.grad[0].abs().max())
    assert gradients[False] < 1e-6 < gradients[True]


def test_large_scores_stay_finite():
    """exp of cosine / temperature alone would overflow in float32: 1 / .005 is 200."""
    queries = torch.eye(3)
    assert pair_contrast(queries, queries.roll(1, 0), 0.005).isfinite().all()


@pytest.mark.parametrize("crossing", [True, False])
def test_a_pair_without_negatives_costs_nothing(crossing):
    queries = torch.randn(1, 4, requires_grad=True)
    loss = pair_contrast(queries, torch.randn(1, 4), 0.07, crossing_zero=crossing)
    loss.sum().backward()
    assert loss.tolist() == pytest.approx([0.0], abs=1e-6) and queries.grad.isfinite().all()
