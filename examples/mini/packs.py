"""Batches without padding: rows of all languages packed into lines, and the tokens to hide."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from mini.store import Flat
from torch import Tensor

BOS, PAD, EOS, FIRST = 0, 1, 2, 4  # XLM-R's ids; pieces start at FIRST
FULL = 0.985  # of a batch's places that are asked for; what then fits in no line is left out


@dataclass(frozen=True)
class Packed:
    """Lines of packed rows.

    Attributes:
        ids: ``(lines, width)``, some of them replaced.
        segments: Number of the row in its line from 1, 0 where nothing stands.
        positions: XLM-R's position ids: each row counts anew.
        places: Flat places that are scored, ``(scored,)``, as many in each batch.
        answers: Their true ids.
        tokens: How many places are filled.
    """

    ids: Tensor
    segments: Tensor
    positions: Tensor
    places: Tensor
    answers: Tensor
    tokens: int

    def to(self, device: str) -> Packed:
        """The same on a device."""
        moved = {
            name: value.to(device, non_blocking=True) if isinstance(value, Tensor) else value
            for name, value in vars(self).items()
        }
        return Packed(**moved)


class Stream:
    """Batches without end. Its state is how far each language has been read.

    Args:
        rows: Rows by language.
        alpha: A language with n tokens is shown in proportion to ``n ** alpha``.
        lines, width: Shape of a batch.
        share: Of the places that are scored.
        vocabulary: Pieces; the last one is the mask.
        seed: Of the order and the masks.
        longest: Rows of more tokens than this are not shown.
    """

    def __init__(
        self,
        rows: Mapping[str, Flat],
        alpha: float,
        lines: int,
        width: int,
        share: float,
        vocabulary: int,
        seed: int = 0,
    ) -> None:
        self.langs, self.rows = sorted(rows), rows
        self.lines, self.width, self.vocabulary, self.seed = lines, width, vocabulary, seed
        self.scored = round(share * FULL * 0.93 * lines * width)  # ends can't be hidden
        tokens = np.array([len(rows[lang].ids) for lang in self.langs], dtype=float)
        mean = np.array([len(rows[lang].ids) / len(rows[lang]) + 2 for lang in self.langs])
        shares = tokens**alpha / (tokens**alpha).sum()
        self.odds = shares / mean / (shares / mean).sum()
        self.mean = float(self.odds @ mean)
        self.step = 0
        self.read = dict.fromkeys(self.langs, 0)
        self._orders: dict[str, tuple[int, np.ndarray]] = {}

    def state(self) -> dict[str, Any]:
        """What `restore` takes."""
        return {"step": self.step, "read": dict(self.read)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on where another stream of the same rows stood."""
        self.step, self.read = state["step"], dict(state["read"])

    def __next__(self) -> Packed:
        rng = np.random.default_rng([self.seed, self.step])
        self.step += 1
        ids, segments, positions = self._pack(self._draw(rng))
        tokens = int((segments > 0).sum())
        flat = ids.reshape(-1)
        free = np.flatnonzero(flat >= FIRST)
        places = np.sort(rng.permutation(free)[: self.scored])
        answers = flat[places]
        flat[places] = disguised(answers, self.vocabulary, rng)
        given = (ids, segments, positions, places, answers)
        return Packed(*(torch.from_numpy(part) for part in given), tokens)

    def _draw(self, rng: np.random.Generator) -> list[np.ndarray]:
        budget, found = FULL * self.lines * self.width, []
        while budget > 0:
            many = int(budget / self.mean) + 8
            for at in rng.choice(len(self.langs), size=many, p=self.odds):
                row = self._row(self.langs[at])
                budget -= len(row) + 2
                if budget <= 0:
                    break
                found.append(row)
        return found

    def _row(self, lang: str) -> np.ndarray:
        """The next row of a walk through one shuffled order after another."""
        rows = self.rows[lang]
        turn, at = divmod(self.read[lang], len(rows))
        self.read[lang] += 1
        if self._orders.get(lang, (-1,))[0] != turn:
            seed = [self.seed, self.langs.index(lang), turn]
            self._orders[lang] = turn, np.random.default_rng(seed).permutation(len(rows))
        return rows[int(self._orders[lang][1][at])]

    def _pack(self, rows: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Longest rows first, each into the first line with room."""
        shape = self.lines, self.width
        ids, segments = np.full(shape, PAD, np.int64), np.zeros(shape, np.int64)
        positions = np.full(shape, PAD, np.int64)
        used, count = np.zeros(self.lines, np.int64), np.zeros(self.lines, np.int64)
        steps = np.arange(self.width) + PAD + 1
        for row in sorted(rows, key=len, reverse=True):
            size = len(row) + 2
            line = int(np.argmax(used <= self.width - size))
            start = used[line]
            if start + size > self.width:
                continue
            used[line] += size
            count[line] += 1
            ids[line, start], ids[line, start + size - 1] = BOS, EOS
            ids[line, start + 1 : start + size - 1] = row
            segments[line, start : start + size] = count[line]
            positions[line, start : start + size] = steps[:size]
        return ids, segments, positions


def disguised(answers: np.ndarray, vocabulary: int, rng: np.random.Generator) -> np.ndarray:
    """Of hidden tokens 80 % become the mask, 10 % another token, 10 % stay.

    Source: Devlin et al. 2019, https://arxiv.org/abs/1810.04805, section 3.1.
    """
    how = rng.random(len(answers))
    other = rng.integers(FIRST, vocabulary - 1, len(answers))
    return np.where(how < 0.8, vocabulary - 1, np.where(how < 0.9, other, answers))
