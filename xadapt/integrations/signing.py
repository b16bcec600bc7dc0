"""model-signing: a folder signed with a key, and the signature checked with the public key.

The package is https://github.com/sigstore/model-transparency (OpenSSF). A signature covers the
SHA-256 of every file, the card too, so the card is finished before.
"""

from __future__ import annotations

import contextlib
import io
import os
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from xadapt.core.errors import UserError, missing_extra

PASSWORD = "XADAPT_KEY_PASSWORD"
"""The variable of the environment with the password of an encrypted key."""
FILE = "model.sig"


def available() -> str | None:
    """Return ``None`` where the package can be used, otherwise the reason why not."""
    for name in ("model_signing", "OpenSSL"):  # the latter is missing among what the first asks for
        if find_spec(name) is None:
            return "model-signing is not installed: pip install 'xadapt[sign]'"
    return None


class Signer:
    """Signs folders with an elliptic-curve key, P-256, P-384 or P-521.

    Args:
        key: The private key, a PEM file. An encrypted one needs its password in the variable
            ``XADAPT_KEY_PASSWORD``.

    Raises:
        UserError: If the package is absent, or the file is no such key or can't be opened.
    """

    def __init__(self, key: Path | str) -> None:
        if available():
            raise missing_extra("model-signing", "sign")
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ec

        where, password = str(key), os.environ.get(PASSWORD)
        self._password = password.encode() if password else None
        self._path = Path(key)
        try:
            raw = self._path.read_bytes()
            own = serialization.load_pem_private_key(raw, self._password)
        except OSError as error:
            raise UserError(f"can't read this key ({error.strerror})", where=where) from None
        except TypeError:
            todo = f"Set {PASSWORD}" if self._password is None else f"Unset {PASSWORD}"
            what = "is encrypted" if self._password is None else "is not encrypted"
            raise UserError(f"the key {what}", where=where, todo=todo) from None
        except Exception:  # neither the message nor the trace may show any of a key
            raise UserError("this is no private key that can be opened", where=where) from None
        if not isinstance(own, ec.EllipticCurvePrivateKey):
            raise UserError(
                "keys of elliptic curves alone sign",
                where=where,
                todo="Make one: openssl ecparam -name prime256v1 -genkey -noout -out key.pem",
            )
        self.public_pem: bytes = own.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def sign(self, folder: Path, former: bytes | None = None) -> bytes:
        """Sign every file of a folder.

        Args:
            folder: The folder, without a signature.
            former: An earlier signature. It is returned if this key made it for these very files,
                because two signatures of the same differ, and nothing new would be published.

        Raises:
            UserError: If the key can't sign.
        """
        from model_signing import hashing, signing

        with TemporaryDirectory(prefix="xadapt-") as temporary:
            if former is not None and self._is_own(folder, former, Path(temporary)):
                return former
            out = Path(temporary, FILE)
            config = signing.Config().set_hashing_config(hashing.Config())
            try:
                own: Any = self._password
                config.use_elliptic_key_signer(private_key=self._path, password=own)
                config.sign(folder, out)
            except Exception as error:
                raise UserError(
                    f"the key can't sign ({type(error).__name__})", where=str(self._path)
                ) from None
            return out.read_bytes()

    def _is_own(self, folder: Path, former: bytes, temporary: Path) -> bool:
        key = temporary / "key.pub"
        key.write_bytes(self.public_pem)
        own = temporary / "former.sig"
        own.write_bytes(former)
        try:
            require_signature(folder, own, key, strict=True)
        except UserError:
            return False
        return True


def require_signature(
    folder: Path | str, signature: Path, public_key: Path | str, strict: bool = False
) -> None:
    """Refuse a signature that was not made with a key, or not for the files of a folder.

    Args:
        folder: The folder.
        signature: The signature.
        public_key: The public key, a PEM file.
        strict: Whether every file of the folder must be signed.

    Raises:
        UserError: If the signature is another's or of other files, or the key can't be read.
    """
    if available():
        raise missing_extra("model-signing", "sign")
    from model_signing import hashing, verifying

    if not Path(public_key).is_file():
        raise UserError("there is no such public key", where=str(public_key))
    # The Hub's cache holds links to its blobs; which files may be read was checked before.
    how = hashing.Config().set_allow_symlinks(True)
    config = verifying.Config().set_hashing_config(how)
    config.set_ignore_unsigned_files(not strict)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            config.use_elliptic_key_verifier(public_key=Path(public_key))
            config.verify(Path(folder), signature)
    except Exception as error:
        said = " ".join(str(error).split())[:200] or type(error).__name__
        raise UserError(
            f"the signature is not of this key and these files ({said})", where=FILE
        ) from None
