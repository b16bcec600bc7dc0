"""Rows of token ids, which of them a step sees, and the masks."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

Rows = dict[str, list[np.ndarray]]
CHUNK = 4096


def tokenised(
    tokenizer: PreTrainedTokenizerFast, texts: Mapping[str, Sequence[str]], longest: int
) -> Rows:
    """Token ids of every line with its ends; what is longer than ``longest`` is cut."""
    rows: Rows = {}
    for lang, lines in texts.items():
        own: list[np.ndarray] = []
        for start in range(0, len(lines), CHUNK):
            some = list(lines[start : start + CHUNK])
            found = tokenizer(some, truncation=True, max_length=longest)["input_ids"]
            own += [np.array(ids, dtype=np.int32) for ids in found]
        rows[lang] = own
    return rows


class Plan:
    """What each epoch sees: a pure function of its number, so nothing of it need be saved.

    Args:
        rows: Rows by language.
        budget: Padded tokens a batch.
        alpha: A language with n rows is drawn in proportion to ``n ** alpha``; an epoch has as
            many rows as the data.
    """

    def __init__(self, rows: Rows, budget: int, alpha: float) -> None:
        self.rows, self.budget = rows, budget
        total = sum(map(len, rows.values()))
        weights = {lang: len(some) ** alpha for lang, some in rows.items()}
        scale = total / sum(weights.values())
        self.draws = {lang: max(1, round(weight * scale)) for lang, weight in weights.items()}

    def epoch(self, number: int) -> list[list[tuple[str, int]]]:
        """Batches of ``(language, row)``, alike in length inside a batch."""
        rng = random.Random(f"epoch:{number}")
        chosen = []
        for lang, wanted in sorted(self.draws.items()):
            have = len(self.rows[lang])
            whole, rest = divmod(wanted, have)
            chosen += [(lang, i) for i in range(have)] * whole
            # A walk through one shuffled order, so that over the epochs each row comes as often.
            order = list(range(have))
            random.Random(lang).shuffle(order)
            start = number * rest
            chosen += [(lang, order[(start + i) % have]) for i in range(rest)]
        rng.shuffle(chosen)
        chosen.sort(key=lambda at: len(self.rows[at[0]][at[1]]) + 4 * rng.random())
        batches = list(self._batches(chosen))
        rng.shuffle(batches)
        return batches

    def _batches(self, order: Sequence[tuple[str, int]]) -> Iterator[list[tuple[str, int]]]:
        batch: list[tuple[str, int]] = []
        longest = 0
        for lang, i in order:
            longest = max(longest, len(self.rows[lang][i]))
            if batch and longest * (len(batch) + 1) > self.budget:
                yield batch
                batch, longest = [], len(self.rows[lang][i])
            batch.append((lang, i))
        if batch:
            yield batch


@dataclass(frozen=True)
class Masked:
    """A batch with hidden tokens.

    Attributes:
        ids: ``(rows, tokens)``, some of them replaced.
        mask: 1 where a token is real, ``(rows, tokens)``.
        places: Flat positions that are scored, ``(scored,)``.
        answers: Their true ids, ``(scored,)``.
    """

    ids: Tensor
    mask: Tensor
    places: Tensor
    answers: Tensor


def padded(rows: Sequence[np.ndarray], pad: int) -> tuple[Tensor, Tensor]:
    """Rows side by side, ``(rows, tokens)``, and where they are real."""
    ids = torch.full((len(rows), max(map(len, rows))), pad, dtype=torch.long)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = torch.from_numpy(row.astype(np.int64))
    return ids, (ids != pad).long()


def masked(
    rows: Sequence[np.ndarray],
    tokenizer: PreTrainedTokenizerFast,
    share: float,
    seed: int,
    disguise: bool = True,
) -> Masked:
    """Hide a share of each row's tokens, one at least.

    Source: Devlin et al. 2019, https://arxiv.org/abs/1810.04805, section 3.1: of the hidden
    tokens 80 % become the mask, 10 % another token, 10 % stay.

    Args:
        rows: Token ids with their ends.
        tokenizer: Whose pad and mask ids are used.
        share: Of each row's tokens, without its ends.
        seed: Of the draw.
        disguise: Off hides all of them behind the mask.
    """
    rng = torch.Generator().manual_seed(seed)
    ids, mask = padded(rows, tokenizer.pad_token_id)
    special = torch.tensor(tokenizer.all_special_ids)
    draw = torch.rand(ids.shape, generator=rng).masked_fill(torch.isin(ids, special), 2.0)
    inside = (draw < 2).sum(1)
    wanted = (inside * share).round().long().clamp(min=1)
    rank = draw.argsort(1).argsort(1)
    chosen = (rank < wanted.unsqueeze(1)) & (draw < 2)
    places = chosen.flatten().nonzero().flatten()
    answers = ids.flatten()[places]
    how = torch.rand(len(places), generator=rng) if disguise else torch.zeros(len(places))
    other = torch.randint(len(special), len(tokenizer), (len(places),), generator=rng)
    shown = torch.where(how < 0.8, tokenizer.mask_token_id, torch.where(how < 0.9, other, answers))
    ids.view(-1)[places] = shown
    return Masked(ids, mask, places, answers)
