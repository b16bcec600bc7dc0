from __future__ import annotations

import numpy as np
import pytest
import torch

from xadapt.tasks.kg.modalities import Modality
from xadapt.tasks.kg.modality_maps import contrast, learn_map, mrr, with_vectors

LINKS = np.stack([np.arange(200)] * 2, axis=1)
TRAIN, DEV, TEST = LINKS[:120], LINKS[120:160], LINKS[160:]
POOL = [np.arange(200)] * 2


def test_the_loss_is_the_formula():
    draw = np.random.default_rng(0)
    sides = [torch.from_numpy(draw.normal(size=(3, 4))) for _ in range(2)]
    a, b = (side / side.norm(dim=1, keepdim=True) for side in sides)
    found = contrast(a, b, 0.5)
    for i in range(3):
        both = 0.0
        for x, y in ((a, b), (b, a)):
            below = sum(np.exp(float(x[i] @ y[j]) / 0.5) for j in range(3))
            below += sum(np.exp(float(x[i] @ x[j]) / 0.5) for j in range(3) if j != i)
            both -= np.log(np.exp(float(x[i] @ y[i]) / 0.5) / below) / 2
        assert float(found[i]) == pytest.approx(both)


def turned():
    """Vectors half of whose columns are noise that is not shared."""
    draw = np.random.default_rng(1)
    true = draw.normal(size=(200, 12))
    return Modality.of(*(
        np.concatenate([true + 0.3 * draw.normal(size=true.shape),
                        2 * draw.normal(size=(200, 12))], axis=1) for _ in range(2)
    ))  # fmt: skip


def test_a_map_finds_the_columns_that_matter():
    one = turned()
    made = learn_map(one, TRAIN, DEV, steps=200)
    assert mrr(made, TEST, POOL) > mrr(one, TEST, POOL) + 0.1
    lengths = np.linalg.norm(made.left, axis=1)
    assert lengths == pytest.approx(np.ones(200), abs=1e-5)


def test_wrong_links_leave_the_vectors_as_they_are():
    draw = np.random.default_rng(2)
    same = draw.normal(size=(200, 8))
    one = Modality.of(same, same)  # nothing can be better
    assert learn_map(one, TRAIN, DEV) is one
    assert learn_map(one, TRAIN[:5], DEV) is one and learn_map(one, TRAIN, DEV[:5]) is one


def test_missing_vectors_stay_missing_and_teach_nothing():
    one = turned()
    gone = np.arange(200) < 30
    less = one.without(gone, ~np.ones(200, bool))
    assert len(with_vectors(less, TRAIN)) == 90
    made = learn_map(less, TRAIN, DEV, steps=8)
    again = learn_map(less, TRAIN[30:], DEV, steps=8)
    assert not made.left[:30].any() and (made.left == again.left).all()
