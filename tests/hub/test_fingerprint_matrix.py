"""Every way in which a base may not be the one a module was trained on: told right, each time.

The module lies in a folder; the base is opened from its own folder, as a user would. A base that is
the same computes the same and loads. Any other is refused, and the line says what differs.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_folders import TEXTS, manifest_of, random_module
from tiny_models import tiny, tiny_folder, tiny_tokenizer
from transformers import AutoModel, AutoTokenizer

from xadapt.backbones import loading
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.fingerprint import compare
from xadapt.core.errors import UserError
from xadapt.hub.folder import write_folder
from xadapt.inference.adapted_encoder import AdaptedEncoder

ID = "someone/first-name"


@pytest.fixture(autouse=True)
def in_float32(monkeypatch):
    """All weights in the dtype of their file."""
    monkeypatch.setattr(loading, "_fast_bfloat16", lambda device: False)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A base and a module for it; the module acts in the lowest layers alone."""
    home = tmp_path_factory.mktemp("home")
    tiny_folder(home / "base")
    encoder = Encoder.from_pretrained(str(home / "base"), dtype="float32", device="cpu")
    module = random_module(encoder, "lora", rank=2, layers=[0, 1])
    base = {"id": ID, "model_type": "bert", "fingerprint": encoder.identity.to_dict()}
    made = manifest_of(encoder, module, base=base)
    write_folder(home / "module", module, encoder, made, verify={}, loaders="none")
    return home


def loaded(base, home, dtype="float32"):
    """Vectors of some texts with the module on a base."""
    adapted = AdaptedEncoder.load(str(base), str(home / "module"), dtype=dtype, device="cpu")
    return adapted.encode(list(TEXTS), "sw")


def copied(home, place, change=lambda model, tokenizer: None, dtype=None):
    """A copy of the base, changed and saved again by transformers."""
    model = AutoModel.from_pretrained(home / "base", dtype=dtype or torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(home / "base")
    changed = change(model, tokenizer)
    (changed or tokenizer).save_pretrained(place)
    model.save_pretrained(place)
    return place


def fine_tuned(model, tokenizer):
    """One small step of training, as of a base that was tuned a little."""
    ids = tokenizer(list(TEXTS), padding=True, return_tensors="pt")["input_ids"]
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    model(ids).last_hidden_state.square().mean().backward()
    optimizer.step()


def rounded_to_four_bits(model, tokenizer):
    """Weights on a grid of 16 values a row, stored as floats: a quantised base, written back."""
    with torch.no_grad():
        for name, value in model.named_parameters():
            if value.ndim == 2 and "embeddings" not in name:
                step = value.abs().amax(1, keepdim=True) / 7
                value.copy_((value / step).round().clamp(-8, 7) * step)


def more_tokens(model, tokenizer):
    """New tokens, with new rows of embeddings."""
    assert tokenizer.add_tokens(["zebra", "okapi"]) == 2
    model.resize_token_embeddings(len(tokenizer))


def more_tokens_without_rows(model, tokenizer):
    """New tokens in spare rows of the table."""
    tokenizer.add_tokens(["zebra"])


def another_tokenizer(model, tokenizer):
    return tiny_tokenizer(TEXTS[:1])


def another_normaliser(model, tokenizer):
    """The same vocabulary, and capital letters are kept."""
    tokenizer.backend_tokenizer.normalizer = None
    return tokenizer


def fewer_layers(model, tokenizer):
    model.encoder.layer = model.encoder.layer[:-1]
    model.config.num_hidden_layers -= 1


def more_layers(model, tokenizer):
    from copy import deepcopy

    model.encoder.layer.append(deepcopy(model.encoder.layer[-1]))
    model.config.num_hidden_layers += 1


def half_precision(model, tokenizer):
    model.to(torch.bfloat16)


OTHERS = {
    "one layer fewer": (fewer_layers, ["layers"]),
    "one layer more": (more_layers, ["layers"]),
    "fine-tuned a little": (fine_tuned, ["weights"]),
    "quantised and written back": (rounded_to_four_bits, ["weights"]),
    "another tokenizer": (another_tokenizer, ["tokenizer"]),
    "another normaliser": (another_normaliser, ["tokenizer"]),
    "added tokens": (more_tokens, ["vocabulary", "tokenizer"]),
    "added tokens in spare rows": (more_tokens_without_rows, ["tokenizer"]),
    "cast to bfloat16": (half_precision, ["dtype"]),
}


@pytest.mark.parametrize("case", OTHERS)
def test_another_base_is_refused_and_the_line_says_what_differs(home, tmp_path, case):
    change, wanted = OTHERS[case]
    base = copied(home, tmp_path / "other", change)
    with pytest.raises(UserError, match="trained on another base") as error:
        loaded(base, home)
    said = str(error.value)
    assert "\n" not in said and ID in said
    assert [f"{what}:" in said for what in KINDS] == [what in wanted for what in KINDS], said


KINDS = ("architecture", "layers", "width", "vocabulary", "weights", "tokenizer", "dtype")


def test_other_weights_of_the_same_shape_are_refused(home, tmp_path):
    base = tiny_folder(tmp_path / "other", seed=5)
    with pytest.raises(UserError, match="weights: other values"):
        loaded(base, home)


def test_the_same_weights_under_another_name_are_the_same_base(home, tmp_path, local_hub):
    own = loaded(home / "base", home)
    shutil.copytree(home / "base", tmp_path / "renamed")
    np.testing.assert_array_equal(loaded(tmp_path / "renamed", home), own)
    for name in (ID, "other-org/second-name"):
        local_hub.put_folder(name, home / "base")
        np.testing.assert_array_equal(loaded(name, home), own)
    # and saved again, by the installed version of transformers
    np.testing.assert_allclose(loaded(copied(home, tmp_path / "again"), home), own, atol=1e-6)


@pytest.mark.parametrize("dtype", ["bfloat16", "int8", "nf4"])
def test_the_same_base_in_another_arithmetic_is_the_same_base(home, dtype):
    """The file is what counts: a base that is cast or quantised when it is opened is itself."""
    if dtype in ("int8", "nf4"):
        pytest.importorskip("bitsandbytes")
    own, other = loaded(home / "base", home), loaded(home / "base", home, dtype)
    lengths = np.linalg.norm(own, axis=1) * np.linalg.norm(other, axis=1)
    assert ((own * other).sum(1) / lengths > 0.9).all()


def test_a_base_that_is_stored_quantised_is_refused_in_one_line(home, tmp_path):
    """A checkpoint of bitsandbytes: other tensors than the base's, or none that can be read."""
    pytest.importorskip("bitsandbytes")
    from transformers import BitsAndBytesConfig

    settings = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4")
    model = AutoModel.from_pretrained(home / "base", quantization_config=settings)
    model.save_pretrained(tmp_path / "stored")
    AutoTokenizer.from_pretrained(home / "base").save_pretrained(tmp_path / "stored")
    assert "quantization_config" in json.loads((tmp_path / "stored" / "config.json").read_text())
    with pytest.raises(UserError) as error:
        loaded(tmp_path / "stored", home)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("zero", [False, True])
def test_a_bias_that_adapters_puts_into_modernbert_is_seen(zero):
    """adapters.init adds a bias to the fused query, key and value; its values are random."""
    model, _ = tiny("modernbert")
    encoder = Encoder.wrap(model, tiny_tokenizer())
    before = encoder.identity
    try:
        import adapters
    except ImportError:  # under transformers 5: the same change by hand
        for layer in model.layers:
            layer.attn.Wqkv.bias = torch.nn.Parameter(torch.randn(layer.attn.Wqkv.out_features))
    else:
        adapters.init(model)
    biases = [value for name, value in model.named_parameters() if name.endswith("Wqkv.bias")]
    assert len(biases) == before.layers
    if zero:
        with torch.no_grad():
            for bias in biases:
                bias.zero_()
    after = Encoder.wrap(model, tiny_tokenizer()).identity
    # the encoder computes the same with a zero bias; it has other parameters all the same
    [line] = compare(before, after)
    assert line.startswith("weights:") and "parameters" in line
    assert before.id != after.id


def test_the_table_of_the_guide_has_every_case():
    """What a user reads about other bases is what this file holds."""
    guide = Path(__file__).parents[2] / "docs" / "guides" / "publishing.md"
    text = guide.read_text(encoding="utf-8")
    for case in (*OTHERS, "other weights", "another name", "stored quantised", "ModernBERT"):
        assert case in text, case
