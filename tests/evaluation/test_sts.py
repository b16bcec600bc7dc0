from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from xadapt.core.errors import UserError
from xadapt.data.records import ScoredPair
from xadapt.evaluation import tfidf
from xadapt.evaluation.sts import control, cosines, evaluate, pearson, spearman


def rows(*scores):
    return [ScoredPair(f"text {i}", f"text {i + 1}", s, "de", "de") for i, s in enumerate(scores)]


def test_spearman_with_ties_by_hand():
    gold, said = np.array([[1.0, 2, 2, 3]]), np.array([[10.0, 10, 20, 30]])
    # ranks 1 2.5 2.5 4 and 1.5 1.5 3 4, mean 2.5: products 1.5+0+0+2.25, squares 4.5 and 4.5
    assert spearman(gold, said)[0] == pytest.approx(3.75 / 4.5)
    assert spearman(gold, gold**3)[0] == pytest.approx(1)
    assert pearson(gold, -2 * gold + 1)[0] == pytest.approx(-1)


def test_both_are_those_of_scipy_row_by_row():
    rng = np.random.default_rng(1)
    gold = rng.integers(0, 6, size=(5, 40)).astype(float)
    said = gold + rng.normal(size=gold.shape).round(1)
    for own, theirs in ((spearman, stats.spearmanr), (pearson, stats.pearsonr)):
        wanted = [theirs(a, b).statistic for a, b in zip(gold, said, strict=True)]
        assert np.allclose(own(gold, said), wanted)


def test_a_constant_goes_with_nothing():
    assert pearson(np.array([[1.0, 2, 3]]), np.full((1, 3), 0.3)).tolist() == [0]


def test_any_scale_counts_alike_and_the_control_stands_last():
    pairs = rows(0.0, 5.0, 2.0, 3.0, 4.0, 1.0)
    gold = np.array([pair.score for pair in pairs], np.float32)
    result = evaluate(pairs, {"a": gold, "b": -7 * gold}, base="a", resamples=50)
    assert result["a"].scores["spearman"].mean == pytest.approx(1)
    assert result["b"].scores["pearson"].mean == pytest.approx(-1)
    assert result["b"].gains["spearman"].mean == pytest.approx(-2)
    assert result.rows[-1].system == tfidf.NAME and result.count == 6


def test_the_control_is_the_cosine_of_each_pair():
    pairs = [
        ScoredPair("die katze", "die katze", 5.0, "de", "de"),
        ScoredPair("die katze", "xyz", 0.0, "de", "de"),
        ScoredPair("ein hund", "ein hut", 2.0, "de", "de"),
    ]
    found = control(pairs)
    whole = tfidf.similarity([p.left for p in pairs], [p.right for p in pairs]).rows(0, 3)
    assert np.allclose(found, np.diag(whole.numpy())) and found[0] == pytest.approx(1)
    assert found[1] == 0 < found[2] < 1


def test_cosines_of_rows():
    left, right = np.array([[3.0, 4], [1, 0], [0, 0]]), np.array([[4.0, 3], [0, 2], [1, 1]])
    assert np.allclose(cosines(left, right), [0.96, 0, 0])


def test_mistakes():
    with pytest.raises(UserError, match="no pairs"):
        evaluate([], {})
    level = evaluate(rows(1.0, 1.0), {"m": np.array([1.0, 2.0])}, resamples=5)
    assert level["m"].scores["spearman"].mean == 0  # a small development part may be so
    for wrong in (np.zeros(2), np.array([0, 1, np.nan])):
        with pytest.raises(UserError, match="one finite score"):
            evaluate(rows(1.0, 2.0, 3.0), {"m": wrong})
