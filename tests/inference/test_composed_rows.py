from __future__ import annotations

import threading

import pytest
import torch
from tiny_models import padded, tiny_encoder
from tiny_training import forward, hooks_do_nothing, module_for, shaken
from torch import nn

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.composition.composed import Composed
from xadapt.composition.values import Mix, Route, Stack
from xadapt.core.errors import UserError
from xadapt.inference import composed_rows
from xadapt.inference.composed_rows import ComposedRows


@pytest.fixture
def encoder() -> Encoder:
    return tiny_encoder("bert")


def modules(encoder: Encoder) -> dict[str, nn.Module]:
    return {
        "a": shaken(module_for(encoder, rank=2), 1, 0.1),
        "b": shaken(module_for(encoder, rank=3), 2, 0.1),
        "n": shaken(module_for(encoder, "bottleneck", width=4), 3, 0.1),
    }


def states(rows: ComposedRows, chosen, own) -> torch.Tensor:
    tokens, mask = padded(rows.encoder)
    acts = rows.activations(chosen, own)
    with torch.no_grad():
        return forward(rows.encoder, tokens, mask, acts(list(range(len(chosen)))))


def hooks(encoder: Encoder) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in encoder.model.modules())


def test_a_repeated_composition_is_the_one_made_before_and_the_encoder_is_bare(encoder) -> None:
    rows, own = ComposedRows(encoder), modules(encoder)
    chosen = ["a", Stack("a", "n"), None, "n"]
    first = states(rows, chosen, own)
    made = [rows.make(value, own) for value in chosen if value]
    assert hooks_do_nothing(encoder)
    assert torch.equal(states(rows, chosen, own), first)
    assert [rows.make(value, own) for value in chosen if value] == made
    assert all(rows.make(v, own) is m for v, m in zip(("a", "n"), (made[0], made[2]), strict=True))
    assert hooks_do_nothing(encoder) and torch.equal(
        first, states(ComposedRows(encoder), chosen, own)
    )


def test_adapters_share_a_hook_a_linear(encoder) -> None:
    rows, own = ComposedRows(encoder), modules(encoder)
    rows.activations(["a"], own)
    one = hooks(encoder)
    rows.activations(["a", "b", Stack("a", "b"), Mix({"a": 0.1})], own)
    ComposedRows(Encoder.wrap(encoder.model, encoder.tokenizer)).activations(["b"], own)
    assert hooks(encoder) == one > 0


@pytest.mark.parametrize("value", ["a", "n", Route("arrow", ["a", "b"])])
def test_another_module_of_the_name_or_other_values_are_seen(encoder, value) -> None:
    rows, own = ComposedRows(encoder), modules(encoder)
    before = states(rows, [value] * 4, own)
    for change in ("values", "storage", "parameters", "module"):
        name = "n" if value == "n" else "a"
        new = shaken(module_for(encoder, *(("bottleneck",) if name == "n" else ()),
                                **({"width": 4} if name == "n" else {"rank": 2})),
                     len(change), 0.1)  # fmt: skip
        if change == "values":
            own[name].load_state_dict(new.state_dict())
        elif change == "storage":
            for ours, theirs in zip(own[name].parameters(), new.parameters(), strict=True):
                ours.data = theirs.data
        elif change == "parameters":
            own[name].load_state_dict(new.state_dict(), assign=True)
        else:
            own[name] = new
        after = states(rows, [value] * 4, own)
        assert torch.equal(after, states(ComposedRows(encoder), [value] * 4, own)), change
        assert not torch.equal(after, before)
        before = after


def test_the_oldest_are_let_go_and_a_module_is_forgotten(encoder, monkeypatch) -> None:
    monkeypatch.setattr(composed_rows, "KEPT", 2)
    rows, own = ComposedRows(encoder), modules(encoder)
    for value in ("a", "b", "a", "n"):
        rows.make(value, own)
    assert list(rows._kept) == ["a", "n"]
    rows.make(Stack("a", "b"), own)
    rows.forget(own["a"])
    assert list(rows._kept) == ["n"]


def test_a_module_let_go_while_it_is_made_ready_in_another_thread_is_not_kept(
    encoder, monkeypatch
) -> None:
    rows, own, checked = ComposedRows(encoder), modules(encoder), Composed.checked
    inside, go = threading.Event(), threading.Event()

    def slow(*given):
        inside.set()
        assert go.wait(30)
        return checked(*given)

    monkeypatch.setattr(composed_rows.Composed, "checked", slow)
    making = threading.Thread(target=rows.make, args=("a", own))
    forgetting = threading.Thread(target=rows.forget, args=(own["a"],))
    making.start()
    assert inside.wait(30)
    forgetting.start()
    forgetting.join(0.2)
    go.set()
    making.join(30)
    forgetting.join(30)
    assert not rows._kept


def test_a_call_beside_another_changes_neither(encoder) -> None:
    rows, own = ComposedRows(encoder), modules(encoder)
    apart = states(rows, ["n", "a", "n", None], own)
    outer = rows.activations(["n", "a", "n", None], own)
    assert torch.equal(states(rows, ["n", "a", "n", None], own), apart)
    tokens, mask = padded(encoder)
    with torch.no_grad():
        found = forward(encoder, tokens[2:], mask[2:], outer([2, 3]))
    assert torch.allclose(found, apart[2:], atol=1e-5) and hooks_do_nothing(encoder)


def test_what_is_merged_runs_alone(encoder) -> None:
    rows, own = ComposedRows(encoder), modules(encoder)
    value = Mix({"a": 0.5, "b": 0.5})
    wanted, plain = states(rows, [value] * 4, own), states(rows, [None] * 4, own)
    with rows.merged(value, own):
        found = states(rows, [value] * 4, own)
        for other in ([None] * 4, ["a"] * 4, [value, "n", value, value]):
            with pytest.raises(UserError, match="is merged into the base, and a row wants"):
                states(rows, other, own)
        with pytest.raises(UserError, match="a row wants"):
            states(ComposedRows(encoder), [value] * 4, {**own, "b": own["a"]})
    size = max(1.0, float(wanted.abs().max()))
    assert (found - wanted).abs().max() <= 1e-5 * size < (wanted - plain).abs().max()
    assert torch.equal(states(rows, [None] * 4, own), plain)
    for other in ("n", Stack("a", "n"), Route("arrow", ["a", "b"])):
        with pytest.raises(UserError, match="only LoRAs"), rows.merged(other, own):
            pass


def test_a_missing_module_and_one_for_another_base_are_told(encoder) -> None:
    rows, own = ComposedRows(encoder), modules(encoder)
    with pytest.raises(UserError, match="no module 'x'"):
        rows.make("x", own)
    deep = {"a": module_for(tiny_encoder("bert", num_hidden_layers=6))}
    with pytest.raises(UserError, match="which this base of 4 layers lacks"):
        rows.make("a", deep)
    assert hooks(encoder) == 0
