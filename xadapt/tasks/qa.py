"""Question answering: exact match of answers, and F1 of their words.

Source: Rajpurkar et al. 2016, https://arxiv.org/abs/1606.05250, section 6.1; for other languages
than English Lewis et al. 2020, https://arxiv.org/abs/1910.07475, section 5.
"""

from __future__ import annotations

import re
import string
import sys
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import compress
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from xadapt.backbones.cache.reuse import Kept
from xadapt.backbones.encoder.encode import Rows, token_states
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.encoder.fused import fused_states
from xadapt.backbones.encoder.pairs import Place, tokenize_windows
from xadapt.backbones.finite import require_finite
from xadapt.composition.values import Composition
from xadapt.core.errors import UserError
from xadapt.core.sequences import as_pairs
from xadapt.data.records import Question
from xadapt.evaluation.comparison import Result, compare, mean
from xadapt.heads.head import Head
from xadapt.tasks.fused_heads import (
    given_translations,
    partner_windows,
    reads_translations,
    told,
    translations_of,
    with_partners,
)
from xadapt.tasks.head_task import LINEAR, LOAD_HEAD, HeadTask
from xadapt.tasks.predictor import Predictor
from xadapt.tasks.protocol import RESAMPLES, Option, Request, read_rows

WINDOW_OVERLAP, MOST_TOKENS = 128, 30
OVERLAP = "word overlap"
TRANSLATED = "translated_squad"
# As in the evaluation script of MLQA; other languages keep all their words.
ARTICLES = {
    "en": r"\b(a|an|the)\b",
    "es": r"\b(un|una|unos|unas|el|la|los|las)\b",
    "de": r"\b(ein|eine|einen|einem|eines|einer|der|die|das|den|dem|des)\b",
    "vi": r"\b(của|là|cái|chiếc|những)\b",
    "ar": "ال",  # wherever it stands in a word: so the script has it
}
UNSPACED = ("zh",)
_CHINESE = re.compile(r"[\u4e00-\u9fa5]")


@dataclass(frozen=True)
class Answer:
    """A part of a passage.

    Attributes:
        text: The characters of the passage from ``start`` on.
        start: Start of the answer in the passage, in characters.
        score: Joint log-probability of its first and last token, in the window of the answer.
    """

    text: str
    start: int
    score: float


class AnswerFinder(Predictor):
    """A predictor of answers to questions, each a part of a passage; made by `load`."""

    task: ClassVar[str] = "span_extraction"

    def answer(
        self,
        questions: Sequence[tuple[str, str]],
        languages: str | Sequence[str | None] | None = None,
        *,
        compositions: Composition | Sequence[Composition] = None,
        most_tokens: int = MOST_TOKENS,
        cache: Kept | None = None,
        translations: Sequence[tuple[str, ...]] | None = None,
    ) -> list[Answer]:
        """Find the best answer to each question.

        Args:
            questions: Each with its passage.
            languages: A tag for each question, or one for all, where the composition chooses by
                language.
            compositions: Another composition for each question, or one for all.
            most_tokens: Largest length of an answer, in tokens.
            cache: States below the first module, shared by calls on the same texts.
            translations: For a module of FILTER, the translated question and passage of each, in
                the language of training; an empty tuple, or none at all, stands for the question
                and the passage themselves.

        Raises:
            UserError: As for `AdaptedEncoder.encode`, or if an item is no pair (question, passage).
        """
        questions = as_pairs(questions, "question", "(question, passage)")
        beside = given_translations(self.head, translations, len(questions))
        rows = self.adapted.activations(len(questions), languages, compositions, cache)
        with rows.named():
            return answers(self.adapted.encoder, self.head, questions, rows, most_tokens, beside)


def answers(
    encoder: Encoder,
    head: Head,
    questions: Sequence[tuple[str, str]],
    rows: Rows | None = None,
    most_tokens: int = MOST_TOKENS,
    translations: Sequence[tuple[str, ...]] | None = None,
) -> list[Answer]:
    """Find the best answer to each question; an empty answer if the passage has no token.

    The best answer of a window is the span with the most probable pair of first and last token
    among all tokens of the window. The best answer to a question is the best of its windows.

    Args:
        encoder: The encoder.
        head: The head.
        questions: Each with its passage.
        rows: As for `xadapt.backbones.encoder.encode.encode`, by question.
        most_tokens: Largest length of an answer, in tokens.
        translations: For a head with fused layers, as for `AnswerFinder.answer`.
    """
    passages = [passage for _, passage in questions]
    windows = tokenize_windows(encoder, [asked for asked, _ in questions], passages, WINDOW_OVERLAP)
    found = [Answer("", 0, -float("inf")) for _ in questions]
    ids, second = [window.ids for window in windows], [window.second for window in windows]
    owners = [window.owner for window in windows]
    if head.fused is None:
        made = token_states(encoder, ids, second=second, rows=rows, owners=owners)
    else:
        beside = partner_windows(encoder, ids, owners, translations, WINDOW_OVERLAP)
        made = fused_states(encoder, ids, beside, head.fused, rows=rows, owners=owners)
    with torch.inference_mode():
        for chunk, states in made:
            scores = head(states).cpu()
            for position, own in zip(chunk, scores, strict=True):
                window = windows[position]
                logs = own[: len(window.ids)].log_softmax(0)
                require_finite(logs.unsqueeze(0), [window.owner], "scores")
                starts, ends = logs.numpy().T
                best = best_span(starts, ends, window.places, most_tokens)
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
    """Find the span with the highest sum of the scores of its first and its last token.

    Args:
        starts: Score of each token as the first, ``(tokens,)``.
        ends: Score of each token as the last, ``(tokens,)``.
        places: The characters of each token; ``None`` for tokens that can't be in an answer.
        most_tokens: Largest length of a span, in tokens.

    Returns:
        The sum, the first character and the end, exclusive; ``None`` where there is no span.
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


class QuestionAnswering(HeadTask):
    """Find the answer to a question inside a passage."""

    name: ClassVar[str] = "qa"
    title: ClassVar[str] = (
        "Question answering: exact match and F1 of words; control: a window of shared words."
    )
    record: ClassVar[type] = Question
    metrics: ClassVar[tuple[str, ...]] = ("f1", "exact match")
    task_type: ClassVar[str] = "question-answering"
    head: ClassVar[str | None] = "span_extraction"
    predictor: ClassVar[type[Predictor]] = AnswerFinder
    reader: ClassVar[str] = "squad"
    read_as: ClassVar[str] = "en"
    data_help: ClassVar[str] = "SQuAD v1.1 JSON, or one passage a line (.jsonl)."
    lang_help: ClassVar[str] = "Language of the questions; its articles don't count."
    does: ClassVar[str] = "finds the answer to a question in a passage"
    example: ClassVar[tuple[str, str] | None] = (
        'question, passage = "Who eats?", "A man eats bread in the park."',
        "[question], [passage]",
    )

    def predict(
        self, encoder: Encoder, head: Head, rows: Sequence[Question], active: Rows | None = None
    ) -> list[str]:
        """Predict the text of each answer."""
        asked = [(row.question, row.passage) for row in rows]
        said = translations_of(rows)
        found = answers(encoder, head, asked, active, translations=said)
        return [answer.text for answer in found]

    def measure(
        self,
        request: Request,
        *,
        translator: Annotated[
            str | None, Option("For modules of FILTER: makes English translations.")
        ] = None,
    ) -> Result:
        """Score the head under a composition, and under a baseline if there is one."""
        fused, tag = reads_translations(request, self.head), request.tag
        reader = TRANSLATED if fused else self.reader
        rows = read_rows(reader, request.data, tag or self.read_as)
        rows = with_partners(rows, request, fused, translator)
        result = self.measure_records(request, rows, None if tag is None else [tag] * len(rows))
        return told(result, rows) if fused else result

    def evaluate(
        self,
        rows: Sequence[Question],
        systems: Mapping[str, Sequence[str]],
        *,
        base: Any = None,
        resamples: int = RESAMPLES,
        seed: int = 0,
    ) -> Result:
        """Score each answer by its best match among the right answers to the question.

        The last row answers with the window of the passage that shares most words with the
        question. Questions without an answer are not scored.

        Args:
            rows: The questions with their answers; their language decides which answers are equal.
            systems: Answers by system name, one a question.
            base: The system the others are compared with.
            resamples: Number of bootstrap samples over questions.
            seed: Seed of the bootstrap.

        Raises:
            UserError: If there are no questions with an answer, or a system does not answer each.
        """
        answered = [bool(question.answers) for question in rows]
        if not any(answered):
            raise UserError("there are no questions with an answer to evaluate on")
        scored: dict[str, list[str]] = {}
        for name, found in {**systems, **self.baselines(rows)}.items():
            if len(found) != len(rows):
                raise UserError(f"{name} gives {len(found)} answers to {len(rows)} questions")
            scored[name] = list(compress(found, answered))
        rows = list(compress(rows, answered))
        columns = {
            name: {"f1": [_best(f1, rows, found)], "exact match": [_best(exact, rows, found)]}
            for name, found in scored.items()
        }
        means = dict.fromkeys(self.metrics, mean)
        return compare(
            self.name, self.unit, columns, means, base=base, resamples=resamples, seed=seed
        )

    def baselines(self, rows: Sequence[Question], **settings: Any) -> dict[str, list[str]]:
        """Return the window of each passage that shares most words with the question."""
        return {OVERLAP: [overlapping(row) for row in rows]}

    def oracle(self, rows: Sequence[Question]) -> list[str]:
        """Return the first right answer to each question."""
        return [row.answers[0][1] if row.answers else "" for row in rows]

    def chance(self, rows: Sequence[Question], seed: int = 0) -> list[str]:
        """Draw one word of each passage at random."""
        random = np.random.default_rng(seed)
        return [str(random.choice(row.passage.split() or [""])) for row in rows]

    def code(self, head: Head) -> list[str]:
        """Return the lines of code from states to ``answer``, for a passage in one row."""
        return [
            *LOAD_HEAD,
            f"start, end = (states[0] @ {LINEAR}).T",
            "parts = enumerate(batch.sequence_ids(0))",
            "places = [batch.token_to_chars(0, i) if part == 1 else None for i, part in parts]",
            "own = [bool(at and passage[at.start : at.end].strip()) for at in places]",
            "own = torch.tensor(own)",
            "sums = (start[:, None] + end[None, :]).where(own[:, None] & own, -torch.inf)",
            "sums = sums.where(torch.ones_like(sums).triu().tril(29) > 0, -torch.inf)",
            "first, last = divmod(int(sums.argmax()), len(sums))",
            "answer = passage[places[first].start : places[last].end].strip()",
        ]


def f1(found: str, right: str, lang: str = "en") -> float:
    """Compute the F1 of two answers' words, with word counts; 0 if they share no word."""
    ours, theirs = (normal(text, lang).split() for text in (found, right))
    shared = sum((Counter(ours) & Counter(theirs)).values())
    return 2 * shared / (len(ours) + len(theirs)) if shared else 0.0


def exact(found: str, right: str, lang: str = "en") -> float:
    """Compare two answers: 1 if their normalised forms are equal, else 0."""
    return float(normal(found, lang) == normal(right, lang))


def normal(text: str, lang: str = "en") -> str:
    """Normalise an answer: lower case, no punctuation, no articles, single spaces.

    Args:
        text: An answer.
        lang: Its language. English follows SQuAD's script. Other languages follow MLQA's script,
            where Chinese characters are words of their own.
    """
    own = lang.split("-")[0]
    marks = set(string.punctuation) if own == "en" else punctuation()
    kept = "".join(letter for letter in text.lower() if letter not in marks)
    if own in ARTICLES:
        kept = re.sub(ARTICLES[own], " ", kept)
    if own in UNSPACED:
        kept = _CHINESE.sub(lambda found: f" {found.group()} ", kept)
    return " ".join(kept.split())


@cache
def punctuation() -> frozenset[str]:
    """Return all punctuation characters of Unicode and of ASCII."""
    marks = (chr(i) for i in range(sys.maxunicode + 1))
    return frozenset(m for m in marks if unicodedata.category(m)[0] == "P") | set(
        string.punctuation
    )


def overlapping(question: Question) -> str:
    """Find the part of a passage, as long as the question, with most words of the question.

    Words are counted once. Of equally good parts, the first is returned.
    """
    spaced = question.lang.split("-")[0] not in UNSPACED
    places = [m.span() for m in re.finditer(r"\S+" if spaced else r"\S", question.passage)]
    asked = normal(question.question, question.lang).split()
    size = max(1, min(len(asked), len(places)))
    if not places:
        return ""
    words = [normal(question.passage[start:stop], question.lang) for start, stop in places]
    wanted = set(asked)
    begins = range(len(places) - size + 1)
    first = max(begins, key=lambda i: (len(wanted.intersection(words[i : i + size])), -i))
    return question.passage[places[first][0] : places[first + size - 1][1]]


def _best(
    measure: Callable[[str, str, str], float],
    questions: Sequence[Question],
    answers: Sequence[str],
) -> NDArray[np.float64]:
    return np.array(
        [
            max(measure(answer, right, question.lang) for _, right in question.answers)
            for question, answer in zip(questions, answers, strict=True)
        ]
    )


Part = QuestionAnswering()
