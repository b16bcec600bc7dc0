from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from tiny_loras import modules
from tiny_models import FAMILIES, TEXTS, padded, tiny_encoder
from tiny_training import digest, forward

from xadapt.backbones.cache.frozen_vectors import FrozenVectors
from xadapt.backbones.cache.prefix_states import PrefixStates
from xadapt.backbones.encoder.encode import encode
from xadapt.composition.composed import Composed
from xadapt.composition.values import Mix, Stack
from xadapt.core.errors import UserError
from xadapt.injection.activation import Activation, ActiveAdapter, updates_of
from xadapt.injection.attachment import place
from xadapt.injection.merging import merged, merged_in


def updates(encoder, whole):
    return updates_of([(hook, place(encoder, hook)) for hook in whole.hooks()])


@pytest.mark.parametrize("family", FAMILIES)
def test_merged_is_unmerged_and_leaves_the_base_bitwise(family: str) -> None:
    encoder = tiny_encoder(family)
    tokens, mask = padded(encoder)
    whole = Composed(Stack("b", Mix({"a": 0.5, "c": -1.0})), modules(encoder, 0.05))
    adapter = ActiveAdapter(encoder, whole)
    before, values = digest(encoder.model), dict(encoder.model.named_parameters())
    print_ = encoder.fingerprint
    with torch.no_grad():
        wanted = forward(encoder, tokens, mask, Activation.of(adapter))
        plain = forward(encoder, tokens, mask)
        with merged(encoder, updates(encoder, whole), "it") as update:
            found = forward(encoder, tokens, mask, update.activation())
            assert merged_in(encoder) is update and update.said == "it"
            assert encoder.fingerprint == print_
            inside = dict(encoder.model.named_parameters())
        assert torch.equal(forward(encoder, tokens, mask), plain)
    real = mask.bool()
    size = max(1.0, float(wanted[real].abs().max()))
    assert (found - wanted)[real].abs().max() <= 1e-5 * size
    assert (found - plain)[real].abs().max() > 1e-2
    assert merged_in(encoder) is None and digest(encoder.model) == before
    after = dict(encoder.model.named_parameters())
    assert all(after[name] is value for name, value in values.items())
    touched = {site.path for site, _ in updates(encoder, whole).values()}
    for name, value in inside.items():
        assert (value is values[name]) == (name.removesuffix(".weight") not in touched)


def test_an_error_inside_restores_and_merging_twice_is_refused() -> None:
    encoder = tiny_encoder("bert")
    before = digest(encoder.model)
    parts = updates(encoder, Composed("a", modules(encoder)))
    with pytest.raises(RuntimeError), merged(encoder, parts, "a"):
        assert digest(encoder.model) != before
        again = merged(encoder, parts, "b")
        with pytest.raises(UserError, match="merged into this base already"), again:
            pass
        raise RuntimeError
    assert digest(encoder.model) == before and merged_in(encoder) is None


def test_the_fingerprint_of_a_base_in_memory_is_that_of_its_own_weights() -> None:
    wanted = tiny_encoder("bert").fingerprint
    encoder = tiny_encoder("bert")
    with merged(encoder, updates(encoder, Composed("a", modules(encoder))), "a"):
        assert encoder.fingerprint == wanted
    assert encoder.fingerprint == wanted


def test_in_the_block_the_bare_base_is_refused_from_the_changed_layer_on() -> None:
    encoder = tiny_encoder("bert")
    tokens, mask = padded(encoder)
    hidden = encoder.embed(tokens, mask)
    low = encoder.run(hidden, mask, 0, 1)
    top = Composed("c", modules(encoder))  # in the layers 1 and 2
    own = Activation.of(ActiveAdapter(encoder, modules(encoder)["a"]))
    with merged(encoder, updates(encoder, top), "c") as update:
        assert update.lowest == 1 and torch.equal(encoder.run(hidden, mask, 0, 1), low)
        for activation in (None, own, Activation()):
            with pytest.raises(UserError, match="a module is merged into this base") as said:
                encoder.run(hidden, mask, activation=activation)
            assert "\n" not in str(said.value)
        encoder.run(low, mask, 1, activation=update.activation())
    encoder.run(hidden, mask)
    with pytest.raises(UserError, match="no longer merged"):
        encoder.run(hidden, mask, activation=update.activation())


def test_what_is_computed_while_something_is_merged_is_never_kept_as_frozen(tmp_path) -> None:
    encoder, texts = tiny_encoder("bert"), list(TEXTS)
    wanted = encode(encoder, texts)
    frozen, states = FrozenVectors(encoder, tmp_path), PrefixStates(encoder, 2, tmp_path)
    low, high = PrefixStates(encoder, 1, None), PrefixStates(encoder, 1, None)
    frozen.add(texts[:2])
    rows = [(tuple(ids), None) for ids in encoder.tokenize(texts)]
    high.add(rows)
    with merged(encoder, updates(encoder, Composed("c", modules(encoder))), "c"):
        for compute in (frozen.get, frozen.add, frozen.fixed):
            with pytest.raises(UserError, match="a module is merged into this base"):
                compute(texts)
        for compute in (states.add, states.entering):
            with pytest.raises(UserError, match="a module is merged into this base"):
                compute(rows)
        assert torch.equal(frozen.get(texts[:2]), wanted[:2])  # looked up, not computed
        low.add(rows)  # below the merged layers nothing differs
    assert torch.equal(low.batch(rows)[0], high.batch(rows)[0])
    assert not states.has(rows[:1])
    assert len(list((tmp_path / "activations").glob("*/*.safetensors"))) == 1  # of frozen vectors
    assert torch.allclose(frozen.get(texts), wanted, atol=1e-6)


def test_a_forward_in_another_thread_waits_for_the_exchange_and_is_then_refused() -> None:
    encoder = tiny_encoder("bert")
    tokens, mask = padded(encoder)
    hidden, plain = encoder.embed(tokens, mask), forward(encoder, tokens, mask)
    inside, go = threading.Event(), threading.Event()
    parts = updates(encoder, Composed("a", modules(encoder)))

    def slow(*_) -> None:
        inside.set()
        assert go.wait(30)

    with ThreadPoolExecutor(2) as pool:
        hook = encoder.sites(3, "ffn_out")[0].module.register_forward_hook(slow)
        running = pool.submit(encoder.run, hidden, mask)
        assert inside.wait(30)
        exchanging = threading.Thread(target=lambda: held.append(block.__enter__()))
        held: list = []
        block = merged(encoder, parts, "a")
        exchanging.start()
        exchanging.join(0.2)
        assert exchanging.is_alive() and not held  # the forward of the first thread still runs
        late = pool.submit(encoder.run, hidden, mask)
        hook.remove()
        go.set()
        assert torch.equal(running.result(30), plain)
        exchanging.join(30)
        with pytest.raises(UserError, match="a module is merged into this base"):
            late.result(30)
        block.__exit__(None, None, None)
        assert torch.equal(pool.submit(encoder.run, hidden, mask).result(30), plain)


def test_weights_are_not_exchanged_inside_a_forward_of_the_same_thread() -> None:
    encoder = tiny_encoder("bert")
    tokens, mask = padded(encoder)
    plain = forward(encoder, tokens, mask)
    parts = updates(encoder, Composed("a", modules(encoder)))

    def merging(*_) -> None:
        with merged(encoder, parts, "a"):
            pass

    hook = encoder.sites(2, "v")[0].module.register_forward_hook(merging)
    with pytest.raises(UserError, match="inside a forward"):
        forward(encoder, tokens, mask)
    hook.remove()
    assert torch.equal(forward(encoder, tokens, mask), plain) and merged_in(encoder) is None
