from __future__ import annotations

import json

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from tiny_models import padded, tiny_encoder
from tiny_training import digest, forward, module_for, shaken

from xadapt.core.errors import UserError
from xadapt.injection.activation import Activation, ActiveAdapter
from xadapt.injection.attachment import geometry
from xadapt.modules import storage as store


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("lora", {"rank": 2, "rank_pattern": {"q": 3}, "sites": ["q", "v"], "layers": [1, 3]}),
        ("bottleneck", {"width": 4, "after": "ffn", "form": "parallel", "scaling": 0.5}),
        ("bottleneck", {"width": 4, "invertible": "glow", "invertible_width": 5}),
    ],
)
def test_saved_is_loaded(tmp_path, kind, options):
    encoder = tiny_encoder()
    module = shaken(module_for(encoder, kind, **options))
    store.save_module(tmp_path / "m.safetensors", module)
    loaded = store.load_module(tmp_path / "m.safetensors", geometry(encoder))
    assert digest(loaded) == digest(module) and loaded.options == module.options
    assert store.parameter_count(loaded) == sum(p.numel() for p in module.parameters()) > 0
    tokens, mask = padded(encoder)
    outs = []
    for one in (module, loaded):
        acts = Activation.of(ActiveAdapter(encoder, one))
        outs.append(forward(encoder, tokens, mask, acts))
    assert torch.equal(*outs)


def test_a_module_of_another_base_is_refused(tmp_path):
    path = tmp_path / "m.safetensors"
    store.save_module(path, module_for(tiny_encoder(), rank=2))
    wide = tiny_encoder(hidden_size=16)
    with pytest.raises(
        UserError, match=r"does not fit this base: tensor .* is \(2, 32\) in the file"
    ):
        store.load_module(path, geometry(wide))
    with pytest.raises(UserError, match="does not fit this base"):
        store.load_module(path, geometry(tiny_encoder(num_hidden_layers=2)))


def test_values_that_are_not_finite_are_refused(tmp_path):
    module = module_for(tiny_encoder(), rank=2)
    next(iter(module.parameters())).data[0, 0] = float("nan")
    store.save_module(tmp_path / "m.safetensors", module)
    with pytest.raises(UserError, match="not finite"):
        store.load_module(tmp_path / "m.safetensors", geometry(tiny_encoder()))


def test_what_is_no_module_is_refused(tmp_path):
    shapes = geometry(tiny_encoder())
    path = tmp_path / "m.safetensors"
    for metadata in (
        None,
        {"kind": "lora"},
        {"kind": "lora", "options": "{"},
        {"kind": "lora", "options": "[1]"},
        {"kind": "nope", "options": "{}"},
        {"kind": "lora", "options": json.dumps({"rank": -1})},
    ):
        save_file({"a": torch.zeros(2)}, str(path), metadata=metadata)
        with pytest.raises(UserError):
            store.load_module(path, shapes)
    for bad in (tmp_path / "absent", tmp_path):
        with pytest.raises(UserError, match="no module of xadapt"):
            store.load_module(bad, shapes)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_damaged_files_give_a_user_error_or_a_module(tmp_path, data):
    encoder = tiny_encoder()
    path = tmp_path / "m.safetensors"
    store.save_module(path, module_for(encoder, rank=1, sites=["q"], layers=[0, 1]))
    raw = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, 400))
    cut = data.draw(st.integers(1, len(raw)))
    raw[at % len(raw)] ^= data.draw(st.integers(1, 255))
    path.write_bytes(raw[:cut])
    try:
        store.load_module(path, geometry(encoder))
    except UserError:
        return


def test_build_words_the_fault():
    shapes = geometry(tiny_encoder())
    with pytest.raises(UserError, match=r"r\.yaml: module option rank: "):
        store.build("lora", {"rank": 0}, shapes, where="r.yaml")
    with pytest.raises(UserError, match="did you mean 'lora'"):
        store.build("lra", {}, shapes)
