"""``model.sig``: the signature of a folder, as a statement of the hashes of its files.

The format is that of OpenSSF model signing, a Sigstore bundle with an in-toto statement in it
(https://github.com/sigstore/model-transparency, version 1.0 of the predicate). This file reads what
is stated. Who signed it is checked with the package model-signing, see
`xadapt.integrations.signing`.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from xadapt.core.errors import UserError
from xadapt.core.files import sha256_file
from xadapt.core.strict_parsing import parse_json, read_bytes
from xadapt.hub.hashes import Sha256
from xadapt.hub.safe_paths import file_inside, has_file

FILE = "model.sig"
MAX_BYTES = 4 * 2**20
PAYLOAD = "application/vnd.in-toto+json"
STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://model_signing/signature/v1.0"
CERTIFICATES = {"certificate", "x509CertificateChain"}
"""The material of signatures that are not made with a key alone."""
MEDIA = r"^application/vnd\.dev\.sigstore\.bundle\.v0\.3\+json$"


class _Open(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _Resource(_Open):
    name: Annotated[str, Field(max_length=1000)]
    algorithm: Literal["sha256"]
    digest: Sha256


class _Serialization(_Open):
    method: Literal["files"]


class _Predicate(_Open):
    resources: Annotated[list[_Resource], Field(min_length=1, max_length=10_000)]
    serialization: _Serialization


class _Statement(_Open):
    kind: Literal["https://in-toto.io/Statement/v1"] = Field(alias="_type")
    predicateType: Literal["https://model_signing/signature/v1.0"]  # noqa: N815
    predicate: _Predicate


class _Signature(_Strict):
    sig: str
    keyid: str = ""


class _Envelope(_Strict):
    payload: str
    payloadType: Literal["application/vnd.in-toto+json"]  # noqa: N815
    signatures: Annotated[list[_Signature], Field(min_length=1, max_length=1)]


class _Bundle(_Strict):
    mediaType: Annotated[str, Field(pattern=MEDIA)]  # noqa: N815
    verificationMaterial: dict[str, Any]  # noqa: N815
    dsseEnvelope: _Envelope  # noqa: N815


@dataclass(frozen=True)
class Signed:
    """What a signature states.

    Attributes:
        hashes: SHA-256 of every signed file by its path.
        key: The identifier of the key that it says to be made with: the SHA-256 of its public key.
            ``None`` if it was made with a certificate.
    """

    hashes: dict[str, str]
    key: str | None


def read_signature(folder: Path | str) -> Signed:
    """Read the statement of a folder's signature, without a check of who made it.

    Raises:
        UserError: If the file is absent, too large or malformed, or states something else than
            SHA-256 of whole files.
    """
    raw = read_bytes(file_inside(folder, FILE), MAX_BYTES)
    return parse_signature(raw)


def parse_signature(raw: bytes) -> Signed:
    """Read the statement of a signature; see `read_signature`."""
    try:
        said = parse_json(raw, where=FILE)
        bundle = _Bundle.model_validate(said)
        if json.dumps(said, separators=(",", ":"), ensure_ascii=False).encode() != raw:
            raise ValueError("it is spelt otherwise than such files are")
        _decoded(bundle.dsseEnvelope.signatures[0].sig)
        payload = _decoded(bundle.dsseEnvelope.payload)
        stated = _Statement.model_validate(parse_json(payload, where=FILE))
    except ValidationError as error:
        first = error.errors()[0]
        reason = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"[:200]
        raise UserError(f"this is no signature of a module ({reason})", where=FILE) from None
    except ValueError as error:
        raise UserError(f"this is no signature of a module ({error})", where=FILE) from None
    hashes = {one.name: one.digest for one in stated.predicate.resources}
    if len(hashes) < len(stated.predicate.resources):
        raise UserError("it names a file twice", where=FILE)
    return Signed(hashes, _key(bundle.verificationMaterial))


def require_signed(folder: Path | str, signed: Signed, names: Iterable[str]) -> None:
    """Refuse a signature that is not of exactly these files.

    Args:
        folder: The folder.
        signed: The statement of its signature.
        names: Paths of the files that have to be signed, those of the module.

    Raises:
        UserError: If a file is not signed, a signed one is absent, or a hash is another.
    """
    wanted = {name for name in names if name != FILE}
    unsigned = sorted(wanted - signed.hashes.keys())
    if unsigned:
        raise UserError(f"{unsigned[0]} is not signed", where=FILE)
    for name, own in signed.hashes.items():
        if not has_file(folder, name):
            raise UserError(f"{name} is signed and absent", where=FILE)
        if sha256_file(file_inside(folder, name)) != own:
            raise UserError(f"{name} is not the file that was signed", where=FILE)


def _decoded(text: str) -> bytes:
    """Decode base64 that is spelt in its only way.

    Raises:
        ValueError: If it is not.
    """
    try:
        raw = base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError("a part of it is not base64") from None
    if base64.b64encode(raw).decode("ascii") != text:
        raise ValueError("a part of it is not base64")
    return raw


def _key(material: dict[str, Any]) -> str | None:
    """Return the identifier of the key.

    Raises:
        UserError: If there is something beside the key.
    """
    if "publicKey" not in material and material.keys() & CERTIFICATES:
        return None
    if "publicKey" not in material:
        raise UserError("this is no signature of a module (it names no key)", where=FILE)
    own = material["publicKey"]
    hint = own.get("hint") if isinstance(own, dict) else None
    rest = material.keys() - {"publicKey", "tlogEntries"}
    plain = isinstance(own, dict) and own.keys() == {"hint"} and not material.get("tlogEntries")
    if not isinstance(hint, str) or rest or not plain:
        raise UserError("this is no signature of a module (its key is malformed)", where=FILE)
    return hint
