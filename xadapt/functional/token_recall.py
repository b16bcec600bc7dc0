"""Recall within the first tokens of ranked passages, the measure of XOR-TyDi (R@2kt, R@5kt)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

Spans = Callable[[str], Iterable[tuple[int, int]]]
_TOKEN = re.compile(r"\w+|[^\w\s]")
_UNSPANNED = frozenset({"yes", "no"})


def token_spans(text: str) -> list[tuple[int, int]]:
    """Return the places of words and punctuation marks in a text."""
    return [found.span() for found in _TOKEN.finditer(text)]


def first_tokens(passages: Iterable[str], count: int, spans: Spans = token_spans) -> str:
    """Concatenate passages in the order given, and keep the first tokens.

    Args:
        passages: The passages, best first.
        count: Number of tokens to keep.
        spans: Function from a text to the places of its tokens.
    """
    kept: list[str] = []
    for passage in passages:
        places = list(spans(passage))[:count]
        count -= len(places)
        if places:
            kept.append(passage[: places[-1][1]])
        if count <= 0:
            break
    return " ".join(kept)


def recall_in_tokens(
    passages: Sequence[str], answers: Sequence[str], count: int, spans: Spans = token_spans
) -> float | None:
    """Return 1 if the first tokens of ranked passages contain a gold span, else 0.

    Source: Asai et al. 2021, https://arxiv.org/abs/2010.11856, section 4 (R@kt).

    Args:
        passages: The passages, best first.
        answers: The gold spans.
        count: Number of tokens that are read, 2,000 or 5,000 there.
        spans: Function from a text to the places of its tokens.

    Returns:
        ``None`` for a question that has no span: without an answer, or with yes or no.
    """
    wanted = [answer for answer in answers if answer.strip().casefold() not in {*_UNSPANNED, ""}]
    if not wanted:
        return None
    read = first_tokens(passages, count, spans)
    return float(any(answer.strip() in read for answer in wanted))


def macro_mean(scores: Mapping[str, Sequence[float | None]]) -> float:
    """Return the mean over languages of the mean over questions; ``None`` is no question.

    Args:
        scores: By language, the score of each question.
    """
    kept = [[score for score in row if score is not None] for row in scores.values()]
    means = [float(np.mean(row)) for row in kept if row]
    return float(np.mean(means)) if means else float("nan")
