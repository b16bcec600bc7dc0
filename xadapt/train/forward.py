"""Views to encoded views: equal rows once, alike lengths together, split over processes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from xadapt.attach import Attachment
from xadapt.backbones.bank import FrozenVectors
from xadapt.backbones.encode import chunks, pooled
from xadapt.backbones.encoder import Encoder
from xadapt.objectives.contract import States, View
from xadapt.train.processes import Processes

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
    """

    def __init__(
        self,
        encoder: Encoder,
        attachment: Attachment,
        frozen: FrozenVectors,
        processes: Processes,
        batch_tokens: int,
    ) -> None:
        self.encoder, self.attachment, self.frozen = encoder, attachment, frozen
        self.processes, self.batch_tokens = processes, batch_tokens
        self.tokens = self.padded = 0
        self._ids: dict[str, Row] = {}

    def tokenize(self, texts: Sequence[str]) -> list[Row]:
        """Token ids of texts; each distinct text is tokenised once in a run."""
        new = [text for text in dict.fromkeys(texts) if text not in self._ids]
        if new:
            ids = self.encoder.tokenize(new)
            self._ids.update({text: tuple(row) for text, row in zip(new, ids, strict=True)})
        return [self._ids[text] for text in texts]

    def __call__(self, requests: Sequence[Request]) -> list[Tensor | States]:
        """Encode views, in order: ``(n, dim)`` where pooled, else `States`."""
        done: list[Tensor | States | None] = [None] * len(requests)
        for gathered in (True, False):
            active = [i for i, r in enumerate(requests) if r.gathered == gathered and _plain(r)]
            rows = [self._rows(requests[i].view.rows) for i in active]
            for i, vectors in zip(active, self._pooled(rows, gathered), strict=True):
                done[i] = vectors
        for i, request in enumerate(requests):
            if done[i] is None:
                done[i] = self._constant_or_states(request.view)
        return [value for value in done if value is not None]

    def _constant_or_states(self, view: View) -> Tensor | States:
        texts = isinstance(view.rows[0], str) if len(view.rows) else True
        if view.output == "pooled" and not view.module and view.layer is None and texts:
            return self.frozen.get(view.rows)  # type: ignore[arg-type]
        with self.attachment.on() if view.module else torch.no_grad():
            states = self._states(view)
        if view.output == "states":
            return states
        return self.encoder.pool(states.hidden, states.mask)

    def _pooled(self, groups: list[list[Row]], gathered: bool) -> list[Tensor]:
        """Pool all groups of rows in shared forwards; equal rows are encoded once."""
        distinct = list(dict.fromkeys(row for rows in groups for row in rows))
        if not distinct:
            return [torch.zeros(0, self.encoder.width, device=self.encoder.device) for _ in groups]
        order = {row: i for i, row in enumerate(distinct)}
        share = self.processes.share(len(distinct)) if gathered else list(range(len(distinct)))
        vectors = self._encode([distinct[i] for i in share])
        if gathered:
            vectors = self.processes.gather_rows(vectors, len(distinct))
        index = [torch.tensor([order[row] for row in rows], dtype=torch.long) for rows in groups]
        return [vectors[i.to(vectors.device)] for i in index]

    def _encode(self, rows: list[Row]) -> Tensor:
        parts, positions = [], []
        for chunk in chunks([len(row) for row in rows], self.batch_tokens):
            self._count([rows[i] for i in chunk])
            with self.attachment.on():
                parts.append(pooled(self.encoder, [rows[i] for i in chunk]))
            positions += chunk
        if not parts:
            return torch.zeros(0, self.encoder.width, device=self.encoder.device)
        back = torch.tensor(positions).argsort().to(parts[0].device)
        return torch.cat(parts)[back]

    def _states(self, view: View) -> States:
        if view.beside is not None:
            return self._fused(view)
        rows = self._rows(view.rows)
        self._count(rows)
        tokens, mask = self.encoder.batch(rows)
        return States(self._run(self.encoder.embed(tokens, mask), mask, 0, view.layer), mask)

    def _fused(self, view: View) -> States:
        """Two sets of rows apart, together inside the fused layers, and apart again."""
        assert view.beside is not None and view.fused is not None
        start, stop = view.fused
        sides = []
        for rows in (self._rows(view.rows), self._rows(view.beside)):
            self._count(rows)
            tokens, mask = self.encoder.batch(rows)
            sides.append((self._run(self.encoder.embed(tokens, mask), mask, 0, start), mask))
        (left, left_mask), (right, right_mask) = sides
        both = torch.cat([left, right], 1), torch.cat([left_mask, right_mask], 1)
        joined = self._run(*both, start, stop)
        left, right = joined.split([left.shape[1], right.shape[1]], dim=1)
        last = view.layer
        return States(
            self._run(left, left_mask, stop, last),
            left_mask,
            States(self._run(right, right_mask, stop, last), right_mask),
        )

    def _run(self, hidden: Tensor, mask: Tensor, start: int, stop: int | None) -> Tensor:
        if start == stop:
            return hidden
        return self.encoder.run(hidden, mask, start, stop)

    def _rows(self, rows: Sequence[Any]) -> list[Row]:
        if len(rows) and isinstance(rows[0], str):
            return self.tokenize(rows)
        return [tuple(row) for row in rows]

    def _count(self, rows: Sequence[Row]) -> None:
        self.tokens += sum(map(len, rows))
        self.padded += len(rows) * max(map(len, rows), default=0)


def _plain(request: Request) -> bool:
    view = request.view
    return view.module and view.output == "pooled" and view.layer is None and view.beside is None
