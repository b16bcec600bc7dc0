"""Encode views of an encoder-decoder: like lengths in one batch, cached sources where they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from xadapt.backbones.encoder.encode import chunks
from xadapt.backbones.seq2seq.decoding import Encoded
from xadapt.backbones.seq2seq.seq2seq import Seq2Seq
from xadapt.backbones.seq2seq.source_states import SourceStates
from xadapt.injection.activation import Activation
from xadapt.objectives.contract import TargetLosses, TargetView
from xadapt.training.active_module import ActiveModule
from xadapt.training.forward import Request
from xadapt.training.tokenized import Row


class Seq2SeqForward:
    """The views of a step, through encoder and decoder.

    Args:
        seq2seq: The frozen encoder-decoder.
        acting: The module under training, or the composition in which the module is trained.
        batch_tokens: Largest number of padded tokens in one forward, of sources and targets.
        grad_cache: Whether the activations of a forward are computed again for its gradient.

    Attributes:
        sources: Cached states of sources; ``None`` if the encoder has a module.
    """

    def __init__(
        self,
        seq2seq: Seq2Seq,
        acting: ActiveModule,
        batch_tokens: int,
        grad_cache: bool = False,
    ) -> None:
        self.seq2seq, self.active_module = seq2seq, acting
        self.batch_tokens, self.grad_cache = batch_tokens, grad_cache
        self.sources: SourceStates | None = None
        self.tokens = self.padded = 0

    def __call__(self, requests: Sequence[Request]) -> list[TargetLosses]:
        """Encode views, in order."""
        found = []
        for request in requests:
            assert isinstance(request.view, TargetView)
            with torch.set_grad_enabled(request.view.module and torch.is_grad_enabled()):
                found.append(self._losses(request.view))
        return found

    def _losses(self, view: TargetView) -> TargetLosses:
        sources: list[Row] = [tuple(row) for row in view.rows]  # type: ignore[arg-type]
        lengths = [len(s) + len(t) for s, t in zip(sources, view.targets, strict=True)]
        order: list[int] = []
        parts: list[Tensor] = []
        for chunk in chunks(lengths, self.batch_tokens):
            own, targets = [sources[i] for i in chunk], [view.targets[i] for i in chunk]
            for rows in (own, targets):
                self.tokens += sum(map(len, rows))
                self.padded += len(rows) * max(map(len, rows))
            acts = self._activation(view, chunk)
            parts += self._again(partial(self._through, own, targets, acts))
            order += chunk
        back = torch.tensor(order).argsort().tolist()
        longest = max(map(len, parts))
        values = torch.stack([F.pad(parts[i], (0, longest - len(parts[i]))) for i in back])
        counts = torch.tensor([len(target) for target in view.targets], device=values.device)
        mask = torch.arange(longest, device=values.device) < counts[:, None]
        return TargetLosses(values, mask.long())

    def _activation(self, view: TargetView, chunk: Sequence[int]) -> Activation | None:
        if not view.module:
            return None
        return self.active_module.activation(view.langs and [view.langs[i] for i in chunk])

    def _through(
        self, sources: list[Row], targets: list[Sequence[int]], acts: Activation | None
    ) -> list[Tensor]:
        with self.seq2seq.active(acts):
            found = self.seq2seq.score(self._encoded(sources), targets)
        return [-own for own in found]

    def _encoded(self, sources: list[Row]) -> Encoded:
        if self.sources is not None and self.sources.has(sources):
            return self.sources.batch(sources)
        return self.seq2seq.encode(sources)

    def _again(self, forward: Callable[[], Any]) -> Any:
        """Run a forward; under ``grad_cache`` its activations are recomputed for the gradient."""
        if not (self.grad_cache and torch.is_grad_enabled()):
            return forward()
        return checkpoint(forward, use_reentrant=False, preserve_rng_state=False)
