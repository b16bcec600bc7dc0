from __future__ import annotations

import random

import pytest
import torch
from tiny_loras import modules
from tiny_models import FAMILIES, padded, tiny_encoder
from tiny_training import forward, hooks_do_nothing

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.composition.composed import Composed
from xadapt.composition.values import Composition, Mix, Stack
from xadapt.injection import batched_lora as attach_sums
from xadapt.injection.activation import Activation, ActiveAdapter
from xadapt.injection.attachment import projects_positions

VALUES: list[Composition] = ["a", "b", Stack("a", "c"), Mix({"b": 0.5, "c": -2.0}), "c", "a"]
CASES = [
    [0, 1, 2, 3],  # every row its own
    [None, 4, 0, None],  # rows without, and a site that one row has alone
    [2, 2, 2, 2],  # one for all
    [1, None, None, 1],
    [None, None, None, None],
]


def batched(encoder: Encoder, wholes: list[Composed], acts: list[int | None]) -> Activation:
    """What computes sums of LoRAs together, one a row by its number."""
    made = [ActiveAdapter(encoder, whole, batched=True) for whole in wholes]
    assert all(adapter.updates is not None for adapter in made)
    return Activation.by_row([None if act is None else made[act] for act in acts])


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("long", [0, 10**6])
def test_rows_together_are_rows_apart(
    family: str, long: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attach_sums, "LONG", long)  # always by row, or always by owner
    encoder = tiny_encoder(family)
    if projects_positions(encoder):
        pytest.skip("rows of this family are seen apart")
    tokens, mask = padded(encoder)
    wholes = [Composed(value, modules(encoder)) for value in VALUES]
    with torch.no_grad():
        plain = forward(encoder, tokens, mask)
        apart = []
        for whole in wholes:
            alone = Activation.of(ActiveAdapter(encoder, whole))
            apart.append(forward(encoder, tokens, mask, alone))
        size = max(float(states.abs().max()) for states in apart)
        for whole, states in zip(wholes, apart, strict=True):
            everywhere = Activation.of(ActiveAdapter(encoder, whole, batched=True))
            gap = (forward(encoder, tokens, mask, everywhere) - states).abs().max()
            assert gap <= 1e-5 * size
        assert torch.equal(forward(encoder, tokens, mask), plain)
        for acts in CASES:
            found = forward(encoder, tokens, mask, batched(encoder, wholes, acts))
            for row, act in enumerate(acts):
                if act is None:
                    assert torch.equal(found[row], plain[row])
                else:
                    assert (found[row] - apart[act][row]).abs().max() <= 1e-5 * size
                    assert (found[row] - plain[row])[mask[row].bool()].abs().max() > 1e-3
        assert torch.equal(forward(encoder, tokens, mask), plain)
    assert hooks_do_nothing(encoder)


@pytest.mark.parametrize("long", [0, 10**6])
def test_in_bfloat16_a_sum_is_rounded_once(long: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """An update that is rounded before it is added is wrong in the last bit of a quarter of all."""
    monkeypatch.setattr(attach_sums, "LONG", long)
    torch.manual_seed(0)
    x, y = (torch.randn(6, 7, width).bfloat16() for width in (32, 24))
    factors = [(0.2 * torch.randn(r, 32), 0.2 * torch.randn(24, r)) for r in (2, 3)]
    owners = torch.tensor([0, 1, 1, 0, 1, 0])
    found = attach_sums._sum(x, y, factors, owners)
    assert found.dtype == torch.bfloat16
    exact = []
    for row, owner in enumerate(owners.tolist()):
        down, up = (value.bfloat16().double() for value in factors[owner])
        narrow = (x[row].double() @ down.T).bfloat16().double()
        exact.append((y[row].double() + narrow @ up.T).bfloat16())
    wanted = torch.stack(exact)
    assert (found == wanted).double().mean() > 0.99
    assert (found - wanted).abs().max() <= 2**-7 * wanted.abs().max()
    alone = torch.stack(
        [attach_sums._sum(x[i : i + 1], y[i : i + 1], [factors[own]], owners[:1])[0]
         for i, own in enumerate(owners.tolist())]
    )  # fmt: skip
    assert (found == alone).double().mean() > 0.99


def test_against_a_slow_twin_by_fuzz() -> None:
    """One linear, rows and owners at random, against a loop over rows in double precision."""
    rng = random.Random(0)
    for turn in range(40):
        torch.manual_seed(turn)
        batch, length, n = rng.randint(1, 7), rng.randint(1, 40), rng.randint(1, 5)
        ranks = [rng.randint(1, 9) for _ in range(n)]
        factors = [(torch.randn(r, 6), torch.randn(4, r)) for r in ranks]
        owners = torch.tensor([rng.randrange(n) for _ in range(batch)])
        x, y = torch.randn(batch, length, 6), torch.randn(batch, length, 4)
        found = attach_sums._sum(x, y, factors, owners)
        for row, owner in enumerate(owners.tolist() if n > 1 else [0] * batch):
            down, up = (value.double() for value in factors[owner])
            wanted = y[row].double() + x[row].double() @ down.T @ up.T
            torch.testing.assert_close(found[row].double(), wanted, rtol=1e-5, atol=1e-5)


def test_a_forward_in_bfloat16_stays_in_it_and_near() -> None:
    encoder = tiny_encoder("bert")
    exact = [Composed(value, modules(encoder)) for value in VALUES]
    tokens, mask = padded(encoder)
    with torch.no_grad():
        acts = batched(encoder, exact, [0, 1, None, 4])
        wanted = forward(encoder, tokens, mask, acts)
        encoder.model.to(torch.bfloat16)
        found = forward(encoder, tokens, mask, acts)
    assert found.dtype == torch.bfloat16
    assert (found.float() - wanted).abs().max() < 0.05 * wanted.abs().max()


@pytest.mark.parametrize("long", [0, 10**6])
def test_gradients_are_those_of_rows_apart(long: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attach_sums, "LONG", long)
    encoder = tiny_encoder("bert")
    tokens, mask = padded(encoder)
    own = modules(encoder)
    wholes = [Composed("a", own), Composed(Stack("b", "c"), own)]
    acts = batched(encoder, wholes, [0, 1, None, 0])
    forward(encoder, tokens, mask, acts).square().sum().backward()
    found = {(n, k): p.grad for n, m in own.items() for k, p in m.named_parameters()}
    for module in own.values():
        module.zero_grad()
    one, two = (ActiveAdapter(encoder, whole) for whole in (own["a"], wholes[1]))
    apart = Activation.several([(one, [0, 3]), (two, [1])])
    forward(encoder, tokens, mask, apart).square().sum().backward()
    for (name, key), grad in found.items():
        wanted = own[name].get_parameter(key).grad
        assert grad is not None and wanted is not None
        assert (grad - wanted).abs().max() <= 1e-4 * max(1.0, float(wanted.abs().max()))
