from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_counts import Counts
from tiny_models import MANY, tiny_encoder
from tiny_training import module_for, shaken

from xadapt.backbones.cache.frozen_vectors import cache_folder
from xadapt.composition.text import parse
from xadapt.inference.adapted_encoder import AdaptedEncoder
from xadapt.inference.shared_states import cache_within, first_layer, repeated_cache, shared_cache

KINDS: dict[str, dict[str, Any]] = {
    "low": {"rank": 2},
    "mid": {"rank": 2, "layers": [2, 4]},
    "top": {"rank": 2, "layers": [3, 4]},
    "bn": {"kind": "bottleneck", "width": 4, "layers": [1, 4]},
    "inv": {"kind": "bottleneck", "width": 4, "layers": [1, 4], "invertible": "nice"},
    "none": {"kind": "none", "layers": "all"},
}


def adapted(family: str = "bert") -> AdaptedEncoder:
    encoder = tiny_encoder(family)
    modules = {
        name: shaken(module_for(encoder, **options), seed)
        for seed, (name, options) in enumerate(KINDS.items())
    }
    return AdaptedEncoder(encoder, modules, None)


@pytest.mark.parametrize(
    ("text", "layer"),
    [
        ("top", 3),
        ("mid + top", 2),
        ("mix(top: .5, bn: .5)", 1),
        ("top + low", 0),
        ("top + inv", -1),
        ("none", 4),
        ("by_language(de = top, sw = mid)", 2),
        ("by_language(de = top) + bn", 1),
        ("by_language(de = none, * = none)", 4),
    ],
)
def test_the_lowest_layer_is_derived_from_where_modules_sit(text: str, layer: int) -> None:
    model = adapted()
    assert first_layer(model.encoder, [parse(text), None], model.modules) == layer
    assert first_layer(model.encoder, [None], model.modules) == model.encoder.depth


@pytest.mark.parametrize("family", ["bert", "deberta-v3"])
@pytest.mark.parametrize(
    ("one", "other", "start"),
    [
        ("top", "mid", 2),
        ("top", "mix(bn: .5, top: .5)", 1),
        ("top", "low", None),
        ("inv", "top", None),
        ("none", "top", 3),
        ("none", "none + none", 4),
    ],
)
def test_two_compositions_share_what_lies_below_both(
    family: str, one: str, other: str, start: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = adapted(family)
    systems = [model.with_(one), model.with_(other)]
    expected = [system.encode(MANY) for system in systems]
    counts = Counts(monkeypatch)
    cache = shared_cache(*systems)
    got = [system.encode(MANY, cache=cache) for system in systems]
    for mine, whole in zip(got, expected, strict=True):
        np.testing.assert_allclose(mine, whole, rtol=0, atol=1e-5 * np.abs(whole).max())
    whole_way = {0: 2 * len(MANY)}
    assert counts.taken() == (whole_way if start is None else {0: len(MANY), start: 2 * len(MANY)})
    assert (None if cache is None else cache.start) == start


def test_one_system_keeps_nothing() -> None:
    model = adapted().with_("top")
    assert shared_cache(model) is None


@pytest.mark.parametrize("family", ["bert", "deberta-v3"])
def test_a_call_with_each_text_twice_computes_the_lower_layers_once(
    family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, n = adapted(family), len(MANY)
    two = [parse("top"), parse("mid + bn")]
    apart = np.concatenate([model.encode(MANY, compositions=[own] * n) for own in two])
    files = sorted(cache_folder().rglob("*"))
    counts = Counts(monkeypatch)
    both = model.encode([*MANY, *MANY], compositions=[two[i // n] for i in range(2 * n)])
    assert counts.taken() == {0: n, 1: 2 * n}
    np.testing.assert_allclose(both, apart, rtol=0, atol=1e-5 * np.abs(apart).max())
    model.encode(MANY, compositions=[two[0]] * n)  # distinct texts: as ever
    assert counts.taken() == {0: n} and sorted(cache_folder().rglob("*")) == files
    assert cache_within(model, [*MANY, "cat"], None) is None


def test_calls_with_other_weights_share_from_one_to_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = adapted().with_("mix(mid: .5, top: .5)")
    weighed = [parse(f"mix(mid: {w}, top: {1 - w})") for w in (0.25, 0.75, 0.0)]
    expected = [model.encode(MANY, compositions=[own] * len(MANY)) for own in weighed]
    counts = Counts(monkeypatch)
    cache = repeated_cache(model)
    for own, whole in zip(weighed, expected, strict=True):
        got = model.encode(MANY, compositions=[own] * len(MANY), cache=cache)
        np.testing.assert_allclose(got, whole, rtol=0, atol=1e-5 * np.abs(whole).max())
    assert counts.taken() == {0: len(MANY), 2: 3 * len(MANY)}
    assert repeated_cache(model.with_("low")) is None


def test_much_text_goes_to_the_cache_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XADAPT_CACHE", str(tmp_path))
    monkeypatch.setattr("xadapt.backbones.cache.prefix_states.MEMORY_BYTES", 0)
    monkeypatch.setattr("xadapt.backbones.cache.prefix_states.PIECE", 2)
    model = adapted()
    cache = shared_cache(model.with_("top"), model.with_("mid"))
    model.with_("top").encode(MANY, cache=cache)
    assert list((tmp_path / "activations").glob("*/*.safetensors"))
