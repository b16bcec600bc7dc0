"""8- and 4-bit bases against plain twins with the very weights that they stand for."""

from __future__ import annotations

import copy
import subprocess
import sys

import numpy as np
import pytest
import torch
from tiny_commands import Place, good, xadapt
from tiny_folders import manifest_of, random_module
from tiny_models import FAMILIES, TEXTS, padded, tiny_encoder, tiny_folder
from tiny_training import digest, forward, module_for, shaken
from torch import nn

from xadapt.backbones import loading, quantized
from xadapt.backbones.encoder.encode import encode
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.core.errors import UserError
from xadapt.hub.folder import write_folder
from xadapt.inference.adapted_encoder import AdaptedEncoder
from xadapt.injection.activation import Activation, ActiveAdapter

bitsandbytes = pytest.importorskip("bitsandbytes")


@pytest.fixture(autouse=True)
def in_float32(monkeypatch):
    """All that is not quantised is in float32, also where bfloat16 is fast."""
    monkeypatch.setattr(loading, "_fast_bfloat16", lambda device: False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return str(tiny_folder(tmp_path_factory.mktemp("base") / "base", "bert", mlm=True))


def opened(folder, dtype):
    return Encoder.from_pretrained(str(folder), dtype=dtype, device="cpu")


def stood_for(linear):
    """The float weights that a quantised linear multiplies by."""
    if linear.weight.dtype == torch.int8:
        scale = linear.weight.SCB if linear.weight.SCB is not None else linear.state.SCB
        return linear.weight.detach().float() * scale[:, None] / 127
    return bitsandbytes.functional.dequantize_4bit(linear.weight, linear.weight.quant_state).float()


def twin_of(encoder, plain):
    """The plain base with the weights that the quantised one stands for; how many it has."""
    model, count = copy.deepcopy(plain.model), 0
    for name, linear in encoder.model.named_modules():
        if type(linear).__module__.startswith("bitsandbytes"):
            model.get_submodule(name).weight.data = stood_for(linear)
            count += 1
    arguments = plain.tokenizer, plain.family, plain.source, plain.pooling
    return Encoder(model, *arguments), count


def through(encoder, tokens, mask):
    """States and their gradient at what enters layer 0."""
    hidden = encoder.embed(tokens, mask).detach().requires_grad_()
    out = encoder.run(hidden, mask)
    weight = torch.linspace(-1, 1, out.numel()).view_as(out) * mask.unsqueeze(-1)
    return out.detach(), torch.autograd.grad((out * weight).sum(), hidden)[0]


@pytest.mark.parametrize("name", quantized.NAMES)
@pytest.mark.parametrize("family", FAMILIES)
def test_states_and_gradients_are_of_the_weights_it_stands_for(family, name, tmp_path):
    folder = tiny_folder(tmp_path / "base", family)
    encoder, plain = opened(folder, name), opened(folder, "float32")
    tokens, mask = padded(encoder)
    with torch.no_grad():  # some kernels repack their weights at a first forward without gradients
        first = forward(encoder, tokens, mask)
    twin, count = twin_of(encoder, plain)
    assert count >= encoder.depth * 4
    states, gradient = through(encoder, tokens, mask)
    wanted, expected = through(twin, tokens, mask)
    assert torch.equal(states, first)
    real = mask.bool()
    assert (states - wanted)[real].abs().max() <= 1e-5 * wanted[real].abs().max()
    assert (gradient - expected).abs().max() <= 1e-4 * expected.abs().max()
    assert (states - forward(plain, tokens, mask))[real].abs().max() > 1e-3


def test_names_dtypes_and_identity(folder):
    plain = opened(folder, "float32")
    assert (plain.quantized, plain.precision, plain.arithmetic) == (
        None,
        "float32",
        "torch.float32",
    )
    seen = {plain.arithmetic}
    for name in quantized.NAMES:
        encoder = opened(folder, name)
        assert encoder.dtype == torch.float32
        assert encoder.quantized == encoder.precision == name
        assert encoder.identity == plain.identity  # of the weights as stored
        assert encoder.arithmetic not in seen  # kept states of the one are not the other's
        seen.add(encoder.arithmetic)
        for site in ("q", "k", "v", "attn_out", "ffn_in", "ffn_out"):
            [here], [there] = encoder.sites(1, site), plain.sites(1, site)
            assert (here.path, here.start, here.stop) == (there.path, there.start, there.stop)
            assert not here.module.weight.is_floating_point()


def test_in_bfloat16_where_that_is_fast(folder, monkeypatch):
    monkeypatch.setattr(loading, "_fast_bfloat16", lambda device: True)
    for name in quantized.NAMES:
        encoder = opened(folder, name)
        assert (encoder.dtype, encoder.precision) == (torch.bfloat16, name)
        states = forward(encoder, *padded(encoder))
        assert states.dtype == torch.bfloat16 and bool(states.isfinite().all())


def test_how_far_vectors_are_from_the_plain_base(folder):
    """Cosines measured on this base: 0.9999 in 8 bits, 0.91 in 4, which round weights by 9 %."""
    plain = encode(opened(folder, "float32"), TEXTS)
    for name, low, high in (("int8", 0.999, 0.99999), ("nf4", 0.85, 0.99)):
        encoder = opened(folder, name)
        vectors = encode(encoder, TEXTS)
        assert vectors.dtype == torch.float32
        cosine = torch.nn.functional.cosine_similarity(plain, vectors).min()
        assert low < cosine < high
        alone = torch.cat([encode(encoder, [text]) for text in TEXTS])
        assert torch.allclose(alone, vectors, atol=1e-5)


@pytest.mark.parametrize("kind", ["lora", "bottleneck"])
@pytest.mark.parametrize("name", quantized.NAMES)
def test_a_module_learns_below_quantised_layers(folder, name, kind):
    encoder = opened(folder, name)
    tokens, mask = padded(encoder)
    plain = forward(encoder, tokens, mask)
    before = digest(encoder.model)
    options = {"rank": 4} if kind == "lora" else {"width": 4}
    module = module_for(encoder, kind, **options, layers=[0, 1])
    adapter = ActiveAdapter(encoder, module)
    assert {p.dtype for p in module.parameters()} == {torch.float32}
    assert torch.equal(forward(encoder, tokens, mask), plain)
    torch.manual_seed(0)
    target = plain + 0.3 * torch.randn(plain.shape[-1])
    adam, losses = torch.optim.Adam(module.parameters(), lr=0.01), []
    for _ in range(20):
        loss = (forward(encoder, tokens, mask, Activation.of(adapter)) - target).square().mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0] and losses[5] < losses[0]
    assert digest(encoder.model) == before
    assert torch.equal(forward(encoder, tokens, mask), plain)
    mixed = forward(encoder, tokens, mask, Activation.of(adapter, [1]))
    whole = forward(encoder, tokens, mask, Activation.of(adapter))
    assert torch.allclose(mixed[1], whole[1], atol=1e-5)
    assert torch.allclose(mixed[2:], plain[2:], atol=1e-5)


@pytest.mark.parametrize("name", quantized.NAMES)
def test_a_module_goes_from_one_precision_to_another(folder, name, tmp_path):
    encoder = opened(folder, name)
    module = random_module(encoder, "lora", rank=2)
    base = {"id": None, "model_type": "bert", "fingerprint": encoder.identity.to_dict()}
    manifest = manifest_of(encoder, module, base=base, dtype=encoder.precision)
    write_folder(tmp_path / "sw", module, encoder, manifest, verify={})
    assert f"the base in {name}," in (tmp_path / "sw" / "README.md").read_text()
    vectors = {}
    for dtype in ("float32", *quantized.NAMES):
        adapted = AdaptedEncoder.load(folder, f"m={tmp_path / 'sw'}", compose="m", dtype=dtype)
        assert digest(adapted.modules["m"]) == digest(module)
        vectors[dtype] = torch.from_numpy(adapted.encode(TEXTS))
    for dtype in quantized.NAMES:
        cosine = torch.nn.functional.cosine_similarity(vectors[dtype], vectors["float32"]).min()
        assert cosine > 0.8 and not torch.equal(vectors[dtype], vectors["float32"])


def test_merging_is_refused_and_leaves_the_base(folder):
    encoder = opened(folder, "int8")
    tokens, mask = padded(encoder)
    plain, before = forward(encoder, tokens, mask), digest(encoder.model)
    adapted = AdaptedEncoder(encoder, {"a": shaken(module_for(encoder, "lora", rank=2))}, "a")
    said = pytest.raises(UserError, match=r"quantised weights.*float32 or bfloat16")
    with said as caught, adapted.merged():
        pass
    assert "\n" not in str(caught.value)
    assert digest(encoder.model) == before and torch.equal(forward(encoder, tokens, mask), plain)


def test_the_language_model_head_is_the_plain_one(folder):
    states = torch.randn(2, 3, 32, generator=torch.Generator().manual_seed(0))
    logits = [opened(folder, name).mlm_head()(states) for name in ("float32", *quantized.NAMES)]
    assert torch.equal(logits[0], logits[1]) and torch.equal(logits[0], logits[2])


def test_a_plain_model_is_left_as_it_is():
    model = tiny_encoder().model
    assert quantized.settle(model) is None
    assert not any(module.training for module in model.modules())


@pytest.mark.parametrize("name", quantized.NAMES)
def test_a_device_it_cannot_run_on_is_told_before_loading(name):
    with pytest.raises(UserError, match=f"can't run {name} on meta") as caught:
        quantized.options(name, torch.float32, torch.device("meta"))
    assert "\n" not in str(caught.value) and "float32 or bfloat16" in str(caught.value)


def test_a_command_trains_and_encodes_and_says_nothing_of_kernels(tmp_path):
    place = Place(tmp_path)
    base = ("--base", place.base)
    out = tmp_path / "sw"
    place_set = ("--set", "dtype=int8", "--set", "train.epochs=1")
    good(*place.train(out, *place_set))
    assert '"dtype": "int8"' in (out / "xadapt.json").read_text()
    text = tmp_path / "in.txt"
    text.write_text("".join(f"{line}\n" for line in TEXTS))
    made = {}
    for dtype in ("float32", "int8"):
        to = tmp_path / f"{dtype}.npy"
        good("encode", *base, "--module", out, "--text", text, "--out", to, "--dtype", dtype)
        made[dtype] = np.load(to)
    assert 0 < np.abs(made["int8"] - made["float32"]).max() < 0.2
    wrong = xadapt("encode", *base, "--text", text, "--out", tmp_path / "x", "--dtype", "int4")
    assert wrong.code == 2 and "nf4" in wrong.err


def test_it_is_quiet(folder):
    code = (
        "from xadapt.backbones.encoder.encoder import Encoder\n"
        "from xadapt.backbones.encoder.encode import encode\n"
        "for name in ('int8', 'nf4'):\n"
        f"    encode(Encoder.from_pretrained({folder!r}, dtype=name, device='cpu'), ['a b'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "" and done.stderr == ""


def test_bytes_of_a_linear():
    """1 and about 0.5 bytes a weight, with their scales."""
    plain = nn.Linear(256, 256, bias=False)
    for name, share in (("int8", 1 / 4), ("nf4", 1 / 8)):
        kind = bitsandbytes.nn.Linear8bitLt if name == "int8" else bitsandbytes.nn.Linear4bit
        more = {"has_fp16_weights": False} if name == "int8" else {"quant_type": "nf4"}
        linear = kind(256, 256, bias=False, **more)
        linear.load_state_dict(plain.state_dict())
        weight = linear.to("cpu").weight
        assert weight.nbytes == plain.weight.nbytes * share
