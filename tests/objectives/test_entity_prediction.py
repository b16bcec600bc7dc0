"""Masking of entities: the table of EntityCS, row by row, and what truncation does."""

from __future__ import annotations

import random
from collections import Counter
from functools import partial

import pytest
import torch
from tiny_models import tiny_encoder
from tiny_training import digest, linked_sentences, module_for, trainer

from xadapt.backbones.encoder.text_places import tokenize_places
from xadapt.core.errors import UserError
from xadapt.data.records import LinkedSentence
from xadapt.objectives.contract import States
from xadapt.objectives.pep_m import PartialEntityM
from xadapt.objectives.pep_mrs import PartialEntityMRS
from xadapt.objectives.pep_ms import PartialEntityMS
from xadapt.objectives.wep import WholeEntityPrediction
from xadapt.training.tasks import Task

KINDS = {
    "wep": WholeEntityPrediction,
    "pep_mrs": PartialEntityMRS,
    "pep_ms": PartialEntityMS,
    "pep_m": PartialEntityM,
}
ROWS = linked_sentences(80)


@pytest.fixture(scope="module")
def encoder():
    return tiny_encoder("bert", mlm=True)


def made(encoder, objective, rows, seed=0):
    return objective.views(
        rows, random.Random(seed), encoder.tokenizer, partial(tokenize_places, encoder)
    )


def shares(encoder, objective, seeds=30):
    """How often entity tokens are masked, random, the same, by whether they are predicted."""
    mask = encoder.tokenizer.mask_token_id
    counts = Counter()
    outside = Counter()
    alike = True
    for seed in range(seeds):
        found = made(encoder, objective, ROWS, seed)
        texts = tokenize_places(encoder, [row.text for row in ROWS])
        picked = dict(zip(found["picked"], found["labels"], strict=True))
        for owner, (row, text, shown) in enumerate(
            zip(ROWS, texts, found["text"].rows, strict=True)
        ):
            inside = {at for start, stop, _ in row.mentions for at in text.find(start, stop)}
            kinds = set()
            for at, token in enumerate(text.ids):
                kind = "mask" if shown[at] == mask else "same" if shown[at] == token else "random"
                told = (owner, at) in picked
                assert not told or picked[owner, at] == token
                if at in inside:
                    counts[kind, told] += 1
                    kinds.add((kind, told))
                elif token not in encoder.tokenizer.all_special_ids:
                    outside[kind, told] += 1
                else:
                    assert not told and kind != "mask"
            alike &= len(kinds) == 1
    total, others = counts.total(), outside.total()
    return (
        {key: value / total for key, value in counts.items()},
        {key: value / others for key, value in outside.items()},
        alike,
    )


def near(found, wanted):
    assert set(found) == set(wanted)
    assert {k: pytest.approx(v, abs=0.025) for k, v in wanted.items()} == found


def test_wep_masks_whole_entities_by_one_draw(encoder):
    inside, outside, alike = shares(encoder, WholeEntityPrediction())
    near(inside, {("mask", True): 0.8, ("same", True): 0.2})
    assert alike and outside == {("same", False): 1.0}


def test_pep_mrs_draws_for_each_token(encoder):
    inside, outside, alike = shares(encoder, PartialEntityMRS())
    near(inside, {("mask", True): 0.8, ("random", True): 0.1, ("same", True): 0.1})
    assert not alike and outside == {("same", False): 1.0}


def test_pep_ms_has_no_random_tokens(encoder):
    inside, outside, alike = shares(encoder, PartialEntityMS())
    near(inside, {("mask", True): 0.8, ("same", True): 0.2})
    assert not alike and outside == {("same", False): 1.0}


def test_pep_m_predicts_masked_tokens_alone(encoder):
    inside, outside, alike = shares(encoder, PartialEntityM())
    near(inside, {("mask", True): 0.8, ("same", False): 0.2})
    assert not alike and outside == {("same", False): 1.0}


@pytest.mark.parametrize("name", KINDS)
def test_with_mlm_half_of_the_entities_and_15_percent_of_the_rest(encoder, name):
    inside, outside, _ = shares(encoder, KINDS[name](mlm=True))
    predicted = sum(share for (_, told), share in inside.items() if told)
    assert predicted == pytest.approx(0.4 if name == "pep_m" else 0.5, abs=0.03)
    others = sum(share for (_, told), share in outside.items() if told)
    # at least one token of each row, so a little more than 15 % of these short rows
    assert 0.15 < others < 0.25
    ratio = outside["mask", True] / others
    assert ratio == pytest.approx(0.8, abs=0.03)
    assert outside["random", True] / others == pytest.approx(0.1, abs=0.03)
    assert not any(kind != "same" and not told for kind, told in outside)


def test_the_paper_says_ten_percent_the_same(encoder):
    inside, _, _ = shares(encoder, PartialEntityMS(same_rate=0.1))
    near(inside, {("mask", True): 0.8, ("same", True): 0.1, ("same", False): 0.1})
    with pytest.raises(ValueError, match="same_rate"):
        PartialEntityMS(same_rate=0.3)


def test_an_entity_that_is_cut_is_no_entity(encoder):
    words = "katze " * encoder.max_length
    row = LinkedSentence(words, ((0, 5, "Q1"), (len(words) - 6, len(words) - 1, "Q2")), "de")
    [text] = tokenize_places(encoder, [row.text])
    assert len(text.ids) == encoder.max_length and text.find(len(words) - 6, len(words) - 1) == []
    found = made(encoder, PartialEntityMRS(), [row])
    first = {(0, at) for at in text.find(0, 5)}
    assert first and set(found["picked"]) == first
    # an entity that crosses the end is dropped whole, also its tokens that are there
    last = text.reach
    crossing = LinkedSentence(words, ((last - 5, last + 6, "Q3"),), "de")
    assert made(encoder, WholeEntityPrediction(), [crossing])["picked"] == []


def test_a_sentence_without_a_whole_entity_has_no_loss(encoder):
    rows = [LinkedSentence("die katze", (), "de"), *ROWS[:2]]
    found = made(encoder, WholeEntityPrediction(), rows)
    states = States(torch.randn(3, max(map(len, found["text"].rows)), encoder.width), None)
    loss = WholeEntityPrediction().loss(
        states, found["picked"], found["labels"], encoder.mlm_head()
    )
    assert loss.weights[0] == 0 and loss.values[0] == 0 and torch.isfinite(loss.total())


def test_the_tokens_of_a_mention_are_those_between_its_neighbours(encoder):
    [text] = tokenize_places(encoder, ["die katze hund"])
    [alone] = tokenize_places(encoder, ["katze"])
    own = [text.ids[at] for at in text.find(4, 9)]
    assert own == [t for t in alone.ids if t not in encoder.tokenizer.all_special_ids]
    assert text.find(3, 4) == []  # a space has no token


@pytest.mark.parametrize("name", KINDS)
def test_it_trains_and_leaves_the_base(tmp_path, encoder, name):
    module = module_for(encoder)
    before, base = digest(module), digest(encoder.model)
    task = Task(name, KINDS[name](mlm=name == "pep_ms"), ROWS[:8])
    trainer(tmp_path, [task], encoder=encoder, module=module, evaluations=1, warmup=0.0).train()
    assert digest(module) != before and digest(encoder.model) == base


def test_a_base_without_a_mask_is_refused(encoder, monkeypatch):
    class Bare:
        mask_token_id = None
        all_special_ids = ()

    with pytest.raises(UserError, match="no mask token"):
        PartialEntityM().views(ROWS[:1], random.Random(0), Bare(), lambda texts: [])
