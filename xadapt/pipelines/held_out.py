"""What a run says of its held-out part: scores on the way, evidence at the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from xadapt.backbones.cache.frozen_vectors import FrozenVectors, cache_folder
from xadapt.backbones.cache.prefix_states import MEMORY_BYTES, PrefixStates
from xadapt.backbones.encoder.encode import encode
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.data.records import (
    LabelledText,
    OpenTriples,
    ParallelPair,
    Question,
    ScoredPair,
    TaggedSentence,
)
from xadapt.evaluation import classification, comparison, open_ie, qa, sts, tagging
from xadapt.evaluation.systems import DIRECTIONS
from xadapt.evaluation.tfidf import NAME as TFIDF
from xadapt.functional.tag_scheme import decode
from xadapt.heads.head import ArgumentHead, Head
from xadapt.hub.manifest import Evidence
from xadapt.tasks.assess.alignment import BASE, BOTH, LANGUAGE, Bench, judge_bitext
from xadapt.tasks.predict.answer_finder import answers
from xadapt.tasks.predict.classifier import classes
from xadapt.tasks.predict.open_ie import argument_spans
from xadapt.tasks.predict.pair_scorer import scores as pair_scores
from xadapt.tasks.predict.tagger import scores as tag_scores
from xadapt.training.acting import Acting
from xadapt.training.loop import Trainer
from xadapt.vectors.matching import nearest

MODULE = "module"


@dataclass(frozen=True)
class Judge:
    """How records of one type are judged.

    Attributes:
        scores: Of the trainer's module as it stands, by name; ``score`` is what is maximised.
        evidence: What is claimed of encoder, module and head on the records.
    """

    scores: Callable[[Trainer, Sequence[Any]], dict[str, float]]
    evidence: Callable[[Encoder, nn.Module, Sequence[Any], Head | None], list[Evidence]]


def dev_scores(trainer: Trainer, dev: Sequence[Any]) -> dict[str, float]:
    """Scores by name with the module attached; ``score`` is what is maximised."""
    with reused_between(trainer):
        return JUDGES[type(dev[0])].scores(trainer, dev)


def reused_between(trainer: Trainer) -> AbstractContextManager[None]:
    """Let all evaluations of a run share what lies below the first layer that something acts in.

    A step never sees these states, so how often a run is judged changes nothing in it.
    """
    if trainer.held_out is None:
        acting = (*trainer.turns, *trainer.forward.companions.values())
        start = min(one.first_layer for one in acting)
        if start < 1:
            return nullcontext()
        cache = trainer.run.cache
        trainer.held_out = PrefixStates(trainer.encoder, start, cache, memory=MEMORY_BYTES)
        if not trainer.progress.finished:
            trainer.held_out.pin(trainer.pins)
    return trainer.held_out.used()


def evidence(
    encoder: Encoder, module: nn.Module, dev: Sequence[Any], head: Head | None = None
) -> list[Evidence]:
    """What is claimed of a module by its held-out part, beside the controls.

    Args:
        encoder: The frozen encoder.
        module: The module; for a task, the whole composition it was trained inside.
        dev: Records it was not trained on.
        head: The task head that was trained beside it.
    """
    return JUDGES[type(dev[0])].evidence(encoder, module, dev, head) if dev else []


def head_of(trainer: Trainer) -> Head | None:
    """The task head that the run trains, if it does."""
    heads = [head for head in trainer.trained["heads"].children() if isinstance(head, Head)]
    return heads[0] if heads else None


def _retrieval(trainer: Trainer, dev: Sequence[ParallelPair]) -> dict[str, float]:
    """Accuracy both ways and in both modes on held-out pairs; ``score`` is their mean."""
    pivots = [pair.pivot for pair in dev]
    frozen = trainer.frozen.get(pivots).cpu()
    with trainer.acting.on():
        texts = encode(trainer.encoder, [pair.text for pair in dev])
        active = encode(trainer.encoder, pivots)
    right = np.arange(len(dev))
    scores = {}
    for mode, side in (("language", frozen), ("both", active)):
        scores[f"{mode}/to_pivot"] = float((nearest(texts, side, 1).indices[:, 0] == right).mean())
        scores[f"{mode}/from_pivot"] = float(
            (nearest(side, texts, 1).indices[:, 0] == right).mean()
        )
    kept = torch.nn.functional.cosine_similarity(frozen, active, dim=-1).mean()
    return {"score": float(np.mean(list(scores.values()))), **scores, "pivot_kept": float(kept)}


def _bitext(
    encoder: Encoder, module: nn.Module, dev: Sequence[ParallelPair], head: Head | None
) -> list[Evidence]:
    bench = Bench(encoder)
    result = judge_bitext(bench, dev, module, controls=True)
    bench.close()
    return [
        Evidence(
            task="bitext",
            data="development split",
            metric=f"accuracy {way.replace('_', ' ')}",
            value=result[name].accuracy[way].mean,
            base=result[BASE].accuracy[way].mean,
            controls={"tf-idf": result[TFIDF].accuracy[way].mean},
            sides="language" if name == LANGUAGE else "both",
            interval=(result[name].accuracy[way].low, result[name].accuracy[way].high),
            rows=result.pool,
        )
        for name in (LANGUAGE, BOTH)
        for way in DIRECTIONS
    ]


def _tagging(
    encoder: Encoder, acting: Acting, head: Head, dev: Sequence[TaggedSentence], resamples: int
) -> list[Evidence]:
    rows = acting.rows([sentence.lang for sentence in dev])
    found = tag_scores(encoder, head, [sentence.words for sentence in dev], rows)
    labels = [decode(each, head.labels, head.scheme) for each in found]
    result = tagging.evaluate(dev, {MODULE: labels}, head.scheme, resamples=resamples)
    row = result[MODULE]
    return [
        Evidence(
            task="tagging",
            data="development split",
            metric=result.measure,
            value=row.score.mean,
            controls={tagging.MAJORITY: result[tagging.MAJORITY].score.mean},
            interval=(row.score.low, row.score.high),
            rows=result.sentences,
        )
    ]


def _classification(
    encoder: Encoder, acting: Acting, head: Head, dev: Sequence[LabelledText], resamples: int
) -> list[Evidence]:
    rows = acting.rows([record.lang for record in dev])
    found = classes(encoder, head, [record.text for record in dev], rows)
    return _told(classification.evaluate(dev, {MODULE: found}, resamples=resamples))


def _sts(
    encoder: Encoder, acting: Acting, head: Head, dev: Sequence[ScoredPair], resamples: int
) -> list[Evidence]:
    """The control besides TF-IDF is the cosine of the frozen base's vectors."""
    frozen = FrozenVectors(encoder, cache_folder())
    sides = [frozen.get([getattr(r, s) for r in dev]).cpu().numpy() for s in ("left", "right")]
    rows = acting.rows([record.left_lang for record in dev])
    found = pair_scores(encoder, head, [(record.left, record.right) for record in dev], rows)
    systems = {MODULE: found, BASE: sts.cosines(*sides)}
    return _told(sts.evaluate(dev, systems, resamples=resamples))


def _qa(
    encoder: Encoder, acting: Acting, head: Head, dev: Sequence[Question], resamples: int
) -> list[Evidence]:
    rows = acting.rows([record.lang for record in dev])
    found = answers(encoder, head, [(record.question, record.passage) for record in dev], rows)
    texts = [answer.text for answer in found]
    return _told(qa.evaluate(dev, {MODULE: texts}, resamples=resamples))


def _arguments(
    encoder: Encoder,
    acting: Acting,
    head: Head,
    dev: Sequence[OpenTriples],
    resamples: int,
) -> list[Evidence]:
    """F1 of the arguments of given predicates; the control is what stands left and right."""
    assert isinstance(head, ArgumentHead)
    places = [[spans[0][:2] for spans in row.extractions] for row in dev]
    rows = acting.rows([row.lang for row in dev])
    found = argument_spans(encoder, head, [row.words for row in dev], places, rows)
    systems = {
        MODULE: open_ie.Said(found, found),
        open_ie.LEFT_RIGHT: open_ie.guessed(dev, found),
    }
    result = open_ie.evaluate(dev, systems, resamples=resamples)
    score, control = (result[name].scores[open_ie.GIVEN] for name in systems)
    return [
        Evidence(
            task="open_ie",
            data="development split",
            metric="f1 of arguments given predicates",
            value=score.mean,
            controls={open_ie.LEFT_RIGHT: control.mean},
            interval=(score.low, score.high),
            rows=result.sentences,
        )
    ]


def _told(result: comparison.Result) -> list[Evidence]:
    """One claim a measure; all systems but the module are its controls."""
    others = [row for row in result.rows if row.system not in (MODULE, BASE)]
    base = next((row for row in result.rows if row.system == BASE), None)
    return [
        Evidence(
            task=result.task,
            data="development split",
            metric=measure,
            value=score.mean,
            base=base.scores[measure].mean if base else None,
            controls={row.system: row.scores[measure].mean for row in others},
            interval=(score.low, score.high),
            rows=result.count,
        )
        for measure, score in result[MODULE].scores.items()
    ]


def _by_head(judge: Callable[..., list[Evidence]]) -> Judge:
    """The judge of records that a task head answers: its first claim is the score."""

    def scores(trainer: Trainer, dev: Sequence[Any]) -> dict[str, float]:
        head = head_of(trainer)
        assert head is not None
        first = judge(trainer.encoder, trainer.acting, head, dev, 1)[0]
        return {"score": first.value}

    def evidence(
        encoder: Encoder, module: nn.Module, dev: Sequence[Any], head: Head | None
    ) -> list[Evidence]:
        assert head is not None
        acting = Acting(encoder, module)
        try:
            return judge(encoder, acting, head, dev, 1000)
        finally:
            acting.remove()

    return Judge(scores, evidence)


JUDGES: dict[type, Judge] = {
    ParallelPair: Judge(_retrieval, _bitext),
    TaggedSentence: _by_head(_tagging),
    LabelledText: _by_head(_classification),
    ScoredPair: _by_head(_sts),
    Question: _by_head(_qa),
    OpenTriples: _by_head(_arguments),
}
"""By type of record."""
