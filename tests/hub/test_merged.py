from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tiny_folders import base_and_encoder, random_module
from tiny_models import FAMILIES, TEXTS, padded, tiny_encoder
from tiny_training import forward

from xadapt.backbones.encoder.encode import encode
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.core.errors import UserError
from xadapt.hub.merged import name_of, write_merged
from xadapt.injection.activation import Activation, ActiveAdapter

SITES = ("q", "k", "v", "attn_out", "ffn_in", "ffn_out")


@pytest.mark.parametrize("family", FAMILIES)
def test_merged_is_unmerged(tmp_path: Path, family: str) -> None:
    _, encoder = base_and_encoder(tmp_path, family)
    module = random_module(encoder, "lora", sites=SITES, rank=3, alpha=7)
    before = encoder.fingerprint
    write_merged(tmp_path / "merged", encoder, module, "# merged\n")
    plain = Encoder.from_pretrained(str(tmp_path / "merged"), dtype="float32")
    tokens, mask = padded(encoder)
    with torch.no_grad():
        acts = Activation.of(ActiveAdapter(encoder, module))
        wanted = forward(encoder, tokens, mask, acts)
        found, bare = forward(plain, tokens, mask), forward(encoder, tokens, mask)
    real = mask.bool()
    size = max(1.0, float(wanted[real].abs().max()))
    assert (found - wanted)[real].abs().max() <= 1e-5 * size
    assert (bare - wanted)[real].abs().max() > 1e-2 and encoder.fingerprint == before


def test_mini_keeps_its_pooling(tmp_path: Path) -> None:
    encoder = Encoder.from_pretrained("mini", dtype="float32")
    module = random_module(encoder, "lora", rank=2, alpha=1)
    write_merged(tmp_path / "m", encoder, module, "# m\n")
    plain = Encoder.from_pretrained(str(tmp_path / "m"), dtype="float32")
    assert plain.pooling == encoder.pooling and (tmp_path / "m" / "README.md").exists()
    wanted = encode(encoder, TEXTS, rows=Activation.of(ActiveAdapter(encoder, module)))
    assert torch.allclose(encode(plain, TEXTS), wanted, atol=1e-4)


def test_only_loras_and_only_bases_with_files(tmp_path: Path) -> None:
    encoder = tiny_encoder("bert")
    with pytest.raises(UserError, match="only LoRAs"):
        write_merged(tmp_path / "m", encoder, random_module(encoder, "bottleneck"), "")
    with pytest.raises(UserError, match="only in memory"):
        write_merged(tmp_path / "m", encoder, random_module(encoder, "lora"), "")
    assert not (tmp_path / "m").exists()


def test_a_weight_is_found_under_the_names_of_the_file() -> None:
    path = "model.encoder.layers.0.fc1"
    rest = {"model.decoder.layers.0.fc1.weight": torch.ones(1)}
    assert name_of(path, {f"{path}.weight": torch.ones(1), **rest}) == f"{path}.weight"
    old = {name: torch.ones(1) for name in ("encoder.layers.0.fc1.weight", "shared.weight")}
    assert name_of(path, old) == "encoder.layers.0.fc1.weight"
    for tensors in (rest, {**old, "other.encoder.layers.0.fc1.weight": torch.ones(1)}):
        with pytest.raises(UserError, match=r"tensors named .*fc1\.weight, not one"):
            name_of(path, tensors)
