"""Views to encoded views: equal rows once, alike lengths together, split over processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from xadapt.attach import Attachment
from xadapt.backbones.bank import PIECE, FrozenVectors
from xadapt.backbones.encode import chunks, dimension, pooled
from xadapt.backbones.encoder import Encoder
from xadapt.backbones.words import Words, tokenize_words
from xadapt.objectives.contract import States, View
from xadapt.train.processes import Processes
from xadapt.train.progress import meter

Row = tuple[int, ...]


@dataclass(frozen=True)
class Request:
    """A view to encode.

    Attributes:
        view: The view.
        gathered: Whether every process wants all rows (the rows are split between them), or
            its own alone.
    """

    view: View
    gathered: bool


class Forward:
    """Encodes the views of a step.

    Args:
        encoder: The frozen encoder.
        attachment: The module under training, attached to it.
        frozen: Where vectors of rows without the module come from.
        processes: The processes of the run.
        batch_tokens: Padded tokens in one forward at most.
        companions: The run's other, frozen modules, attached, by name.
    """

    def __init__(
        self,
        encoder: Encoder,
        attachment: Attachment,
        frozen: FrozenVectors,
        processes: Processes,
        batch_tokens: int,
        companions: Mapping[str, Attachment] | None = None,
    ) -> None:
        self.encoder, self.attachment, self.frozen = encoder, attachment, frozen
        self.processes, self.batch_tokens = processes, batch_tokens
        self.companions = companions or {}
        self.tokens = self.padded = 0
        self._ids: dict[str, Row] = {}
        self._words: dict[tuple[str, ...], Words] = {}

    def tokenize(self, texts: Sequence[str]) -> list[Row]:
        """Token ids of texts; each distinct text is tokenised once in a run."""
        new = [text for text in dict.fromkeys(texts) if text not in self._ids]
        with meter("tokenising", len(new), show=self.processes.main and len(new) > PIECE) as bar:
            for start in range(0, len(new), PIECE):
                piece = new[start : start + PIECE]
                rows = map(tuple, self.encoder.tokenize(piece))
                self._ids.update(zip(piece, rows, strict=True))
                bar.advance(len(piece))
        return [self._ids[text] for text in texts]

    def tokenize_words(self, sentences: Sequence[Sequence[str]]) -> list[Words]:
        """Token ids of sentences given as words; each distinct one is tokenised once in a run."""
        rows = [tuple(words) for words in sentences]
        new = [row for row in dict.fromkeys(rows) if row not in self._words]
        self._words.update(zip(new, tokenize_words(self.encoder, new), strict=True))
        return [self._words[row] for row in rows]

    def __call__(self, requests: Sequence[Request]) -> list[Tensor | States]:
        """Encode views, in order: ``(n, dim)`` where pooled, else `States`."""
        done: list[Tensor | States | None] = [None] * len(requests)
        for gathered in (True, False):
            active = [
                i for i, r in enumerate(requests) if self._gathers(r) == gathered and _plain(r)
            ]
            rows = [self._rows(requests[i].view.rows) for i in active]
            for i, vectors in zip(active, self._pooled(rows, gathered), strict=True):
                done[i] = vectors
        for i, request in enumerate(requests):
            if done[i] is None:
                done[i] = self._constant_or_states(request.view)
        return [value for value in done if value is not None]

    def _gathers(self, request: Request) -> bool:
        """Gathering does nothing in a single process, where all rows share one forward."""
        return request.gathered or self.processes.world == 1

    def _constant_or_states(self, view: View) -> Tensor | States:
        texts = isinstance(view.rows[0], str) if len(view.rows) else True
        whole = view.output == "pooled" and view.layer is None and view.beside is None
        if whole and view.module is False and texts:
            return self.frozen.fixed(view.rows)  # type: ignore[arg-type]
        with self._acting(view.module):
            states = self._states(view)
            if view.output == "states":
                return states
            return self.encoder.pool(states.hidden, states.mask)

    @contextmanager
    def _acting(self, module: bool | str) -> Iterator[None]:
        """The module that acts on a view; gradients flow through the one under training alone."""
        with ExitStack() as stack:
            if module is not True:
                stack.enter_context(torch.no_grad())
            if module is True:
                stack.enter_context(self.attachment.on())
            elif module:
                stack.enter_context(self.companions[module].on())
            yield

    def _pooled(self, groups: list[list[Row]], gathered: bool) -> list[Tensor]:
        """Pool all groups of rows in shared forwards; equal rows are encoded once."""
        distinct = list(dict.fromkeys(row for rows in groups for row in rows))
        if not distinct:
            return [self._none() for _ in groups]
        order = {row: i for i, row in enumerate(distinct)}
        share = self.processes.share(len(distinct)) if gathered else list(range(len(distinct)))
        vectors = self._encode([distinct[i] for i in share])
        if gathered:
            vectors = self.processes.gather_rows(vectors, len(distinct))
        index = [torch.tensor([order[row] for row in rows], dtype=torch.long) for rows in groups]
        return [vectors[i.to(vectors.device)] for i in index]

    def _encode(self, rows: list[Row]) -> Tensor:
        with self.attachment.on():
            parts = [pooled(self.encoder, some) for some in self._chunks(rows)]
        return torch.cat(parts)[self._back(rows)] if parts else self._none()

    def _none(self) -> Tensor:
        return torch.zeros(0, dimension(self.encoder), device=self.encoder.device)

    def _states(self, view: View) -> States:
        rows = self._rows(view.rows)
        if view.beside is not None and view.fused is not None:
            return self._fused(rows, self._rows(view.beside), view.fused, view.layer)
        return self._apart(rows, lambda hidden, mask: self._run(hidden, mask, 0, view.layer))

    def _apart(self, rows: list[Row], run: Callable[[Tensor, Tensor], Tensor]) -> States:
        """Embed rows and run them, as many at once as fit the budget."""
        parts = []
        for some in self._chunks(rows):
            tokens, mask = self.encoder.batch(some)
            parts.append((run(self.encoder.embed(tokens, mask), mask), mask))
        return _joined(parts, self._back(rows))

    def _fused(
        self, rows: list[Row], beside: list[Row], span: tuple[int, int], last: int | None
    ) -> States:
        """Two sets of rows apart, together inside the fused layers, and apart again."""
        start, stop = span
        left = self._apart(rows, lambda hidden, mask: self._run(hidden, mask, 0, start))
        right = self._apart(beside, lambda hidden, mask: self._run(hidden, mask, 0, start))
        mask = torch.cat([left.mask, right.mask], 1)
        # Real tokens first: relative positions must not count the padding between the two.
        order = mask.argsort(dim=1, descending=True, stable=True)
        states = _picked(torch.cat([left.hidden, right.hidden], 1), order)
        states = self._run(states, mask.gather(1, order), start, stop)
        states = _picked(states, order.argsort(dim=1))
        first, second = states.split([left.mask.shape[1], right.mask.shape[1]], dim=1)
        first = self._run(first, left.mask, stop, last)
        second = self._run(second, right.mask, stop, last)
        return States(first, left.mask, States(second, right.mask))

    def _run(self, hidden: Tensor, mask: Tensor, start: int, stop: int | None) -> Tensor:
        if start == stop:
            return hidden
        return self.encoder.run(hidden, mask, start, stop)

    def _chunks(self, rows: list[Row]) -> Iterator[list[Row]]:
        for chunk in chunks([len(row) for row in rows], self.batch_tokens):
            some = [rows[i] for i in chunk]
            self.tokens += sum(map(len, some))
            self.padded += len(some) * max(map(len, some))
            yield some

    def _back(self, rows: list[Row]) -> Tensor:
        """Where each row stands in the chunks, one after another."""
        order = [
            i for chunk in chunks([len(row) for row in rows], self.batch_tokens) for i in chunk
        ]
        return torch.tensor(order, dtype=torch.long).argsort().to(self.encoder.device)

    def _rows(self, rows: Sequence[Any]) -> list[Row]:
        if len(rows) and isinstance(rows[0], str):
            return self.tokenize(rows)
        return [tuple(row) for row in rows]


def _plain(request: Request) -> bool:
    view = request.view
    whole = view.output == "pooled" and view.layer is None and view.beside is None
    return view.module is True and whole


def _joined(parts: list[tuple[Tensor, Tensor]], back: Tensor) -> States:
    """Padded to one length and brought back to the order of the rows."""
    most = max(mask.shape[1] for _, mask in parts)
    hidden = [F.pad(h, (0, 0, 0, most - h.shape[1])) for h, _ in parts]
    masks = [F.pad(m, (0, most - m.shape[1])) for _, m in parts]
    return States(torch.cat(hidden)[back], torch.cat(masks)[back])


def _picked(states: Tensor, order: Tensor) -> Tensor:
    return states.gather(1, order.unsqueeze(-1).expand(-1, -1, states.shape[-1]))
