"""sentence-transformers: the results of ``SentenceTransformer(folder)``."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xadapt.core.errors import missing_extra
from xadapt.integrations import plain

NAME = "sentence-transformers"


def available() -> str | None:
    """Return ``None`` where the library is installed, otherwise the reason why it is unusable."""
    for package in ("sentence_transformers", "peft"):
        if find_spec(package) is None:
            return f"{package} is not installed"
    return None


def require() -> None:
    """Refuse to go on without sentence-transformers.

    Raises:
        UserError: If it is not installed.
    """
    if find_spec("sentence_transformers") is None:
        raise missing_extra("sentence-transformers", "sentence-transformers")


def opened(folder: Path, device: str) -> Any:
    """Open a folder with a whole model as a ``SentenceTransformer`` in fp32."""
    from sentence_transformers import SentenceTransformer

    with plain.without_noise():
        return SentenceTransformer(
            str(folder), device=device, model_kwargs={"dtype": torch.float32}, local_files_only=True
        )


def quantised(vectors: NDArray[np.float32], precision: str) -> NDArray[Any]:
    """Quantise vectors as ``SentenceTransformer.encode(..., precision=...)`` does.

    Args:
        vectors: ``(n, dim)``.
        precision: ``int8`` and ``uint8`` take the range of these vectors; ``binary`` and
            ``ubinary`` keep the signs, 8 in a byte.

    Raises:
        UserError: If sentence-transformers is not installed.
    """
    require()
    from sentence_transformers.util import quantize_embeddings

    return np.asarray(quantize_embeddings(vectors, precision=precision))  # type: ignore[arg-type]


def states(folder: Path | str, base_path: str, token_ids: Tensor, mask: Tensor) -> Tensor:
    """Compute hidden states of the folder's first step, its transformer with the module active.

    Args:
        folder: The module's folder.
        base_path: Hub id or folder of the base.
        token_ids: Ids ``(batch, tokens)``.
        mask: 1 where a token is real, ``(batch, tokens)``.

    Returns:
        States after the last layer, ``(batch, tokens, width)``, float32.

    Raises:
        UserError: If sentence-transformers or peft is not installed.
    """
    with plain.naming_base(folder, base_path) as copy, torch.no_grad():
        out = _load(copy)[0]({"input_ids": token_ids, "attention_mask": mask})
    result: Tensor = out["token_embeddings"]
    return result.float()


def vectors(folder: Path | str, base_path: str, texts: Sequence[str]) -> Tensor:
    """Compute one vector for each text, ``(texts, dim)``, with the folder's tokenizer and pooling.

    Args:
        folder: The module's folder.
        base_path: Hub id or folder of the base.
        texts: Texts to encode, without the base's prompt.

    Raises:
        UserError: If sentence-transformers or peft is not installed.
    """
    with plain.naming_base(folder, base_path) as copy:
        found: Tensor = _load(copy).encode(
            list(texts), convert_to_tensor=True, show_progress_bar=False
        )
    return found.float()


def _load(folder: Path) -> Any:
    if available():
        raise missing_extra("sentence-transformers", "sentence-transformers")
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(folder), device="cpu", model_kwargs={"dtype": torch.float32})
