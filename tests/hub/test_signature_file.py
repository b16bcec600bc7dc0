from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from xadapt.core.errors import UserError
from xadapt.hub.signature_file import (
    MAX_BYTES,
    PAYLOAD,
    PREDICATE,
    STATEMENT,
    parse_signature,
    read_signature,
    require_signed,
)

FILES = {"a.txt": b"one", "b/c.txt": b"two"}


def statement(**changes: Any) -> dict[str, Any]:
    resources = [
        {"name": name, "algorithm": "sha256", "digest": hashlib.sha256(raw).hexdigest()}
        for name, raw in FILES.items()
    ]
    said = {
        "_type": STATEMENT,
        "subject": [{"name": "module", "digest": {"sha256": "0" * 64}}],
        "predicateType": PREDICATE,
        "predicate": {
            "serialization": {"method": "files", "hash_type": "sha256"},
            "resources": resources,
        },
    }
    return {**said, **changes}


def bundle(said: Any = None, **changes: Any) -> dict[str, Any]:
    payload = base64.b64encode(json.dumps(said or statement()).encode()).decode()
    made = {
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {"publicKey": {"hint": "ab" * 32}, "tlogEntries": []},
        "dsseEnvelope": {
            "payload": payload,
            "payloadType": PAYLOAD,
            "signatures": [{"sig": "AAAA", "keyid": ""}],
        },
    }
    return {**made, **changes}


def written(said: Any) -> bytes:
    return json.dumps(said, separators=(",", ":")).encode()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, raw in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(raw)
    (tmp_path / "model.sig").write_bytes(written(bundle()))
    return tmp_path


def test_what_is_stated_is_compared_with_the_files(folder: Path) -> None:
    signed = read_signature(folder)
    assert signed.hashes == {n: hashlib.sha256(raw).hexdigest() for n, raw in FILES.items()}
    assert signed.key == "ab" * 32
    require_signed(folder, signed, [*FILES, "model.sig"])
    with pytest.raises(UserError, match=r"model\.sig: other\.txt is not signed"):
        require_signed(folder, signed, [*FILES, "other.txt"])
    (folder / "a.txt").write_bytes(b"One")
    with pytest.raises(UserError, match=r"a\.txt is not the file that was signed"):
        require_signed(folder, signed, FILES)
    (folder / "a.txt").unlink()
    with pytest.raises(UserError, match=r"a\.txt is signed and absent"):
        require_signed(folder, signed, ["b/c.txt"])


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "b/../../x"])
def test_a_path_that_climbs_is_not_read(folder: Path, name: str) -> None:
    (folder.parent / "x").write_bytes(b"one")
    said = statement()
    said["predicate"]["resources"][0]["name"] = name
    with pytest.raises(UserError) as raised:
        require_signed(folder, parse_signature(written(bundle(said))), [])
    assert "is not the file" not in str(raised.value)


@pytest.mark.parametrize(
    "said",
    [
        [],
        {},
        bundle(mediaType="other"),
        bundle(more=1),
        bundle(verificationMaterial={"publicKey": {"hint": 1}}),
        bundle(verificationMaterial={"publicJey": {"hint": "a"}, "tlogEntries": []}),
        bundle(verificationMaterial={}),
        bundle(verificationMaterial={"publicKey": {"hint": "a"}, "certificate": {}}),
        bundle(verificationMaterial={"publicKey": {"hint": "a"}, "tlogEntries": [1]}),
        bundle({**statement(), "predicateType": "other"}),
        bundle(statement(predicate={"serialization": {"method": "shards"}, "resources": []})),
        bundle(dsseEnvelope={"payload": "!", "payloadType": PAYLOAD, "signatures": [{"sig": ""}]}),
        bundle(dsseEnvelope={"payload": "AA==", "payloadType": "x", "signatures": [{"sig": ""}]}),
        bundle(
            dsseEnvelope={"payload": "AB==", "payloadType": PAYLOAD, "signatures": [{"sig": ""}]}
        ),
    ],
)
def test_malformed_ones_are_one_line(said: Any) -> None:
    with pytest.raises(UserError, match=r"^model\.sig: this is no signature of a module") as raised:
        parse_signature(written(said))
    assert "\n" not in str(raised.value)


def test_a_file_is_named_once_and_spelt_one_way(folder: Path) -> None:
    said = statement()
    said["predicate"]["resources"] *= 2
    with pytest.raises(UserError, match="names a file twice"):
        parse_signature(written(bundle(said)))
    with pytest.raises(UserError, match="spelt otherwise"):
        parse_signature(json.dumps(bundle()).encode())
    (folder / "model.sig").write_bytes(b" " * (MAX_BYTES + 1))
    with pytest.raises(UserError, match="larger than 4 MiB"):
        read_signature(folder)


def test_a_certificate_is_no_key() -> None:
    said = bundle(verificationMaterial={"certificate": {"rawBytes": "AAAA"}, "tlogEntries": [{}]})
    assert parse_signature(written(said)).key is None
