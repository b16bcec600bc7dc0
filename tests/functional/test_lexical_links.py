import numpy as np
import pytest

from xadapt.functional.lexical_links import learn_lexicon


def linked(links):
    return list(zip(*(axis.tolist() for axis in np.nonzero(links)), strict=True))


def table(lexicon):
    rows = zip(lexicon.keys.tolist(), lexicon.forward, lexicon.backward, strict=True)
    return {divmod(key, lexicon.size): (ours, theirs) for key, ours, theirs in rows}


def test_the_example_of_brown_by_hand():
    """(0 1 | 0 1), (0 | 0): after one round t(0|0) = (1/2 + 1) / 2 = 3/4, t(0|1) = 1/2."""
    lexicon = learn_lexicon([[0, 1], [0]], [[0, 1], [0]], rounds=1, diagonal=0)
    found = table(lexicon)
    assert found[0, 0] == pytest.approx((0.75, 0.75))
    assert found[0, 1][0] == pytest.approx(0.25) and found[1, 0][0] == pytest.approx(0.5)
    assert table(learn_lexicon([[0, 1], [0]], [[0, 1], [0]], 30, 0))[0, 0][0] > 0.99


def test_probabilities_sum_to_one_for_each_word():
    rng = np.random.default_rng(0)
    sides = [[rng.integers(0, 9, rng.integers(1, 6)).tolist() for _ in range(30)] for _ in "ab"]
    lexicon = learn_lexicon(*sides)
    for side, values in ((lexicon.keys // lexicon.size, lexicon.forward),
                         (lexicon.keys % lexicon.size, lexicon.backward)):  # fmt: skip
        assert np.bincount(side, values)[np.unique(side)] == pytest.approx(1)


def test_a_reordered_language_is_learnt_and_links_are_of_both_directions():
    rng = np.random.default_rng(1)
    lefts = [rng.choice(40, rng.integers(2, 7), replace=False).tolist() for _ in range(400)]
    rights = [[word + 100 for word in reversed(row)] for row in lefts]
    lexicon = learn_lexicon(lefts, rights, diagonal=0)
    row = lefts[0]
    wanted = [(i, len(row) - 1 - i) for i in range(len(row))]
    assert linked(lexicon.links(row, [w + 100 for w in reversed(row)])) == wanted


def test_the_diagonal_decides_between_equal_words():
    lexicon = learn_lexicon([[0, 0]], [[1, 1]], diagonal=4)
    assert linked(lexicon.links([0, 0], [1, 1])) == [(0, 0), (1, 1)]


def test_unknown_words_and_empty_sides_have_no_links():
    lexicon = learn_lexicon([[0, 1]], [[2, 3]])
    assert not lexicon.links([7, 8], [2, 9]).any()
    assert lexicon.links([], [2]).shape == (0, 1) and lexicon.links([1], []).shape == (1, 0)
    nothing = learn_lexicon([], [])
    assert not nothing.links([0], [0]).any()
    assert not learn_lexicon([[1]], [[]]).links([1], [0]).any()


def test_a_least_posterior_drops_links():
    lexicon = learn_lexicon([[0, 1]], [[2, 3]], diagonal=0)
    assert lexicon.links([0, 1], [2, 3], 0.1).any()
    assert not lexicon.links([0, 1], [2, 3], 0.6).any()
