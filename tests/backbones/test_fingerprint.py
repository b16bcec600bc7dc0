from __future__ import annotations

import json

import pytest
import torch
from tiny_models import TEXTS, tiny, tiny_encoder, tiny_folder, tiny_tokenizer

from xadapt.backbones import fingerprint as prints
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.fingerprint import Fingerprint, compare
from xadapt.core.errors import UserError
from xadapt.core.files import sha256_file


def words(differences):
    return [line.split(":")[0] for line in differences]


CASES = {
    "fewer layers": ({"num_hidden_layers": 3}, ["layers"]),
    "more layers": ({"num_hidden_layers": 5}, ["layers"]),
    "other vocabulary": ({"vocab_size": 210}, ["vocabulary"]),
    "other width": ({"hidden_size": 48}, ["width"]),
    "other weights": ({"seed": 1}, ["weights"]),
    "other positions": ({"max_position_embeddings": 60}, ["weights"]),
}


@pytest.mark.parametrize("case", CASES)
def test_what_differs_is_said(case):
    changes, expected = CASES[case]
    a, b = tiny_encoder().identity, tiny_encoder(**changes).identity
    assert words(compare(a, b)) == words(compare(b, a)) == expected
    assert a.id != b.id


def test_the_same_is_the_same():
    a, b = tiny_encoder(), tiny_encoder()
    assert compare(a.identity, b.identity) == []
    assert a.fingerprint == b.fingerprint == a.identity.id
    assert a.fingerprint.startswith("sha256:")


def test_another_architecture():
    a, b = tiny_encoder("roberta").identity, tiny_encoder("xlmr").identity
    assert words(compare(a, b)) == ["architecture"]


def test_one_weight_is_enough():
    a, b = tiny_encoder(), tiny_encoder()
    with torch.no_grad():
        b.model.encoder.layer[3].output.dense.weight[0, 0] += 0.5
    assert words(compare(a.identity, b.identity)) == ["weights"]


def test_a_fine_tuned_base_within_bfloat16_rounding_counts_as_its_cast():
    a, b = tiny_encoder(), tiny_encoder()
    b.model.to(torch.bfloat16)
    difference = compare(a.identity, b.identity)
    assert words(difference) == ["dtype"]
    assert "bfloat16" in difference[0]
    c = tiny_encoder(seed=1)
    c.model.to(torch.bfloat16)
    assert words(compare(a.identity, c.identity)) == ["weights"]


def test_another_tokenizer():
    model, _ = tiny("bert")
    usual = Encoder.wrap(model, tiny_tokenizer()).identity
    others = [tiny_tokenizer(TEXTS[:3]), tiny_tokenizer()]
    others[1].backend_tokenizer.normalizer = None
    for other in others:
        difference = compare(usual, Encoder.wrap(model, other).identity)
        assert words(difference) == ["tokenizer"]


def test_truncation_and_padding_settings_are_no_part(tmp_path):
    tokenizer = tiny_tokenizer()
    before = prints.hash_tokenizer(tokenizer)
    tokenizer(["a", "a b c d e f g"], truncation=True, max_length=4, padding=True)
    assert prints.hash_tokenizer(tokenizer) == before
    tokenizer.save_pretrained(tmp_path)
    from transformers import AutoTokenizer

    assert prints.hash_tokenizer(AutoTokenizer.from_pretrained(tmp_path)) == before


def test_pooler_and_head_are_no_part(tmp_path):
    from transformers import BertModel

    plain, config = tiny("bert")
    pooled = BertModel(config)
    pooled.load_state_dict(plain.state_dict(), strict=False)
    assert pooled.pooler is not None
    assert prints.hash_weights(pooled) == prints.hash_weights(plain)
    folders = [tiny_folder(tmp_path / str(mlm), "roberta", mlm=mlm) for mlm in (False, True)]
    a, b = (Encoder.from_pretrained(str(f), dtype="float32", device="cpu") for f in folders)
    assert a.fingerprint == b.fingerprint
    b.mlm_head()
    assert a.fingerprint == b.fingerprint
    a.model.save_pretrained(tmp_path / "again", safe_serialization=True)
    a.tokenizer.save_pretrained(tmp_path / "again")
    assert Encoder.from_pretrained(str(tmp_path / "again")).fingerprint == a.fingerprint


def test_hash_is_the_written_rule():
    """SHA-256 over name, shape and little-endian values, in the order of the names."""
    import hashlib

    model, _ = tiny("distilbert")
    rows = sorted(model.state_dict().items())
    exact, rounded = hashlib.sha256(), hashlib.sha256()
    for name, value in rows:
        if name.endswith("position_ids"):
            continue
        head = f"{name}{tuple(value.shape)};".encode()
        exact.update(head + b"".join(v.numpy().tobytes() for v in value.flatten()))
        upper = value.bfloat16().float().numpy().view("<u4") >> 16
        rounded.update(head + upper.astype("<u2").tobytes())
    assert prints.hash_weights(model) == (
        f"sha256:{exact.hexdigest()}",
        f"sha256:{rounded.hexdigest()}",
    )


def test_known_files_are_mapped_to_their_hub_id(tmp_path, monkeypatch):
    folder = tiny_folder(tmp_path / "base")
    encoder = Encoder.from_pretrained(str(folder))
    assert encoder.hub_id() is None
    assert tiny_encoder().hub_id() is None
    sha = sha256_file(folder / "model.safetensors")
    monkeypatch.setitem(prints.KNOWN_BASES, sha, "org/known")
    assert encoder.hub_id() == "org/known"


def test_through_json():
    value = tiny_encoder().identity
    assert Fingerprint.from_dict(json.loads(json.dumps(value.to_dict()))) == value
    for bad in ({}, {"extra": 1, **value.to_dict()}, {**value.to_dict(), "layers": [4]}):
        with pytest.raises(UserError, match="no fingerprint"):
            Fingerprint.from_dict(bad)
