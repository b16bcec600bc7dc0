"""Load a published module for an encoder."""

from __future__ import annotations

from torch import nn

from xadapt.backbones import fingerprint
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.core.errors import UserError
from xadapt.hub.manifest import Manifest
from xadapt.hub.opening import open_folder
from xadapt.injection.attachment import model_shape
from xadapt.modules.storage import fitted


def open_module(folder: str, encoder: Encoder) -> tuple[nn.Module, Manifest]:
    """Load a module's folder for an encoder.

    Raises:
        UserError: If the folder is no module, or the module was trained on another base. The error
            lists the differences.
    """
    manifest, tensors = open_folder(folder)
    print_ = fingerprint.Fingerprint.from_dict(dict(manifest.base.fingerprint))
    differs = fingerprint.compare(print_, encoder.identity)
    if differs:
        raise UserError(
            f"this module was trained on another base: {'; '.join(differs)}",
            where=str(folder),
            todo=f"Load it on {manifest.base.id or 'the base it was trained on'}",
        )
    kind, options = manifest.module.kind, manifest.module.options
    where = f"{folder}/module.safetensors"
    return fitted(tensors, kind, options, model_shape(encoder), where), manifest
