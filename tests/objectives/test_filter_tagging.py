"""FILTER for labels of words: which words have a loss, soft labels by hand, refusals."""

from __future__ import annotations

import random

import pytest
import torch
import torch.nn.functional as F
from tiny_models import tiny_encoder
from tiny_training import translated_words

from xadapt.backbones.encoder.words import tokenize_word_windows, tokenize_words
from xadapt.core.errors import UserError
from xadapt.data.records import TranslatedSentence
from xadapt.heads.head import Head
from xadapt.objectives.contract import States
from xadapt.objectives.filter_tagging import FilterTagging

LABELS = ("O", "B-ANIMAL", "I-ANIMAL")
ROWS = [
    TranslatedSentence(("the", "cat"), ((1, 2, "ANIMAL"),), "en", ("die", "katze", "sitzt")),
    TranslatedSentence(("a", "dog", "runs"), ((1, 2, "ANIMAL"),), "en", ("hund",)),
]


def views(objective, rows=ROWS, seed=0):
    encoder = tiny_encoder()
    return objective.views(
        rows,
        random.Random(seed),
        LABELS,
        lambda sentences: tokenize_words(encoder, sentences),
        lambda sentences: tokenize_word_windows(encoder, sentences),
    )


def made(seed=0):
    torch.manual_seed(seed)
    head = Head("tagging", LABELS, 8)
    head.fused = (1, 2)
    right = States(torch.randn(2, 9, 8), torch.ones(2, 9))
    return States(torch.randn(2, 9, 8), torch.ones(2, 9), right), head


def context(objective):
    found = views(objective)
    return {name: found[name] for name in ("owners", "places", "labels", "others")}


def test_labels_are_of_the_text_alone():
    found = views(FilterTagging(itself=0))
    encoder = tiny_encoder()
    own, said = (
        [words.ids for words in tokenize_words(encoder, [getattr(r, name) for r in ROWS])]
        for name in ("words", "translation")
    )
    assert [tuple(row) for row in found["both"].rows] == said
    assert [tuple(row) for row in found["both"].paired_rows] == own
    assert len(found["labels"]) == len(found["places"]) == 5 and len(found["others"]) == 4
    assert [LABELS[label] for label in found["labels"]] == ["O", "B-ANIMAL", "O", "B-ANIMAL", "O"]


def test_the_first_run_has_no_loss_on_the_translation():
    both, head = made()
    given = context(FilterTagging(itself=0))
    loss = FilterTagging().loss(both, heads=head, companions={}, **given)
    both.hidden.add_(3)
    same = FilterTagging().loss(both, heads=head, companions={}, **given)
    assert torch.equal(loss.values, same.values) and loss.weights.tolist() == [2, 3]


def test_soft_labels_by_hand_without_padding():
    both, head = made()
    taught, teacher = made(1)
    a, t = 0.3, 2.0
    objective = FilterTagging(itself=0, teacher="first", distillation=a, temperature=t)
    given = context(objective)
    plain = FilterTagging().loss(both, heads=head, companions={}, **given).values

    def run():
        first = {"first": teacher}
        return objective.loss(both, heads=head, companions=first, taught=taught, **given)

    wanted = []
    for row in range(2):
        places = [at for own, at in given["others"] if own == row]
        scores, soft = head(both.hidden[row, places]), teacher(taught.hidden[row, places])
        log, target = (scores / t).log_softmax(-1), (soft / t).softmax(-1)  # one softmax a word
        wanted.append(a * t * t * F.kl_div(log, target, reduction="batchmean"))
    assert torch.allclose(run().values, plain + torch.stack(wanted), atol=1e-6)
    before = run().values
    scored = set(given["others"])
    for row in range(2):
        for at in range(9):
            if (row, at) not in scored:  # padding and tokens that begin no word
                both.hidden[row, at] += 10
                taught.hidden[row, at] -= 10
    assert torch.equal(run().values, before)


def test_the_teacher_reads_the_pairs_of_the_step():
    for seed in range(3):
        rows = translated_words(8)
        found = views(FilterTagging(teacher="first", itself=0.5), rows, seed)
        both, taught = found["both"], found["taught"]
        assert (both.rows, both.paired_rows) == (taught.rows, taught.paired_rows)
        assert taught.module == "first" and taught.fused == both.fused


def test_data_without_translations_are_refused():
    bare = [TranslatedSentence(row.words, row.spans, "en") for row in ROWS]
    with pytest.raises(UserError, match="none of the 2 sentences has a translation"):
        FilterTagging().prepare(bare)
    assert {"O", "B-ANIMAL"} <= set(FilterTagging().prepare(ROWS))
    with pytest.raises(ValueError, match="fusion"):
        FilterTagging(fusion=-1)
