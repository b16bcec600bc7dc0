"""Translation language modelling: what sees what, positions, and both ways to join a pair."""

from __future__ import annotations

import random
from functools import partial

import pytest
import torch
from pydantic import ValidationError
from tiny_models import tiny_encoder
from tiny_training import digest, module_for, pairs, shaken, trainer

from xadapt.backbones.encoder.pairs import tokenize_pairs
from xadapt.config.recipe import strict
from xadapt.core.errors import UserError
from xadapt.objectives.contract import FusedView, States
from xadapt.objectives.tlm import TranslationLanguageModelling as TLM
from xadapt.training.forward import Request
from xadapt.training.tasks import Task

STEPS = {"batch_size": 4, "evaluations": 1, "learning_rate": 1e-2, "warmup": 0.0}


@pytest.fixture(scope="module")
def encoder():
    return tiny_encoder("bert", mlm=True)


def views(encoder, records, seed=0, **options):
    join = partial(tokenize_pairs, encoder)
    return TLM(**options).views(
        records, random.Random(seed), encoder.tokenizer, encoder.tokenize, join, encoder.depth
    )


def states(folder, encoder, view, module=None):
    run = trainer(folder, [Task("tlm", TLM(), pairs(2))], encoder=encoder, module=module)
    return run.forward([Request(view, True)])[0]


@pytest.mark.parametrize("restart", [True, False])
def test_labels_are_the_tokens_under_the_masks(encoder, restart):
    rows = pairs(6)
    made = views(encoder, rows, restart=restart, mask_rate=1.0, random_rate=0.0, probability=0.4)
    view, mask = made["pair"], encoder.tokenizer.mask_token_id
    shown = [view.rows, view.paired_rows] if restart else [view.rows]
    if restart:
        plain = [
            encoder.tokenize([r.text for r in rows]),
            encoder.tokenize([r.pivot for r in rows]),
        ]
    else:
        join = tokenize_pairs(encoder, [r.text for r in rows], [r.pivot for r in rows])
        plain = [[pair.ids for pair in join]]
    count = sum(row.count(mask) for side in shown for row in map(list, side))
    assert count == len(made["picked"]) == len(made["labels"]) > 6
    for (owner, side, at), label in zip(made["picked"], made["labels"], strict=True):
        assert shown[side][owner][at] == mask and plain[side][owner][at] == label


def test_only_the_text_is_masked_where_asked(encoder):
    rows = pairs(6)
    for restart in (True, False):
        made = views(encoder, rows, restart=restart, predict="text", probability=1.0)
        if restart:
            assert list(made["pair"].paired_rows) == encoder.tokenize([r.pivot for r in rows])
        ends = [len(row) - 1 for row in encoder.tokenize([r.text for r in rows])]
        assert all(side == 0 and at < ends[owner] for owner, side, at in made["picked"])


def test_a_masked_token_sees_the_translation_and_positions_restart(tmp_path, encoder):
    rows = encoder.tokenize(["die katze", "die katze"])
    other = encoder.tokenize(["the cat", "a dog"])
    found = states(tmp_path, encoder, FusedView(rows, other, (0, encoder.depth)))
    assert not torch.allclose(found.hidden[0, 1], found.hidden[1, 1], atol=1e-4)
    # With its own positions, a pair of equal rows has equal states on both sides.
    same = states(tmp_path, encoder, FusedView(rows, rows, (0, encoder.depth)))
    assert torch.allclose(same.hidden, same.paired.hidden, atol=1e-5)


def test_the_pivot_keeps_its_embeddings_where_asked(tmp_path, encoder):
    module = shaken(module_for(encoder, "embedding_map", rank=2))
    rows, other = encoder.tokenize(["die katze"]), encoder.tokenize(["the cat"])

    def pivot(**options):
        view = FusedView(rows, other, (0, 0), layer=0, **options)
        return states(tmp_path, encoder, view, module).paired.hidden

    tokens, mask = encoder.batch(other)
    bare = encoder.embed(tokens, mask)
    assert torch.equal(pivot(paired_module=False), bare)
    assert not torch.allclose(pivot(), bare, atol=1e-3)
    assert views(encoder, pairs(2), pivot_module=False)["pair"].paired_module is False


def test_the_loss_is_the_mean_over_both_sides_by_hand(encoder):
    hidden = torch.eye(4).repeat(2, 1, 1)
    both = States(hidden, torch.ones(2, 4), States(hidden.flip(1), torch.ones(2, 4)))
    picked = [(0, 1, 0), (1, 0, 2), (0, 0, 1)]
    found = TLM().loss(both, picked, [3, 0, 1], lambda states: 5 * states)
    right, wrong = (-torch.tensor([5.0, 0, 0, 0]).log_softmax(0)[i] for i in (0, 1))
    assert torch.allclose(found.values, torch.stack([right, wrong]))  # (0,1,0) is row 3 of eye
    assert found.weights.tolist() == [2, 1]


@pytest.mark.parametrize("kind", ["lora", "bottleneck", "mixture_of_loras", "embedding_map"])
@pytest.mark.parametrize("restart", [True, False])
def test_it_trains_every_kind(tmp_path, encoder, kind, restart):
    options = {"width": 4} if kind == "bottleneck" else {"rank": 2}
    module = module_for(encoder, kind, **options)
    task = Task("tlm", TLM(restart=restart), pairs(8))
    before, base = digest(module), digest(encoder.model)
    trainer(tmp_path, [task], encoder=encoder, module=module, **STEPS).train()
    assert digest(module) != before and digest(encoder.model) == base


def test_wrong_options_and_bases_are_refused(encoder):
    with pytest.raises(ValidationError, match="needs restart"):
        strict(TLM).validate_python({"restart": False, "pivot_module": False})
    with pytest.raises(ValidationError, match="probability"):
        strict(TLM).validate_python({"probability": 0})
    bare = tiny_encoder("bert")
    bare.tokenizer.mask_token = None
    with pytest.raises(UserError, match="no mask token"):
        views(bare, pairs(2))
