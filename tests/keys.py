"""Keys to sign with, made for a test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


def key_pair(folder: Path, name: str = "key", password: bytes | None = None) -> tuple[Path, Path]:
    """Make a private and a public key of the curve P-256, as PEM files."""
    pytest.importorskip("model_signing")
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric import ec

    own: Any = ec.generate_private_key(ec.SECP256R1())
    hidden: Any = form.BestAvailableEncryption(password) if password else form.NoEncryption()
    private, public = folder / f"{name}.pem", folder / f"{name}.pub"
    private.write_bytes(own.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, hidden))
    public.write_bytes(
        own.public_key().public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo)
    )
    return private, public
