from __future__ import annotations

import hashlib
import json
import struct

import pytest
import torch

from xadapt.hub.hashes import content_hash, file_hash, is_file, tensor_hashes


def test_a_tensor_s_hash_is_of_its_name_dtype_shape_and_bytes() -> None:
    tensor = torch.tensor([[1.0, -2.0]])
    by_hand = hashlib.sha256(b'["a", "float32", [1, 2]]' + struct.pack("<2f", 1.0, -2.0))
    assert tensor_hashes({"a": tensor}) == {"a": by_hand.hexdigest()}
    others = [
        {"b": tensor},
        {"a": tensor.view(torch.int32)},
        {"a": tensor.view(2, 1)},
        {"a": torch.tensor([[1.0, -2.0000002]])},
        {"a": tensor.flip(1)},
    ]
    found = [next(iter(tensor_hashes(other).values())) for other in others]
    assert len({*found, by_hand.hexdigest()}) == 6
    assert tensor_hashes({"a": torch.tensor([[1.0], [-2.0]]).T}) == tensor_hashes({"a": tensor})
    assert tensor_hashes({"n": torch.zeros(0, 3), "s": torch.tensor(1.0)}).keys() == {"n", "s"}


def test_the_content_of_json_counts_and_not_how_it_is_written() -> None:
    value = {"b": [1, 2.5, None, "ä"], "a": {"y": True, "x": 1e-9}}
    by_hand = hashlib.sha256(b'{"a":{"x":1e-09,"y":true},"b":[1,2.5,null,"\\u00e4"]}').hexdigest()
    assert content_hash(value) == by_hand
    assert content_hash(json.loads(json.dumps(value, indent=7, sort_keys=True))) == by_hand
    assert content_hash({**value, "b": [1.0, 2.5, None, "ä"]}) == by_hand
    for other in ({**value, "b": [1, 2.5, None, "a"]}, {**value, "b": [2.5, 1, None, "ä"]}):
        assert content_hash(other) != by_hand
    assert content_hash({"a": True}) != content_hash({"a": 1})
    with pytest.raises(ValueError, match="JSON"):
        content_hash(float("nan"))


@pytest.mark.parametrize("size", [0, 1, 2**20 - 1, 2**20, 2**21 + 3])
def test_a_file_s_hashes(tmp_path, size: int) -> None:
    raw = bytes(range(256)) * (size // 256 + 1)
    raw = raw[:size]
    (tmp_path / "f").write_bytes(raw)
    hashed = file_hash(tmp_path / "f")
    assert (hashed.bytes, hashed.sha256) == (size, hashlib.sha256(raw).hexdigest())
    assert is_file(tmp_path / "f", hashed) and is_file(tmp_path / "g", hashed, raw)
    for other in (raw + b"\0", raw[:-1] + b"\xff", b"x" * size):
        (tmp_path / "f").write_bytes(other)
        assert is_file(tmp_path / "f", hashed) == is_file(tmp_path, hashed, other) == (other == raw)


def test_the_quick_hash_is_the_known_one(tmp_path) -> None:
    (tmp_path / "f").write_bytes(b"")
    assert file_hash(tmp_path / "f").xxh3_128 == "99aa06d3014798d86001c324468d497f"
