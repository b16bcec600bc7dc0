"""Procrustes.

Besides the identities here, W was compared with ``procrustes`` of ``facebookresearch/fastText``
(``alignment/utils.py``) and of ``facebookresearch/MUSE`` (``src/trainer.py``), both run from their
repositories' text on the same random vectors: the largest difference was below 1e-6.
"""

import numpy as np
import pytest
import torch
from maps.spaces import rotated, rotation, spaces

from xadapt.core.errors import UserError
from xadapt.maps.procrustes import Procrustes, orthogonal


def test_a_random_rotation_is_recovered():
    source, target, turn = rotated()
    maps = Procrustes().fit(spaces(source, target, [[i, i] for i in range(50)]))
    assert np.abs(maps.source.numpy() - turn).max() < 1e-4
    assert maps.target is None


def test_w_is_not_transposed():
    """y = R x, so W must be R, and rows are mapped by X Wᵀ; the transpose maps elsewhere."""
    source, target, turn = rotated()
    w = orthogonal(torch.from_numpy(source.vectors), torch.from_numpy(target.vectors)).numpy()
    assert np.abs(turn - turn.T).max() > 0.1
    assert np.abs(source.vectors @ w.T - target.vectors).max() < 1e-5
    assert np.abs(source.vectors @ w - target.vectors).max() > 0.1


def test_w_is_orthogonal_under_noise():
    source, target, _ = rotated(noise=0.3)
    w = Procrustes().fit(spaces(source, target, [[i, i] for i in range(40)])).source.double()
    assert torch.allclose(w.T @ w, torch.eye(12, dtype=torch.float64), atol=1e-5)


def test_two_dimensions_by_hand():
    """For pairs (1,0) -> (0,1) and (0,1) -> (-1,0), W turns by 90 degrees."""
    x = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    y = torch.tensor([[0.0, 1.0], [-1.0, 0.0]])
    assert torch.allclose(orthogonal(x, y), torch.tensor([[0.0, -1.0], [1.0, 0.0]]), atol=1e-6)


def test_no_orthogonal_map_is_nearer():
    source, target, _ = rotated(words=60, dim=5, noise=0.5)
    x, y = source.vectors.astype(float), target.vectors.astype(float)
    w = orthogonal(torch.from_numpy(x), torch.from_numpy(y)).double().numpy()
    best = np.square(x @ w.T - y).sum()
    for seed in range(50):
        other = w @ rotation(5, seed)
        assert np.square(x @ other.T - y).sum() >= best - 1e-4


def test_a_value_that_is_not_finite_is_refused():
    x = torch.tensor([[1.0, torch.inf], [0.0, 1.0]])
    with pytest.raises((UserError, torch.linalg.LinAlgError)):
        orthogonal(x, x)
