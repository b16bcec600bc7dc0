"""Load a published module for a base."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn

from xadapt.backbones import fingerprint
from xadapt.backbones.frozen_model import FrozenModel
from xadapt.backbones.seq2seq.seq2seq import Seq2Seq
from xadapt.core.errors import UserError
from xadapt.hub.base_mismatch import require_base
from xadapt.hub.manifest import Manifest
from xadapt.hub.opening import open_folder
from xadapt.injection.attachment import model_shape
from xadapt.modules.storage import fitted


def open_module(folder: str, base: FrozenModel) -> tuple[nn.Module, Manifest]:
    """Load a module's folder for a base.

    Inside `xadapt.hub.base_mismatch.allowing_base_mismatch` a module of another base is loaded too,
    if its shapes fit, with a notice.

    Raises:
        UserError: If the folder is no module, the module is for another kind of base, or it was
            trained on another base. The error lists the differences.
    """
    manifest, tensors = open_folder(folder)
    _require_kind(manifest, base, str(folder))
    require_base(manifest.name, _differences(manifest, base), manifest.base.id, str(folder))
    kind, options = manifest.module.kind, manifest.module.options
    where = f"{folder}/module.safetensors"
    return fitted(tensors, kind, options, model_shape(base), where), manifest


def mismatches_of(manifests: Iterable[Manifest], base: FrozenModel) -> list[str]:
    """Return one line for each module that was trained on another base than this one."""
    found = ((one.name, _differences(one, base)) for one in manifests)
    return [
        f"{name} was trained on another base: {'; '.join(differs)}"
        for name, differs in found
        if differs
    ]


def _require_kind(manifest: Manifest, base: FrozenModel, folder: str) -> None:
    """Refuse a module of a whole encoder-decoder for an encoder, and the reverse."""
    names = {"encoder": "an encoder", "seq2seq": "a whole encoder-decoder"}
    kind = "seq2seq" if isinstance(base, Seq2Seq) else "encoder"
    if manifest.backbone != kind:
        todo = "xadapt.load" if kind == "seq2seq" else "xadapt.load_seq2seq"
        raise UserError(
            f"this module is for {names[manifest.backbone]}, and the base is {names[kind]}",
            where=folder,
            todo=f"Open it with {todo}",
        )


def _differences(manifest: Manifest, base: FrozenModel) -> list[str]:
    print_ = fingerprint.Fingerprint.from_dict(dict(manifest.base.fingerprint))
    return fingerprint.compare(print_, base.identity)
