"""Threads, nested forwards and gradients: each forward has what it was given, and nothing else."""

from __future__ import annotations

import random
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch
from tiny_models import MANY, TEXTS, padded, tiny_encoder
from tiny_training import digest, forward, hooks_do_nothing, module_for, shaken
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from xadapt.backbones.encoder.encode import encode, pooled
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.composition.text import parse
from xadapt.inference import composed_rows
from xadapt.inference.adapted_encoder import AdaptedEncoder
from xadapt.injection.activation import Activation, ActiveAdapter
from xadapt.modules.hooks import AdapterHook

THREADS, REQUESTS = 32, 160
KINDS: dict[str, dict[str, Any]] = {
    "de": {"rank": 2},
    "nl": {"rank": 3},
    "sw": {"rank": 1, "layers": [1, 4]},
    "fr": {"kind": "bottleneck", "width": 4},
    "ru": {"kind": "bottleneck", "width": 4, "invertible": "nice"},
    "mol": {"kind": "mixture_of_loras", "experts": 2, "rank": 2},
}
COMPOSED = (
    "by_language(de=de, nl=nl, sw=sw, fr=fr, ru=ru, es=mol, pt=mix(de: .5, fr: .5), it=de + fr)"
)
LANGUAGES = ("de", "nl", "sw", "fr", "ru", "es", "pt", "it", None)


@pytest.fixture(autouse=True)
def often() -> Iterator[None]:
    """Threads take turns fifty times as often as usual."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-4)
    yield
    sys.setswitchinterval(before)


def adapted(family: str = "bert") -> AdaptedEncoder:
    encoder = tiny_encoder(family)
    modules = {
        name: shaken(module_for(encoder, **options), seed, 0.2)
        for seed, (name, options) in enumerate(KINDS.items())
    }
    return AdaptedEncoder(encoder, modules, parse(COMPOSED))


def requests(count: int) -> list[tuple[list[str], list[str | None]]]:
    """One to four texts each, of one language, of several, or of none."""
    rng = random.Random(0)
    made = []
    for number in range(count):
        texts = rng.choices(MANY, k=rng.randint(1, 4))
        own = LANGUAGES[number % len(LANGUAGES)]
        tags = [own if number % 3 else rng.choice(LANGUAGES) for _ in texts]
        made.append((texts, tags))
    return made


@pytest.mark.parametrize("family", ["bert", "deberta-v3"])
def test_32_threads_over_8_languages_equal_one_thread(family: str) -> None:
    model, asked = adapted(family), requests(REQUESTS)
    weights = digest(model.encoder.model)
    wanted = [model.encode(*request) for request in asked]
    assert len({vectors.tobytes() for vectors in wanted}) > REQUESTS // 2
    with ThreadPoolExecutor(THREADS) as pool:
        found = list(pool.map(lambda request: model.encode(*request), asked))
    for got, whole in zip(found, wanted, strict=True):
        np.testing.assert_allclose(got, whole, rtol=0, atol=1e-6)
    assert digest(model.encoder.model) == weights and hooks_do_nothing(model.encoder)


def test_threads_with_objects_of_their_own_around_one_model() -> None:
    """Each thread its own encoder, modules and composition; the model is shared."""
    one = adapted()
    asked = requests(64)
    wanted = [one.encode(*request) for request in asked]

    def alone(request: tuple) -> np.ndarray:
        encoder = Encoder.wrap(one.encoder.model, one.encoder.tokenizer)
        return AdaptedEncoder(encoder, one.modules, parse(COMPOSED)).encode(*request)

    with ThreadPoolExecutor(8) as pool:
        for got, whole in zip(pool.map(alone, asked), wanted, strict=True):
            np.testing.assert_allclose(got, whole, rtol=0, atol=1e-6)


class Meeting(nn.Module):
    """Adds a constant to one site; inside the forward it does what a test wants."""

    def __init__(self, act: Any, size: float = 1.0) -> None:
        super().__init__()
        self.act, self.size = act, size

    def hooks(self) -> list[AdapterHook]:
        return [AdapterHook(1, "v", 0, "input", self)]

    def forward(self, x: Tensor) -> Tensor:
        self.act()
        return torch.full_like(x, self.size)


def nothing() -> None:
    """What a module does that only adds."""


def test_a_bare_forward_inside_another_threads_module_is_bare_and_the_other_way_round() -> None:
    encoder = tiny_encoder()
    bare = encode(encoder, TEXTS)
    wanted = encode(encoder, TEXTS, rows=Activation.of(ActiveAdapter(encoder, Meeting(nothing))))
    inside, done = threading.Event(), threading.Event()

    def wait() -> None:
        inside.set()
        assert done.wait(30)

    waiting = Activation.of(ActiveAdapter(encoder, Meeting(wait)))
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(encode, encoder, TEXTS, rows=waiting)
        assert inside.wait(30)  # the other thread is in the middle of its second layer
        assert torch.equal(encode(encoder, TEXTS), bare)
        done.set()
        assert torch.equal(running.result(30), wanted)
    assert (wanted - bare).abs().max() > 1e-2


@pytest.mark.parametrize("second", [None, 2.0])
def test_of_two_forwards_that_overlap_each_has_its_own_to_the_end(second: float | None) -> None:
    """The first begins before the second and ends in the middle of it."""
    encoder = tiny_encoder()
    entered, began, ended = threading.Event(), threading.Event(), threading.Event()

    def first_waits() -> None:
        entered.set()
        assert began.wait(30)

    def adapter(act: Any, size: float) -> Activation:
        return Activation.of(ActiveAdapter(encoder, Meeting(act, size)))

    own = None if second is None else adapter(nothing, second)
    wanted = [encode(encoder, TEXTS, rows=acts) for acts in (adapter(nothing, 1.0), own)]

    def second_waits(*_: object) -> None:
        if threading.current_thread().name == "second":
            began.set()
            assert ended.wait(30)

    hook = encoder.sites(0, "q")[0].module.register_forward_hook(second_waits)
    found: dict[str, Tensor] = {}

    def run(name: str, acts: Activation | None) -> None:
        found[name] = encode(encoder, TEXTS, rows=acts)

    one = threading.Thread(target=run, args=("first", adapter(first_waits, 1.0)), name="first")
    two = threading.Thread(target=run, args=("second", own), name="second")
    one.start()
    assert entered.wait(30)
    two.start()
    one.join(30)
    ended.set()
    two.join(30)
    hook.remove()
    assert torch.equal(found["first"], wanted[0]) and torch.equal(found["second"], wanted[1])
    assert (wanted[0] - wanted[1]).abs().max() > 1e-2


def test_a_thread_that_raises_leaves_the_others_right() -> None:
    model = adapted()
    broken = ActiveAdapter(model.encoder, Meeting(lambda: 1 / 0))
    asked = requests(120)
    wanted = [model.encode(*request) for request in asked]

    def run(number: int) -> np.ndarray | None:
        if number % 2:
            with pytest.raises(ZeroDivisionError):
                encode(model.encoder, TEXTS, rows=Activation.of(broken))
            return None
        return model.encode(*asked[number])

    with ThreadPoolExecutor(8) as pool:
        for number, got in enumerate(pool.map(run, range(len(asked)))):
            if got is not None:
                np.testing.assert_allclose(got, wanted[number], rtol=0, atol=1e-6)
    assert hooks_do_nothing(model.encoder)


def test_an_encode_inside_another_is_right_and_so_is_the_other() -> None:
    """In a callback between forwards, and in a module in the middle of one."""
    model = adapted()
    encoder = model.encoder
    tags = [LANGUAGES[i % 8] for i in range(len(MANY))]
    wanted, bare = model.encode(MANY, tags), model.encode(MANY, [None] * len(MANY))
    within: list[np.ndarray] = []

    def inside(*_: object) -> None:
        within.append(model.encode(MANY, tags))
        within.append(model.encode(MANY, [None] * len(MANY)))
        within.append(encode(encoder, MANY).numpy())

    found = model.encode(MANY, tags, batch_tokens=30, progress=inside)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5)
    assert len(within) > 3
    in_callbacks = list(within)
    constant = Activation.of(ActiveAdapter(encoder, Meeting(nothing)))
    within.clear()
    nested = encode(encoder, MANY, rows=Activation.of(ActiveAdapter(encoder, Meeting(inside))))
    assert torch.equal(nested, encode(encoder, MANY, rows=constant)) and len(within) == 3
    for number, got in enumerate([*in_callbacks, *within]):
        np.testing.assert_array_equal(got, bare if number % 3 else wanted)


def gradients(encoder: Encoder, module: nn.Module, recomputed: bool = False) -> list[Tensor]:
    """Of a loss over the vectors of texts."""
    acts, ids = Activation.of(ActiveAdapter(encoder, module)), encoder.tokenize(TEXTS)
    vectors = (
        checkpoint(pooled, encoder, ids, acts, use_reentrant=False)
        if recomputed
        else pooled(encoder, ids, acts)
    )
    loss = (vectors @ vectors.T).logsumexp(1).sum()
    return list(torch.autograd.grad(loss, list(module.parameters())))


@pytest.mark.parametrize("recomputed", [False, True])
def test_gradients_in_threads_are_those_of_one_thread(recomputed: bool) -> None:
    encoder = tiny_encoder()
    kinds: list[dict[str, Any]] = [{"rank": 2}, {"rank": 3}, {"kind": "bottleneck", "width": 4}]
    modules = [shaken(module_for(encoder, **kinds[i % 3]), i, 0.1) for i in range(9)]
    wanted = [gradients(encoder, module) for module in modules]
    with ThreadPoolExecutor(9) as pool:
        for _ in range(4):
            found = pool.map(lambda module: gradients(encoder, module, recomputed), modules)
            for got, whole in zip(found, wanted, strict=True):
                assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(got, whole, strict=True))
    assert all(parameter.grad is None for parameter in encoder.model.parameters())


def test_a_forward_recomputed_in_another_thread_has_its_own_activation() -> None:
    encoder = tiny_encoder()
    module, other = (shaken(module_for(encoder), seed, 0.2) for seed in (1, 2))
    wanted, ids = gradients(encoder, module), encoder.tokenize(TEXTS)
    acts = Activation.of(ActiveAdapter(encoder, module))
    vectors = checkpoint(pooled, encoder, ids, acts, use_reentrant=False)
    loss = (vectors @ vectors.T).logsumexp(1).sum()
    encode(encoder, TEXTS, rows=Activation.of(ActiveAdapter(encoder, other)))
    with ThreadPoolExecutor(1) as pool:
        found = pool.submit(torch.autograd.grad, loss, list(module.parameters())).result(30)
    assert all(torch.equal(got, whole) for got, whole in zip(found, wanted, strict=True))


def test_compositions_are_made_let_go_and_made_again_in_threads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(composed_rows, "KEPT", 2)
    model, asked = adapted(), requests(120)
    wanted = [model.encode(*request) for request in asked]
    stop = threading.Event()

    def churn() -> None:
        while not stop.is_set():
            model.add("extra", shaken(module_for(model.encoder, rank=1), 9))
            model.encode(TEXTS[:1], compositions=["extra"])
            model.remove("extra")

    changing = threading.Thread(target=churn)
    model = model.with_(parse(COMPOSED))
    changing.start()
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda request: model.encode(*request), asked))
    stop.set()
    changing.join(30)
    for got, whole in zip(found, wanted, strict=True):
        np.testing.assert_allclose(got, whole, rtol=0, atol=1e-6)
    assert len(model._rows._kept) <= 2


@pytest.mark.parametrize("family", ["bert", "deberta-v3"])
def test_rows_of_an_activation_are_those_of_separate_runs(family: str) -> None:
    model = adapted(family)
    tokens, mask = padded(model.encoder)
    names = ["de", "fr", None, "mol"]
    adapters = {name: ActiveAdapter(model.encoder, model.modules[name]) for name in names if name}
    with torch.no_grad():
        mixed = forward(
            model.encoder, tokens, mask, Activation.by_row([adapters.get(n) for n in names])
        )
        for row, name in enumerate(names):
            acts = Activation.by_row([adapters.get(name)] * 4)
            assert (acts.lowest is None) == (name is None) and acts.acts == (name is not None)
            alone = forward(model.encoder, tokens, mask, acts)[row]
            assert torch.allclose(mixed[row], alone, atol=1e-5)
