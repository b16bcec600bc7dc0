from __future__ import annotations

import pytest
import torch
from tiny_models import DEPTH, FAMILIES, FFN, WIDTH, padded, tiny_encoder
from torch import nn

from xadapt.backbones.families import FAMILIES as ROWS
from xadapt.backbones.families import SITES, family_of
from xadapt.core.errors import UserError

IN = dict.fromkeys(("q", "k", "v", "attn_out", "ffn_in"), WIDTH) | {"ffn_out": FFN}
OUT = dict.fromkeys(("q", "k", "v", "attn_out", "ffn_out"), WIDTH)


@pytest.mark.parametrize("family", FAMILIES)
def test_sites_are_the_right_linears(family):
    encoder = tiny_encoder(family)
    seen = set()
    for layer in range(DEPTH):
        for site in SITES:
            found = encoder.sites(layer, site)
            assert len(found) == (2 if family == "mt5" and site == "ffn_in" else 1)
            for point in found:
                assert isinstance(point.module, nn.Linear)
                assert encoder.model.get_submodule(point.path) is point.module
                assert f".{layer}." in f".{point.path}"
                assert point.module.in_features == IN[site]
                inner = 2 * FFN if family == "modernbert" else FFN
                assert point.stop - point.start == OUT.get(site, inner)
                seen.add((point.path, point.start))
    fused = 2 if family == "modernbert" else 0
    linears = {n for n, m in encoder.model.named_modules() if isinstance(m, nn.Linear)}
    assert len(seen) == DEPTH * (7 if family == "mt5" else 6)
    assert len({path for path, _ in seen}) == len(seen) - fused * DEPTH
    assert {path for path, _ in seen} == {n for n in linears if n.split(".")[0] != "pooler"}


@pytest.mark.parametrize("family", FAMILIES)
def test_sites_do_what_their_names_say(family):
    """Silencing ``attn_out`` removes the attention, ``ffn_out`` the FFN, and so on."""
    encoder = tiny_encoder(family)
    tokens, mask = padded(encoder)
    hidden = encoder.embed(tokens, mask)

    def silenced(*names):
        handles = []
        for name in names:
            for point in encoder.sites(1, name):

                def zero(module, inputs, output, point=point):
                    output = output.clone()
                    output[..., point.start : point.stop] = 0
                    return output

                handles.append(point.module.register_forward_hook(zero))
        result = encoder.run(hidden, mask, 1, 2)
        for handle in handles:
            handle.remove()
        return result

    whole, no_ffn = silenced(), silenced("ffn_out")
    assert not torch.allclose(whole, no_ffn)
    assert torch.allclose(silenced("ffn_in", "ffn_out"), no_ffn)
    without = silenced("attn_out")
    assert not torch.allclose(without, whole)
    assert torch.allclose(silenced("q", "k", "v", "attn_out"), without)
    # Without values, where attention looks (q and k) is of no account.
    no_values = silenced("v")
    assert torch.allclose(silenced("q", "k", "v"), no_values, atol=1e-6)
    assert not torch.allclose(silenced("q"), whole)
    assert not torch.allclose(silenced("k"), whole)


def test_names_of_auto_model():
    assert tiny_encoder("bert").family.auto_path("encoder.layer.0.x") == "encoder.layer.0.x"
    path = tiny_encoder("m2m100").sites(0, "q")[0].path
    assert tiny_encoder("m2m100").family.auto_path(path) == "encoder.layers.0.self_attn.q_proj"


def test_rows_are_whole():
    assert all(set(row.sites) == set(SITES) for row in ROWS)
    types = [t for row in ROWS for t in row.model_types]
    assert len(types) == len(set(types))


def test_what_is_not_there_is_refused():
    encoder = tiny_encoder()
    with pytest.raises(UserError, match="layer 4"):
        encoder.sites(DEPTH, "q")
    with pytest.raises(UserError, match="layer -1"):
        encoder.sites(-1, "q")
    with pytest.raises(UserError, match="'query'"):
        encoder.sites(0, "query")
    with pytest.raises(UserError, match="gpt2"):
        family_of("gpt2", "somewhere")
