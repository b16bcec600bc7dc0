"""Pooling of token states to one vector per text: the settings and the computation.

The poolings are those of sentence-transformers (``sentence_transformers`` ``Pooling``). In
``weightedmean``, the n-th token has weight n (SGPT, arXiv 2202.08904).
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
    """A dense layer after pooling: its folder in the base, sizes, activation and weight hash."""

    path: str
    in_features: int
    out_features: int
    bias: bool
    activation: str
    sha256: str


@dataclass(frozen=True)
class Pooling:
    """The pooling settings of a base, with its prompts and its maximum length.

    Attributes:
        modes: Poolings, concatenated: of ``cls``, ``max``, ``mean``, ``mean_sqrt_len_tokens``,
            ``weightedmean``, ``lasttoken``.
        dense: Dense layers after the pooling.
        normalise: Whether the vector is scaled to length 1 at the end.
        prompt: The prompt before every text.
        prompts: All prompts of the base, by name.
        include_prompt: Whether the prompt's tokens take part in the pooling.
        max_length: Maximum tokens of a text, if the base's files have a limit.
        lower: Whether texts are lower-cased first.
        source: ``sentence-transformers`` if these settings are from the base's files, else
            ``default``.
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
        """Return a plain dictionary for a manifest."""
        row = asdict(self)
        return {**row, "modes": list(self.modes), "dense": [asdict(d) for d in self.dense]}

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> Pooling:
        """Build a pooling from the dictionary of :meth:`to_dict`.

        Raises:
            UserError: If the dictionary has other keys or values than :meth:`to_dict` writes.
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
    """Pool token states to one vector per row.

    Args:
        states: Token states of the last layer, ``(batch, tokens, width)``, any dtype.
        mask: 1 where a token counts, ``(batch, tokens)``, real tokens first.
        pooling: The pooling settings.
        dense: The dense layers of `xadapt.backbones.encoder.sbert_files.load_dense`.

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
    """Refuse unknown pooling modes.

    Raises:
        UserError: If one of the modes is unknown, or there is none.
    """
    unknown = [mode for mode in modes if mode not in _POOLS]
    if unknown or not modes:
        raise UserError(f"pooling {unknown or 'nothing'} is not known", where=where)
