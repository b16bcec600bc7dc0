"""ML-CTL: the words that count, the layers that are read, and the vectors by a slow loop."""

from __future__ import annotations

import random

import pytest
import torch
from pydantic import ValidationError
from tiny_models import tiny_encoder

from xadapt.backbones.encoder.words import tokenize_words
from xadapt.config.recipe import strict
from xadapt.core.errors import UserError
from xadapt.data.records import ParallelPair, WordPair
from xadapt.functional.losses import pair_contrast
from xadapt.objectives.contract import States, call
from xadapt.objectives.ml_ctl import MLCTL

ENCODER = tiny_encoder("bert")
ENTRIES = [
    WordPair("katze", "cat", "de"),
    WordPair("Hund", "dog", "de"),
    WordPair("matte", "mat", "de"),
]
PAIRS = [
    ParallelPair("die katze sitzt", "the cat sits", "de"),
    ParallelPair("der hund, die katze", "the Dog and the cat", "de"),
    ParallelPair("hund und hund", "dog and dog", "de"),
    ParallelPair("katzen", "category", "de"),
]


def made(records=PAIRS, entries=ENTRIES, seed=0, **options):
    objective = MLCTL(**options)
    memory = objective.prepare(records, entries)
    services = {
        "records": records, "rng": random.Random(seed), "memory": memory,
        "tokenizer": ENCODER.tokenizer,
        "tokenize_words": lambda sentences: tokenize_words(ENCODER, sentences),
    }  # fmt: skip
    return objective, memory, call(objective.views, services)


def test_a_word_counts_once_on_each_side_and_whole():
    _, memory, views = made()
    anchors = [memory.anchors[p.text, p.pivot] for p in PAIRS]
    assert anchors == [[(1, 1)], [(1, 1), (4, 4)], [], []]  # a comma is a word; no part of a word
    assert views["used"] == [0, 1] and views["n"] == 4


def test_the_spans_are_the_pieces_of_the_words():
    _, _, views = made(PAIRS[:1])
    for side, span, word in zip(("text", "pivot"), views["spans"], ("katze", "cat"), strict=True):
        ids = [views[side].rows[row][at] for row, at in span.places]
        assert ids == ENCODER.tokenizer(word, add_special_tokens=False)["input_ids"]


def test_the_rows_hold_no_mask_and_are_read_after_the_first_and_the_last_layer():
    _, _, views = made()
    assert views["text"].rows == views["text_first"].rows
    assert [views[n].layer for n in ("text", "text_first", "pivot", "pivot_first")] == [None, 1] * 2
    assert all(ENCODER.tokenizer.mask_token_id not in row for row in views["text"].rows)


def test_of_several_words_one_is_drawn_anew():
    drawn = {tuple(made(seed=seed)[2]["spans"][0].places) for seed in range(20)}
    assert len(drawn) == 2


def encoded(rows, seed):
    torch.manual_seed(seed)
    tokens = max(map(len, rows))
    mask = torch.tensor([[float(t < len(row)) for t in range(tokens)] for row in rows])
    return States(torch.randn(len(rows), tokens, ENCODER.width), mask)


@pytest.mark.parametrize("words", [True, False])
def test_the_loss_is_that_of_a_slow_loop(words):
    objective, memory, views = made(words=words)
    torch.manual_seed(7)
    heads = objective.heads(ENCODER.width, memory)
    names = ("text", "text_first", "pivot", "pivot_first")
    states = {name: encoded(views[name].rows, number) for number, name in enumerate(names)}
    for own in states.values():  # what stands on padding must not count
        own.hidden[own.mask == 0] = 1e6
    context = {k: v for k, v in views.items() if k not in names}
    found = call(objective.loss, {**states, **context, "memory": memory, "heads": heads})
    vectors = []
    for side, span in zip(("text", "pivot"), views["spans"], strict=True):
        rows = []
        for row in range(2):
            both = states[side].hidden[row] + states[f"{side}_first"].hidden[row]
            snt = both[: len(views[side].rows[row])].mean(0)
            word = both[[at for owner, at in span.places if owner == row]].mean(0)
            rows.append(heads(torch.cat([snt, word]) if words else snt))
        vectors.append(torch.stack(rows))
    expected = pair_contrast(*vectors, 0.07)
    assert torch.allclose(found.values[:2], expected, atol=1e-4)
    assert found.values[2:].tolist() == [0, 0] and found.weights.tolist() == [1, 1, 0, 0]


def test_equal_pairs_of_sentence_and_word_are_no_negatives():
    pair = PAIRS[0]
    objective, memory, views = made([pair, pair])
    heads = objective.heads(ENCODER.width, memory)
    names = ("text", "text_first", "pivot", "pivot_first")
    states = {name: encoded(views[name].rows, number) for number, name in enumerate(names)}
    context = {k: v for k, v in views.items() if k not in names}
    found = call(objective.loss, {**states, **context, "memory": memory, "heads": heads})
    assert found.values.tolist() == [0, 0]


def test_a_batch_without_a_word_costs_nothing():
    objective = MLCTL()
    memory = objective.prepare(PAIRS, ENTRIES)
    services = {
        "records": PAIRS[2:], "rng": random.Random(0), "memory": memory,
        "tokenizer": ENCODER.tokenizer,
        "tokenize_words": lambda sentences: tokenize_words(ENCODER, sentences),
    }  # fmt: skip
    views = call(objective.views, services)
    names = ("text", "text_first", "pivot", "pivot_first")
    states = {name: encoded(views[name].rows, 0) for name in names}
    context = {k: v for k, v in views.items() if k not in names}
    heads = objective.heads(ENCODER.width, memory)
    found = call(objective.loss, {**states, **context, "memory": memory, "heads": heads})
    assert found.values.tolist() == [0, 0] and found.weights.tolist() == [0, 0]


def test_data_without_a_word_of_the_dictionary_is_refused():
    with pytest.raises(UserError, match="no pair holds a word"):
        MLCTL().prepare(PAIRS[2:], ENTRIES)


@pytest.mark.parametrize("option", [{"temperature": 0}, {"loss_form": "nce"}, {"margin": 1}])
def test_wrong_options_are_refused(option):
    with pytest.raises(ValidationError):
        strict(MLCTL).validate_python(option)
