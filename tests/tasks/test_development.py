from __future__ import annotations

from pathlib import Path

import pytest
import torch
from scipy.stats import spearmanr
from tiny_counts import Counts
from tiny_models import tiny_encoder
from tiny_training import (
    hooks_do_nothing,
    labelled,
    module_for,
    pairs,
    questions,
    scored,
    shaken,
    tagged,
    trainer,
)

from xadapt.backbones.encoder.encode import encode
from xadapt.evaluation.tfidf import NAME as TFIDF
from xadapt.functional.tag_scheme import to_labels
from xadapt.heads.head import Head
from xadapt.objectives.classification import Classification
from xadapt.objectives.pair_scoring import PairScoring
from xadapt.objectives.span_extraction import SpanExtraction
from xadapt.objectives.tagging import Tagging
from xadapt.objectives.translation_ranking import TranslationRanking
from xadapt.tasks import development
from xadapt.tasks.classification import MAJORITY as COMMONEST
from xadapt.tasks.classification import classes
from xadapt.tasks.qa import OVERLAP, answers, f1
from xadapt.tasks.sts import scores
from xadapt.tasks.tagging import MAJORITY
from xadapt.training.tasks import Task

ENCODER = tiny_encoder("bert")


def test_evidence_holds_both_modes_and_ways_beside_the_controls() -> None:
    module = shaken(module_for(ENCODER))
    rows = development.evidence(ENCODER, module, pairs(15))
    assert [(r.sides, r.metric) for r in rows] == [
        (sides, f"accuracy {way} pivot") for sides in ("language", "both") for way in ("to", "from")
    ]
    for row in rows:
        assert row.interval is not None and row.interval[0] <= row.value <= row.interval[1]
        assert row.base is not None and row.controls.keys() == {"tf-idf"}
    assert hooks_do_nothing(ENCODER)
    assert development.evidence(ENCODER, module, []) == []


def test_dev_scores_are_counted_by_hand(tmp_path: Path) -> None:
    encoder = tiny_encoder("bert")
    module = shaken(module_for(encoder))
    rows = pairs(12, seed=2)
    made = trainer(
        tmp_path, [Task("t", TranslationRanking(), rows)], encoder=encoder, module=module
    )
    scores = development.dev_scores(made, rows)
    acts = made.active_module.activation()
    texts, active = (
        encode(encoder, [getattr(r, n) for r in rows], rows=acts) for n in ("text", "pivot")
    )
    frozen = encode(encoder, [r.pivot for r in rows])

    def right(left: torch.Tensor, other: torch.Tensor) -> float:
        unit = [torch.nn.functional.normalize(v, dim=1) for v in (left, other)]
        cosines = unit[0] @ unit[1].T
        hits = [int(row.argmax()) == i for i, row in enumerate(cosines)]
        return sum(hits) / len(hits)

    assert scores["language/to_pivot"] == right(texts, frozen)
    assert scores["language/from_pivot"] == right(frozen, texts)
    assert scores["both/to_pivot"] == right(texts, active)
    assert scores["both/from_pivot"] == right(active, texts)
    four = [v for k, v in scores.items() if "/" in k]
    assert scores["score"] == pytest.approx(sum(four) / 4)
    assert scores["pivot_kept"] < 0.9999


def test_tagging_is_scored_by_what_the_head_says(tmp_path: Path) -> None:
    rows = tagged(30, seed=3)
    made = trainer(tmp_path, [Task("t", Tagging(), tagged(20))], encoder=ENCODER)
    head = development.head_of(made)
    assert isinstance(head, Head) and head.labels == ("O", "B-ANIMAL", "I-ANIMAL")
    with torch.no_grad():
        head.linear.weight.zero_()
        head.linear.bias.copy_(torch.tensor([0.0, 5.0, 0.0]))
    gold = [label for row in rows for label in to_labels(len(row.words), row.spans, "bio")]
    animals = gold.count("B-ANIMAL")
    wanted = 2 * animals / (animals + len(gold))  # every word is called an animal
    assert abs(development.dev_scores(made, rows)["score"] - wanted) < 1e-9
    (told,) = development.evidence(ENCODER, made.module, rows, head)
    assert told.task == "tagging" and told.metric == "f1" and told.rows == 30
    assert abs(told.value - wanted) < 1e-9 and told.controls == {MAJORITY: 0.0}
    assert told.interval is not None and told.interval[0] <= told.value <= told.interval[1]
    assert hooks_do_nothing(ENCODER)
    assert (
        development.head_of(trainer(tmp_path, [Task("r", TranslationRanking(), pairs(8))])) is None
    )


def test_the_evidence_is_of_the_whole_composition(tmp_path: Path) -> None:
    """A frozen module below the trained one is part of what is judged."""
    rows = tagged(12)
    head = Head("tagging", ("O", "B-ANIMAL", "I-ANIMAL"), ENCODER.width)
    whole = shaken(module_for(ENCODER), 3, scale=2.0)
    found = {}
    for name, module in (("bare", module_for(ENCODER)), ("whole", whole)):
        torch.manual_seed(0)
        with torch.no_grad():
            head.linear.weight.copy_(8 * torch.randn(3, ENCODER.width))
            head.linear.bias.copy_(torch.tensor([-9.0, 0.0, -99.0]))
        (found[name],) = development.evidence(ENCODER, module, rows, head)
    assert found["whole"].value != found["bare"].value


TASKS = {
    "classification": (Classification(), labelled, "accuracy", {COMMONEST}),
    "sts": (PairScoring(), scored, "spearman", {TFIDF}),
    "qa": (SpanExtraction(), questions, "f1", {OVERLAP}),
}


@pytest.mark.parametrize("task", TASKS)
def test_heads_for_texts_pairs_and_questions_are_judged(tmp_path: Path, task: str) -> None:
    """By what their predictors say under the module, beside the controls."""
    objective, rows, metric, controls = TASKS[task]
    made = trainer(tmp_path, [Task("t", objective, rows(20))], encoder=tiny_encoder("bert"))
    shaken(made.module)
    head, dev = development.head_of(made), rows(30, 3)
    assert head is not None
    told = development.evidence(made.encoder, made.module, dev, head)
    assert [row.task for row in told] == [task] * 2 and told[0].metric == metric
    assert {row.rows for row in told} == {30} and all(r.controls.keys() == controls for r in told)
    assert all(r.interval and r.interval[0] <= r.value <= r.interval[1] for r in told)
    assert development.dev_scores(made, dev) == {"score": pytest.approx(told[0].value)}
    acts = made.active_module.activation()
    if task == "classification":
        said = classes(made.encoder, head, [row.text for row in dev], acts)
        right = [a == row.label for a, row in zip(said, dev, strict=True)]
        assert told[0].value == sum(right) / 30
    elif task == "sts":
        said = scores(made.encoder, head, [(row.left, row.right) for row in dev], acts)
        wanted = spearmanr(said, [row.score for row in dev]).statistic
        assert told[0].value == pytest.approx(wanted)
    else:
        found = answers(made.encoder, head, [(row.question, row.passage) for row in dev], acts)
        each = [f1(a.text, row.answers[0][1], "de") for a, row in zip(found, dev, strict=True)]
        assert told[0].value == pytest.approx(sum(each) / 30)
    assert (told[0].base is None) == (task != "sts")
    assert hooks_do_nothing(made.encoder)


@pytest.mark.parametrize(("layers", "start"), [([2, 4], 2), ("all", None)])
def test_evaluations_of_a_run_share_what_lies_below_the_module(
    layers: object, start: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder, rows = tiny_encoder("bert"), pairs(12, seed=2)
    module = shaken(module_for(encoder, rank=2, layers=layers))
    made = trainer(
        tmp_path, [Task("t", TranslationRanking(), rows)], encoder=encoder, module=module
    )
    judge = development.task_of(made, rows)
    assert judge is not None and judge.name == "bitext"
    n = len({row.text for row in rows}), len({row.pivot for row in rows})
    assert n == (12, 12)
    expected = []
    for seed in (1, 2):
        shaken(module, seed)
        expected.append(judge.scores(made, rows, None))
    bare = judge.scores(made, rows, None)  # the pivots' vectors are there by now
    counts = Counts(monkeypatch)
    for seed, whole in zip((1, 2), expected, strict=True):
        shaken(module, seed)
        assert development.dev_scores(made, rows) == pytest.approx(whole, abs=1e-6)
    assert bare == expected[1] and bare != expected[0]
    assert counts.taken() == ({0: 48} if start is None else {0: 24, 2: 48})
