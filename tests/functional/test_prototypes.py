from __future__ import annotations

import math

import pytest
import torch

from xadapt.functional.prototypes import class_means, prototype_alignment, prototype_weights

ALL = torch.ones(5), torch.ones(5)


def made(classes: int = 5, width: int = 8):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, classes, width, generator=generator)


def slow_alignment(source, target, seen, temperature):
    """The formula, term by term."""
    here, there = ([bool(flag) for flag in flags] for flags in seen)

    def sim(a, b):
        dot = sum(x * y for x, y in zip(a, b, strict=True))
        return math.exp(dot / math.hypot(*a) / math.hypot(*b) / temperature)

    total, own, other = 0.0, source.tolist(), target.tolist()
    for k in range(len(own)):
        if not (here[k] and there[k]):
            continue
        positive = sim(own[k], other[k])
        rest = sum(sim(own[k], other[j]) for j in range(len(own)) if j != k and there[j])
        rest += sum(sim(own[k], own[j]) for j in range(len(own)) if j != k and here[j])
        total -= math.log(positive / (positive + rest))
    return total


def test_means_of_classes_by_hand():
    features = torch.tensor([[1.0, 0.0], [3.0, 2.0], [5.0, 5.0]])
    means, sizes = class_means(features, torch.tensor([2, 2, 0]), 4)
    assert means.tolist() == [[5, 5], [0, 0], [2, 1], [0, 0]] and sizes.tolist() == [1, 0, 2, 0]
    none, empty = class_means(features[:0], torch.tensor([], dtype=torch.long), 2)
    assert none.tolist() == [[0, 0], [0, 0]] and empty.tolist() == [0, 0]


def test_alignment_by_hand_with_the_temperature_applied_once():
    source = torch.tensor([[2.0, 0.0], [0.0, 3.0]])
    target = torch.tensor([[5.0, 0.0], [0.0, 0.5]])
    seen = torch.ones(2), torch.ones(2)
    # each class: the positive has the cosine 1, both negatives have the cosine 0
    wanted = 2 * math.log(1 + 2 * math.exp(-1 / 0.5))
    assert float(prototype_alignment(source, target, seen, 0.5)) == pytest.approx(wanted, rel=1e-6)


SOME = torch.tensor([1.0, 0, 1, 1, 1]), torch.tensor([0.0, 1, 1, 1, 0])


@pytest.mark.parametrize("seen", [ALL, SOME])
def test_alignment_is_that_of_a_slow_loop(seen):
    source, target = made()
    found = prototype_alignment(source, target, seen, 0.3)
    assert float(found) == pytest.approx(slow_alignment(source, target, seen, 0.3), rel=1e-5)


def test_alignment_does_not_know_the_order_of_classes():
    source, target = made()
    seen = torch.tensor([1.0, 1, 0, 1, 1]), torch.tensor([1.0, 1, 1, 0, 1])
    order = torch.tensor([3, 0, 4, 1, 2])
    mixed = prototype_alignment(source[order], target[order], (seen[0][order], seen[1][order]), 0.1)
    assert torch.allclose(mixed, prototype_alignment(source, target, seen, 0.1), rtol=1e-6)
    other = prototype_alignment(source, target[order], seen, 0.1)
    assert not torch.allclose(other, mixed, rtol=1e-2)  # the pairing matters


def test_absent_classes_give_no_term_and_no_nan():
    source, target = (x.clone().requires_grad_() for x in made())
    none = torch.zeros(5)
    for seen in ((none, none), (ALL[0], none), (torch.eye(5)[0], torch.eye(5)[1])):
        assert float(prototype_alignment(source, target, seen, 0.1)) == 0
    blank = source * torch.tensor([0.0, 1, 1, 1, 1]).unsqueeze(1)  # prototypes of absent classes
    seen = torch.tensor([0.0, 1, 1, 1, 1]), ALL[1]
    prototype_alignment(blank, target, seen, 0.1).backward()
    assert torch.isfinite(source.grad).all() and source.grad[1:].abs().sum(1).min() > 0
    assert torch.isfinite(target.grad).all() and target.grad.abs().sum(1).min() > 0


def test_aligned_prototypes_have_less_loss():
    source, target = made()
    far = prototype_alignment(source, target, ALL, 0.1)
    near = prototype_alignment(source, source + 0.1 * target, ALL, 0.1)
    assert float(near) < float(far) / 5


def test_weights_by_distance_by_hand():
    features = torch.tensor([[4.0, 0.0], [0.0, 0.1]])
    prototypes = torch.tensor([[1.0, 0.0], [0.0, 7.0], [9.0, 9.0]])
    found = prototype_weights(features, prototypes, torch.tensor([1.0, 1.0, 0.0]), 0.5)
    near = 1 / (1 + math.exp(-math.sqrt(2) / 0.5))
    assert found.tolist() == [
        pytest.approx([near, 1 - near, 0], abs=1e-6), pytest.approx([1 - near, near, 0], abs=1e-6)
    ]  # fmt: skip
    longer = prototype_weights(3 * features, prototypes, torch.tensor([1.0, 1.0, 0.0]), 0.5)
    assert torch.allclose(found, longer)  # lengths don't matter
