"""Three LoRAs of different ranks and sites on a tiny encoder."""

from __future__ import annotations

from tiny_training import module_for, shaken

from xadapt.backbones.encoder.encoder import Encoder

SITES = ["q", "k", "v", "attn_out", "ffn_in", "ffn_out"]
PLANS: dict[str, dict] = {
    "a": {"rank": 2, "sites": SITES},
    "b": {"rank": 3, "sites": SITES, "alpha": 5.0},
    "c": {"rank": 1, "sites": ["v"], "layers": [1, 3]},
}


def modules(encoder: Encoder, scale: float = 0.3) -> dict:
    return {
        name: shaken(module_for(encoder, **options), seed, scale)
        for seed, (name, options) in enumerate(PLANS.items())
    }
