"""Signatures, made and checked by the real package, in Python and by its own command line."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest
from keys import key_pair

from xadapt.core.errors import UserError
from xadapt.hub.signature_file import parse_signature, require_signed
from xadapt.integrations import signing
from xadapt.integrations.signing import PASSWORD, Signer, require_signature

pytest.importorskip("model_signing")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "module"
    (place / "sub").mkdir(parents=True)
    (place / "a.txt").write_text("one")
    (place / "sub" / "b.bin").write_bytes(bytes(range(256)))
    return place


def test_a_signature_is_of_the_key_and_the_files(folder: Path, tmp_path: Path) -> None:
    private, public = key_pair(tmp_path)
    _, other = key_pair(tmp_path, "other")
    signature = folder / "model.sig"
    signature.write_bytes(Signer(private).sign(folder))
    signed = parse_signature(signature.read_bytes())
    assert signed.hashes.keys() == {"a.txt", "sub/b.bin"} and signed.key is not None
    require_signed(folder, signed, ["a.txt", "sub/b.bin"])
    require_signature(folder, signature, public)
    with pytest.raises(UserError, match="not of this key"):
        require_signature(folder, signature, other)
    (folder / "a.txt").write_text("two")
    with pytest.raises(UserError, match=r"these files .*a\.txt"):
        require_signature(folder, signature, public)


def test_the_command_line_of_the_package_accepts_it(folder: Path, tmp_path: Path) -> None:
    private, public = key_pair(tmp_path)
    (folder / "model.sig").write_bytes(Signer(private).sign(folder))
    given = ["verify", "key", str(folder), "--signature", str(folder / "model.sig")]
    done = subprocess.run(
        [sys.executable, "-m", "model_signing", *given, "--public_key", str(public)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    own = tmp_path / "own.sig"
    given = ["sign", "key", str(folder), "--signature", str(own), "--private_key", str(private)]
    (folder / "model.sig").unlink()
    subprocess.run([sys.executable, "-m", "model_signing", *given], check=True, capture_output=True)
    assert parse_signature(own.read_bytes()).hashes.keys() == {"a.txt", "sub/b.bin"}
    require_signature(folder, own, public)


def test_the_same_files_keep_their_signature(folder: Path, tmp_path: Path) -> None:
    signer = Signer(key_pair(tmp_path)[0])
    first = signer.sign(folder)
    assert signer.sign(folder) != first  # each has its own random number
    assert signer.sign(folder, first) == first
    assert Signer(key_pair(tmp_path, "other")[0]).sign(folder, first) != first
    assert signer.sign(folder, b"nonsense") != first
    (folder / "new.txt").write_text("x")
    assert signer.sign(folder, first) != first


def test_a_changed_byte_of_a_signature_is_noticed(folder: Path, tmp_path: Path) -> None:
    private, public = key_pair(tmp_path)
    raw = Signer(private).sign(folder)
    own = tmp_path / "model.sig"
    rng = random.Random(2)
    for _ in range(150):
        at = rng.randrange(len(raw))
        own.write_bytes(raw[:at] + bytes([raw[at] ^ rng.randrange(1, 256)]) + raw[at + 1 :])
        with pytest.raises(UserError):
            require_signed(folder, parse_signature(own.read_bytes()), ["a.txt", "sub/b.bin"])
            require_signature(folder, own, public)


def test_keys_that_can_not_sign_are_one_line(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = b"open sesame"
    hidden, _ = key_pair(tmp_path, "hidden", secret)
    plain, public = key_pair(tmp_path)
    with pytest.raises(UserError, match=f"is encrypted. Set {PASSWORD}"):
        Signer(hidden)
    monkeypatch.setenv(PASSWORD, "wrong")
    with pytest.raises(UserError, match="no private key that can be opened") as raised:
        Signer(hidden)
    assert "wrong" not in str(raised.value)
    monkeypatch.setenv(PASSWORD, secret.decode())
    assert parse_signature(Signer(hidden).sign(folder)).key
    with pytest.raises(UserError, match="is not encrypted"):
        Signer(plain)
    monkeypatch.delenv(PASSWORD)
    for wrong in (public, folder / "a.txt"):
        with pytest.raises(UserError, match="no private key"):
            Signer(wrong)
    with pytest.raises(UserError, match="can't read this key"):
        Signer(tmp_path / "none.pem")
    with pytest.raises(UserError, match="no such public key"):
        require_signature(folder, folder / "a.txt", tmp_path / "none.pub")
    rsa = tmp_path / "rsa.pem"
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

    rsa.write_bytes(
        generate_private_key(65537, 2048).private_bytes(
            form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption()
        )
    )
    with pytest.raises(UserError, match="elliptic curves alone"):
        Signer(rsa)


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signing, "find_spec", lambda name: None)
    assert "pip install 'xadapt[sign]'" in str(signing.available())
    with pytest.raises(UserError, match=r"xadapt\[sign\]"):
        Signer("key.pem")
