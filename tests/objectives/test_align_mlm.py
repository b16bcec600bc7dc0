"""ALIGN-MLM's dictionary term: by hand, its sign and mean, what it leaves alone, and its traps."""

from __future__ import annotations

import random
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from tiny_models import tiny_encoder
from tiny_training import digest, hooks_do_nothing, module_for, plain, trainer, word_pairs

from xadapt.backbones.encoder.words import tokenize_words
from xadapt.core.errors import UserError
from xadapt.data.records import WordPair
from xadapt.evaluation.systems import System
from xadapt.injection.activation import Activation, ActiveAdapter
from xadapt.injection.attachment import embedding_table
from xadapt.injection.word_embeddings import word_embeddings
from xadapt.objectives.align_mlm import AlignMLM
from xadapt.objectives.contract import States
from xadapt.objectives.mlm import MaskedLanguageModelling
from xadapt.tasks.dictionary import WordTranslation, word_side
from xadapt.training.metrics_log import read_metrics
from xadapt.training.tasks import Task

STEPS = {"batch_size": 8, "evaluations": 1, "learning_rate": 3e-2, "warmup": 0.0}


@pytest.fixture(scope="module")
def encoder():
    return tiny_encoder("bert", mlm=True)


def views(encoder, records, **options):
    words = partial(tokenize_words, encoder)
    return AlignMLM(**options).views(records, random.Random(0), encoder.tokenizer, words)


def states(encoder, view, acts=None):
    tokens, mask = encoder.batch(view.rows)
    return States(word_embeddings(encoder, tokens, mask, acts), mask)


def loss(encoder, records):
    made = views(encoder, records)
    word, pivot = (states(encoder, made[side]) for side in ("word", "pivot"))
    return AlignMLM().loss(word, pivot, made["pieces"], made["used"])


def test_one_minus_the_cosine_of_mean_pieces_by_hand(encoder):
    table = embedding_table(encoder).weight
    found = loss(encoder, [WordPair("katze", "cat", "de"), WordPair("paka mbwa", "dog", "de")])
    for value, (word, pivot) in zip(
        found.values, [("katze", "cat"), ("paka mbwa", "dog")], strict=True
    ):
        ids = [
            encoder.tokenizer(text, add_special_tokens=False)["input_ids"] for text in (word, pivot)
        ]
        ours, theirs = (table[own].mean(0) for own in ids)
        assert value == pytest.approx(float(1 - F.cosine_similarity(ours, theirs, dim=0)), abs=1e-6)


def test_the_loss_is_a_mean_over_entries_not_a_sum(encoder):
    rows = word_pairs(6)
    one, twice = loss(encoder, rows), loss(encoder, rows * 2)
    assert twice.total() == pytest.approx(float(one.total()), abs=1e-6)


def test_special_ids_are_no_part_of_a_word(encoder):
    made = views(encoder, [WordPair("katze", "cat", "de")])
    [row], [places] = made["word"].rows, made["pieces"][0]
    assert row[0] == encoder.tokenizer.cls_token_id and 0 not in places
    assert len(row) - 1 not in places


def test_entries_with_equal_or_unknown_pieces_do_not_count(encoder):
    rows = [
        WordPair("katze", "cat", "de"),
        WordPair("seven", "seven", "de"),
        WordPair("猫", "cat", "de"),
    ]
    found = loss(encoder, rows)
    assert found.weights.tolist() == [1, 0, 0]
    assert found.total() == pytest.approx(float(found.values[0]))


def test_the_pivot_has_no_gradient_and_no_module(encoder):
    made = views(encoder, word_pairs(4))
    assert made["word"].module is True and made["pivot"].module is False
    word, pivot = (states(encoder, made[side]) for side in ("word", "pivot"))
    ours, theirs = (s.hidden.clone().requires_grad_() for s in (word, pivot))
    found = AlignMLM().loss(
        States(ours, word.mask), States(theirs, pivot.mask), made["pieces"], made["used"]
    )
    found.total().backward()
    assert ours.grad.any() and theirs.grad is None


def test_training_brings_translations_nearer_and_logs_collapse(tmp_path, encoder):
    module = module_for(encoder, "embedding_map", form="both", rank=4)
    before = digest(encoder.model)
    task = Task("align_mlm", AlignMLM(), word_pairs(16))
    run = trainer(tmp_path, [task], encoder=encoder, module=module, epochs=6, **STEPS)
    run.train()
    rows = [row for row in read_metrics(tmp_path / "metrics.jsonl") if "loss" in row]
    assert rows[-1]["align_mlm/aligned"] > rows[0]["align_mlm/aligned"] + 0.1  # the right sign
    assert {"align_mlm/random", "loss/align_mlm"} <= rows[0].keys()
    assert rows[0]["loss"] == pytest.approx(1 - rows[0]["align_mlm/aligned"], abs=0.05)
    assert digest(encoder.model) == before and hooks_do_nothing(encoder)


def test_a_collapsed_table_shows_in_the_log(encoder):
    same = torch.ones(4, 3, encoder.width)
    states_ = States(same, torch.ones(4, 3))
    found = AlignMLM().loss(states_, states_, [[[1]] * 4] * 2, [True] * 4)
    assert found.logged["random"] == pytest.approx(1.0)


def test_centred_by_hand_and_blind_to_a_common_vector():
    generator = torch.Generator().manual_seed(0)
    ours, theirs = (torch.randn(5, 1, 8, generator=generator) for _ in range(2))
    mask, pieces, used = torch.ones(5, 1), [[[0]] * 5] * 2, [True] * 4 + [False]

    def values(shift, **options):
        word, pivot = States(ours + shift, mask), States(theirs + 3 * shift, mask)
        return AlignMLM(**options).loss(word, pivot, pieces, used).values

    counted = [side[:, 0] - side[:4, 0].mean(0) for side in (ours, theirs)]
    wanted = 1 - F.cosine_similarity(*counted, dim=-1)
    assert torch.allclose(values(0.0, centred=True), wanted, atol=1e-6)
    assert torch.allclose(values(50.0, centred=True), wanted, atol=1e-3)
    assert values(50.0)[:4].max() < 0.01  # not centred, all words seem to be translations


def test_vectors_are_taken_before_the_norm_in_training_as_in_evaluation(encoder):
    module = module_for(encoder, "embedding_map", form="shared", rank=4)
    with torch.no_grad():
        for value in module.parameters():
            value.uniform_(-0.5, 0.5, generator=torch.Generator().manual_seed(1))
    rows = word_pairs(8)
    made = views(encoder, rows)
    acts = Activation.of(ActiveAdapter(encoder, module))
    word, pivot = states(encoder, made["word"], acts), states(encoder, made["pivot"])
    trained = 1 - AlignMLM().loss(word, pivot, made["pieces"], made["used"]).values
    ours, theirs = word_side(encoder, module), word_side(encoder)
    told = F.cosine_similarity(
        torch.from_numpy(ours([r.word for r in rows])),
        torch.from_numpy(theirs([r.pivot for r in rows])),
    )
    assert torch.allclose(trained, told, atol=1e-5)


def test_only_a_shared_map_moves_words_that_were_not_trained(tmp_path, encoder):
    rows = word_pairs(11)
    train, unseen = rows[:8], list(rows[8:])
    bare = word_side(encoder)([r.word for r in unseen])
    moved = {}
    for form in ("shared", "rows"):
        module = module_for(encoder, "embedding_map", form=form, rank=4, row_rank=4)
        task = Task("align_mlm", AlignMLM(), train)
        trainer(tmp_path / form, [task], encoder=encoder, module=module, epochs=3, **STEPS).train()
        seen_pieces = {t for r in train for t in encoder.tokenizer(r.word)["input_ids"]}
        pieces = [
            set(encoder.tokenizer(r.word, add_special_tokens=False)["input_ids"]) for r in unseen
        ]
        apart = [i for i, own in enumerate(pieces) if not own & seen_pieces]
        assert apart
        found = word_side(encoder, module)([r.word for r in unseen])
        moved[form] = abs(found - bare)[apart].max()
    assert moved["rows"] == 0 and moved["shared"] > 0.01


def test_a_module_that_does_not_reach_the_table_is_refused(tmp_path, encoder):
    task = Task("align_mlm", AlignMLM(), word_pairs(4))
    with pytest.raises(UserError, match="can't learn from it"):
        trainer(tmp_path, [task], encoder=encoder, module=module_for(encoder, "lora"))
    with pytest.raises(UserError, match="can't learn"):
        trainer(
            tmp_path,
            [Task("align_mlm", AlignMLM(layer=0), word_pairs(4))],
            encoder=encoder,
            module=module_for(encoder, "lora"),
        )
    above = Task("align_mlm", AlignMLM(layer=2), word_pairs(4))
    trainer(tmp_path, [above], encoder=encoder, module=module_for(encoder, "lora"))


@pytest.mark.parametrize("kind", ["lora", "bottleneck", "mixture_of_loras"])
def test_other_kinds_carry_it_above_their_layers(tmp_path, encoder, kind):
    options = {"width": 4} if kind == "bottleneck" else {"rank": 2}
    module = module_for(encoder, kind, **options)
    task = Task("align_mlm", AlignMLM(layer=2), word_pairs(8))
    before = digest(module)
    trainer(tmp_path, [task], encoder=encoder, module=module, **STEPS).train()
    assert digest(module) != before


def test_it_stands_beside_mlm_with_batches_of_its_own(tmp_path, encoder):
    module = module_for(encoder, "embedding_map", form="both", rank=4, lora_rank=2, layers=[0, 2])
    tasks = [
        Task("mlm", MaskedLanguageModelling(), plain(16)),
        Task("align_mlm", AlignMLM(), word_pairs(40), data="dictionary", weight=10, batch_size=40),
    ]
    run = trainer(tmp_path, tasks, encoder=encoder, module=module, **STEPS)
    assert len(run.plans["dictionary"].batch(0)) == 40 and len(run.plans["train"].batch(0)) == 8
    run.train()
    row = read_metrics(tmp_path / "metrics.jsonl")[0]
    assert row["loss"] == pytest.approx(row["loss/mlm"] + 10 * row["loss/align_mlm"])


def test_resumed_is_uninterrupted(tmp_path):
    def run(folder):
        encoder = tiny_encoder("bert", mlm=True)
        module = module_for(encoder, "embedding_map", form="both", rank=4)
        task = Task("align_mlm", AlignMLM(), word_pairs(24))
        options = {**STEPS, "epochs": 2, "checkpoint_seconds": 1e-9}
        return trainer(folder, [task], encoder=encoder, module=module, **options)

    whole, cut, again = (run(tmp_path / name) for name in ("whole", "cut", "cut"))
    whole.train()
    update = cut._update

    def failing(total, rates):
        if cut.progress.step == 3:
            raise KeyError
        update(total, rates)

    cut._update = failing
    with pytest.raises(KeyError):
        cut.train()
    again.train(resume=True)
    assert digest(again.module) == digest(whole.module)


def test_precision_on_trained_words_is_not_the_held_out_one(tmp_path, encoder):
    """By differences of words alone, trained words are found, and held-out words are not."""
    rows = word_pairs(11)
    train, held = rows[:8], rows[8:]
    module = module_for(encoder, "embedding_map", form="rows", row_rank=16)
    task = Task("align_mlm", AlignMLM(), train)
    trainer(tmp_path, [task], encoder=encoder, module=module, epochs=60, **STEPS).train()
    bare = word_side(encoder)
    own = System(word_side(encoder, module), bare)

    def precision(entries):
        result = WordTranslation().evaluate(entries, {"m": own, "b": System(bare)}, control=False,
                                            resamples=2, pool=[r.pivot for r in rows])  # fmt: skip
        return [result[name].scores["P@1"].mean for name in ("m", "b")]

    assert precision(train)[0] > 0.9 > precision(train)[1]
    assert precision(held)[0] < 0.9
