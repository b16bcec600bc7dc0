"""RTL: what is read and predicted, no look at the answer, no CLS, and a head of its own."""

from __future__ import annotations

import random

import pytest
import torch
from pydantic import ValidationError
from tiny_models import tiny_encoder
from tiny_training import forward, pairs

from xadapt.backbones.encoder.layers_copy import LayersCopy
from xadapt.config.recipe import strict
from xadapt.core.errors import UserError
from xadapt.data.records import ParallelPair
from xadapt.objectives.contract import States, call
from xadapt.objectives.representation_translation import RepresentationTranslation

ENCODER = tiny_encoder("bert", mlm=True)
MASK = ENCODER.tokenizer.mask_token_id


def services(**more):
    def embed(rows):
        tokens, mask = ENCODER.batch(rows)
        return States(ENCODER.embed(tokens, mask), mask)

    return {
        "tokenizer": ENCODER.tokenizer, "tokenize": ENCODER.tokenize, "embed": embed,
        "max_length": ENCODER.max_length, "lm_head": ENCODER.mlm_head(), **more,
    }  # fmt: skip


def views(records, seed=0, room=None, **options):
    given = services(records=records, rng=random.Random(seed))
    if room:
        given["max_length"] = room
    return call(RepresentationTranslation(**options).views, given)


def states(rows):
    tokens, mask = ENCODER.batch(ENCODER.tokenize(rows))
    return States(forward(ENCODER, tokens, mask).clone().requires_grad_(), mask)


def loss(records, seed=0, given=None, heads=None, **options):
    made = views(records, seed, **options)
    read = {name: states(made[name].rows) for name in ("text", "pivot") if name in made}
    objective = RepresentationTranslation(**options)
    heads = heads or LayersCopy(ENCODER, objective.layers)
    more = {**read, **(given or {}), "predicted": made["predicted"], "heads": heads}
    return call(objective.loss, services(**more)), read


def test_the_copy_computes_what_the_base_does_and_shares_nothing():
    copied = LayersCopy(ENCODER, 1)
    tokens, mask = ENCODER.batch(ENCODER.tokenize(["katze", "hund sitzt"]))
    hidden = ENCODER.embed(tokens, mask)
    before = ENCODER.run(hidden, mask, 0, ENCODER.depth - 1)
    real = mask.bool()
    assert torch.allclose(
        copied(before, mask)[real], ENCODER.run(before, mask, ENCODER.depth - 1)[real], atol=1e-5
    )
    own = {p.data_ptr() for p in copied.parameters()}
    assert own and not own & {p.data_ptr() for p in ENCODER.model.parameters()}
    assert all(p.requires_grad for p in copied.parameters())
    assert not any(p.requires_grad for p in ENCODER.model.parameters())
    assert not copied.train().training
    assert all(not part._forward_hooks and not part._forward_pre_hooks for part in copied.modules())


def test_too_many_layers_are_refused():
    with pytest.raises(UserError, match="a copy of 9 is asked"):
        LayersCopy(ENCODER, 9)


def test_the_text_is_read_and_every_pivot_token_but_the_first_is_predicted():
    records = pairs(5)
    made = views(records)
    assert "pivot" not in made and made["text"].rows == [r.text for r in records]
    own = made["predicted"]["text"]
    for number, record in enumerate(records):
        [source], [target] = ENCODER.tokenize([record.text]), ENCODER.tokenize([record.pivot])
        assert own.read[number] == len(source) - 1
        assert own.rows[number] == [MASK] * (len(source) + len(target) - 2)
        places = [at for owner, at in own.picked if owner == number]
        assert places == list(range(len(source) - 1, len(source) + len(target) - 2))
        labels = [
            t for t, (owner, _) in zip(own.labels, own.picked, strict=True) if owner == number
        ]
        assert labels == target[1:]  # the last one is SEP


def test_the_other_direction_reads_the_pivot():
    both = views(pairs(3), direction="both")
    assert set(both["predicted"]) == {"text", "pivot"} and both["pivot"].module is True
    back = views(pairs(3), direction="from_pivot")
    assert set(back["predicted"]) == {"pivot"} and "text" not in back


def test_by_a_slow_loop_each_record_alone():
    records = pairs(4)
    heads = LayersCopy(ENCODER, 2)
    found, read = loss(records, heads=heads)
    for number, record in enumerate(records):
        [source], [target] = ENCODER.tokenize([record.text]), ENCODER.tokenize([record.pivot])
        length = len(source) - 1
        masks = torch.full((1, length + len(target) - 1), MASK)
        alone = ENCODER.embed(masks, torch.ones_like(masks)).clone()
        alone[0, :length] = read["text"].hidden[number, 1 : len(source)]
        out = heads(alone, torch.ones_like(masks))
        scores = torch.log_softmax(ENCODER.mlm_head()(out[0, length:]), -1)
        each = [-scores[i, token].item() for i, token in enumerate(target[1:])]
        assert found.values[number].item() == pytest.approx(sum(each) / len(each), abs=1e-4)
        assert found.weights[number].item() == len(each)


def test_the_answer_is_not_seen():
    """Another pivot of the same length changes the labels alone, not the scores."""
    heads = LayersCopy(ENCODER, 1)
    one = ParallelPair("katze sitzt", "cat sat", "de")
    other = ParallelPair("katze sitzt", "dog runs", "de")
    rows = [views([r], layers=1)["predicted"]["text"].rows for r in (one, other)]
    assert rows[0] == rows[1]
    assert (
        loss([one], heads=heads, layers=1)[0].values
        != loss([other], heads=heads, layers=1)[0].values
    )


def test_the_first_state_gets_no_gradient_and_all_others_do():
    found, read = loss(pairs(4))
    found.total().backward()
    gradient = read["text"].hidden.grad.abs().sum(-1)
    real = read["text"].mask.clone()
    assert gradient[:, 0].max() == 0
    real[:, 0] = 0
    assert (gradient[real.bool()] > 0).all() and gradient[read["text"].mask == 0].max() == 0


def test_tokens_that_are_shown_are_not_predicted():
    made = views(pairs(40), masked=0.5)["predicted"]["text"]
    places = set(made.picked)
    shown = 0
    for owner, row in enumerate(made.rows):
        for at in range(made.read[owner], len(row)):
            assert (row[at] == MASK) == ((owner, at) in places)
            shown += row[at] != MASK
    assert 0.4 < shown / (shown + len(places)) < 0.6


def test_long_rows_are_cut_to_the_base_and_keep_a_token_to_predict():
    made = views(pairs(6), room=4)["predicted"]["text"]
    assert all(len(row) <= 4 for row in made.rows)
    assert {owner for owner, _ in made.picked} == set(range(6))


def test_the_base_gets_no_gradient_and_the_copy_does():
    heads = LayersCopy(ENCODER, 2)
    loss(pairs(3), heads=heads)[0].total().backward()
    assert all(p.grad is None for p in ENCODER.model.parameters())
    assert any(p.grad is not None and p.grad.abs().max() > 0 for p in heads.parameters())


@pytest.mark.parametrize(
    "option", [{"layers": 0}, {"masked": 0}, {"masked": 2}, {"direction": "x"}]
)
def test_wrong_options_are_refused(option):
    with pytest.raises(ValidationError):
        strict(RepresentationTranslation).validate_python(option)
