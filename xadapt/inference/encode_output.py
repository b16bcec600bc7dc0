"""The form of the vectors that `AdaptedEncoder.encode` returns.

Source: ``SentenceTransformer.encode`` of sentence-transformers 5.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from xadapt.backbones.loading import choose_device
from xadapt.core.errors import UserError
from xadapt.core.registry import unknown

VECTOR = "sentence_embedding"
PRECISIONS = ("float32", "int8", "uint8", "binary", "ubinary")


@dataclass(frozen=True)
class EncodeOutput:
    """The form of vectors.

    Attributes:
        output_value: ``sentence_embedding``, the only value there is.
        precision: ``float32``, or a quantisation: ``int8``, ``uint8``, ``binary``, ``ubinary``.
        convert_to_numpy: Return an array. Without it and ``convert_to_tensor``, a list of tensors.
        convert_to_tensor: Return a tensor on the encoder's device; it wins over an array.
        normalize_embeddings: Scale each vector to length 1, after it is cut.
        truncate_dim: Keep only the first values of each vector.

    Raises:
        UserError: If a value is unknown, or ``truncate_dim`` is no positive number.
    """

    output_value: str | None = VECTOR
    precision: str | None = "float32"
    convert_to_numpy: bool = True
    convert_to_tensor: bool = False
    normalize_embeddings: bool = False
    truncate_dim: int | None = None

    def __post_init__(self) -> None:
        if self.output_value != VECTOR:
            raise UserError(
                f"output_value={self.output_value!r} is not supported: encode returns one vector "
                "for each text",
                todo="For states of tokens: xadapt.backbones.encoder.encode.token_states",
            )
        if self.precision is not None and self.precision not in PRECISIONS:
            raise UserError(unknown("precision", str(self.precision), PRECISIONS))
        if self.truncate_dim is not None:
            require_positive("truncate_dim", self.truncate_dim)

    def finish(self, vectors: NDArray[np.float32], device: torch.device) -> Any:
        """Return vectors in this form.

        Args:
            vectors: ``(n, dim)``, fp32.
            device: The device of tensors.

        Returns:
            An array, a tensor or a list of tensors; fp32, or the integers of ``precision``.

        Raises:
            UserError: If ``precision`` needs sentence-transformers, which is not installed.
        """
        found: NDArray[Any] = vectors[:, : self.truncate_dim]
        if self.normalize_embeddings:
            found = functional.normalize(torch.from_numpy(found), dim=1).numpy()
        if self.precision not in (None, "float32") and len(found):
            from xadapt.integrations.sentence_transformers import quantised

            found = quantised(found, str(self.precision))
        if self.convert_to_tensor:
            return torch.from_numpy(found).to(device)
        return found if self.convert_to_numpy else list(torch.from_numpy(found).to(device))


def require_positive(name: str, value: Any) -> int:
    """Check that an option is a whole number above 0.

    Raises:
        UserError: If it is not.
    """
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not whole or value < 1:
        raise UserError(f"{name} is {value!r}, not a whole number above 0")
    return int(value)


def require_device(given: Any, own: torch.device) -> None:
    """Refuse another device than the encoder's: encoding never moves the encoder.

    Raises:
        UserError: If there is no such device, or the encoder is on another one.
    """
    if given is None or given == "auto":
        return
    if isinstance(given, (list, tuple)):
        raise UserError(
            "one call encodes on one device",
            todo="For several, run xadapt.encode_shards under torchrun",
        )
    wanted = choose_device(str(given))
    if wanted.type != own.type or (wanted.index or 0) != (own.index or 0):
        raise UserError(
            f"the encoder is on {own}, and device={str(given)!r} is asked for",
            todo=f"Move it first: model.to({str(given)!r})",
        )
