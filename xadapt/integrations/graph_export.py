"""ONNX and OpenVINO: whole models of sentence-transformers as graphs, by its own exporters.

Source: the backends of ``SentenceTransformer``,
https://sbert.net/docs/sentence_transformer/usage/efficiency.html.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xadapt.core.errors import UserError, missing_extra
from xadapt.integrations import plain

NEEDS = {
    "onnx": (("sentence_transformers", "optimum", "onnxruntime"), "onnx"),
    "openvino": (("sentence_transformers", "optimum", "openvino"), "openvino"),
}
"""By format, the packages that it needs and the extra that installs them."""


def require(file_format: str) -> None:
    """Refuse a format that is unknown or whose packages are missing.

    Raises:
        UserError: If it is so.
    """
    if file_format not in NEEDS:
        raise UserError(
            f"unknown format {file_format!r}", where="--format", todo=f"Use {' or '.join(NEEDS)}"
        )
    packages, extra = NEEDS[file_format]
    for package in packages:
        if find_spec(package) is None:
            raise missing_extra(package, extra)


def write_graph(model: Any, out: Path, file_format: str) -> None:
    """Export a ``SentenceTransformer`` into a folder that it opens with another backend.

    Args:
        model: The model.
        out: The folder to write.
        file_format: ``onnx`` or ``openvino``.

    Raises:
        UserError: If a package is missing, or the exporter doesn't know the model.
    """
    plain_folder = out / "torch"
    with plain.without_noise():
        model.save_pretrained(str(plain_folder))
        try:
            made = _opened(plain_folder, file_format, {"export": True})
        except (ValueError, KeyError, NotImplementedError) as error:
            first = str(error).strip().splitlines()
            raise UserError(
                f"the exporter refuses this base: {first[0] if first else type(error).__name__}",
                todo=f"Serve it with xadapt serve, or use a base that optimum exports to "
                f"{file_format}",
            ) from None
        made.save_pretrained(str(out / file_format))


def encode_graph(folder: Path, file_format: str, texts: Sequence[str]) -> NDArray[np.float32]:
    """Encode texts by an exported folder, ``(texts, dim)``."""
    with plain.without_noise():
        found = _opened(folder, file_format, {}).encode(list(texts), show_progress_bar=False)
    return np.asarray(found, dtype=np.float32)


def _opened(folder: Path, file_format: str, more: dict[str, Any]) -> Any:
    require(file_format)
    from sentence_transformers import SentenceTransformer

    if file_format == "openvino":  # it computes in bfloat16 where the processor is quick at it
        more = {**more, "ov_config": {"INFERENCE_PRECISION_HINT": "f32"}}

    return SentenceTransformer(
        str(folder),
        backend=file_format,  # type: ignore[arg-type]
        device="cpu",
        model_kwargs=more,
        local_files_only=True,
    )
