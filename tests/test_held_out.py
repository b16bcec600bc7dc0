from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tiny_models import tiny_encoder
from tiny_training import module_for, pairs, shaken, tagged, trainer

from xadapt import held_out
from xadapt.backbones.encode import encode
from xadapt.evaluate.tagging import MAJORITY
from xadapt.heads import Head
from xadapt.objectives.tagging import Tagging
from xadapt.objectives.translation_ranking import TranslationRanking
from xadapt.tag_scheme import to_labels
from xadapt.train.tasks import Task

ENCODER = tiny_encoder("bert")


def test_evidence_holds_both_modes_and_ways_beside_the_controls() -> None:
    module = shaken(module_for(ENCODER))
    rows = held_out.evidence(ENCODER, module, pairs(15))
    assert [(r.sides, r.metric) for r in rows] == [
        (sides, f"accuracy {way} pivot") for sides in ("language", "both") for way in ("to", "from")
    ]
    for row in rows:
        assert row.interval is not None and row.interval[0] <= row.value <= row.interval[1]
        assert row.base is not None and row.controls.keys() == {"tf-idf"}
    assert not any(m._forward_hooks for m in ENCODER.model.modules())
    assert held_out.evidence(ENCODER, module, []) == []


def test_dev_scores_are_counted_by_hand(tmp_path: Path) -> None:
    encoder = tiny_encoder("bert")
    module = shaken(module_for(encoder))
    rows = pairs(12, seed=2)
    made = trainer(
        tmp_path, [Task("t", TranslationRanking(), rows)], encoder=encoder, module=module
    )
    scores = held_out.dev_scores(made, rows)
    with made.acting.on():
        texts, active = (encode(encoder, [getattr(r, n) for r in rows]) for n in ("text", "pivot"))
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
    head = held_out.head_of(made)
    assert isinstance(head, Head) and head.labels == ("O", "B-ANIMAL", "I-ANIMAL")
    with torch.no_grad():
        head.linear.weight.zero_()
        head.linear.bias.copy_(torch.tensor([0.0, 5.0, 0.0]))
    gold = [label for row in rows for label in to_labels(len(row.words), row.spans, "bio")]
    animals = gold.count("B-ANIMAL")
    wanted = 2 * animals / (animals + len(gold))  # every word is called an animal
    assert abs(held_out.dev_scores(made, rows)["score"] - wanted) < 1e-9
    (told,) = held_out.evidence(ENCODER, made.module, rows, head)
    assert told.task == "tagging" and told.metric == "f1" and told.rows == 30
    assert abs(told.value - wanted) < 1e-9 and told.controls == {MAJORITY: 0.0}
    assert told.interval is not None and told.interval[0] <= told.value <= told.interval[1]
    for acting in made.turns:
        acting.remove()
    assert not any(m._forward_hooks for m in ENCODER.model.modules())
    assert held_out.head_of(trainer(tmp_path, [Task("r", TranslationRanking(), pairs(8))])) is None


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
        (found[name],) = held_out.evidence(ENCODER, module, rows, head)
    assert found["whole"].value != found["bare"].value
