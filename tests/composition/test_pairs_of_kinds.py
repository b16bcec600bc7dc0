"""Every pair of module kinds under every composition: each works, or is refused when it is named.

What works gives each row of a mixed batch what it gives when it runs alone.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import pytest
import torch
from tiny_models import TEXTS, tiny_encoder
from tiny_training import module_for, shaken

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.composition.values import ByLanguage, Composition, Fuse, Mix, Route, Stack
from xadapt.core.errors import UserError
from xadapt.inference.adapted_encoder import AdaptedEncoder

SITES = ["v", "attn_out", "ffn_in", "ffn_out"]
KINDS = {
    "lora": ("lora", {"rank": 2, "alpha": 4, "sites": SITES}),
    "sequential": ("bottleneck", {"width": 4}),
    "parallel": ("bottleneck", {"width": 4, "after": "ffn", "form": "parallel"}),
    "pfeiffer": ("bottleneck", {"width": 4, "form": "pfeiffer"}),
    "nice": ("bottleneck", {"width": 4, "after": "ffn", "invertible": "nice"}),
    "glow": ("bottleneck", {"width": 3, "after": "ffn", "invertible": "glow"}),
    "mixture": ("mixture_of_loras", {"experts": 2, "rank": 2, "sites": SITES}),
    "token mixture": (
        "mixture_of_loras",
        {"experts": 2, "rank": 2, "sites": SITES, "scope": "layer", "features": "token"},
    ),
    "none": ("none", {}),
    "router": ("router", {"experts": 2}),
    "fusion": ("fusion", {"experts": 2, "sites": SITES, "width": 8}),
}
ROUTERS = {
    "by site": ("router", {"experts": 2, "scope": "site", "sites": SITES}),
    "by layer": ("router", {"experts": 2, "scope": "layer", "features": "mean"}),
    "by model": ("router", {"experts": 2, "scope": "model", "features": "token"}),
    "fuser": ("fusion", {"experts": 2, "sites": SITES, "width": 8}),
    "last layers": ("fusion", {"experts": 2, "sites": SITES, "layers": [2, 4]}),
}
OPERATORS: dict[str, Callable[[str, str], Composition]] = {
    "stack": lambda a, b: Stack(a, b),
    "mix": lambda a, b: Mix({a: 0.7, b: 0.3}),
    "route by site": lambda a, b: Route("by site", [a, b]),
    "route by layer": lambda a, b: Route("by layer", [a, b]),
    "route by model": lambda a, b: Route("by model", [a, b]),
    "arrow": lambda a, b: Route("arrow", [a, b]),
    "fuse": lambda a, b: Fuse("fuser", [a, b]),
    "fuse some layers": lambda a, b: Fuse("last layers", [a, b]),
    "by language": lambda a, b: ByLanguage({"de": a, "sw": b}),
}
MAPPED, LED = {"nice", "glow"}, {"router", "fusion"}


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return tiny_encoder("bert")


@pytest.fixture(scope="module")
def adapted(encoder: Encoder) -> AdaptedEncoder:
    """All modules on one base, for compositions to name."""
    modules = {
        name: shaken(module_for(encoder, kind, **options), seed, 0.05)
        if options
        else module_for(encoder, kind, layers="all")
        for seed, (name, (kind, options)) in enumerate({**KINDS, **ROUTERS}.items())
    }
    return AdaptedEncoder(encoder, modules, "lora")


def should_be_refused(operator: str, a: str, b: str) -> bool:
    """The pairs that can't act together, by what the parts are."""
    both = {a, b}
    if both & LED:  # they act through other modules, and none is named
        return True
    if operator == "arrow":
        return both != {"lora"}
    if operator in ("stack", "mix", "by language"):
        return False
    if both & MAPPED:  # the embeddings come before all that weighs
        return True
    return operator == "fuse some layers" and both != {"none"}


@pytest.mark.parametrize("operator", OPERATORS)
def test_each_pair_works_as_its_rows_alone_or_is_refused_by_name(
    adapted: AdaptedEncoder, operator: str
) -> None:
    works, refused = [], []
    for a, b in product(KINDS, KINDS):
        if operator == "mix" and a == b:
            continue
        composition = OPERATORS[operator](a, b)
        try:
            adapted.with_(composition)
        except UserError as error:
            assert "\n" not in str(error) and len(str(error)) < 300
            refused.append((a, b))
        else:
            works.append((a, b, composition))
    pairs = [*refused, *((a, b) for a, b, _ in works)]
    assert set(refused) == {(a, b) for a, b in pairs if should_be_refused(operator, a, b)}
    rows: list[Composition] = [composition for *_, composition in works]
    if operator == "by language":
        rows = [part for row in rows if isinstance(row, ByLanguage) for _, part in row.parts]
    texts = [TEXTS[number % len(TEXTS)] for number in range(len(rows))]
    mixed = adapted.encode(texts, compositions=rows, convert_to_tensor=True)
    alone = [
        adapted.encode(text, compositions=row, convert_to_tensor=True)
        for text, row in zip(texts, rows, strict=True)
    ]
    if rows:
        assert torch.allclose(mixed, torch.stack(alone), atol=1e-5)


@pytest.mark.parametrize("family", ["deberta-v3", "t5"])
@pytest.mark.parametrize("name", ["mixture", "token mixture"])
def test_what_a_base_can_not_hold_is_refused_when_it_is_named(family: str, name: str) -> None:
    encoder = tiny_encoder(family)
    kind, options = KINDS[name]
    module = module_for(encoder, kind, **{**options, "sites": ["q", "v"]})
    if family == "t5":
        assert len(AdaptedEncoder(encoder, {"m": module}, "m").encode(list(TEXTS))) == len(TEXTS)
        return
    with pytest.raises(UserError, match="projects its positions"):
        AdaptedEncoder(encoder, {"m": module}, "m")
