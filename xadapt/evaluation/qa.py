"""Question answering: answers that are exactly right, and the words that answers share."""

from __future__ import annotations

import re
import string
import sys
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from xadapt.core.errors import UserError
from xadapt.data.records import Question
from xadapt.evaluation.comparison import Result, compare

TASK = "qa"
OVERLAP = "word overlap"
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


def evaluate(
    questions: Sequence[Question],
    systems: Mapping[str, Sequence[str]],
    *,
    base: str | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> Result:
    """Compare answers with the right ones, the best of a question's.

    The last row answers with the window of the passage that shares most words with the question.

    Source: Rajpurkar et al. 2016, https://arxiv.org/abs/1606.05250, section 6.1; for other
    languages than English Lewis et al. 2020, https://arxiv.org/abs/1910.07475, section 5.

    Args:
        questions: The questions with their answers; their language chooses what counts as equal.
        systems: By name, one answer a question.
        base: The system the others are compared with.
        resamples: Of the bootstrap over questions.
        seed: Of the bootstrap.

    Raises:
        UserError: There are no questions, one has no answer, or a system does not answer each.
    """
    if not questions:
        raise UserError("there are no questions to evaluate on")
    for question in questions:
        if not question.answers:
            raise UserError("this question has no answer", where=question.origin)
    every = {**systems, OVERLAP: [overlapping(question) for question in questions]}
    columns = {}
    for name, answers in every.items():
        if len(answers) != len(questions):
            raise UserError(f"{name} gives {len(answers)} answers to {len(questions)} questions")
        columns[name] = {
            "f1": [_best(f1, questions, answers)],
            "exact match": [_best(exact, questions, answers)],
        }
    means = dict.fromkeys(("f1", "exact match"), lambda values: values.mean(-1))
    return compare(TASK, "questions", columns, means, base=base, resamples=resamples, seed=seed)


def f1(said: str, right: str, lang: str = "en") -> float:
    """F1 of the words of two answers, by how often each occurs; 0 where they share none."""
    ours, theirs = (normal(text, lang).split() for text in (said, right))
    shared = sum((Counter(ours) & Counter(theirs)).values())
    return 2 * shared / (len(ours) + len(theirs)) if shared else 0.0


def exact(said: str, right: str, lang: str = "en") -> float:
    """1 where two answers are equal once normalised, else 0."""
    return float(normal(said, lang) == normal(right, lang))


def normal(text: str, lang: str = "en") -> str:
    """Lower case, without punctuation and articles, single spaces between words.

    Args:
        text: An answer.
        lang: Its language. English is done as in SQuAD's script, other languages as in MLQA's,
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
    """All characters that Unicode calls punctuation, and ASCII's."""
    marks = (chr(i) for i in range(sys.maxunicode + 1))
    return frozenset(m for m in marks if unicodedata.category(m)[0] == "P") | set(
        string.punctuation
    )


def overlapping(question: Question) -> str:
    """The part of the passage, as long as the question in words, that shares most words with it.

    Words are counted once; of equally good parts it is the first.
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
            max(measure(said, right, question.lang) for _, right in question.answers)
            for question, said in zip(questions, answers, strict=True)
        ]
    )
