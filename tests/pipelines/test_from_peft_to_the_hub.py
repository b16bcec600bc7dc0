"""A LoRA trained with peft alone: imported, stacked on an alignment module, merged and published.

At each stage where peft can hold what there is, peft computes the same vectors.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from local_hub import LocalHub
from numpy.typing import NDArray
from tiny_commands import Place, good
from tiny_folders import TEXTS
from tiny_training import pairs

import xadapt
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.hub.opening import read_manifest
from xadapt.integrations import plain

peft = pytest.importorskip("peft")
TARGETS = r".*layer\.\d+\.(attention\.self\.(query|value)|output\.dense)"


@pytest.fixture
def encoder(place: Place) -> Encoder:
    return Encoder.from_pretrained(str(place.base), dtype="float32", device="cpu")


@pytest.fixture
def lora(place: Place, encoder: Encoder, tmp_path: Path) -> Path:
    """A LoRA that peft made, trained by a loop of plain torch for a few steps."""
    torch.manual_seed(0)
    config = peft.LoraConfig(r=4, lora_alpha=8, use_rslora=True, target_modules=TARGETS)
    model = peft.get_peft_model(plain.load(str(place.base)), config)
    optimizer = torch.optim.AdamW((p for p in model.parameters() if p.requires_grad), lr=0.02)
    rows = pairs(16)
    ids, mask = encoder.batch(encoder.tokenize([row.text for row in rows]))
    with torch.no_grad():
        wanted = vectors_of(model.get_base_model(), *encoder.batch(
            encoder.tokenize([row.pivot for row in rows])))  # fmt: skip
    first = last = 0.0
    for step in range(8):
        loss = (vectors_of(model, ids, mask) - wanted).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        first, last = (float(loss) if not step else first), float(loss)
    assert last < 0.9 * first
    model.save_pretrained(str(tmp_path / "peft"))
    return tmp_path / "peft"


def vectors_of(model: Any, ids: Any, mask: Any) -> torch.Tensor:
    """The mean of the states at real tokens, as the base pools."""
    states = model(input_ids=ids, attention_mask=mask).last_hidden_state
    seen = mask.unsqueeze(-1)
    return (states * seen).sum(1) / seen.sum(1)


def by_peft(encoder: Encoder, *folders: str) -> NDArray[np.float32]:
    """Vectors of peft with some adapters active at once, each loaded by peft alone."""
    with plain.without_noise(), torch.no_grad():
        names = [f"own{number}" for number in range(len(folders))]
        model = peft.PeftModel.from_pretrained(
            plain.load(encoder.source.location), folders[0], adapter_name=names[0]
        )
        for name, folder in zip(names[1:], folders[1:], strict=True):
            model.load_adapter(folder, adapter_name=name)
        model.base_model.set_adapter(names)
        ids, mask = encoder.batch(encoder.tokenize(list(TEXTS)))
        vectors: NDArray[np.float32] = vectors_of(model.eval(), ids, mask).numpy()
    return vectors


def by_xadapt(encoder: Encoder, composition: str) -> NDArray[np.float32]:
    model = xadapt.AdaptedEncoder.from_pretrained(encoder, compose=composition)
    vectors: NDArray[np.float32] = model.encode(list(TEXTS), convert_to_numpy=True)
    return vectors


def test_the_same_vectors_at_each_stage(
    place: Place, de: Path, lora: Path, encoder: Encoder, tmp_path: Path, local_hub: LocalHub
) -> None:
    bare = xadapt.AdaptedEncoder(encoder, {}).encode(list(TEXTS), [None] * len(TEXTS))

    own = tmp_path / "imported"
    good("import", lora, "--base", place.base, "--lang", "de", "--out", own)
    first = by_xadapt(encoder, f'"{own}"')
    assert np.abs(first - by_peft(encoder, str(lora))).max() <= 1e-5
    assert np.abs(first - bare).max() > 1e-2
    assert np.abs(by_xadapt(encoder, f'"{de}"') - by_peft(encoder, str(de))).max() <= 1e-5

    stacked = by_xadapt(encoder, f'"{de}" + "{own}"')
    assert np.abs(stacked - by_peft(encoder, str(de), str(lora))).max() <= 1e-5
    assert np.abs(stacked - first).max() > 1e-3

    whole = tmp_path / "whole"
    good("compose", f'"{de}" + "{own}"', "--base", place.base, "--out", whole)
    assert np.abs(by_xadapt(encoder, f'"{whole}"') - stacked).max() <= 1e-5
    assert np.abs(by_peft(encoder, str(whole)) - stacked).max() <= 1e-5

    for name, folder in (("imported", own), ("whole", whole)):
        xadapt.publish(folder, f"someone/{name}")
    assert np.abs(by_xadapt(encoder, '"someone/whole"') - stacked).max() <= 1e-5
    published = [
        str(local_copy(local_hub, f"someone/{n}", tmp_path)) for n in ("imported", "whole")
    ]
    assert np.abs(by_peft(encoder, published[0]) - first).max() <= 1e-5
    assert np.abs(by_peft(encoder, published[1]) - stacked).max() <= 1e-5
    assert read_manifest(published[0]).origin.library == "peft"  # type: ignore[union-attr]

    on = tmp_path / "on"
    good(*place.train(on, "--set", f"module.init={de}", "--compose", f'"{own}" + self'))
    assert read_manifest(on).trained_inside == ["imported + self"]
    together = by_xadapt(encoder, f'"{own}" + "{on}"')
    assert np.abs(together - by_peft(encoder, str(lora), str(on))).max() <= 1e-5


def local_copy(hub: LocalHub, name: str, tmp_path: Path) -> Path:
    """The published files as anyone gets them."""
    folder = tmp_path / "copies" / name
    for file, raw in hub.files(name).items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(raw)
    return folder
