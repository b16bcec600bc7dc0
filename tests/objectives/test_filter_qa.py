"""FILTER for answers: each side's own answer, soft labels by row, lost answers, windows."""

from __future__ import annotations

import random

import pytest
import torch
import torch.nn.functional as F
from tiny_models import tiny_encoder
from tiny_training import translated_questions

from xadapt.backbones.encoder.pairs import tokenize_windows
from xadapt.core.errors import UserError
from xadapt.data.records import TranslatedQuestion
from xadapt.heads.head import Head
from xadapt.objectives.contract import States
from xadapt.objectives.filter_qa import FilterQa

NAMES = ("owners", "places", "others", "answered")
SAID = ("eins katze", "die katze sitzt")
ROWS = [
    TranslatedQuestion("two cat", "the cat sat", ((4, "cat"),), "en", SAID, ((4, "katze"),)),
    TranslatedQuestion("two cat", "the cat", ((4, "cat"),), "en", SAID, ()),
]


def views(objective, rows=ROWS, seed=0):
    encoder = tiny_encoder()
    return objective.views(
        rows, random.Random(seed), lambda *given: tokenize_windows(encoder, *given)
    )


def made(seed=0, tokens=24):
    torch.manual_seed(seed)
    head = Head("span_extraction", ("start", "end"), 8)
    head.fused = (1, 2)
    mask = torch.ones(2, tokens)
    mask[1, 18:] = 0
    return States(torch.randn(2, tokens, 8), mask, States(torch.randn(2, tokens, 8), mask)), head


def test_each_side_has_its_own_answer_and_a_lost_one_has_no_loss():
    given = views(FilterQa(itself=0))
    both, head = made()
    loss = FilterQa().loss(both, heads=head, companions={}, **{n: given[n] for n in NAMES})

    def by_hand(states, places, row):
        length = int(states.mask[row].sum())
        scores = head(states.hidden[row, :length]).T
        return F.cross_entropy(scores, torch.tensor(places[row]))

    own = [by_hand(both.paired, given["places"], row) for row in range(2)]
    wanted = [own[0] + by_hand(both, given["others"], 0), own[1]]
    assert given["answered"] == [True, False] and given["places"][0] != (0, 0)
    assert torch.allclose(loss.values, torch.stack(wanted), atol=1e-5)


def test_one_softmax_a_row_without_padding():
    t, a = 2.0, 0.3
    objective = FilterQa(itself=0, teacher="first", distillation=a, temperature=t)
    found = views(objective)
    given = {name: found[name] for name in NAMES}
    (both, head), (taught, teacher) = made(), made(1)

    def run(states, soft):
        first = {"first": teacher}
        return objective.loss(states, heads=head, companions=first, taught=soft, **given).values

    plain = FilterQa().loss(both, heads=head, companions={}, **given).values
    one = {**given, "answered": [False, False]}
    without = FilterQa().loss(both, heads=head, companions={}, **one).values
    wanted = []
    for row in range(2):
        length = int(both.mask[row].sum())
        scores, soft = head(both.hidden[row, :length]).T, teacher(taught.hidden[row, :length]).T
        log, target = (scores / t).log_softmax(-1), (soft / t).softmax(-1)
        wanted.append(a * t * t * F.kl_div(log, target, reduction="batchmean"))
    hard = (1 - a) * (plain - without)
    assert torch.allclose(run(both, taught), without + hard + torch.stack(wanted), atol=1e-4)
    before = run(both, taught)
    both.hidden[1, 18:] += 7
    taught.hidden[1, 18:] -= 7
    assert torch.equal(run(both, taught), before)


def test_windows_pair_by_number_and_the_last_one_stands_for_missing_ones():
    long = " ".join(["the mat sat on"] * 60)
    row = TranslatedQuestion("two cat", long, ((4, "mat"),), "en", SAID, ((4, "katze"),))
    found = views(FilterQa(itself=0), [row])
    encoder = tiny_encoder()
    windows = [window.ids for window in tokenize_windows(encoder, ["two cat"], [long], 128)]
    assert len(windows) > 1 and list(found["both"].paired_rows) == windows
    assert len(found["both"].rows) == len(windows) and len(set(found["both"].rows)) == 1


def test_the_teacher_reads_the_pairs_of_the_step():
    found = views(FilterQa(teacher="first", itself=0.5), translated_questions(8))
    both, taught = found["both"], found["taught"]
    assert (both.rows, both.paired_rows) == (taught.rows, taught.paired_rows)


def test_data_without_translations_are_refused():
    with pytest.raises(UserError, match="none of the 1 questions has a translation"):
        FilterQa().prepare([TranslatedQuestion("a", "b", (), "en")])
    with pytest.raises(ValueError, match="overlap"):
        FilterQa(overlap=-1)
