import numpy as np
import pytest
import torch
from tiny_models import tiny_encoder
from tiny_training import module_for, shaken

from xadapt.backbones.encoder.words import tokenize_words
from xadapt.core.errors import UserError
from xadapt.inference.word_aligner import (
    METHODS,
    Aligning,
    SentenceStates,
    align_states,
    align_words,
    aligning_of,
    sentence_states,
)
from xadapt.injection.activation import Activation, ActiveAdapter

PAIRS = [(["the", "cat", "sat"], ["the", "cat", "sat"]), (["a", "dog"], ["looks", "a", "dog"])]


@pytest.fixture(scope="module")
def encoder():
    return tiny_encoder()


def test_states_are_those_of_each_words_pieces(encoder):
    sentence = ["the", "Katze", "unbelievably"]
    [row] = tokenize_words(encoder, [sentence])
    for layer in (0, 2, encoder.depth):
        [own] = sentence_states(encoder, [sentence], layer)
        tokens, mask = encoder.batch([row.ids])
        whole = encoder.run(encoder.embed(tokens, mask), mask, 0, layer)[0]
        assert own.words == [w for w in row.owners if w is not None]
        places = [at for at, word in enumerate(row.owners) if word is not None]
        assert np.allclose(own.states, whole[places].numpy(), atol=1e-5)
    assert len(own.words) > len(sentence)  # some word has several pieces


def test_the_mean_of_a_words_pieces():
    states = np.array([[1.0, 0], [3, 0], [0, 5]], np.float32)
    words = SentenceStates(states, [0, 0, 2]).by_word
    assert words.states.tolist() == [[2, 0], [0, 5]] and words.words == [0, 2]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("units", ["pieces", "words"])
def test_a_sentence_is_aligned_with_itself(encoder, method, units):
    how = Aligning(method, layer=1, units=units, temperature=0.01)
    found = align_words(encoder, PAIRS[:1], how)
    assert {(i, i) for i in range(3)} <= set(found[0])


def test_other_rows_do_not_change_links(encoder):
    alone = [align_words(encoder, [pair])[0] for pair in PAIRS]
    assert align_words(encoder, PAIRS) == alone
    assert align_words(encoder, PAIRS[::-1]) == alone[::-1]


def test_a_module_acts_on_the_side_that_has_it(encoder):
    acts = Activation.of(ActiveAdapter(encoder, shaken(module_for(encoder))))
    sentences = [one for one, _ in PAIRS]
    bare = sentence_states(encoder, sentences, 3)
    through = sentence_states(encoder, sentences, 3, acts)
    assert not np.allclose(bare[0].states, through[0].states, atol=1e-3)
    how = Aligning(layer=3)
    expected = [align_states(a, b, how) for a, b in zip(through, bare, strict=True)]
    same = [(one, one) for one in sentences]
    assert align_words(encoder, same, how, acts) == expected


def test_dot_products_are_those_of_awesome_align():
    left = SentenceStates(np.array([[2.0, 0], [0, 2]], np.float32), [0, 1])
    right = SentenceStates(np.array([[0.0, 3], [3, 0]], np.float32), [0, 1])
    how = Aligning("softmax", threshold=0.001, similarity="dot", temperature=1)
    scores = torch.tensor([[0.0, 6], [6, 0]])
    both = (scores.softmax(1) > 0.001) & (scores.softmax(0) > 0.001)
    assert align_states(left, right, how) == [tuple(at) for at in both.nonzero().tolist()]


def test_words_that_are_cut_off_have_no_link(encoder):
    long = ["the", "cat"] * 60
    [links] = align_words(encoder, [(long, long)])
    last = max(i for i, _ in links)
    assert 10 < last < len(long) - 1


def test_no_pair_and_a_word_without_a_piece(encoder):
    assert align_words(encoder, []) == []
    assert align_words(encoder, [(["\u200b"], ["cat"])])[0] in ([], [(0, 0)])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"method": "best"}, "method is argmax or itermax"),
        ({"units": "letters"}, "units is pieces or words"),
        ({"similarity": "l2", "method": "softmax"}, "similarity is cosine or dot"),
        ({"temperature": 0.0}, "above 0"),
        ({"threshold": 0.1}, "argmax has no threshold"),
        ({"method": "softmax", "threshold": 1.0}, "below 1"),
        ({"similarity": "dot"}, "for the method softmax"),
    ],
)
def test_wrong_options_are_one_line(given, said):
    with pytest.raises(UserError, match=said):
        aligning_of(given)


def test_a_layer_that_is_not_there(encoder):
    with pytest.raises(UserError, match="4 layers, so there is no layer 9"):
        align_words(encoder, PAIRS, Aligning(layer=9))
    assert aligning_of({"layer": None}).at(4) == 3
