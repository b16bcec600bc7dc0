"""Span corruption: the paper's example by hand, the counts, and a text put together again."""

from __future__ import annotations

import itertools
import random
from pathlib import Path

import pytest
from tiny_seq2seq_training import module_of, small, trainer
from tiny_training import plain

from xadapt.core.errors import UserError
from xadapt.data.records import PlainText
from xadapt.objectives.span_corruption import SpanCorruption, corrupted, noise_mask
from xadapt.training.tasks import Task


def test_the_example_of_the_paper():
    """Thank you <for inviting> me to your party <last> week: figure 2 of Raffel et al. 2020."""
    ids = [10, 11, 12, 13, 14, 15, 16, 17, 18, 19]
    hidden = [place in (2, 3, 8) for place in range(10)]
    source, target = corrupted(ids, hidden, [99, 98, 97])
    assert source == [10, 11, 99, 14, 15, 16, 17, 98, 19]
    assert target == [99, 12, 13, 98, 18]


def test_the_share_and_the_length_of_spans_are_those_of_t5():
    """100 tokens: 15 are hidden, in 5 spans on a circle; every token is hidden alike often."""
    often = [0] * 100
    for seed in range(400):
        hidden = noise_mask(100, random.Random(seed), 0.15, 3.0, 100)
        assert (len(hidden), sum(hidden), begins([hidden[-1], *hidden])) == (100, 15, 5)
        often = [count + own for count, own in zip(often, hidden, strict=True)]
    assert min(often) > 30 and max(often) < 95  # 60 on average


def begins(hidden):
    """Number of hidden spans behind the first token."""
    return sum(b and not a for a, b in itertools.pairwise(hidden))


@pytest.mark.parametrize(
    ("length", "count", "spans"), [(1, 1, 1), (2, 1, 1), (7, 1, 1), (10, 2, 1), (20, 3, 1)]
)
def test_short_texts_have_at_least_one_hidden_and_one_shown_token(length, count, spans):
    hidden = noise_mask(length, random.Random(0), 0.15, 3.0, 100)
    assert sum(hidden) == count and len(hidden) == length
    assert noise_mask(0, random.Random(0), 0.15, 3.0, 100) == []


def test_there_are_never_more_spans_than_sentinels():
    for most in (1, 2, 3):
        for seed in range(30):
            hidden = noise_mask(400, random.Random(seed), 0.5, 1.0, most)
            assert 1 <= begins([False, *hidden]) <= most and sum(hidden) == 200


def test_source_and_target_hold_the_text():
    """Each sentinel of the source is replaced by its span of the target."""
    rng = random.Random(5)
    sentinels = list(range(900, 1000))
    for _ in range(300):
        ids = [rng.randrange(100) for _ in range(rng.randint(1, 80))]
        hidden = noise_mask(len(ids), rng, rng.uniform(0.05, 0.9), rng.uniform(1, 5), 100)
        source, target = corrupted(ids, hidden, sentinels)
        spans: dict[int, list[int]] = {}
        for token in target:
            if token >= 900:
                spans[token] = []
                last = token
            else:
                spans[last].append(token)
        whole = [t for token in source for t in (spans[token] if token >= 900 else [token])]
        assert whole == ids and all(spans.values())


def views_of(seq2seq, tmp_path: Path, records, seed=0):
    task = Task("span_corruption", SpanCorruption(0.3), records)
    run = trainer(tmp_path, seq2seq, [task], module_of(seq2seq))
    views = task.views(
        range(len(records)), random.Random(seed), run.of_base.services, run.processes
    )
    return views.requests[0].view


def test_rows_end_and_draws_follow_from_the_seed(tmp_path):
    seq2seq, records = small(), plain(6)
    end = seq2seq.tokenizer.eos_token_id
    first = views_of(seq2seq, tmp_path, records)
    assert all(row[-1] == end and end not in row[:-1] for row in (*first.rows, *first.targets))
    assert views_of(seq2seq, tmp_path, records) == first
    assert views_of(seq2seq, tmp_path, records, seed=1).rows != first.rows
    assert first.langs == ["de"] * 6


def test_a_base_without_sentinels_is_named(tmp_path):
    seq2seq = small("m2m_100")
    with pytest.raises(UserError, match="no sentinel tokens"):
        views_of(seq2seq, tmp_path, [PlainText("die katze sitzt", "de")])


@pytest.mark.parametrize("options", [{"probability": 0}, {"probability": 1}, {"mean_span": 0.5}])
def test_options_out_of_range_are_refused(options):
    with pytest.raises(ValueError, match="probability is in"):
        SpanCorruption(**options)
