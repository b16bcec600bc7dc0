"""VecMap.

The mapped vectors of ``--supervised`` were compared with ``artetxem/vecmap`` (``vecmap.py``, mode
``advanced``), run from its repository's text on the same random vectors, in float64: the largest
difference was below 1e-4.
"""

import numpy as np
import pytest
import torch
from maps.spaces import rotated, spaces

from xadapt.core.errors import UserError
from xadapt.maps.vecmap import VecMap

PAIRS = [[i, i] for i in range(120)]


@pytest.fixture(scope="module")
def given():
    source, target, _ = rotated(words=300, dim=8, noise=0.2)
    return spaces(source, target, PAIRS)


def power(square, exponent):
    """A power of a symmetric matrix, by its eigenvalues."""
    values, vectors = np.linalg.eigh(square)
    return vectors @ np.diag(values**exponent) @ vectors.T


def by_formula(given, rows, weight=0.5):
    """The steps one after the other on the vectors themselves."""
    x, z = (side.numpy() for side in given.pair_vectors())
    whiten_x, whiten_z = power(x.T @ x, -0.5), power(z.T @ z, -0.5)
    u, s, vt = np.linalg.svd((x @ whiten_x).T @ (z @ whiten_z))
    mapped = []
    for own, whiten, turn in zip(rows, (whiten_x, whiten_z), (u, vt.T), strict=True):
        own = own @ whiten @ turn
        own = own * s**weight
        mapped.append(own @ (turn.T @ np.linalg.inv(whiten) @ turn))
    return mapped


def test_the_chain_equals_its_steps(given):
    maps = VecMap().fit(given)
    rows = [given.source.double().numpy(), given.target.double().numpy()]
    x, z = by_formula(given, rows)
    assert np.abs(maps.map_source(given.source).numpy() - x).max() < 1e-4
    assert np.abs(maps.map_target(given.target).numpy() - z).max() < 1e-4


def test_reweighting_multiplies_dimensions_by_powers_of_the_correlations(given):
    """Without de-whitening, the columns are those of weight 0 times S to the power."""
    off = {"src_dewhiten": None, "trg_dewhiten": None}
    plain = VecMap(src_reweight=0.0, trg_reweight=0.0, **off).fit(given)
    once = VecMap(src_reweight=1.0, trg_reweight=0.5, **off).fit(given)
    x, z = (side.numpy() for side in given.pair_vectors())
    s = np.linalg.svd((x @ power(x.T @ x, -0.5)).T @ (z @ power(z.T @ z, -0.5)), compute_uv=False)
    assert np.allclose(once.source.numpy(), plain.source.numpy() * s[:, None], atol=1e-4)
    assert np.allclose(once.target.numpy(), plain.target.numpy() * s[:, None] ** 0.5, atol=1e-4)


def test_whitened_pairs_have_no_correlation(given):
    off = {"src_dewhiten": None, "trg_dewhiten": None, "src_reweight": 0.0, "trg_reweight": 0.0}
    maps = VecMap(**off).fit(given)
    x, z = given.pair_vectors()
    white = x @ maps.source.double().T
    other = z @ maps.target.double().T
    assert torch.allclose(white.T @ white, torch.eye(8).double(), atol=1e-4)
    cross = white.T @ other
    assert torch.allclose(cross, torch.diag(cross.diagonal()), atol=1e-4)


def test_without_whitening_and_weights_it_is_procrustes_up_to_a_rotation_of_both_sides(given):
    plain = VecMap(
        whiten=False, src_reweight=0.0, trg_reweight=0.0, src_dewhiten=None, trg_dewhiten=None
    ).fit(given)
    from xadapt.maps.procrustes import Procrustes

    w = Procrustes().fit(given).source
    assert torch.allclose(plain.target.T @ plain.source, w, atol=1e-4)


def test_fewer_dimensions_are_the_first(given):
    whole, cut = VecMap().fit(given), VecMap(dim_reduction=3).fit(given)
    assert cut.source.shape == (3, 8) and torch.equal(cut.source, whole.source[:3])


def test_self_learning_finds_words_beyond_the_dictionary():
    source, target, _ = rotated(words=400, dim=8, noise=0.03)
    lines = []
    few = spaces(source, target, PAIRS[:10], report=lines.append)
    maps = VecMap(self_learning=True).fit(few)
    x, z = maps.map_source(few.source), maps.map_target(few.target)
    right = (
        (torch.nn.functional.normalize(x) @ torch.nn.functional.normalize(z).T).argmax(1)
        == torch.arange(400)
    ).float()
    assert right.mean() > 0.9 and len(lines) >= 2


def test_too_few_pairs_for_whitening_is_one_clear_line(given):
    few = spaces(*rotated(words=50, dim=8)[:2], PAIRS[:5])
    with pytest.raises(UserError, match="8 dimensions needs more independent pairs than these 5"):
        VecMap().fit(few)
    doubled = spaces(*rotated(words=50, dim=8)[:2], PAIRS[:4] * 6)
    with pytest.raises(UserError, match="independent"):
        VecMap().fit(doubled)


@pytest.mark.parametrize(
    "options",
    [{"src_dewhiten": "tgt"}, {"whiten": False}, {"direction": "both"}, {"dim_reduction": -1}],
)
def test_wrong_options_are_refused(options):
    with pytest.raises(ValueError):
        VecMap(**options)
