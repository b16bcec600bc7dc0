"""Span corruption: spans of a text are hidden behind sentinels, and written in order."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Any, ClassVar

from xadapt.core.errors import UserError
from xadapt.data.records import PlainText
from xadapt.objectives.contract import Loss, TargetLosses, TargetView, draws
from xadapt.objectives.target_loss import target_loss


@dataclass(frozen=True)
class SpanCorruption:
    """Cross-entropy of hidden spans of a text: T5's way to learn from plain text.

    A share of the tokens is hidden, in spans. Each span is one sentinel in the source. The target
    has each sentinel followed by its span, then the end.

    Source: T5, Raffel et al. 2020, https://arxiv.org/abs/1910.10683, section 3.1.4. As in the
    authors' code, no sentinel follows the last span. Rows here are single texts, so the mask is
    rolled by a random offset (their ``random_roll``): else a short text would only lose its end.

    Attributes:
        probability: Share of the tokens that are hidden.
        mean_span: Mean number of tokens of a hidden span.
    """

    probability: float = 0.15
    mean_span: float = 3.0

    consumes: ClassVar[type] = PlainText
    source: ClassVar[str] = "https://arxiv.org/abs/1910.10683"
    coupled: ClassVar[bool] = False
    backbone: ClassVar[str] = "seq2seq"

    def __post_init__(self) -> None:
        if not 0 < self.probability < 1 or self.mean_span < 1:
            raise ValueError("probability is in (0, 1), and mean_span is at least 1")

    def views(
        self,
        records: Sequence[PlainText],
        rng: random.Random,
        tokenizer: Any,
        tokenize: Callable[..., Any],
        sentinels: Sequence[int],
    ) -> dict[str, Any]:
        """Build the view of the texts with hidden spans, and of the spans.

        Raises:
            UserError: If the base has no sentinel tokens.
        """
        if not sentinels:
            raise UserError(
                "the base's tokenizer has no sentinel tokens <extra_id_0>, <extra_id_1> ..",
                todo="Use a T5, mT5 or another base that was trained with span corruption",
            )
        special, end = set(tokenizer.all_special_ids) - set(sentinels), tokenizer.eos_token_id
        sources, targets = [], []
        texts = tokenize([r.text for r in records])
        for ids, chance in zip(texts, draws(rng, records), strict=True):
            own = [token for token in ids if token not in special]
            tail = [] if end is None else [end]
            hidden = noise_mask(len(own), chance, self.probability, self.mean_span, len(sentinels))
            source, target = corrupted(own, hidden, sentinels)
            sources.append((*source, *tail))
            targets.append((*target, *tail))
        langs = [r.lang for r in records]
        return {"written": TargetView(sources, targets, langs=langs)}

    def loss(self, written: TargetLosses) -> Loss:
        """Compute each record's mean loss over the tokens of its target, weighted by number."""
        return target_loss(written)


def noise_mask(
    length: int, rng: random.Random, probability: float, mean_span: float, most: int
) -> list[bool]:
    """Draw the tokens to hide: shown and hidden spans take turns.

    Args:
        length: Number of tokens.
        rng: The text's generator.
        probability: Share of hidden tokens.
        mean_span: Mean length of a hidden span.
        most: Largest number of hidden spans.

    Returns:
        For each token whether it is hidden. At least one token is hidden and one shown; a single
        token is hidden. The mask is rolled by a random offset, which may cut one span in two.
    """
    if length < 2:
        return [True] * length
    hidden = min(max(round(length * probability), 1), length - 1)
    spans = min(max(round(hidden / mean_span), 1), length - hidden, max(most - 1, 1))
    parts = zip(_parts(length - hidden, spans, rng), _parts(hidden, spans, rng), strict=True)
    mask = [is_hidden for shown, own in parts for is_hidden in [False] * shown + [True] * own]
    offset = rng.randrange(length) if most > spans else 0
    return mask[offset:] + mask[:offset]


def _parts(total: int, count: int, rng: random.Random) -> list[int]:
    """Cut a number into parts of at least 1, all ways being equally likely."""
    cuts = [0, *sorted(rng.sample(range(1, total), count - 1)), total]
    return [stop - start for start, stop in pairwise(cuts)]


def corrupted(
    ids: Sequence[int], hidden: Sequence[bool], sentinels: Sequence[int]
) -> tuple[list[int], list[int]]:
    """Return the source and the target of a text, without end tokens.

    Args:
        ids: The tokens.
        hidden: For each token whether it is hidden.
        sentinels: The sentinels in order, one for each hidden span or more.
    """
    source: list[int] = []
    target: list[int] = []
    left = iter(sentinels)
    for is_hidden, places in groupby(range(len(ids)), key=hidden.__getitem__):
        own = [ids[place] for place in places]
        if is_hidden:
            sentinel = next(left)
            source.append(sentinel)
            target += [sentinel, *own]
        else:
            source += own
    return source, target


Part = SpanCorruption
