"""An encoder with a task head for questions: modules, a composition of them, and answers out."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from xadapt.backbones.encoder.encode import Rows, token_states
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.encoder.pairs import Place, tokenize_windows
from xadapt.composition.values import Composition
from xadapt.core.sequences import as_pairs
from xadapt.heads.head import Head, HeadTask
from xadapt.tasks.predict.predictor import Predictor

OVERLAP, MOST_TOKENS = 128, 30


@dataclass(frozen=True)
class Answer:
    """A part of a passage.

    Attributes:
        text: The characters of the passage from ``start`` on.
        start: Where in the passage it begins, in characters.
        score: Log-probability of its first and last token together, in the window it is from.
    """

    text: str
    start: int
    score: float


class AnswerFinder(Predictor):
    """Answers to questions, each a part of a passage; made by `load`."""

    task: ClassVar[HeadTask] = "span_extraction"

    def answer(
        self,
        questions: Sequence[tuple[str, str]],
        languages: str | Sequence[str | None] | None = None,
        *,
        compositions: Composition | Sequence[Composition] = None,
        most_tokens: int = MOST_TOKENS,
    ) -> list[Answer]:
        """The best answer to each question.

        Args:
            questions: Each with its passage.
            languages: A tag for each question, or one for all, where the composition chooses by
                language.
            compositions: Another composition for each question, or one for all.
            most_tokens: Length of an answer at most.

        Raises:
            UserError: As for `Adapted.encode`, or if one of them is no such thing.
        """
        questions = as_pairs(questions, "question", "(question, passage)")
        with self.adapted.acting(len(questions), languages, compositions) as rows:
            return answers(self.adapted.encoder, self.head, questions, rows, most_tokens)


def answers(
    encoder: Encoder,
    head: Head,
    questions: Sequence[tuple[str, str]],
    rows: Rows | None = None,
    most_tokens: int = MOST_TOKENS,
) -> list[Answer]:
    """The best answer to each question; an empty one where its passage has no token.

    The best of a window is the span whose first and last token are most probable together among
    all tokens of the window; the best of a question is the best of its windows.

    Args:
        encoder: The encoder; modules that are on act.
        head: The head.
        questions: Each with its passage.
        rows: As for `xadapt.backbones.encoder.encode.encode`, by question.
        most_tokens: Length of an answer at most.
    """
    passages = [passage for _, passage in questions]
    windows = tokenize_windows(encoder, [asked for asked, _ in questions], passages, OVERLAP)
    found = [Answer("", 0, -float("inf")) for _ in questions]

    def owned(chunk: list[int]) -> AbstractContextManager:
        assert rows is not None
        return rows([windows[i].owner for i in chunk])

    ids, second = [window.ids for window in windows], [window.second for window in windows]
    by_window = owned if rows is not None else None
    with torch.inference_mode():
        for chunk, states in token_states(encoder, ids, second=second, rows=by_window):
            scores = head(states).cpu()
            for position, own in zip(chunk, scores, strict=True):
                window = windows[position]
                logs = own[: len(window.ids)].log_softmax(0).numpy()
                best = best_span(logs[:, 0], logs[:, 1], window.places, most_tokens)
                if best is not None and best[0] > found[window.owner].score:
                    score, start, stop = best
                    text = passages[window.owner][start:stop]
                    found[window.owner] = Answer(text, start, score)
    return found


def best_span(
    starts: NDArray[np.float32],
    ends: NDArray[np.float32],
    places: Sequence[Place | None],
    most_tokens: int,
) -> tuple[float, int, int] | None:
    """The span of the highest sum of its first token's and its last token's score.

    Args:
        starts: Score of each token as the first, ``(tokens,)``.
        ends: Score of each token as the last, ``(tokens,)``.
        places: The characters of each token; ``None`` for those that can't be of an answer.
        most_tokens: Length of a span at most.

    Returns:
        The sum, the first character and the one past the last; ``None`` where there is no span.
    """
    own = np.array([place is not None for place in places])
    gap = np.arange(len(places))[None, :] - np.arange(len(places))[:, None]
    allowed = own[:, None] & own[None, :] & (gap >= 0) & (gap < most_tokens)
    if not allowed.any():
        return None
    sums = np.where(allowed, starts[:, None] + ends[None, :], -np.inf)
    first, last = np.unravel_index(int(sums.argmax()), sums.shape)
    begin, end = places[int(first)], places[int(last)]
    assert begin is not None and end is not None
    return float(sums[first, last]), begin[0], end[1]
