from __future__ import annotations

import random

import pytest
import torch
from tiny_models import tiny_encoder
from tiny_training import tagged

from xadapt.backbones.encoder.words import tokenize_word_windows
from xadapt.core.errors import UserError
from xadapt.data.records import TaggedSentence
from xadapt.objectives.target_words import Words, drawn, require_target


@pytest.fixture(scope="module")
def windows():
    encoder = tiny_encoder()
    return lambda sentences: tokenize_word_windows(encoder, sentences)


def test_each_word_has_its_first_token(windows):
    rows = [TaggedSentence(("katzehund", "sitzt"), (), "de"), TaggedSentence(("cat",), (), "en")]
    words = Words.of(rows, windows)
    pieces = [windows([[word]])[0].ids[1:-1] for word in ("katzehund", "sitzt", "cat")]
    assert len(pieces[0]) > 1, "the word must have several tokens"
    assert words.places == [(0, 1), (0, 1 + len(pieces[0])), (1, 1)]
    assert words.owners == [0, 0, 1] and words.numbers == [0, 1, 0] and words.langs == ["de", "en"]
    hidden = torch.arange(2 * len(words.rows[0]) * 3).reshape(2, -1, 3).double()
    assert words.states(hidden).dtype == torch.float32
    assert words.states(hidden).tolist() == [hidden[place].tolist() for place in words.places]


def test_a_long_sentence_has_each_word_once(windows):
    row = TaggedSentence(("katze", "sitzt") * 60, (), "de")
    words = Words.of([row], windows)
    assert len(words.rows) > 1 and words.owners == [0] * 120
    assert sorted(words.numbers) == list(range(120))


def test_means_over_sentences_by_hand():
    words = Words([], [], [(0, 1)] * 3, [2, 0, 2], [0, 0, 1], 3)
    means, counts = words.means(torch.tensor([1.0, 5.0, 4.0]))
    assert means.tolist() == [5, 0, 2.5] and counts.tolist() == [1, 0, 2]


def test_a_draw_belongs_to_its_record_and_step():
    records, target = tagged(12), tagged(40, seed=1)
    found = drawn(records, random.Random(3), target)
    assert found == drawn(records, random.Random(3), target)
    order = [5, 0, 11, 2]
    some = drawn([records[i] for i in order], random.Random(3), target)
    assert some == [found[i] for i in order]
    assert found != drawn(records, random.Random(4), target) and set(found) <= set(target)


def test_no_target_is_refused():
    with pytest.raises(UserError, match="there is no sentence of the target language"):
        require_target([])
