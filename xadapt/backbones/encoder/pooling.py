"""From token states to one vector a text: a value that says how, and the arithmetic.

The poolings are those of sentence-transformers (``sentence_transformers`` ``Pooling``), of which
``weightedmean`` weighs the n-th token n times (SGPT, arXiv 2202.08904).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from xadapt.core.errors import UserError

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "Tanh": nn.Tanh,
    "Identity": nn.Identity,
    "ReLU": nn.ReLU,
    "GELU": nn.GELU,
    "SiLU": nn.SiLU,
    "Sigmoid": nn.Sigmoid,
}


@dataclass(frozen=True)
class Dense:
    """A dense layer after pooling: its folder in the base, its sizes and its weights' hash."""

    path: str
    in_features: int
    out_features: int
    bias: bool
    activation: str
    sha256: str


@dataclass(frozen=True)
class Pooling:
    """How a base makes one vector of a text.

    Attributes:
        modes: Poolings, concatenated: of ``cls``, ``max``, ``mean``, ``mean_sqrt_len_tokens``,
            ``weightedmean``, ``lasttoken``.
        dense: Dense layers after it.
        normalise: Whether the vector is brought to length 1 at the end.
        prompt: What is put before every text.
        prompts: All prompts of the base, by name.
        include_prompt: Whether the prompt's tokens take part in the pooling.
        max_length: Tokens kept of a text, if the base's files say so.
        lower: Whether texts are lower-cased first.
        source: ``sentence-transformers`` if the base's files said all this, else ``default``.
    """

    modes: tuple[str, ...] = ("mean",)
    dense: tuple[Dense, ...] = ()
    normalise: bool = False
    prompt: str = ""
    prompts: Mapping[str, str] = field(default_factory=dict)
    include_prompt: bool = True
    max_length: int | None = None
    lower: bool = False
    source: str = "default"

    def to_dict(self) -> dict[str, Any]:
        """A plain dictionary for a manifest."""
        row = asdict(self)
        return {**row, "modes": list(self.modes), "dense": [asdict(d) for d in self.dense]}

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> Pooling:
        """The inverse of :meth:`to_dict`.

        Raises:
            UserError: The dictionary has other keys or values than it writes.
        """
        try:
            dense = tuple(Dense(**d) for d in row.get("dense", ()))
            modes = tuple(row.get("modes", ("mean",)))
            value = cls(**{**row, "dense": dense, "modes": modes})
        except (TypeError, ValueError) as error:
            raise UserError(f"this is no pooling: {error}") from None
        check_modes(value.modes, "pooling")
        return value


def pool(states: Tensor, mask: Tensor, pooling: Pooling, dense: nn.Module | None = None) -> Tensor:
    """Make one vector a row.

    Args:
        states: Token states of the last layer, ``(batch, tokens, width)``, any dtype.
        mask: 1 where a token counts, ``(batch, tokens)``, real tokens first.
        pooling: What to do.
        dense: The dense layers of :func:`load_dense`.

    Returns:
        Vectors ``(batch, dim)`` in float32.
    """
    hidden, keep = states.float(), mask.to(states.device).float().unsqueeze(-1)
    vector = torch.cat([_POOLS[mode](hidden, keep) for mode in pooling.modes], dim=-1)
    if dense is not None:
        vector = dense(vector)
    return nn.functional.normalize(vector, dim=-1) if pooling.normalise else vector


def _mean(hidden: Tensor, keep: Tensor) -> Tensor:
    return (hidden * keep).sum(1) / keep.sum(1).clamp(min=1e-9)


def _mean_sqrt(hidden: Tensor, keep: Tensor) -> Tensor:
    return (hidden * keep).sum(1) / keep.sum(1).clamp(min=1e-9).sqrt()


def _weighted_mean(hidden: Tensor, keep: Tensor) -> Tensor:
    place = torch.arange(1, hidden.shape[1] + 1, device=hidden.device, dtype=hidden.dtype)
    return _mean(hidden, keep * place.view(1, -1, 1))


def _max(hidden: Tensor, keep: Tensor) -> Tensor:
    return hidden.masked_fill(keep == 0, float("-inf")).amax(1)


def _first(hidden: Tensor, keep: Tensor) -> Tensor:
    return _at(hidden, keep.squeeze(-1).argmax(1))


def _last(hidden: Tensor, keep: Tensor) -> Tensor:
    places = torch.arange(hidden.shape[1], device=hidden.device)
    return _at(hidden, (keep.squeeze(-1) * places).argmax(1))


def _at(hidden: Tensor, index: Tensor) -> Tensor:
    return hidden[torch.arange(len(hidden), device=hidden.device), index]


_POOLS = {
    "cls": _first,
    "max": _max,
    "mean": _mean,
    "mean_sqrt_len_tokens": _mean_sqrt,
    "weightedmean": _weighted_mean,
    "lasttoken": _last,
}


def check_modes(modes: tuple[str, ...], where: str) -> None:
    """Refuse a pooling that is not known.

    Raises:
        UserError: One of the modes is unknown, or there is none.
    """
    unknown = [mode for mode in modes if mode not in _POOLS]
    if unknown or not modes:
        raise UserError(f"pooling {unknown or 'nothing'} is not known", where=where)
