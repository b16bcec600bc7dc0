from __future__ import annotations

import json
import resource
import struct
import time
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from tiny_models import padded, tiny_encoder
from tiny_training import digest, forward, module_for, shaken
from torch import nn

from xadapt.core.errors import UserError
from xadapt.injection.activation import Activation, ActiveAdapter
from xadapt.injection.attachment import model_shape
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
    loaded = store.load_module(tmp_path / "m.safetensors", model_shape(encoder))
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
        store.load_module(path, model_shape(wide))
    with pytest.raises(UserError, match="does not fit this base"):
        store.load_module(path, model_shape(tiny_encoder(num_hidden_layers=2)))


def test_values_that_are_not_finite_are_refused(tmp_path):
    module = module_for(tiny_encoder(), rank=2)
    next(iter(module.parameters())).data[0, 0] = float("nan")
    store.save_module(tmp_path / "m.safetensors", module)
    with pytest.raises(UserError, match="not finite"):
        store.load_module(tmp_path / "m.safetensors", model_shape(tiny_encoder()))


def test_what_is_no_module_is_refused(tmp_path):
    shapes = model_shape(tiny_encoder())
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
        store.load_module(path, model_shape(encoder))
    except UserError:
        return


def hostile(path: Path, kind: str, options: dict, **more: torch.Tensor) -> Path:
    """A small file of a kind whose options ask for more than it holds."""
    given = more or {"a": torch.zeros(4, 8)}
    save_file(given, path, metadata={"options": json.dumps({"kind": kind, **options})})
    return path


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("lora", {"rank": 3_000_000}),
        ("lora", {"rank": 10**9}),
        ("lora", {"rank": 10**30}),
        ("lora", {"rank_pattern": {"q": 10**9}}),
        ("lora", {"rank": 4, "layers": [0, 10**9]}),
        ("lora", {"rank": 10**400, "alpha": 1.0}),
        ("bottleneck", {"width": 10**9}),
        ("bottleneck", {"width": 10**7}),
        ("bottleneck", {"invertible": "nice", "invertible_width": 10**9}),
        ("router", {"experts": 10**9}),
        ("router", {"experts": 10**13, "scope": "site"}),
        ("router", {"sites": ["q"] * 300_000, "scope": "site"}),
        ("fusion", {"width": 10**9}),
        ("fusion", {"sites": ["ffn_out"] * 200_000}),
        ("mixture_of_loras", {"experts": 10**9}),
        ("mixture_of_loras", {"experts": 10**5, "rank": 1}),
        ("mixture_of_loras", {"rank": 10**9}),
    ],
)
def test_sizes_that_a_file_does_not_hold_are_refused_at_once(
    tmp_path: Path, kind: str, options: dict
) -> None:
    path = hostile(tmp_path / "m.safetensors", kind, options)
    shapes = model_shape(tiny_encoder())
    began, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(UserError) as caught:
        store.load_module(path, shapes)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400
    assert time.process_time() - began < 2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # KiB


def test_as_many_experts_as_a_false_shape_has_rows_are_refused(tmp_path: Path) -> None:
    """What asks for no more values than there are may ask for many more tensors."""
    options = {"experts": 400_000, "rank": 1, "sites": ["q"], "layers": [0, 1]}
    path = hostile(tmp_path / "m", "mixture_of_loras", options, a=torch.zeros(400_000, 1))
    with pytest.raises(UserError, match="more here than the 1 tensors"):
        store.load_module(path, model_shape(tiny_encoder()))


def test_the_number_of_tensors_in_a_file_is_bounded(tmp_path: Path) -> None:
    header = {
        f"t{n}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for n in range(30_000)
    }
    raw = json.dumps(header | {"__metadata__": {"options": "{}"}}).encode()
    (tmp_path / "m").write_bytes(struct.pack("<Q", len(raw)) + raw)
    with pytest.raises(UserError, match="30000 tensors, and 20000 are allowed"):
        store.load_module(tmp_path / "m", model_shape(tiny_encoder()))
    (tmp_path / "m").write_bytes(struct.pack("<Q", 5 * 2**20) + b" " * 5 * 2**20)
    with pytest.raises(UserError, match="sizes don't add up"):
        store.load_module(tmp_path / "m", model_shape(tiny_encoder()))


def test_a_second_key_of_the_header_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    store.save_module(path, module_for(tiny_encoder(), rank=1, sites=["q"], layers=[0, 1]))
    raw = path.read_bytes()
    length = struct.unpack("<Q", raw[:8])[0]
    header = raw[8 : 8 + length].strip()
    for twice in (
        header[:-1] + b"," + header[1:],
        header.replace(b'\\"rank\\": 1', b'\\"rank\\": 1, \\"rank\\": 1'),
    ):
        path.write_bytes(struct.pack("<Q", len(twice)) + twice + raw[8 + length :])
        with pytest.raises(UserError, match="stands twice"):
            store.load_module(path, model_shape(tiny_encoder()))


@pytest.mark.parametrize("kind", ["lora", "bottleneck", "router", "fusion", "mixture_of_loras"])
def test_what_is_loaded_has_memory_of_its_own_and_leaves_random_numbers_alone(
    tmp_path: Path, kind: str
) -> None:
    options = {"invertible": "glow"} if kind == "bottleneck" else {"layers": [0, 2]}
    encoder = tiny_encoder()
    module = shaken(module_for(encoder, kind, **options))
    store.save_module(tmp_path / "m", module)
    shapes = model_shape(encoder)
    torch.manual_seed(5)
    loaded = store.load_module(tmp_path / "m", shapes)
    assert torch.initial_seed() == 5 and torch.equal(
        torch.rand(3), torch.rand(3, generator=torch.Generator().manual_seed(5))
    )
    for name, value in loaded.named_parameters():
        assert value.requires_grad and value.is_leaf and value.data_ptr() % 16 == 0, name
        assert torch.equal(value, module.get_parameter(name))


def test_what_is_computed_when_a_module_is_built_is_computed() -> None:
    class WithTables(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(2))
            self.register_buffer("table", torch.arange(3.0), persistent=False)
            self.plain = torch.ones(2) * 2

    made = store.fit(WithTables, {"weight": torch.tensor([1.0, 2.0])})
    assert made.weight.tolist() == [1.0, 2.0]
    assert made.table.tolist() == [0, 1, 2] and made.plain.tolist() == [2, 2]


def test_build_words_the_fault():
    shapes = model_shape(tiny_encoder())
    with pytest.raises(UserError, match=r"r\.yaml: module option rank: "):
        store.build("lora", {"rank": 0}, shapes, where="r.yaml")
    with pytest.raises(UserError, match="did you mean 'lora'"):
        store.build("lra", {}, shapes)
