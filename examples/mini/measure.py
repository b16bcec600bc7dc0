"""How well held-out tokens are guessed, beside two counts that need no network."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from mini.rows import Masked, Rows, masked
from torch import nn
from transformers import PreTrainedTokenizerFast

SHARE, BATCH = 0.15, 64


def held_out(
    rows: Sequence[np.ndarray], tokenizer: PreTrainedTokenizerFast, most: int = 10**9
) -> list[Masked]:
    """The held-out batches of one language, the same at every call: 15 % behind the mask."""
    some = sorted(rows[:most], key=len)
    return [
        masked(some[at : at + BATCH], tokenizer, SHARE, seed=at, disguise=False)
        for at in range(0, len(some), BATCH)
    ]


def guessed(model: nn.Module, batches: Sequence[Masked], device: str) -> tuple[float, float]:
    """Mean loss in nats and accuracy over all hidden tokens."""
    loss = right = count = 0.0
    model.eval()
    with torch.inference_mode(), torch.autocast(device, torch.bfloat16):
        for batch in batches:
            scores = scored(model, batch, device).float()
            answers = batch.answers.to(device)
            loss += float(nn.functional.cross_entropy(scores, answers, reduction="sum"))
            right += float((scores.argmax(1) == answers).sum())
            count += len(answers)
    model.train()
    return loss / count, right / count


def scored(model: nn.Module, batch: Masked, device: str) -> torch.Tensor:
    """Scores ``(scored, vocabulary)`` of the hidden tokens alone."""
    hidden = model.roberta(input_ids=batch.ids.to(device), attention_mask=batch.mask.to(device))[0]
    return model.lm_head(hidden.flatten(0, 1)[batch.places.to(device)])


class Counts:
    """Unigram and left-to-right bigram counts of one language's training rows.

    Args:
        rows: Token ids with their ends.

    The best next token is the same for every k added to the counts of pairs.
    """

    def __init__(self, rows: Sequence[np.ndarray]) -> None:
        single: Counter[int] = Counter()
        pairs: dict[int, Counter[int]] = defaultdict(Counter)
        for row in rows:
            ids = row.tolist()
            single.update(ids[1:-1])
            for left, right in pairwise(ids[:-1]):
                pairs[left][right] += 1
        self.most = single.most_common(1)[0][0] if single else 0
        self.best = {left: self._best(counts, single) for left, counts in pairs.items()}

    def _best(self, counts: Counter[int], single: Counter[int]) -> int:
        return max(counts, key=lambda token: (counts[token], single[token]))

    def guessed(self, batches: Sequence[Masked], rows: Sequence[np.ndarray]) -> tuple[float, float]:
        """Accuracy of the unigram and of the bigram, which sees the true token on the left."""
        one = two = count = 0
        some = sorted(rows, key=len)
        for number, batch in enumerate(batches):
            width = batch.ids.shape[1]
            own = some[number * BATCH : (number + 1) * BATCH]
            for place, answer in zip(batch.places.tolist(), batch.answers.tolist(), strict=True):
                row, at = divmod(place, width)
                left = int(own[row][at - 1])
                one += answer == self.most
                two += answer == self.best.get(left, self.most)
                count += 1
        return one / count, two / count


def words(tokenizer: PreTrainedTokenizerFast, lines: Sequence[str]) -> dict[str, float]:
    """Tokens a word (white space apart), and the shares of bytes and of unknown tokens."""
    rows = tokenizer(list(lines), add_special_tokens=False, verbose=False)["input_ids"]
    ids = [i for row in rows for i in row]
    pieces = tokenizer.convert_ids_to_tokens(ids)
    spelt = sum(piece.startswith("<0x") for piece in pieces)
    return {
        "tokens_a_word": len(ids) / sum(len(line.split()) for line in lines),
        "bytes": spelt / len(ids),
        "unknown": ids.count(tokenizer.unk_token_id) / len(ids),
    }


def report(
    model: nn.Module,
    tokenizer: PreTrainedTokenizerFast,
    train: Rows,
    held: Rows,
    device: str,
) -> dict[str, dict[str, float]]:
    """Loss and accuracy by language, beside the counts."""
    found = {}
    for lang, rows in sorted(held.items()):
        batches = held_out(rows, tokenizer)
        loss, accuracy = guessed(model, batches, device)
        one, two = Counts(train[lang]).guessed(batches, rows)
        hidden = sum(len(batch.answers) for batch in batches)
        found[lang] = {
            "loss": loss, "accuracy": accuracy, "unigram": one, "bigram": two, "hidden": hidden
        }  # fmt: skip
    return found
