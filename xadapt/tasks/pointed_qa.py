"""Question answering by a [QUE] token after the question, which points to the answer.

Source: Chen et al. 2022 (CLISM), https://arxiv.org/abs/2204.05210, section 3.3; the scores are
those of `xadapt.tasks.qa`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch

from xadapt.backbones.encoder.encode import Rows, acting, token_states
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.encoder.pairs import tokenize_windows
from xadapt.backbones.encoder.question_rows import with_question_token
from xadapt.backbones.finite import by_owner, require_finite
from xadapt.backbones.frames import ActsInForward
from xadapt.data.records import Question
from xadapt.heads.head import POINTING, Head
from xadapt.heads.pointer_head import PointerHead
from xadapt.injection.attachment import embedding_table
from xadapt.tasks.head_task import HeadTask
from xadapt.tasks.predictor import Predictor
from xadapt.tasks.qa import MOST_TOKENS, WINDOW_OVERLAP, Answer, QuestionAnswering, best_span
from xadapt.tasks.spans import SpanPointer, que_known


class PointedQuestionAnswering(QuestionAnswering):
    """Find the answer to a question inside a passage, with the pointers of a [QUE] token."""

    name: ClassVar[str] = "pointed_qa"
    title: ClassVar[str] = (
        "Question answering by a [QUE] token: exact match and F1; control: shared words."
    )
    head: ClassVar[str | None] = POINTING
    predictor: ClassVar[type[Predictor]] = SpanPointer
    does: ClassVar[str] = "points from a [QUE] token to the answer in a passage"
    example: ClassVar[tuple[str, str] | None] = None

    def predict(
        self, encoder: Encoder, head: Head, rows: Sequence[Question], active: Rows | None = None
    ) -> list[str]:
        """Predict the text of each answer."""
        asked = [(row.question, row.passage) for row in rows]
        return [answer.text for answer in pointed_answers(encoder, head, asked, active)]

    def code(self, head: Head) -> list[str]:
        """Return the line that stands for code: the token is no token of transformers."""
        return HeadTask.code(self, head)


def pointed_answers(
    encoder: Encoder,
    head: Head,
    questions: Sequence[tuple[str, str]],
    rows: Rows | None = None,
    most_tokens: int = MOST_TOKENS,
) -> list[Answer]:
    """Find the best answer to each question, as `xadapt.tasks.qa.answers` does.

    Args:
        encoder: The encoder.
        head: The pointers.
        questions: Each with its passage.
        rows: The activation of the questions, whose module has the token [QUE].
        most_tokens: Largest length of an answer, in tokens.
    """
    assert isinstance(head, PointerHead)
    passages = [passage for _, passage in questions]
    special = frozenset(encoder.tokenizer.all_special_ids)
    que = embedding_table(encoder).num_embeddings
    asked = [
        with_question_token(window, que, special, encoder.max_length)
        for window in tokenize_windows(
            encoder, [question for question, _ in questions], passages, WINDOW_OVERLAP
        )
    ]
    found = [Answer("", 0, -float("inf")) for _ in questions]
    owners = [one.window.owner for one in asked]

    def of_questions(chunk: list[int]) -> ActsInForward | None:
        return acting(rows, [owners[i] for i in chunk])

    ids, second = [one.window.ids for one in asked], [one.window.second for one in asked]
    with torch.inference_mode(), by_owner(owners), que_known():
        for chunk, states in token_states(encoder, ids, second=second, rows=of_questions):
            at = torch.tensor([asked[i].at for i in chunk], device=states.device)
            each = head.scores(states, torch.arange(len(chunk), device=states.device), at).cpu()
            for position, own in zip(chunk, each, strict=True):
                window = asked[position].window
                logs = own[: len(window.ids)].log_softmax(0)
                require_finite(logs.unsqueeze(0), [position], "scores")
                starts, ends = logs.numpy().T
                best = best_span(starts, ends, window.places, most_tokens)
                if best is not None and best[0] > found[window.owner].score:
                    score, start, stop = best
                    text = passages[window.owner][start:stop]
                    found[window.owner] = Answer(text, start, score)
    return found


Part = PointedQuestionAnswering()
