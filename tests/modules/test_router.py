from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError
from tiny_models import tiny_encoder
from tiny_training import shaken

from xadapt.injection.attachment import model_shape
from xadapt.modules.hooks import SiteInputs
from xadapt.modules.router import Router, RouterOptions

PLACE = (1, "q", 0)


def born(**options):
    return Router(RouterOptions(**options), model_shape(tiny_encoder()))


def made(**options):
    return shaken(born(**{"experts": 3, **options}), 0, 1.0)


def here(rows=2, tokens=5, seed=0):
    rng = torch.Generator().manual_seed(seed)
    x, first, own = (torch.randn(rows, tokens, 32, generator=rng) for _ in range(3))
    mask = torch.ones(rows, tokens, dtype=torch.long)
    mask[0, 3:] = 0
    return SiteInputs(1, x, x, {(0, "attn_in"): first, (1, "attn_in"): own}, mask)


@pytest.mark.parametrize("scope", ["site", "layer", "model"])
@pytest.mark.parametrize("features", ["cls", "mean", "token"])
def test_the_softmax_of_what_it_reads(scope, features):
    """A slow twin: row by row and token by token."""
    router, given = made(scope=scope, features=features, temperature=0.5), here()
    gates = router.gates(PLACE, given)
    key = {"site": "1-q-0", "layer": "1", "model": "all"}[scope]
    read = {
        "site": given.input,
        "layer": given.inputs[1, "attn_in"],
        "model": given.inputs[0, "attn_in"],
    }[scope]
    assert router.wants(PLACE) == {
        "site": (), "layer": ((1, "attn_in"),), "model": ((0, "attn_in"),)
    }[scope]  # fmt: skip
    for row in range(2):
        real = int(given.mask[row].sum())
        for token in range(5 if features == "token" else 1):
            vector = {
                "cls": read[row, 0],
                "mean": read[row, :real].mean(0),
                "token": read[row, token],
            }[features]
            scores = [float(w @ vector) / 0.5 for w in router.scores[key]]
            total = sum(2.718281828459045**s for s in scores)
            expected = torch.tensor([2.718281828459045**s / total for s in scores])
            assert torch.allclose(gates[row, token], expected, atol=1e-5)


def test_top_k_keeps_k_and_sums_to_one():
    """Where a second softmax over zeroed weights would leave the dropped ones alive."""
    dense, kept = made(features="token"), made(features="token", top_k=2)
    whole, few = dense.gates(PLACE, here()), kept.gates(PLACE, here())
    assert torch.allclose(few.sum(-1), torch.ones(2, 5))
    assert ((few == 0).sum(-1) == 1).all()
    assert torch.equal(few == 0, whole == whole.amin(-1, keepdim=True))
    ratio = whole / few
    assert torch.allclose(ratio[few > 0].view(2, 5, 2).std(-1), torch.zeros(2, 5), atol=1e-5)
    assert torch.equal(made(features="token", top_k=3).gates(PLACE, here()), whole)


def test_padding_does_not_move_the_gates():
    long = here()
    short = SiteInputs(1, *(t[:, :3] for t in (long.input, long.output)), {}, long.mask[:, :3])
    for features in ("cls", "mean"):
        router = made(scope="site", features=features)
        first = router.gates(PLACE, long)[0]
        assert torch.allclose(first, router.gates(PLACE, short)[0], atol=1e-6)


def test_at_birth_all_count_alike():
    router = born(experts=4)
    assert torch.equal(router.gates(PLACE, here()), torch.full((2, 1, 4), 0.25))


def test_mistakes():
    with pytest.raises(ValidationError, match="top_k"):
        RouterOptions(experts=2, top_k=3)
    with pytest.raises(ValueError, match="no site 'x'"):
        born(scope="site", sites=["x"])
    with pytest.raises(ValueError, match="no weights for q of layer 2"):
        made(layers=[0, 1]).gates(PLACE, here())
