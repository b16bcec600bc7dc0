"""Description of vectors in shards, and its comparison with the description in a folder."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import save
from torch import nn

from xadapt.backbones.encoder.windows import FIRST, Windows, require_windows
from xadapt.backbones.fingerprint import Fingerprint, compare
from xadapt.composition.text import show
from xadapt.composition.values import names, replaced
from xadapt.core.errors import UserError
from xadapt.data.readers.text_stream import Survey, TextSource
from xadapt.inference.adapted_encoder import AdaptedEncoder
from xadapt.inference.locate import short_names
from xadapt.inference.measured_fallback import MeasuredFallback
from xadapt.modules.storage import options_of
from xadapt.vectors.index import FileFormat, Made

SHARD_ROWS = 100_000


@dataclass(frozen=True)
class Layout:
    """The layout of vectors on disk.

    Attributes:
        rows: Number of rows of each shard but the last.
        file_format: ``npy`` or ``parquet``.
        half: Whether the vectors are float16, not float32.
        normalize: Whether each vector is divided by its norm.
        windows: As for `AdaptedEncoder.encode`.
    """

    rows: int = SHARD_ROWS
    file_format: FileFormat = "npy"
    half: bool = False
    normalize: bool = False
    windows: Windows = FIRST

    def __post_init__(self) -> None:
        if self.rows < 1:
            raise UserError(f"a shard of {self.rows} rows", todo="Give --shard-rows of at least 1")
        if self.file_format not in ("npy", "parquet"):
            raise UserError(f"unknown shard format {self.file_format!r}", todo="Use npy or parquet")
        require_windows(self.windows)


def describe(adapted: AdaptedEncoder, source: TextSource, found: Survey, layout: Layout) -> Made:
    """Describe the base, modules, texts and layout of vectors; equal ones give equal files."""
    encoder = adapted.encoder
    used = names(adapted.composition)
    short = short_names(used)
    return Made(
        base=encoder.hub_id(),
        fingerprint=encoder.identity.to_dict(),
        weights=encoder.precision,
        pooling=encoder.pooling.to_dict(),
        composition=show(replaced(adapted.composition, short)),
        modules={str(short[name]): module_hash(adapted.modules[name]) for name in used},
        relatives=_relatives(adapted),
        text=source.title,
        text_hash=found.hash,
        column=(source.column or "text") if source.tabular else None,
        lang=source.lang,
        lang_column=source.lang_column,
        shard_rows=layout.rows,
        file_format=layout.file_format,
        dtype="float16" if layout.half else "float32",
        max_length=encoder.max_length,
        normalize=layout.normalize,
        windows=layout.windows,
        base_mismatch=adapted.base_mismatch,
    )


def module_hash(module: nn.Module) -> str:
    """Compute the hash ``sha256:...`` of a module's kind, options and tensors."""
    tensors = {name: value.detach().cpu() for name, value in module.state_dict().items()}
    digest = hashlib.sha256(options_of(module).model_dump_json().encode())
    digest.update(str(module.kind).encode())
    digest.update(save({name: value.contiguous() for name, value in tensors.items()}))
    return f"sha256:{digest.hexdigest()}"


def refuse_other(old: Made, new: Made, path: Path) -> None:
    """Refuse vectors with another description, and report the differences.

    Args:
        old: Description of the vectors in the folder.
        new: Description of the vectors to write.
        path: The folder.

    Raises:
        UserError: If anything but names differs, or the folder's description of its base is
            malformed.
    """
    try:
        prints = [Fingerprint.from_dict(one.fingerprint) for one in (old, new)]
    except UserError as error:
        raise UserError(error.what, where=str(path)) from None
    found = [f"base: {said}" for said in compare(*prints)]
    before, now = (one.model_dump(mode="json") for one in (old, new))
    for key in before:
        if key == "text_hash" and before[key] != now[key]:
            found.append(f"text: other content in {new.text}, or other languages")
        elif key == "max_length" and before[key] is None:
            continue
        elif key not in ("base", "fingerprint", "text") and before[key] != now[key]:
            found.append(f"{key.replace('_', ' ')}: {_shown(before[key])}, now {_shown(now[key])}")
    if found:
        raise UserError(
            f"the folder holds vectors made of something else: {'; '.join(found)}",
            where=str(path),
            todo="Name another folder, or give what it was made of",
        )


def _shown(value: Any) -> str:
    return "none" if value in (None, "", {}) else str(value)[:100]


def _relatives(adapted: AdaptedEncoder) -> dict[str, Any]:
    said: dict[str, Any] = {
        "languages": sorted(adapted.fallbacks.languages),
        "pivots": sorted(adapted.fallbacks.pivots),
    }
    if isinstance(adapted.fallbacks, MeasuredFallback):
        said["measured"] = {adapted.fallbacks.tag: adapted.fallbacks.chosen}
    return said if any(said.values()) else {}
