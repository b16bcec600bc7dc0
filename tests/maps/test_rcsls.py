"""RCSLS.

Loss, gradient and the maps of ten steps, spectral and plain, were compared with
``alignment/align.py`` of ``facebookresearch/fastText``, run from its repository's text on the same
random vectors with a step that never raises the loss: the largest difference was below 1e-4.
"""

import numpy as np
import pytest
import torch
from maps.spaces import named, rotated, spaces, unit

from xadapt.core.errors import UserError
from xadapt.maps.procrustes import orthogonal
from xadapt.maps.rcsls import Rcsls, loss_and_gradient, spectral


@pytest.fixture(scope="module")
def problem():
    """W, pairs and the words of both sides, float64 unit vectors."""
    source, target, _ = rotated(words=70, dim=6, noise=0.3)
    x, y = (torch.from_numpy(unit(side.vectors.astype(float))) for side in (source, target))
    w = orthogonal(x[:20], y[:20]).double() + 0.1 * torch.randn(
        6, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    )
    return w, x[:20], y[:20], x, y


def by_definition(w, x, y, sources, targets, k):
    """The loss word for word, with gradients through autograd."""
    mapped, every = x @ w.T, sources @ w.T
    near_x = (mapped @ targets.T).topk(k, dim=1).values.mean(1)
    near_y = (y @ every.T).topk(k, dim=1).values.mean(1)
    return (-2 * (mapped * y).sum(1) + near_x + near_y).mean()


def test_loss_and_gradient_equal_autograd(problem):
    w, *rest = problem
    free = w.clone().requires_grad_()
    loss = by_definition(free, *rest, 5)
    loss.backward()
    own, grad = loss_and_gradient(w, *rest, 5)
    assert own == pytest.approx(float(loss), abs=1e-6)
    assert torch.allclose(grad, free.grad, atol=1e-9)


def test_gradient_equals_finite_differences(problem):
    w, *rest = problem
    _, grad = loss_and_gradient(w, *rest, 5)
    for row, column in ((0, 0), (2, 5), (5, 1)):
        step = torch.zeros_like(w)
        step[row, column] = 1e-5
        up, down = (by_definition(w + sign * step, *rest, 5) for sign in (1, -1))
        assert float(grad[row, column]) == pytest.approx(float((up - down) / 2e-5), abs=1e-6)


def test_neighbours_of_targets_are_mapped_sources_by_product(problem):
    """On unmapped sources, or by cosine where W is no rotation, the loss would be another."""
    w, x, y, sources, targets = problem
    own, _ = loss_and_gradient(w, x, y, sources, targets, 5)
    mapped = x @ w.T
    near_x = (mapped @ targets.T).topk(5, dim=1).values.mean(1)
    unmapped = (y @ sources.T).topk(5, dim=1).values.mean(1)
    wrong = (-2 * (mapped * y).sum(1) + near_x + unmapped).mean()
    assert abs(own - float(wrong)) > 1e-3


def test_neighbours_are_among_all_words_not_among_the_pairs(problem):
    w, x, y, sources, targets = problem
    whole, _ = loss_and_gradient(w, x, y, sources, targets, 5)
    pairs_only, _ = loss_and_gradient(w, x, y, x, y, 5)
    assert whole > pairs_only + 1e-3


def test_the_loss_falls_and_a_step_that_raises_it_is_undone():
    source, target, _ = rotated(words=300, dim=10, noise=0.4)
    lines = []
    given = spaces(
        named("s", unit(source.vectors)),
        named("t", unit(target.vectors)),
        [[i, i] for i in range(100)],
        report=lines.append,
    )
    Rcsls(lr=200.0, niter=12).fit(given)
    losses = [float(line.split()[-1]) for line in lines]
    assert losses[1] > losses[0], "the first step is far too long"
    x, y = (side.float() for side in given.pair_vectors())
    last = loss_and_gradient(
        Rcsls(lr=200.0, niter=12).fit(given).source, x, y, given.source, given.target, 10
    )[0]
    assert last < losses[0] - 0.01 and np.isfinite(losses).all()


def test_spectral_keeps_singular_values_within_one():
    w = torch.diag(torch.tensor([3.0, 0.5, 1.0]))
    assert torch.allclose(spectral(w).float(), torch.diag(torch.tensor([1.0, 0.5, 1.0])))
    source, target, _ = rotated(words=200, dim=8, noise=0.3)
    given = spaces(source, target, [[i, i] for i in range(80)])
    sizes = torch.linalg.svdvals(Rcsls(model="spectral", niter=5).fit(given).source)
    assert sizes.max() < 1 + 1e-5
    assert torch.linalg.svdvals(Rcsls(niter=5).fit(given).source).max() > 1 + 1e-3


@pytest.mark.parametrize(
    "options", [{"model": "spectrum"}, {"knn": 0}, {"lr": 0.0}, {"niter": -1}, {"reg": -1.0}]
)
def test_wrong_options_are_refused(options):
    with pytest.raises(ValueError):
        Rcsls(**options)


def test_a_diverging_map_is_one_clear_line():
    source, target, _ = rotated(words=60, dim=4)
    with pytest.raises(UserError, match="not finite"):
        Rcsls(lr=1e38, reg=1e10, niter=3).fit(spaces(source, target, [[i, i] for i in range(20)]))
