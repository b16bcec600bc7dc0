"""Opening of a module's folder from any source: no content is trusted or executed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError
from torch import Tensor, nn

from xadapt.core.errors import UserError
from xadapt.core.strict_parsing import read_bytes
from xadapt.heads.build import build_head
from xadapt.heads.head import Head
from xadapt.hub.folder import CONTROLS
from xadapt.hub.head_files import FILE as HEAD
from xadapt.hub.integrity import check_file, check_folder
from xadapt.hub.manifest import FILE, MAX_BYTES, HeadSpec, Manifest, parse_with_content
from xadapt.hub.safe_paths import file_inside, has_file, is_folder
from xadapt.hub.shared_names import renamed
from xadapt.modules.hooks import ModelShape
from xadapt.modules.storage import fit, fitted, module_in, read_tensors


def open_folder(path: Path | str) -> tuple[Manifest, dict[str, Tensor]]:
    """Read the manifest and the tensors of a module's folder, and check their hashes.

    ``xadapt.json`` and the file of tensors that it names are read. All other files, pickled files
    too, are only hashed. A folder from before xadapt kept hashes gives a notice.

    Raises:
        UserError: If the folder or a file is absent, malformed, too large, a link that leads
            elsewhere, or different from the published version (see `xadapt.hub.integrity`).
    """
    folder = _folder(path)
    manifest, said = _read_manifest(folder)
    own = manifest.module
    file = read_tensors(file_inside(folder, own.file), None if own.names else "options")
    check_folder(folder, manifest, said, {own.file: file.raw})
    if own.names:
        return manifest, renamed(file.tensors, own.names, str(folder / own.file))
    tensors, kind, options = module_in(file)
    if kind != manifest.module.kind or options != manifest.module.options:
        raise UserError(
            f"{FILE} and {own.file} speak of different modules",
            where=str(folder),
            todo="Fetch the folder again",
        )
    return manifest, tensors


def open_head(path: Path | str, spec: HeadSpec, width: int) -> Head:
    """Load the task head of a module's folder.

    Args:
        path: The module's folder.
        spec: The manifest's entry for the head.
        width: Features of the base's states.

    Raises:
        UserError: If the file is absent, malformed or a link that leads elsewhere, describes
            another head, does not fit the base, or differs from the published version.
    """
    folder = _folder(path)
    where = file_inside(folder, HEAD)
    file = read_tensors(where, "head")
    check_file(folder, read_manifest(folder).integrity, HEAD, file.raw)
    try:
        said = HeadSpec.model_validate_json(file.metadata["head"])
    except ValidationError as error:
        reason = error.errors()[0]["msg"]
        raise UserError(f"this is no task head of xadapt ({reason})", where=str(where)) from None
    if said != spec.model_copy(update={"card": None}):
        raise UserError("the head does not fit its manifest", where=str(where))

    def make() -> nn.Module:
        return build_head(
            spec.task,
            spec.labels,
            width,
            spec.scheme or "bio",
            spec.sizes,  # type: ignore[arg-type]
            spec.scale,
        )

    head = fit(make, file.tensors, str(where))
    assert isinstance(head, Head)
    head.thresholds, head.card, head.fused = tuple(spec.thresholds), spec.card, spec.fused
    return head.eval()


def open_control(path: Path | str, name: str, model_shape: ModelShape) -> nn.Module | None:
    """Load a module's control, which was trained with the module; ``None`` without a control.

    Args:
        path: The module's folder.
        name: The control's name, such as ``shuffled``.
        model_shape: Shapes of the encoder.

    Raises:
        UserError: If the control is malformed, a link that leads elsewhere, does not fit the
            encoder, or differs from the published version.
    """
    inner = f"{CONTROLS}/{name}.safetensors"
    folder = _folder(path)
    if not has_file(folder, inner):
        return None
    where = file_inside(folder, inner)
    file = read_tensors(where, "options")
    check_file(folder, read_manifest(folder).integrity, inner, file.raw)
    return fitted(*module_in(file), model_shape, str(where))


def read_manifest(folder: Path | str) -> Manifest:
    """Read only the manifest of a module's folder, without a check of hashes.

    Raises:
        UserError: If the manifest is absent, malformed or too large.
    """
    return _read_manifest(Path(folder))[0]


def require_module(path: Path | str) -> Manifest:
    """Refuse a path that is not a module's folder.

    The check is quick: the manifest is read, and the file of tensors must exist.

    Raises:
        UserError: If the folder or a file is absent, malformed or a link that leads elsewhere.
    """
    folder = _folder(path)
    manifest = read_manifest(folder)
    file_inside(folder, manifest.module.file)
    return manifest


def tensor_path(path: Path | str) -> Path:
    """Return the file with the tensors of a module's folder.

    Raises:
        UserError: As for `require_module`.
    """
    folder = _folder(path)
    return file_inside(folder, read_manifest(folder).module.file)


def manifest_content(folder: Path | str) -> dict[str, Any]:
    """Read the raw JSON of a folder's manifest.

    Raises:
        UserError: As for `read_manifest`.
    """
    return _read_manifest(Path(folder))[1]


def _read_manifest(folder: Path) -> tuple[Manifest, dict[str, Any]]:
    file = file_inside(folder, FILE)
    return parse_with_content(read_bytes(file, MAX_BYTES), where=str(file))


def _folder(path: Path | str) -> Path:
    folder = Path(path)
    if not is_folder(folder):
        raise UserError(
            "there is no such module folder", where=str(path), todo="Name one that xadapt wrote"
        )
    return folder
