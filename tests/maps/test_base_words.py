import numpy as np
import pytest
import torch
from tiny_models import WIDTH, tiny_encoder

from xadapt.backbones.encoder.words import tokenize_words
from xadapt.core.errors import UserError
from xadapt.maps.base_words import base_vectors, frequent_words, words_of

TEXT = ["A short one, of some words.", "Some more words, to fill", "One: words words"]


@pytest.fixture(scope="module")
def encoder():
    return tiny_encoder()


def states(encoder, words, stop=None):
    """States of one sentence of words, the positions of pieces by word, by the plain forward."""
    [row] = tokenize_words(encoder, [words])
    tokens, mask = encoder.batch([row.ids])
    with torch.no_grad():
        hidden = encoder.run(encoder.embed(tokens, mask), mask, 0, stop)[0]
    owners = encoder.tokenizer([words], is_split_into_words=True).word_ids(0)
    return hidden.double(), [[p for p, o in enumerate(owners) if o == w] for w in range(len(words))]


@pytest.mark.parametrize("layer", [None, 0, 2])
def test_the_mean_of_pieces_then_of_contexts_without_special_tokens(encoder, layer):
    """By hand: ``words`` stands four times, in three lines; case does not count."""
    found = base_vectors(encoder, ["words", "one"], TEXT, layer=layer)
    vectors = {"words": [], "one": []}
    for line in TEXT:
        sentence = words_of(line)
        hidden, pieces = states(encoder, sentence, layer)
        for at, word in enumerate(sentence):
            if word.lower() in vectors:
                vectors[word.lower()].append(hidden[pieces[at]].mean(0).numpy())
    assert len(vectors["words"]) == 4 and len(vectors["one"]) == 2
    for row, word in enumerate(found.words):
        assert np.allclose(found.vectors[row], np.mean(vectors[word], axis=0), atol=1e-5)
    assert found.notes == ()


def test_a_word_of_several_pieces_and_one_at_the_end(encoder):
    """The last word's pieces end before the special tokens."""
    long = "unbelievableness"
    hidden, pieces = states(encoder, ["some", long])
    assert len(pieces[1]) > 1
    found = base_vectors(encoder, [long], [f"some {long}"])
    assert np.allclose(found.vectors[0], hidden[pieces[1]].mean(0).numpy(), atol=1e-5)


def test_a_word_without_a_context_is_read_alone_and_told(encoder):
    hidden, pieces = states(encoder, ["seven"])
    found = base_vectors(encoder, ["seven", "words"], TEXT)
    assert np.allclose(found.vectors[0], hidden[pieces[0]].mean(0).numpy(), atol=1e-5)
    assert found.notes == ("1 words were in no context that could be read: read alone",)
    two = base_vectors(encoder, ["a short"])
    assert two.words == ("a short",)


def test_input_embeddings_know_no_context(encoder):
    table = encoder.model.get_input_embeddings().weight.detach().double()
    found = base_vectors(encoder, ["words"], TEXT, layer="embeddings")
    [row] = tokenize_words(encoder, [["words"]])
    ids = list(row.ids[1:-1])
    assert np.allclose(found.vectors[0], table[ids].mean(0).numpy(), atol=1e-6)
    assert found.notes == () and found.dim == WIDTH


def test_the_most_contexts_are_the_first(encoder):
    one = base_vectors(encoder, ["words"], TEXT, contexts=1)
    assert np.allclose(one.vectors, base_vectors(encoder, ["words"], TEXT[:1]).vectors, atol=1e-6)


def test_a_long_line_is_cut_around_the_word(encoder):
    """At most 32 words are read; a word that the base's length cuts off all the same is told."""
    one, more = ["the"] * 100, ["on"] * 100
    found = base_vectors(encoder, ["cat"], [" ".join([*one, "cat", *more])])
    assert found.notes == ()
    hidden, pieces = states(encoder, ["the"] * 16 + ["cat"] + ["on"] * 15)
    assert np.allclose(found.vectors[0], hidden[pieces[16]].mean(0).numpy(), atol=1e-5)
    cut = base_vectors(encoder, ["cat"], [" ".join(["unbelievable"] * 40 + ["cat"])])
    assert cut.notes == ("1 words were in no context that could be read: read alone",)


@pytest.mark.parametrize("family", ["xlmr", "t5", "modernbert"])
def test_other_families(family):
    assert base_vectors(tiny_encoder(family), ["words", "one"], TEXT).vectors.shape == (2, WIDTH)


def test_what_can_not_be_done_is_one_clear_line(encoder):
    for layer in (5, -1, "last", True and 99):
        with pytest.raises(UserError, match="there is no layer"):
            base_vectors(encoder, ["a"], layer=layer)
    with pytest.raises(UserError, match="no words"):
        base_vectors(encoder, [])


def test_frequent_words():
    assert frequent_words(TEXT, 2) == ["words", "one"]
    assert words_of("L'été, it's co-op 3.5_x!") == ["L'été", "it's", "co-op", "3", "5", "x"]
