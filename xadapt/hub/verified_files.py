"""The checks of a published folder that need no base: manifest, hashes, pickles, strangers.

Nothing of the folder is executed, and no file is read through a link that leaves it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

from xadapt.core.errors import UserError
from xadapt.core.json_spelling import is_as_written
from xadapt.core.strict_parsing import parse_json, read_bytes
from xadapt.hub import composition_file, encoder_file
from xadapt.hub.checks import FAILED, PASSED, Check, checked
from xadapt.hub.hashes import Integrity, content_hash, file_hash, tensor_hashes
from xadapt.hub.imports.pickled import read_pickled
from xadapt.hub.integrity import CARD, manifest_hash
from xadapt.hub.manifest import FILE, MAX_BYTES, Manifest, parse_with_content
from xadapt.hub.opening import read_manifest
from xadapt.hub.published_files import SIGNATURE, UNHASHED
from xadapt.hub.safe_paths import file_inside, folder_inside, has_file, is_folder
from xadapt.hub.shared_names import renamed
from xadapt.modules.storage import read_tensors

MOST_FILES = 10_000
LOADED = re.compile(
    r".*\.(bin|pt|pth|pkl|pickle|ckpt|safetensors|json|ya?ml|py|pyc|so|dll|h5|msgpack|onnx|npy|npz"
    r"|model|jinja|zip|tar|t?gz|bz2|xz|7z|rar|whl|exe|sh)",
    re.IGNORECASE,
)
"""Files that a library, an interpreter or a person may take for a part of the module."""
ARCHIVES = re.compile(r".*\.(zip|tar|tgz|tar\.\w+|7z|rar|whl)", re.IGNORECASE)

TWINS = {
    "pytorch_adapter.bin": "adapter.safetensors",
    "pytorch_model_head.bin": "model_head.safetensors",
}
"""The pickles that a folder may hold for adapters' default loader, and the same as safetensors."""


def verify_files(place: Path | str, others: Iterable[str] = ()) -> list[Check]:
    """Check every file of a module's folder, a composition or a saved encoder.

    Args:
        place: The folder.
        others: Paths of further files of the repository that were not fetched.

    Raises:
        UserError: If there is no such folder, or it is an archive.
    """
    folder = Path(place)
    if not is_folder(folder):
        archive = ARCHIVES.fullmatch(folder.name) is not None
        raise UserError(
            "an archive is not opened" if archive else "there is no such module folder",
            where=str(place),
            todo="Unpack it yourself" if archive else "Name one that xadapt wrote, or a Hub id",
        )
    known = {FILE, CARD, SIGNATURE, *UNHASHED}
    found: list[Check] = []
    if has_file(folder, composition_file.FILE):
        found += _composition(folder, known)
    else:
        found += _module(folder, known, "", whole=True)
    if has_file(folder, encoder_file.FILE):
        found += checked(encoder_file.FILE, lambda: _encoder_file(folder))
    return found + checked("other files", lambda: _strangers(folder, known, others))


def modules_of(folder: Path) -> dict[str, Path]:
    """Return the folders of the modules below a folder, by their path; of one module, itself."""
    if not has_file(folder, composition_file.FILE):
        return {"": folder}
    _, saved = composition_file.read_saved(folder)
    places = {name: f"{composition_file.MODULES}/{name}" for name in saved.modules}
    return {f"{at}/": folder_inside(folder, at) for at in places.values()}


def files_of(folder: Path) -> list[str]:
    """Return the paths of all files that a folder's manifests name and that are there.

    Raises:
        UserError: If a manifest can't be read.
    """
    found = [name for name in (composition_file.FILE, CARD, *UNHASHED) if has_file(folder, name)]
    for at, place in modules_of(folder).items():
        hashes = read_manifest(place).integrity
        listed = [name for name in (hashes.files if hashes else ()) if has_file(place, name)]
        found += [f"{at}{name}" for name in (FILE, *listed)]
    return list(dict.fromkeys(found))


def _module(folder: Path, known: set[str], at: str, whole: bool) -> list[Check]:
    """Check one module; ``at`` is its path in the folder, and begins the names of its checks."""
    manifest: list[Manifest] = []

    def read() -> str:
        raw = read_bytes(file_inside(folder, FILE), MAX_BYTES)
        one, said = parse_with_content(raw, where=FILE)
        manifest.append(one)
        return _judged_manifest(one, said, raw)

    found = checked(f"{at}{FILE}", read)
    if not manifest or manifest[0].integrity is None:
        return found
    [one], hashes = manifest, manifest[0].integrity
    known |= {f"{at}{name}" for name in hashes.files} | {f"{at}{FILE}"}
    found += _hashed(folder, one, hashes, at, whole)
    for name in hashes.files:
        if name.endswith(".bin") and has_file(folder, name):
            found += checked(f"{at}{name}", partial(_pickle, folder, name, one))
    return found


def _judged_manifest(manifest: Manifest, said: Mapping[str, Any], raw: bytes) -> str:
    if manifest.integrity is None:
        raise UserError("it was written before xadapt kept hashes: nothing can be checked by it")
    if manifest_hash(said) != manifest.integrity.manifest:
        raise UserError("its content is not that of its own hash")
    if not is_as_written(raw):
        raise UserError("it is spelt otherwise than xadapt writes it")
    languages = ", ".join(manifest.languages) or "every language"
    return f"{manifest.name}, a {manifest.module.kind} for {languages}, {manifest.created}"


def _hashed(
    folder: Path, manifest: Manifest, hashes: Integrity, at: str, whole: bool
) -> Iterator[Check]:
    """Compare the hashes of all files; one check for each that differs, and one for the others."""
    good, size = 0, 0
    required = set(hashes.files) if whole else {manifest.module.file}
    for name, own in hashes.files.items():
        try:
            if not has_file(folder, name):
                if name in required:
                    raise UserError("it is absent")
                continue
            here = file_hash(file_inside(folder, name))
            if here != own:
                raise UserError(_differs(folder, name, hashes, here.bytes - own.bytes))
            _require_tensors(folder, name, hashes)
        except UserError as error:
            yield Check(f"{at}{name}", FAILED, error.what)
        except OSError as error:
            yield Check(f"{at}{name}", FAILED, f"it can't be read ({error.strerror or error})")
        else:
            good, size = good + 1, size + own.bytes
    if good:
        yield Check(f"{at}files", PASSED, f"{good} files, {size:,} bytes, have their hashes")


def _differs(folder: Path, name: str, hashes: Integrity, more: int) -> str:
    said = "its hash is another" if not more else f"its hash is another, and it has {more:+} bytes"
    try:
        _require_tensors(folder, name, hashes)
    except UserError as error:
        return f"{said}: {error.what}"
    return f"{said} (its tensors are as they were)" if name in hashes.tensors else said


def _require_tensors(folder: Path, name: str, hashes: Integrity) -> None:
    """Refuse a file in which a tensor has another hash.

    Raises:
        UserError: If a tensor differs, is absent or is one too many.
    """
    should = hashes.tensors.get(name)
    if should is None:
        return
    have = tensor_hashes(read_tensors(file_inside(folder, name), None).tensors)
    wrong = sorted(n for n in should.keys() | have.keys() if should.get(n) != have.get(n))
    if wrong:
        more = f", and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        raise UserError(f"the tensor {wrong[0]!r} is another{more}")


def _pickle(folder: Path, name: str, manifest: Manifest) -> str:
    """Compare a pickle with the safetensors that hold the same, in a reader that runs nothing.

    Without such a file, the values of a module are compared, whatever the names are: each value has
    to be there exactly once. The names are compared where the base is at hand.
    """
    if name not in TWINS:
        raise UserError("nothing vouches for this pickle")
    theirs = read_pickled(file_inside(folder, name))
    twin = TWINS[name]
    if has_file(folder, twin):
        require_same_tensors(theirs, read_tensors(file_inside(folder, twin), None).tensors)
        return f"{len(theirs)} tensors, each as in {twin}"
    if name != "pytorch_adapter.bin":
        raise UserError(f"there is no {twin} to compare it with")
    own = read_tensors(file_inside(folder, manifest.module.file), None).tensors
    if manifest.module.names:
        own = module_tensors(own, manifest)
    if _values(theirs) != _values(own):
        raise UserError(f"it holds other values than {manifest.module.file}")
    return f"{len(theirs)} tensors, with the values of {manifest.module.file}"


def module_tensors(tensors: Mapping[str, Tensor], manifest: Manifest) -> dict[str, Tensor]:
    """Return the module's own tensors of a shared file, without those of a task head."""
    return renamed(tensors, manifest.module.names, manifest.module.file)


def require_same_tensors(theirs: Mapping[str, Tensor], ours: Mapping[str, Tensor]) -> None:
    """Refuse tensors that are not bit for bit the same under the same names.

    Raises:
        UserError: If that is so. The message names the first such tensor.
    """
    one, other = tensor_hashes(theirs), tensor_hashes(ours)
    wrong = sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))
    if wrong:
        more = f", and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        raise UserError(f"the tensor {wrong[0]!r} is another{more}")


def _values(tensors: Mapping[str, Tensor]) -> list[str]:
    return sorted(tensor_hashes({"": value})[""] for value in tensors.values())


def _composition(folder: Path, known: set[str]) -> list[Check]:
    """Check a composition and each of its modules; one that fails hides no other."""
    known.discard(FILE)
    known.add(composition_file.FILE)
    found = checked(composition_file.FILE, lambda: _composition_file(folder))
    try:
        _, saved = composition_file.read_saved(folder)
    except UserError:  # as the check above says
        return found
    for name, own in saved.files.items():
        known.add(name)
        found += checked(name, partial(_same, folder, name, own))
    for name, sealed in saved.modules.items():
        at = f"{composition_file.MODULES}/{name}"
        try:
            inner = folder_inside(folder, at)
        except UserError as error:
            found.append(Check(at, FAILED, error.what))
            continue
        found += _module(inner, known, f"{at}/", whole=False)
        found += checked(f"{at}/{FILE}", partial(_sealed, inner, sealed))
    return found


def _composition_file(folder: Path) -> str:
    said, saved = composition_file.read_saved(folder)
    if saved.sha256 is None:
        raise UserError("it was written before xadapt kept hashes: nothing can be checked by it")
    own = {key: value for key, value in said.items() if key != "sha256"}
    if content_hash(own) != saved.sha256:
        raise UserError("its content is not that of its own hash")
    if not is_as_written(
        read_bytes(file_inside(folder, composition_file.FILE), composition_file.MAX_BYTES)
    ):
        raise UserError("it is spelt otherwise than xadapt writes it")
    composition_file.open_composition(folder)
    return str(saved.composition)[:200]


def _sealed(place: Path, sealed: str) -> list[Check]:
    """Whether the manifest of a module is the one that the composition was written with."""
    raw = read_bytes(file_inside(place, FILE), MAX_BYTES)
    if manifest_hash(parse_json(raw, where=FILE)) != sealed:
        raise UserError(f"{composition_file.FILE} was written with another one")
    return []


def _same(folder: Path, name: str, own: Any) -> list[Check]:
    if not has_file(folder, name):
        raise UserError("it is absent")
    if file_hash(file_inside(folder, name)) != own:
        raise UserError("its hash is another")
    return []


def _encoder_file(folder: Path) -> str:
    raw = read_bytes(file_inside(folder, encoder_file.FILE), encoder_file.MAX_BYTES)
    saved = encoder_file.read_encoder_file(folder)
    assert saved is not None
    if saved.sha256 is not None and not encoder_file.is_unchanged(parse_json(raw)):
        raise UserError("its content is not that of its own hash")
    if saved.sha256 is not None and not is_as_written(raw):
        raise UserError("it is spelt otherwise than xadapt writes it")
    for name, own in saved.files.items():
        if has_file(folder, name):
            try:
                _same(folder, name, own)
            except UserError as error:
                raise UserError(f"{name}: {error.what}") from None
    return f"an encoder on {saved.base or 'a base without a name'}"


def _strangers(folder: Path, known: set[str], others: Iterable[str]) -> str:
    """Refuse files beside the module's that a library could read; name the other ones.

    Raises:
        UserError: If there is a file that nothing vouches for, or a link that leaves the folder.
    """
    names = sorted({*_below(folder), *others})
    strange = [name for name in names if name not in known]
    for name in names:
        if (folder / name).is_symlink():
            file_inside(folder, name)
    wrong = [name for name in strange if LOADED.fullmatch(name)]
    if wrong:
        more = f", and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        raise UserError(f"{wrong[0]} is not a file of the module, and nothing vouches for it{more}")
    return f"not of the module: {', '.join(strange[:5])}" if strange else "none"


def _below(folder: Path) -> Iterator[str]:
    """Yield the paths of all files and links below a folder; ``run`` and ``.git`` are left out.

    Raises:
        UserError: If there are more than `MOST_FILES`.
    """
    count = 0
    for place, folders, files in os.walk(folder, followlinks=False):
        inside = Path(place).relative_to(folder)
        links = [name for name in folders if (Path(place) / name).is_symlink()]
        top = inside == Path()
        folders[:] = [
            name
            for name in folders
            if name not in links and not (top and name in ("run", ".git", ".cache"))
        ]
        for name in (*files, *links):
            count += 1
            if count > MOST_FILES:
                raise UserError(f"the folder holds more than {MOST_FILES:,} files")
            if not (top and name in (".gitattributes", ".gitignore", ".xadapt.lock")):
                yield (inside / name).as_posix()
