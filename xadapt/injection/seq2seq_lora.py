"""LoRA on a frozen encoder-decoder: encoder, decoder and cross-attention."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from xadapt.backbones.seq2seq.seq2seq import Seq2Seq
from xadapt.core.errors import UserError
from xadapt.modules.lora import LowRank

SITES = ("encoder.q", "encoder.v", "decoder.q", "decoder.v", "cross.q", "cross.v")
"""The sites that are taken where none are named: queries and values of every attention."""


class Seq2SeqLoRA(nn.Module):
    """Low-rank updates ``y + (alpha / rank) B A x`` of linears of an encoder-decoder.

    A new module changes nothing. It acts inside `on`, and on the thread that entered it alone.

    Source: Hu et al. 2021, https://arxiv.org/abs/2106.09685, section 4.1.

    Args:
        sizes: By path of a linear in the model, ``(in features, out features)``.
        rank: Rank of each update.
        alpha: The updates are scaled by ``alpha / rank``.
        seed: Seed of the first values.

    Attributes:
        paths: The paths of the linears, in order.

    Raises:
        ValueError: If there is no linear, or rank or alpha is not above 0.
    """

    def __init__(
        self, sizes: Mapping[str, tuple[int, int]], rank: int, alpha: float, seed: int = 0
    ) -> None:
        super().__init__()
        if not sizes or rank < 1 or alpha <= 0:
            raise ValueError("a LoRA has one linear or more, a rank and an alpha above 0")
        self.rank, self.alpha = rank, float(alpha)
        self.paths = tuple(sizes)
        generator = torch.Generator().manual_seed(seed)
        self.updates = nn.ModuleList(
            LowRank(size, rank, self.alpha / rank, generator) for size in sizes.values()
        )

    @classmethod
    def of(
        cls,
        seq2seq: Seq2Seq,
        sites: Sequence[str] = SITES,
        *,
        rank: int = 16,
        alpha: float = 32.0,
        seed: int = 0,
    ) -> Seq2SeqLoRA:
        """Make a new module for a base.

        Args:
            seq2seq: The base.
            sites: As `Seq2Seq.paths` names them.
            rank: Rank of each update.
            alpha: As above.
            seed: Seed of the first values.

        Raises:
            UserError: If a site is unknown or named twice, or there is none.
        """
        if not sites or len(set(sites)) < len(sites):
            raise UserError("no site is named, or one is named twice", where="sites")
        paths = [path for site in sites for path in seq2seq.paths(site)]
        return cls(linear_sizes(seq2seq, paths), rank, alpha, seed).to(seq2seq.device)

    @contextmanager
    def on(self, seq2seq: Seq2Seq) -> Iterator[None]:
        """Let the module act on a base inside the block, in this thread.

        Args:
            seq2seq: The base; several modules may be on at once, and their updates add up.
        """
        thread = threading.get_ident()
        with ExitStack() as hooks:
            for path, update in zip(self.paths, self.updates, strict=True):
                linear = seq2seq.model.get_submodule(path)
                handle = linear.register_forward_hook(_adding(update, thread))
                hooks.callback(handle.remove)
            yield

    def named_updates(self) -> Iterator[tuple[str, LowRank]]:
        """Yield the path of each linear and its update."""
        for path, update in zip(self.paths, self.updates, strict=True):
            assert isinstance(update, LowRank)
            yield path, update


def linear_sizes(seq2seq: Seq2Seq, paths: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Return the features that linears of a base read and give, by path."""
    found = {path: seq2seq.model.get_submodule(path) for path in paths}
    return {path: (own.in_features, own.out_features) for path, own in found.items()}


def _adding(update: Any, thread: int) -> Any:
    def hook(_: nn.Module, given: tuple[Tensor, ...], output: Tensor) -> Tensor | None:
        if threading.get_ident() != thread:
            return None
        added: Tensor = update(given[0])
        return output + added

    return hook
