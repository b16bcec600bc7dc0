"""The one-node update against the plain formula, its gradients by finite differences."""

from __future__ import annotations

import pytest
import torch
from tiny_models import tiny_encoder
from tiny_training import assert_fused_is_plain, module_for, shaken

from xadapt.modules.low_rank import AddLowRank


def leaves(dtype=torch.float64, shape=(2, 3)):
    torch.manual_seed(0)
    sizes = ((*shape, 5), (*shape, 4), (2, 5), (4, 2))
    return [torch.randn(size, dtype=dtype, requires_grad=True) for size in sizes]


def test_gradients_by_finite_differences():
    assert torch.autograd.gradcheck(lambda *a: AddLowRank.apply(*a, 1.5), leaves())


@pytest.mark.parametrize("frozen", range(4))
def test_what_needs_no_gradient_gets_none(frozen):
    given = leaves()
    given[frozen].requires_grad_(False)
    AddLowRank.apply(*given, 0.5).sum().backward()
    assert [t.grad is None for t in given] == [i == frozen for i in range(4)]


@pytest.mark.parametrize("shape", [(1, 1), (7,), (2, 3, 2)])
def test_any_leading_shape_is_the_formula(shape):
    x, y, a, b = leaves(torch.float32, shape)
    expected = y + 2.5 * x @ a.T @ b.T
    assert torch.allclose(AddLowRank.apply(x, y, a, b, 2.5), expected, atol=1e-6)


def test_on_all_rows_is_on_each_row_named():
    """The fused path acts on a whole batch, the plain one on rows; values and gradients agree."""
    encoder = tiny_encoder()
    module = shaken(module_for(encoder, rank=3, sites=["q", "v", "ffn_in", "ffn_out"]))
    assert_fused_is_plain(encoder, module)
