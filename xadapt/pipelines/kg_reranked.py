"""Re-ranking of linked mentions: modules that judge candidates, and what is chosen on development.

Source: Borchert et al. 2023, https://arxiv.org/abs/2310.11275, section 3 (re-ranking).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.core.errors import UserError
from xadapt.core.files import atomic_file
from xadapt.data.readers.concept_names import ConceptNames
from xadapt.data.readers.mentions import Mention
from xadapt.heads.head import RANKING
from xadapt.hub.opening import read_manifest
from xadapt.tasks.candidate_ranking import CandidateRanker
from xadapt.tasks.kg.reranking import (
    column_of_same,
    pair_of,
    reranked,
    training_list,
    training_pairs,
)
from xadapt.tasks.pair_classification import PairClassifier

RERANKED = "reranked"
LISTS = (".jsonl", ".ndjson")
WEIGHTS = tuple(i / 10 for i in range(11))
Lists = Sequence[tuple[str, Sequence[str]]]
Judge = Callable[[Lists], Sequence[NDArray[np.float32]]]
"""From mentions with their candidates to the probability of each candidate, ``(candidates,)``, or
with the probability of "none" after them, ``(candidates + 1,)``."""


def open_judge(base: str | Encoder, folder: str, dtype: str) -> Judge:
    """Open a module that judges candidates, by the kind of its head.

    Args:
        base: The base, or a loaded one.
        folder: The module: of ``candidate_ranking``, or of ``pair_classification`` with the classes
            ``same`` and ``other``.
        dtype: Type of the base's weights.

    Raises:
        UserError: If the module can't be opened or has another head.
    """
    head = read_manifest(folder).head
    if head is not None and head.task == RANKING:
        return CandidateRanker.load(base, folder, dtype=dtype).rank
    classifier = PairClassifier.load(base, folder, dtype=dtype)
    column = column_of_same(classifier.head.labels)

    def judge(lists: Lists) -> Sequence[NDArray[np.float32]]:
        pairs = [(text, name) for text, own in lists for name in own]
        found = classifier.scores(pairs)[:, column] if pairs else np.zeros(0, np.float32)
        return np.split(found, np.cumsum([len(own) for _, own in lists])[:-1])

    return judge


def rerank(
    judge: Judge,
    mentions: Sequence[Mention],
    rows: Sequence[dict[str, Any]],
    names: ConceptNames,
    system: str,
    weight: float,
    nil: float | None,
) -> None:
    """Order the candidates of each row again; a right concept below them keeps its rank.

    Args:
        judge: The judge.
        mentions: The mentions of the rows.
        rows: Rows of `xadapt.pipelines.kg_linked.Linked`, which are changed.
        names: The names of concepts.
        system: What ranked the candidates so far.
        weight: The weight of the probabilities, from 0 to 1.
        nil: The least probability of the best candidate. Without one, no concept is the answer
            where "none" is likelier than each candidate.
    """
    lists = [
        pair_of_all(mention, row["candidates"], names)
        for mention, row in zip(mentions, rows, strict=True)
    ]
    for row, found in zip(rows, judge(lists), strict=True):
        own = row["candidates"]
        given = [float(one) for one in found]
        none = given.pop() if len(given) > len(own) else None
        joined = reranked([one["score"] for one in own], given, weight)
        for one, score, probability in zip(own, joined.tolist(), given, strict=True):
            one[system], one["score"] = one["score"], round(score, 6)
            one["same"] = round(probability, 6)
        own.sort(key=lambda one: -one["score"])
        best = max(given, default=-1.0)
        row["nil"] = best < (none or 0.0 if nil is None else nil)
        if none is not None:
            row["none"] = round(none, 6)
        if "ranks" in row:
            place = place_of(own, row["right"])
            row["ranks"][RERANKED] = row["ranks"][system] if place is None else float(place)


def pair_of_all(
    mention: Mention, candidates: Sequence[Mapping[str, Any]], names: ConceptNames
) -> tuple[str, list[str]]:
    """Return a mention in its context, and the names of each candidate, the nearest first."""
    pairs = [pair_of(mention, named(one, names)) for one in candidates]
    return pair_of(mention, [])[0], [right for _, right in pairs]


def named(candidate: Mapping[str, Any], names: ConceptNames) -> list[str]:
    """Return the names of a candidate, the nearest first."""
    first = candidate["name"]
    return [first, *(n for n in names.at(names.index[candidate["concept"]]) if n != first)]


def place_of(candidates: Iterable[Mapping[str, Any]], right: Collection[str]) -> int | None:
    """Return the place of the first right candidate, from 1, or ``None``."""
    return next((i for i, one in enumerate(candidates, 1) if one["concept"] in right), None)


@dataclass(frozen=True)
class Choice:
    """What was chosen on development mentions.

    Attributes:
        mentions: Number of these mentions.
        rerank_weight: The weight of the re-ranker with the best R@1; ``None`` without a re-ranker.
        recall: R@1 at that weight, among the mentions whose right concept has a name.
        nil: The threshold with the most right answers; 0 answers with a concept always.
        answers: The share of right answers at that threshold.
    """

    mentions: int
    rerank_weight: float | None
    recall: float
    nil: float
    answers: float

    def line(self) -> str:
        """Return one line for people."""
        weight = "" if self.rerank_weight is None else f"weight {self.rerank_weight:g}, "
        return (
            f"chosen on {self.mentions:,} mentions: {weight}no concept below {self.nil:.3f}; "
            f"R@1 {self.recall:.3f}, right answers {self.answers:.3f}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the values for JSON."""
        return asdict(self)


def choose(
    rows: Sequence[Mapping[str, Any]],
    concepts: Collection[str],
    system: str,
    weight: float | None = None,
    nil: float | None = None,
) -> Choice:
    """Choose the weight of the re-ranker by R@1, and then the threshold by right answers.

    Of equal weights the least is taken. A mention whose right concepts have no name must be
    answered by "no concept".

    Args:
        rows: Rows of mentions with right concepts, re-ranked at any weight or not.
        concepts: The concepts that have a name.
        system: What ranked the candidates before.
        weight: The weight, if it is not to be chosen.
        nil: The threshold, if it is not to be chosen.
    """
    there = np.array([any(c in concepts for c in row["right"]) for row in rows], dtype=bool)
    judged = any("same" in one for row in rows for one in row["candidates"])
    best, right, chosen = np.zeros(len(rows)), np.zeros(len(rows), bool), weight
    score = -1.0
    for own in (WEIGHTS if weight is None else (weight,)) if judged else (0.0,):
        tops, hits = zip(*(_top(row, system, own, judged) for row in rows), strict=True)
        recall = float(np.mean(np.array(hits)[there])) if there.any() else 0.0
        if recall > score:
            score, chosen = recall, own
            best, right = np.array(tops), np.array(hits, dtype=bool)
    threshold = _threshold(best, right, there) if nil is None else nil
    answers = np.where(best < threshold, ~there, right & there)
    return Choice(len(rows), chosen if judged else None, score, threshold, float(np.mean(answers)))


def _top(row: Mapping[str, Any], system: str, weight: float, judged: bool) -> tuple[float, bool]:
    """Return the value that a threshold is compared with, and whether the first one is right."""
    own = row["candidates"]
    if not own:
        return -1.0, False
    if not judged:
        return own[0]["score"], own[0]["concept"] in row["right"]
    same = [one["same"] for one in own]
    joined = reranked([one[system] for one in own], same, weight)
    return max(same), own[int(joined.argmax())]["concept"] in row["right"]


def _threshold(
    best: NDArray[np.float64], right: NDArray[np.bool_], there: NDArray[np.bool_]
) -> float:
    """Return the threshold with the most right answers; of equal ones the least."""
    values = np.unique(best)
    middles = [0.0, *((values[1:] + values[:-1]) / 2).tolist()]
    if len(values) and values[-1] < 1:
        middles.append(float((values[-1] + 1) / 2))
    kept = [one for one in middles if 0 <= one <= 1]
    counts = [int(np.where(best < one, ~there, right & there).sum()) for one in kept]
    return float(kept[int(np.argmax(counts))])


def write_training(
    path: str | Path,
    mentions: Iterable[Mention],
    rows: Iterable[Mapping[str, Any]],
    names: ConceptNames,
    system: str,
) -> None:
    """Write data to train a re-ranker on: pairs as a table, or lists as JSON lines.

    Args:
        path: The file; ``.jsonl`` is for ``candidate_ranking``, others for ``pair_classification``.
        mentions: The mentions.
        rows: Their rows.
        names: The names of concepts.
        system: What ranked the candidates before a re-ranker.

    Raises:
        UserError: If no mention has a right concept, or the file can't be written.
    """
    lists = str(path).endswith(LISTS)
    count = 0
    with atomic_file(path) as temporary, temporary.open("w", encoding="utf-8") as stream:
        for mention, row in zip(mentions, rows, strict=True):
            if not mention.concepts:
                continue
            own = row["candidates"]
            found = [(one["concept"], named(one, names)) for one in own]
            if lists:
                scores = [one.get(system, one["score"]) for one in own]
                made = training_list(mention, found, scores, names.index)
                lines = [] if made is None else [json.dumps(made, ensure_ascii=False)]
            else:
                lines = [
                    "\t".join(" ".join(cell.split()) for cell in cells)
                    for cells in training_pairs(mention, found)
                ]
            stream.writelines(line + "\n" for line in lines)
            count += len(lines)
        if not count:
            raise UserError(
                "no mention has a right concept, so that there are no pairs", where=str(path)
            )
