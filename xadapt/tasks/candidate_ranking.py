"""Candidate ranking: the right candidate of a mention, or none; right answers, R@1 and R@5."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xadapt.backbones.cache.reuse import Kept
from xadapt.backbones.encoder.encode import Rows, acting
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.encoder.pairs import tell_cut_pairs, tokenize_pairs
from xadapt.backbones.finite import by_owner
from xadapt.composition.values import Composition
from xadapt.core.errors import UserError
from xadapt.data.records import CandidateList
from xadapt.evaluation.comparison import Result, compare, mean, ratio_of_sums
from xadapt.heads.head import LINEAR, LOAD_HEAD, RANKING, Head
from xadapt.objectives.candidate_ranking import NONE
from xadapt.tasks.head_task import HeadTask
from xadapt.tasks.predictor import Predictor, first_scores
from xadapt.tasks.protocol import RESAMPLES

SEARCH = "search"
"""The name of the scores that the candidates came with."""
MEASURES = ("answers", "R@1", "R@5", "MRR")
Lists = Sequence[tuple[str, Sequence[str]]]
Scores = NDArray[np.float32]


class CandidateRanker(Predictor):
    """A predictor of the right candidate of a mention by a head over the first token's state."""

    task: ClassVar[str] = RANKING

    def rank(
        self,
        mentions: Lists,
        languages: str | Sequence[str | None] | None = None,
        *,
        compositions: Composition | Sequence[Composition] = None,
        cache: Kept | None = None,
    ) -> list[Scores]:
        """Predict the probability of each candidate of each mention, and last that of "none".

        Args:
            mentions: Any number of mentions, each with its candidates as texts.
            languages: A tag for each mention, or one for all, where the composition chooses by
                language.
            compositions: Another composition for each mention, or one for all.
            cache: States below the first module, shared by calls on the same texts.

        Returns:
            ``(candidates + 1,)`` for each mention.

        Raises:
            UserError: As for `AdaptedEncoder.encode`.
        """
        rows = self.adapted.activations(len(mentions), languages, compositions, cache)
        with rows.named():
            return ranked(self.adapted.encoder, self.head, mentions, rows)


def ranked(encoder: Encoder, head: Head, mentions: Lists, rows: Rows | None = None) -> list[Scores]:
    """Predict the probability of each candidate of each mention, and last that of "none".

    Args:
        encoder: The encoder.
        head: The head.
        mentions: Any number of mentions with their candidates.
        rows: As for `xadapt.backbones.encoder.encode.encode`, by mention.

    Returns:
        ``(candidates + 1,)`` for each mention.
    """
    pairs = [(text, name) for text, own in mentions for name in (*own, NONE)]
    owners = [i for i, (_, own) in enumerate(mentions) for _ in (*own, NONE)]
    made = tokenize_pairs(encoder, [text for text, _ in pairs], [name for _, name in pairs])
    tell_cut_pairs(encoder, pairs, made)
    ids, second = [pair.ids for pair in made], [pair.second for pair in made]
    with by_owner(owners):
        found = first_scores(
            encoder, head, ids, second, lambda own: acting(rows, [owners[i] for i in own])
        )
    sizes = [len(own) + 1 for _, own in mentions]
    return [np.asarray(own.softmax(0), np.float32) for own in found[:, 0].split(sizes)]


class CandidateRanking(HeadTask):
    """Choose the right one among the candidates of a mention, or none."""

    name: ClassVar[str] = "candidate_ranking"
    title: ClassVar[str] = (
        "Candidates of mentions: right answers, R@1, R@5, MRR; control: the search's own order."
    )
    record: ClassVar[type] = CandidateList
    metrics: ClassVar[tuple[str, ...]] = MEASURES
    head: ClassVar[str | None] = RANKING
    predictor: ClassVar[type[Predictor]] = CandidateRanker
    reader: ClassVar[str] = "candidate_lists"
    data_help: ClassVar[str] = "JSON lines of mentions and candidates: xadapt link --pairs X.jsonl."
    does: ClassVar[str] = "scores a candidate for a mention, to be compared with other candidates"
    example: ClassVar[tuple[str, str] | None] = (
        'mention, candidate = "dolor de cabeza", "headache; cephalalgia"',
        "[mention], [candidate]",
    )

    def predict(
        self,
        encoder: Encoder,
        head: Head,
        rows: Sequence[CandidateList],
        active: Rows | None = None,
    ) -> list[Scores]:
        """Predict the probability of each candidate, and last that of "none"."""
        return ranked(encoder, head, [(row.text, row.candidates) for row in rows], active)

    def evaluate(
        self,
        rows: Sequence[CandidateList],
        systems: Mapping[str, Sequence[NDArray[Any]]],
        *,
        base: Any = None,
        resamples: int = RESAMPLES,
        seed: int = 0,
    ) -> Result:
        """Score systems on mentions.

        ``answers`` is the share of mentions whose best candidate is right, or for which "none" is
        best and right. R@k and MRR are over mentions with a right candidate and leave "none" out.
        Equal scores count as their mean rank.

        Args:
            rows: The mentions.
            systems: By system, the scores of each mention's candidates and last that of "none".
            base: The system the others are compared with.
            resamples: Number of bootstrap samples over mentions.
            seed: Seed of the bootstrap.

        Raises:
            UserError: If there are no mentions, or a system does not give a score for each
                candidate and for "none".
        """
        if not rows:
            raise UserError("there are no mentions to evaluate on")
        there = np.array([row.correct >= 0 for row in rows], dtype=float)
        columns: dict[str, dict[str, Sequence[ArrayLike]]] = {}
        for name, given in {**systems, **self.baselines(rows)}.items():
            answers, ranks = _measured(rows, given, name)
            hits = {"R@1": ranks <= 1, "R@5": ranks <= 5, "MRR": 1 / ranks}
            columns[name] = {
                "answers": (answers,),
                **{measure: (own * there, there) for measure, own in hits.items()},
            }
        found = compare(
            self.name,
            self.unit,
            columns,
            {"answers": mean, "R@1": ratio_of_sums, "R@5": ratio_of_sums, "MRR": ratio_of_sums},
            facts={"coverage": float(there.mean())},
            base=base,
            resamples=resamples,
            seed=seed,
        )
        return found

    def heading(self, result: Result) -> str:
        """Return the number of mentions, and the share with a right candidate."""
        return f"{super().heading(result)}; {result.facts['coverage']:.1%} have a right candidate"

    def baselines(
        self, rows: Sequence[CandidateList], **settings: Any
    ) -> dict[str, list[NDArray[Any]]]:
        """Return the scores that the candidates came with; "none" is never their answer."""
        return {SEARCH: [np.array([*row.scores, -np.inf]) for row in rows]}

    def oracle(self, rows: Sequence[CandidateList]) -> list[NDArray[Any]]:
        """Return 1 for the right candidate, or for "none"."""
        return [np.eye(len(row.candidates) + 1)[row.correct] for row in rows]

    def chance(self, rows: Sequence[CandidateList], seed: int = 0) -> list[NDArray[Any]]:
        """Draw a random score for each candidate and for "none"."""
        draw = np.random.default_rng(seed)
        return [draw.random(len(row.candidates) + 1) for row in rows]

    def code(self, head: Head) -> list[str]:
        """Return the lines of code from states to ``scores``."""
        return [*LOAD_HEAD, f"scores = (states[:, 0] @ {LINEAR})[:, 0]"]


def _measured(
    rows: Sequence[CandidateList], given: Sequence[NDArray[Any]], name: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return whether each answer is right ``(n,)``, and the rank of the right candidate."""
    if len(given) != len(rows):
        raise UserError(f"{name} does not give scores for each mention")
    answers, ranks = np.zeros(len(rows)), np.full(len(rows), np.inf)
    for i, (row, own) in enumerate(zip(rows, given, strict=True)):
        scores = np.asarray(own, dtype=float)
        if scores.shape != (len(row.candidates) + 1,) or np.isnan(scores).any():
            raise UserError(f'{name} does not give a score for each candidate and for "none"')
        answers[i] = _rank(scores, row.correct % len(scores)) <= 1
        if row.correct >= 0:
            ranks[i] = _rank(scores[:-1], row.correct)
    return answers, ranks


def _rank(scores: NDArray[np.float64], place: int) -> float:
    """Return the rank of a score, from 1; equal scores count as their mean rank."""
    own = scores[place]
    return 1 + np.count_nonzero(scores > own) + (np.count_nonzero(scores == own) - 1) / 2


Part = CandidateRanking()
