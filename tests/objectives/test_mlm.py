from __future__ import annotations

import random

import pytest
import torch
from pydantic import ValidationError
from tiny_models import tiny_encoder
from tiny_training import plain

from xadapt.config.recipe import strict
from xadapt.core.errors import UserError
from xadapt.data.records import PlainText
from xadapt.objectives.contract import States
from xadapt.objectives.mlm import MaskedLanguageModelling

ENCODER = tiny_encoder()


def views(records, seed=0, **options):
    objective = MaskedLanguageModelling(**options)
    return objective.views(records, random.Random(seed), ENCODER.tokenizer, ENCODER.tokenize)


def test_hidden_tokens_and_labels_fit():
    records = plain(40)
    made = views(records, probability=0.3)
    true = ENCODER.tokenize([r.text for r in records])
    picked = set(made["picked"])
    special = set(ENCODER.tokenizer.all_special_ids)
    assert len(picked) == len(made["labels"]) and {o for o, _ in picked} == set(range(40))
    for (owner, at), label in zip(made["picked"], made["labels"], strict=True):
        assert true[owner][at] == label and label not in special
    for owner, (row, ids) in enumerate(zip(made["text"].rows, true, strict=True)):
        assert len(row) == len(ids)
        assert all(
            a == b
            for at, (a, b) in enumerate(zip(row, ids, strict=True))
            if (owner, at) not in picked
        )


def test_shares_of_the_disguises():
    made = views(plain(600), probability=0.5)
    shown = [made["text"].rows[o][a] for o, a in made["picked"]]
    masked = sum(s == ENCODER.tokenizer.mask_token_id for s in shown) / len(shown)
    same = sum(s == t for s, t in zip(shown, made["labels"], strict=True)) / len(shown)
    assert abs(masked - 0.8) < 0.04 and abs(same - 0.1) < 0.03
    real = sum(len(r) - 2 for r in made["text"].rows)
    assert abs(len(shown) / real - 0.5) < 0.03
    all_masked = views(plain(20), mask_rate=1.0, random_rate=0.0)
    assert all(all_masked["text"].rows[o][a] == 4 for o, a in all_masked["picked"])


def test_every_record_with_a_token_has_one_hidden_and_an_empty_one_none():
    made = views([PlainText("katze", "de"), PlainText("", "de")], probability=1e-9)
    assert [owner for owner, _ in made["picked"]] == [0]


def test_draws_change_from_step_to_step():
    records = plain(5)
    assert views(records, 1)["picked"] == views(records, 1)["picked"] != views(records, 2)["picked"]


def test_loss_is_the_mean_over_each_records_hidden_tokens():
    torch.manual_seed(0)
    hidden = torch.randn(3, 4, 8)
    table = torch.randn(8, 11)
    picked, labels = [(0, 1), (2, 0), (2, 3)], [5, 0, 10]
    states = States(hidden, torch.ones(3, 4))
    loss = MaskedLanguageModelling().loss(states, picked, labels, lambda x: x @ table)
    each = [
        -torch.log_softmax(hidden[o, a] @ table, 0)[t]
        for (o, a), t in zip(picked, labels, strict=True)
    ]
    assert torch.allclose(
        loss.values, torch.stack([each[0], torch.tensor(0.0), (each[1] + each[2]) / 2])
    )
    assert loss.weights.tolist() == [1, 0, 2]
    assert torch.allclose(loss.total(), sum(each) / 3)


def test_a_batch_without_tokens_costs_nothing():
    states = States(torch.randn(2, 3, 8, requires_grad=True), torch.ones(2, 3))
    loss = MaskedLanguageModelling().loss(states, [], [], lambda x: x @ torch.randn(8, 5))
    assert loss.values.tolist() == [0, 0] and loss.total().item() == 0


def test_a_base_without_mask_token_is_refused():
    class Bare:
        mask_token_id = None

    with pytest.raises(UserError, match="no mask token"):
        MaskedLanguageModelling().views(plain(1), random.Random(0), Bare(), ENCODER.tokenize)


@pytest.mark.parametrize(
    "option",
    [
        {"probability": 0},
        {"probability": 1.1},
        {"mask_rate": -0.1},
        {"mask_rate": 0.8, "random_rate": 0.3},
    ],
)
def test_wrong_options_are_refused(option):
    with pytest.raises(ValidationError):
        strict(MaskedLanguageModelling).validate_python(option)
