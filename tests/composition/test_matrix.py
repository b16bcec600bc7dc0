"""Every module kind and composition, on every family, all in one batch: each row as if alone."""

from __future__ import annotations

import pytest
import torch
from tiny_models import FAMILIES, TEXTS, padded, tiny_encoder
from tiny_training import forward, module_for, shaken

from xadapt.composition.composed import Composed
from xadapt.composition.values import Fuse, Mix, Route, Stack, names
from xadapt.injection.activation import Activation, ActiveAdapter

SITES = ["v", "attn_out", "ffn_in", "ffn_out"]
SCALE = 0.05  # stronger modules make rounding errors grow over the layers
KINDS = {
    "lora": ("lora", {"rank": 2, "alpha": 4, "sites": SITES}),
    "lora2": ("lora", {"rank": 3, "alpha": 3, "sites": SITES}),
    "after both": ("bottleneck", {"width": 4}),
    "after ffn": ("bottleneck", {"width": 4, "after": "ffn"}),
    "parallel": ("bottleneck", {"width": 4, "after": "ffn", "form": "parallel"}),
    "pfeiffer": ("bottleneck", {"width": 4, "form": "pfeiffer"}),
    "nice": ("bottleneck", {"width": 4, "after": "ffn", "invertible": "nice"}),
    "glow": ("bottleneck", {"width": 3, "after": "ffn", "invertible": "glow"}),
    "mixture": ("mixture_of_loras", {"experts": 3, "rank": 2, "sites": SITES}),
    "token mixture": (
        "mixture_of_loras",
        {"experts": 2, "rank": 2, "scope": "layer", "features": "token", "top_k": 1},
    ),
    "router": ("router", {"experts": 2, "features": "mean"}),
    "fusion": ("fusion", {"experts": 2, "sites": SITES, "width": 8}),
}
ROWS = (
    None,
    "lora",
    "after both",
    "parallel",
    "pfeiffer",
    "nice",
    "mixture",
    "token mixture",
    Stack("nice", "lora"),
    Stack("glow", Mix({"lora": 0.7, "lora2": -0.4}), "after ffn"),
    Mix({"after both": 0.5, Stack("parallel", "lora2"): 0.5}),
    Mix({"nice": 0.3, "glow": 0.7}),
    Route("router", ["lora", Stack("lora2", "after ffn")]),
    Route("arrow@1", ["lora", "lora2"]),
    Stack("glow", Fuse("fusion", ["lora2", "after both"]), "lora"),
    Fuse("fusion", [Mix({"lora": 2.0}), Route("router", ["lora", "lora2"])]),
    Stack("nice", "mixture", Route("arrow", ["lora", "lora2"])),
    Stack("after ffn", Mix({"pfeiffer": 0.5, "parallel": 0.5}), "pfeiffer"),
    Route("router", ["pfeiffer", Fuse("fusion", ["pfeiffer", "lora"])]),
)


@pytest.mark.parametrize("family", FAMILIES)
def test_all_of_them_in_one_batch_equal_separate_runs(family: str) -> None:
    encoder = tiny_encoder(family)
    kinds, rows = dict(KINDS), ROWS
    if not encoder.family.norms:  # no norm behind a sub-layer to read from
        del kinds["pfeiffer"]
        rows = tuple(row for row in ROWS if "pfeiffer" not in names(row))
    modules = {
        name: shaken(module_for(encoder, kind, **options), seed, SCALE)
        for seed, (name, (kind, options)) in enumerate(kinds.items())
    }
    tokens, mask = padded(encoder, tuple(TEXTS[i % len(TEXTS)] for i in range(len(rows))))
    with torch.no_grad():
        acts = [
            None if row is None else ActiveAdapter(encoder, Composed(row, modules)) for row in rows
        ]
        mixed = forward(encoder, tokens, mask, Activation.by_row(acts))
        for number, act in enumerate(acts):
            same = Activation.by_row([act] * len(rows))
            alone = forward(encoder, tokens, mask, same)[number]
            real = mask[number].bool()
            gap = (mixed[number] - alone)[real].abs().max()
            assert gap <= 1e-5, f"{rows[number]!r}: {gap}"
            if act is not None:
                size = int(mask[number].sum())
                cut = tokens[[number], :size], mask[[number], :size]
                one = forward(encoder, *cut, Activation.of(act))[0]
                assert (one - alone[:size]).abs().max() <= 1e-5, f"{rows[number]!r} without padding"
    apart = {tuple(mixed[i, 0].tolist()) for i in range(len(rows))}
    assert len(apart) == len(rows)
