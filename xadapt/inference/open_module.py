"""Load a published module for an encoder."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn

from xadapt.backbones import fingerprint
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.hub.base_mismatch import require_base
from xadapt.hub.manifest import Manifest
from xadapt.hub.opening import open_folder
from xadapt.injection.attachment import model_shape
from xadapt.modules.storage import fitted


def open_module(folder: str, encoder: Encoder) -> tuple[nn.Module, Manifest]:
    """Load a module's folder for an encoder.

    Inside `xadapt.hub.base_mismatch.allowing_base_mismatch` a module of another base is loaded too,
    if its shapes fit, with a notice.

    Raises:
        UserError: If the folder is no module, or the module was trained on another base. The error
            lists the differences.
    """
    manifest, tensors = open_folder(folder)
    require_base(manifest.name, _differences(manifest, encoder), manifest.base.id, str(folder))
    kind, options = manifest.module.kind, manifest.module.options
    where = f"{folder}/module.safetensors"
    return fitted(tensors, kind, options, model_shape(encoder), where), manifest


def mismatches_of(manifests: Iterable[Manifest], encoder: Encoder) -> list[str]:
    """Return one line for each module that was trained on another base than this one."""
    found = ((one.name, _differences(one, encoder)) for one in manifests)
    return [
        f"{name} was trained on another base: {'; '.join(differs)}"
        for name, differs in found
        if differs
    ]


def _differences(manifest: Manifest, encoder: Encoder) -> list[str]:
    print_ = fingerprint.Fingerprint.from_dict(dict(manifest.base.fingerprint))
    return fingerprint.compare(print_, encoder.identity)
