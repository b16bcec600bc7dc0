"""What a run says of its held-out part: scores on the way, evidence at the end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from xadapt.assess import BASE, BOTH, LANGUAGE, Bench, judge_bitext
from xadapt.backbones.encode import encode
from xadapt.backbones.encoder import Encoder
from xadapt.evaluate import open_ie, tagging
from xadapt.evaluate.systems import DIRECTIONS
from xadapt.evaluate.tfidf import NAME as TFIDF
from xadapt.heads import ArgumentHead, Head
from xadapt.hub.manifest import Evidence
from xadapt.matching import nearest
from xadapt.open_ie import argument_spans
from xadapt.records import OpenTriples, ParallelPair, TaggedSentence
from xadapt.tag_scheme import decode
from xadapt.tagger import scores as tag_scores
from xadapt.train.acting import Acting
from xadapt.train.loop import Trainer

MODULE = "module"


def dev_scores(trainer: Trainer, dev: Sequence[Any]) -> dict[str, float]:
    """Scores by name with the module attached; ``score`` is what is maximised."""
    if isinstance(dev[0], TaggedSentence):
        result = _tagged(trainer.encoder, trainer.acting, head_of(trainer), dev, resamples=1)
        return {"score": result[MODULE].score.mean}
    if isinstance(dev[0], OpenTriples):
        (told,) = _arguments(trainer.encoder, trainer.acting, head_of(trainer), dev, resamples=1)
        return {"score": told.value}
    return _retrieval(trainer, dev)


def evidence(
    encoder: Encoder, module: nn.Module, dev: Sequence[Any], head: Head | None = None
) -> list[Evidence]:
    """What is claimed of a module by its held-out part, beside the controls.

    Args:
        encoder: The frozen encoder.
        module: The module; for a task, the whole composition it was trained inside.
        dev: Pairs or sentences of words it was not trained on.
        head: The task head that was trained beside it.
    """
    if not dev:
        return []
    if isinstance(dev[0], (TaggedSentence, OpenTriples)):
        acting = Acting(encoder, module)
        try:
            if isinstance(dev[0], OpenTriples):
                return _arguments(encoder, acting, head, dev)
            return [_tagging_evidence(_tagged(encoder, acting, head, dev))]
        finally:
            acting.remove()
    return _bitext_evidence(encoder, module, dev)


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


def _bitext_evidence(
    encoder: Encoder, module: nn.Module, dev: Sequence[ParallelPair]
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


def _tagged(
    encoder: Encoder,
    acting: Acting,
    head: Head | None,
    dev: Sequence[TaggedSentence],
    resamples: int = 1000,
) -> tagging.Result:
    assert head is not None
    rows = acting.rows([sentence.lang for sentence in dev])
    found = tag_scores(encoder, head, [sentence.words for sentence in dev], rows)
    labels = [decode(each, head.labels, head.scheme) for each in found]
    return tagging.evaluate(dev, {MODULE: labels}, head.scheme, resamples=resamples)


def _tagging_evidence(result: tagging.Result) -> Evidence:
    row = result[MODULE]
    return Evidence(
        task="tagging",
        data="development split",
        metric=result.measure,
        value=row.score.mean,
        controls={tagging.MAJORITY: result[tagging.MAJORITY].score.mean},
        interval=(row.score.low, row.score.high),
        rows=result.sentences,
    )


def _arguments(
    encoder: Encoder,
    acting: Acting,
    head: Head | None,
    dev: Sequence[OpenTriples],
    resamples: int = 1000,
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
