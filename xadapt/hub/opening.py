"""Opening a module's folder, which may come from anyone: nothing in it is trusted or run."""

from __future__ import annotations

import json
import struct
from pathlib import Path

from safetensors import SafetensorError, safe_open
from torch import Tensor

from xadapt.core.errors import UserError
from xadapt.heads.head import Head, build_head
from xadapt.hub.folder import MODULE
from xadapt.hub.head_files import FILE as HEAD
from xadapt.hub.manifest import FILE, MAX_BYTES, HeadSpec, Manifest, parse_manifest
from xadapt.modules.storage import read_module

MAX_HEADER = 16 * 2**20
MAX_MODULE = 8 * 2**30


def open_folder(path: Path | str) -> tuple[Manifest, dict[str, Tensor]]:
    """The manifest and the tensors of a module's folder.

    Only ``xadapt.json`` and ``module.safetensors`` are read; pickled files never are.

    Raises:
        UserError: The folder or a file is absent, malformed, too large, or leads elsewhere.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise UserError(
            "there is no such module folder", where=str(path), todo="Name one that xadapt wrote"
        )
    manifest = read_manifest(folder)
    file = _inside(folder, MODULE)
    _check_header(file, "options")
    tensors, kind, options = read_module(file)
    if kind != manifest.module.kind or options != manifest.module.options:
        raise UserError(
            f"{FILE} and {MODULE} speak of different modules",
            where=str(folder),
            todo="Fetch the folder again",
        )
    return manifest, tensors


def open_head(path: Path | str, spec: HeadSpec, width: int) -> Head:
    """The task head of a module's folder.

    Args:
        path: The module's folder.
        spec: What its manifest says of the head.
        width: Features of the base's states.

    Raises:
        UserError: The file is absent, malformed or leads elsewhere, speaks of another head, or
            does not fit the base.
    """
    file = _inside(Path(path), HEAD)
    _check_header(file, "head")
    head = build_head(
        spec.task,
        spec.labels,
        width,
        spec.scheme or "bio",
        spec.sizes,  # type: ignore[arg-type]
        spec.scale,
    )
    own = head.state_dict()
    try:
        with safe_open(str(file), framework="pt") as opened:
            said = HeadSpec.model_validate_json((opened.metadata() or {})["head"])
            tensors = {name: opened.get_tensor(name) for name in own}
    except (SafetensorError, OSError, KeyError, ValueError, TypeError) as error:
        raise UserError(f"this is no task head of xadapt ({error})", where=str(file)) from None
    fits = all(tensors[n].shape == own[n].shape and tensors[n].isfinite().all() for n in own)
    if said != spec.model_copy(update={"card": None}) or not fits:
        raise UserError("the head does not fit its manifest or the base", where=str(file))
    head.load_state_dict(tensors)
    head.card = spec.card
    return head.eval()


def read_manifest(folder: Path | str) -> Manifest:
    """The manifest of a module's folder alone.

    Raises:
        UserError: It is absent, malformed or too large.
    """
    file = _inside(Path(folder), FILE)
    try:
        with file.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise UserError(f"can't read ({error.strerror})", where=str(file)) from None
    return parse_manifest(raw, where=str(file))


def _inside(folder: Path, name: str) -> Path:
    """The file of that name; a link may only lead into the blobs of the Hub's own cache."""
    file = folder / name
    if not file.is_file():
        raise UserError(f"the folder has no file {name}", where=str(folder))
    home = folder.resolve()
    real = file.resolve()
    cached = home.parent.name == "snapshots" and real.parent == home.parents[1] / "blobs"
    if real != home / name and not cached:
        raise UserError("a link that leaves the folder is not followed", where=str(file))
    return file


def _check_header(file: Path, key: str) -> None:
    """Refuse a safetensors file whose sizes don't add up, before a library takes memory for it.

    The format: 8 bytes, the little-endian length of a JSON header, the header, the data. Ours has
    a JSON object under one key of the header's metadata.
    """
    try:
        size = file.stat().st_size
        with file.open("rb") as stream:
            length = struct.unpack("<Q", stream.read(8))[0]
            if size > MAX_MODULE or length > min(MAX_HEADER, size - 8):
                raise ValueError("sizes don't add up")
            header = json.loads(stream.read(length))
        if not isinstance(header, dict):
            raise ValueError("the header is no object")
        _check_metadata(header.get("__metadata__"), key)
    except (OSError, ValueError, RecursionError, struct.error) as error:
        raise UserError(f"this is no whole safetensors file ({error})", where=str(file)) from None


def _check_metadata(metadata: object, key: str) -> None:
    if not isinstance(metadata, dict) or not isinstance(metadata.get(key), str):
        raise ValueError(f"its {key} is missing")
    if not isinstance(json.loads(metadata[key]), dict):
        raise ValueError(f"its {key} is no object")
