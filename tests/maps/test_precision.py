"""Precision at k.

P@1, P@5 and P@10 by cosine and by CSLS were equal to those of ``facebookresearch/MUSE``
(``src/evaluation/word_translation.py``), and P@1 to that of ``facebookresearch/fastText``
(``alignment/utils.py``), run from their repositories' text on the same random vectors.
"""

import numpy as np
import pytest
import torch
from maps.spaces import rotated, unit

from xadapt.core.errors import UserError
from xadapt.maps.dictionary import Gold
from xadapt.maps.precision import hits, nearest_words, precision


def gold(targets):
    return Gold({at: frozenset(to) for at, to in targets.items()}, len(targets), (), (), 0, 0)


def tensors(*rows):
    return [torch.tensor(one, dtype=torch.float32) for one in rows]


@pytest.fixture(scope="module")
def sides():
    source, target, turn = rotated(words=150, dim=5, noise=0.5)
    return torch.from_numpy(source.vectors @ turn.T.astype(np.float32)), torch.from_numpy(
        target.vectors
    )


def around(cosines, k):
    return np.sort(cosines, axis=1)[:, -k:].mean(axis=1)


def test_csls_is_that_of_all_mapped_source_words(sides):
    """r of a target is over every mapped source word, not over the asked ones or unmapped ones."""
    mapped, target = sides
    asked = [3, 50, 7]
    cosines = unit(mapped.double().numpy()) @ unit(target.double().numpy()).T
    table = 2 * cosines - around(cosines, 10)[:, None] - around(cosines.T, 10)[None]
    found = nearest_words(mapped, target, asked, 5, csls=10)
    for row, at in enumerate(asked):
        assert found.indices[row].tolist() == np.argsort(-table[at])[:5].tolist()
        assert np.allclose(found.scores[row], np.sort(table[at])[::-1][:5], atol=1e-5)
    few = cosines[asked]
    other = 2 * few - around(few, 10)[:, None] - around(few.T, 10)[None]
    assert any(
        np.argsort(-other[row])[:5].tolist() != found.indices[row].tolist() for row in range(3)
    ), "neighbourhoods of the asked words alone must differ in this example"


def test_neighbourhoods_on_the_unmapped_source_would_give_other_answers():
    source, target, turn = rotated(words=150, dim=5, noise=0.5)
    mapped = source.vectors @ turn.T.astype(np.float32)
    right = unit(mapped.astype(float)) @ unit(target.vectors.astype(float)).T
    wrong = unit(source.vectors.astype(float)) @ unit(target.vectors.astype(float)).T
    by_mapped = 2 * right - around(right.T, 10)[None]
    by_unmapped = 2 * right - around(wrong.T, 10)[None]
    assert (by_mapped.argmax(1) != by_unmapped.argmax(1)).any()
    found = nearest_words(
        torch.from_numpy(mapped), torch.from_numpy(target.vectors), range(150), 1, csls=10
    )
    assert found.indices[:, 0].tolist() == by_mapped.argmax(1).tolist()


def test_the_neighbourhood_is_on_the_other_side_so_a_word_never_counts_itself():
    """With k = 1 by hand: r(x) is the cosine to the nearest target, r(y) to the nearest source."""
    mapped, target = tensors([[1, 0], [0.8, 0.6]], [[0.6, 0.8], [1, 0]])
    found = nearest_words(mapped, target, [0, 1], 2, csls=1)
    cosines = np.array([[0.6, 1.0], [0.96, 0.8]])
    r_x, r_y = np.array([1.0, 0.96]), np.array([0.96, 1.0])
    table = 2 * cosines - r_x[:, None] - r_y[None]
    assert np.allclose(np.sort(found.scores, axis=1), np.sort(table, axis=1), atol=1e-6)
    assert np.allclose(table[0, 0], -0.76)  # 1.0 instead of both r would give -0.8


def test_every_target_word_is_a_candidate():
    """The nearest target is a word that no dictionary names: the answer is wrong."""
    mapped, target = tensors([[1, 0]], [[0.9, 0.1], [0, 1], [1, 0.01]])
    assert hits(mapped, target, gold({0: {0}}), (1, 2)).tolist() == [[False, True]]


def test_a_word_with_several_translations_counts_once():
    """Counted by pair, the first word would weigh three times: 3/4 instead of 1/2."""
    mapped, target = tensors([[1, 0], [0, 1]], [[1, 0], [0.9, 0.1], [0.8, 0.2], [-1, -1], [0, 1]])
    found = precision(mapped, target, gold({0: {0, 1, 2}, 1: {3}}), (1,), csls=1)
    assert found["nn"] == {"P@1": 0.5}
    any_of_them = precision(mapped, target, gold({0: {3, 1}}), (1, 2))
    assert any_of_them["nn"] == {"P@1": 0.0, "P@2": 1.0}


def test_k_beyond_the_vocabulary_is_cut():
    mapped, target = tensors([[1, 0]], [[1, 0], [0, 1]])
    assert hits(mapped, target, gold({0: {1}}), (1, 5, 10), 10).tolist() == [[False, True, True]]


def test_no_covered_word_is_one_clear_line():
    mapped, target = tensors([[1, 0]], [[1, 0]])
    with pytest.raises(UserError, match="no word of the dictionary has a vector on both sides"):
        hits(mapped, target, gold({}))
