"""Keep the candidates for the k best of each row during a pass over tiles of inexact scores.

Two rules make this far cheaper than a top-k of every tile. First, scores are in groups, and all
group maxima are compared, but only groups with a high enough maximum are opened. Second, each row
has a floor. A score below the floor can't be among the k best.

The floor is proven: a score a in a tile differs from the exact score by at most c + r |a| (c of the
row, r of the data type). So the k-th highest a so far guarantees k exact scores of at least
a - c - r |a|. A candidate that can't reach this bound with its own largest error is dropped.
"""

from __future__ import annotations

import torch
from torch import Tensor

from xadapt.vectors.search.sides import spans

LOWEST = torch.finfo(torch.float32).min


class Candidates:
    """Candidate positions of the other side with inexact scores, for each of ``n`` rows.

    Attributes:
        scores: ``(n, room)``, -inf for empty places.
        indices: ``(n, room)``, int32.
        hard: ``(n,)``, rows with more near-equal candidates than room. These rows keep no candidate
            and must be searched exactly from the start.

    Args:
        k: Number of neighbours, at most the number of columns that will be fed.
        error: c of each row, ``(n,)`` float32.
        relative: r.
    """

    def __init__(self, k: int, error: Tensor, relative: float = 0.0) -> None:
        count, device = len(error), error.device
        self.k, self.room, self.error, self.relative = k, 5 * k + 14, error, relative
        self.scores = torch.full((count, self.room), -torch.inf, device=device)
        self.indices = torch.zeros((count, self.room), dtype=torch.int32, device=device)
        self.hard = torch.zeros(count, dtype=torch.bool, device=device)
        self._filled = torch.zeros(count, dtype=torch.int64, device=device)
        self._floor = torch.full((count,), LOWEST, device=device)

    def feed(self, start: int, groups: Tensor, highest: Tensor, offset: int) -> None:
        """Add the scores of one tile.

        Args:
            start: First row of the tile.
            groups: Scores ``(rows, members, groups)``: column ``m * groups + g`` of the tile is
                member m of group g. Columns of padding are -inf.
            highest: The maximum of each group, ``(rows, groups)``.
            offset: Position of the tile's first column on the other side.
        """
        floor = self._floor[start : start + len(groups)]
        hits = highest >= floor[:, None]
        many = torch.nonzero(hits.sum(dim=1) > self.k)[:, 0]
        if len(many):  # the k-th of the maxima is a floor too
            kth = highest[many].float().topk(self.k, dim=1).values[:, -1]
            floor[many] = torch.maximum(floor[many], self._below(kth, self.error[start + many]))
            hits[many] = highest[many] >= floor[many, None]
        rows, group = torch.nonzero(hits, as_tuple=True)
        opened = groups[rows, :, group]
        hit, member = torch.nonzero(opened >= floor[rows, None], as_tuple=True)
        if len(hit):
            columns = offset + member * groups.shape[2] + group[hit]
            self._add(start + rows[hit], columns.int(), opened[hit, member].float())

    def finish(self) -> None:
        """Drop the candidates below the last floor."""
        for start, stop in spans(len(self.scores), 2**16):
            part = self.scores[start:stop]
            floor = self._below(part.topk(self.k, dim=1).values[:, -1], self.error[start:stop])
            part.masked_fill_(part < floor[:, None], -torch.inf)

    def _below(self, kth: Tensor, error: Tensor) -> Tensor:
        """Return the lowest inexact score that can be among the k best if the k-th is ``kth``."""
        kth = kth.clamp(min=LOWEST)
        reach = kth - self.relative * kth.abs() - 2 * error
        near = torch.where(reach >= 0, reach / (1 + self.relative), reach / (1 - self.relative))
        return near.clamp(min=LOWEST)

    def _add(self, rows: Tensor, columns: Tensor, scores: Tensor) -> None:
        """Append candidates that are sorted by row."""
        present, counts = torch.unique_consecutive(rows, return_counts=True)
        firsts = counts.cumsum(0) - counts
        within = torch.arange(len(rows), device=rows.device) - firsts.repeat_interleave(counts)
        full = self._filled[present] + counts > self.room
        if full.any():
            crowded = full.repeat_interleave(counts)
            place = (full.cumsum(0) - 1).repeat_interleave(counts)[crowded]
            width = int(counts[full].max())
            more = scores.new_full((int(full.sum()), width), -torch.inf)
            at = columns.new_zeros(more.shape)
            more[place, within[crowded]] = scores[crowded]
            at[place, within[crowded]] = columns[crowded]
            self._merge(present[full], more, at)
            rows, columns = rows[~crowded], columns[~crowded]
            scores, within = scores[~crowded], within[~crowded]
            present, counts = present[~full], counts[~full]
        slot = self._filled[rows] + within
        self.scores[rows, slot], self.indices[rows, slot] = scores, columns
        self._filled[present] += counts

    def _merge(self, rows: Tensor, scores: Tensor, columns: Tensor) -> None:
        """Keep the best of full rows and raise their floor. Rows that stay too full are hard."""
        scores = torch.cat([self.scores[rows], scores], dim=1)
        columns = torch.cat([self.indices[rows], columns], dim=1)
        best, order = scores.topk(self.room + 1, dim=1)
        floor = self._below(best[:, self.k - 1], self.error[rows])
        hard = best[:, -1] >= floor
        best = best[:, :-1].masked_fill(best[:, :-1] < floor[:, None], -torch.inf)
        best[hard] = -torch.inf
        self.scores[rows], self.indices[rows] = best, columns.gather(1, order[:, :-1])
        self._filled[rows] = torch.isfinite(best).sum(dim=1)
        self._floor[rows] = torch.where(hard, torch.inf, floor)
        self.hard[rows] = hard
