"""The files of a folder as they go up: copied, with an edited card taken in, and signed.

The folder itself is never changed.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from xadapt.core.errors import UserError
from xadapt.core.files import write_errors
from xadapt.hub import composition_file, signature_file
from xadapt.hub.hashes import file_hash
from xadapt.hub.integrity import CARD, resealed
from xadapt.hub.manifest import save_manifest
from xadapt.hub.opening import manifest_content, read_manifest
from xadapt.hub.published_files import PublishedFiles
from xadapt.hub.safe_paths import has_file

Sign = Callable[[Path, bytes | None], bytes]
"""Returns the signature of a folder. It gets an earlier signature, and may return that."""


@contextmanager
def staged(
    own: PublishedFiles, sign: Sign | None = None, former: bytes | None = None, name: str = ""
) -> Iterator[PublishedFiles]:
    """Yield the files of a folder in a temporary place, as they are published.

    Args:
        own: The checked files.
        sign: Function that signs.
        former: The signature that was published before.
        name: Name of the temporary folder, which a signature states.

    Raises:
        UserError: If the disk is full, the key can't sign, or the folder's own signature is of
            other files.
    """
    with TemporaryDirectory(prefix="xadapt-") as temporary:
        folder = Path(temporary, name or own.folder.name or "module")
        with write_errors(folder):
            folder.mkdir()
            ready = write_staged(own, folder, sign, former, link=True)
        yield ready


def write_staged(
    own: PublishedFiles,
    folder: Path,
    sign: Sign | None = None,
    former: bytes | None = None,
    link: bool = False,
) -> PublishedFiles:
    """Write the files as they are published into an empty folder.

    Args:
        own: The checked files.
        folder: The folder.
        sign: As for `staged`.
        former: As for `staged`.
        link: Whether files may be links to the same bytes, instead of copies.

    Raises:
        UserError: As for `staged`.
    """
    for name, path in own.files.items():
        if name == signature_file.FILE and sign is not None:
            continue
        target = folder.joinpath(*name.split("/"))
        target.parent.mkdir(parents=True, exist_ok=True)
        _copy(path.resolve(), target, link and name not in _REWRITTEN)
    _take_in_card(folder)
    names = sorted(name for name in own.files if name != signature_file.FILE)
    signature = folder / signature_file.FILE
    if sign is not None:
        signature.write_bytes(sign(folder, former))
    if signature.is_file():
        try:
            signature_file.require_signed(folder, signature_file.read_signature(folder), names)
        except UserError as error:
            todo = "Sign anew (--sign KEY), or remove the file"
            raise UserError(error.what, where=error.where, todo=todo) from None
        names.append(signature_file.FILE)
    files = {name: folder.joinpath(*name.split("/")) for name in names}
    return PublishedFiles(folder, own.manifests, files, own.composition)


_REWRITTEN = ("xadapt.json", "composition.json")


def _copy(path: Path, target: Path, link: bool) -> None:
    if link:
        try:
            os.link(path, target)
        except OSError:  # such as another disk
            shutil.copyfile(path, target)
    else:
        shutil.copyfile(path, target)


def _take_in_card(folder: Path) -> None:
    """Put the hash of an edited card into the manifest, so that it is a part of what is published.

    The publisher edited it, before it went up. An edit after that is seen by everyone.
    """
    if has_file(folder, composition_file.FILE):
        composition_file.reseal_card(folder)
        return
    manifest = read_manifest(folder)
    hashes = manifest.integrity
    if hashes is None or CARD not in hashes.files:
        return
    now = file_hash(folder / CARD)
    if now != hashes.files[CARD]:
        save_manifest(folder, resealed(manifest, manifest_content(folder), {CARD: now}))
