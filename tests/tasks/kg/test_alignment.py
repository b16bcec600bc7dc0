from __future__ import annotations

import numpy as np
import pytest

from xadapt.tasks.kg import alignment
from xadapt.tasks.kg.alignment import (
    Answers,
    Scored,
    assign,
    candidates,
    comparison,
    find_matches,
    measure,
    mutual,
)
from xadapt.tasks.kg.likeness import BySpelling, ByVectors, Mixed


def mixed(n=12, m=15, seed=0):
    draw = np.random.default_rng(seed)
    views = {
        "text": ByVectors(draw.normal(size=(n, 5)), draw.normal(size=(m, 5))),
        "structure": ByVectors(draw.normal(size=(n, 3)), draw.normal(size=(m, 3))),
        "names": BySpelling.of([f"ab {i} cd" for i in range(n)], [f"cd {i} ab" for i in range(m)]),
    }
    return views


def table(one):
    similarity = one.similarity()
    return similarity.rows(0, similarity.shape[0]).numpy().astype(np.float64)


def slow_csls(scores, k):
    row = np.sort(scores, axis=1)[:, -k:].mean(axis=1)
    column = np.sort(scores, axis=0)[-k:].mean(axis=0)
    return 2 * scores - row[:, None] - column


@pytest.mark.parametrize("names", [("text",), ("text", "structure"), ("text", "names")])
@pytest.mark.parametrize("csls", [0, 3, 99])
def test_the_search_equals_a_table(names, csls):
    one = Mixed(mixed(), dict.fromkeys(names, 1.0))
    scores = table(one)
    wanted = slow_csls(scores, min(csls, 12)) if csls else scores
    found = find_matches(one, 4, csls=csls)
    for neighbours, own in ((found.forward, wanted), (found.backward, wanted.T)):
        assert neighbours.indices.tolist() == np.argsort(-own, axis=1)[:, :4].tolist()
        assert neighbours.scores == pytest.approx(-np.sort(-own, axis=1)[:, :4], abs=1e-5)
    corrected = found.corrected(one.similarity())
    assert corrected.rows(0, 12).numpy() == pytest.approx(wanted, abs=1e-5)
    assert (found.half_means is None) == (csls == 0)


def test_more_neighbours_than_entities_are_cut():
    found = find_matches(Mixed(mixed(3, 5), {"text": 1.0}), 50, csls=50)
    assert found.forward.indices.shape == (3, 3) and found.backward.indices.shape == (5, 3)


def test_score_rank_and_margin_by_hand():
    left = np.eye(2)
    right = np.array([[0.8, 0.6], [0.6, 0.8], [1.0, 0.0]])
    found = find_matches(Mixed({"v": ByVectors(left, right)}, {"v": 1}), 3)
    made = candidates(found.forward, 2)
    assert made.left.tolist() == [0, 0, 1, 1] and made.right.tolist() == [2, 0, 1, 0]
    assert made.ranks.tolist() == [1, 2, 1, 2]
    assert made.scores == pytest.approx([1, 0.8, 0.8, 0.6], abs=1e-6)
    assert made.margins == pytest.approx([0.2, -0.2, 0.2, -0.2], abs=1e-6)
    alone = find_matches(Mixed({"v": ByVectors(left[:1], right[:1])}, {"v": 1}), 3)
    assert np.isnan(candidates(alone.forward, 5).margins).all()


def test_mutual_pairs_are_nearest_to_each_other():
    one = Mixed(mixed(20, 20), {"text": 1.0})
    scores = table(one)
    found = mutual(find_matches(one, 2))
    wanted = [(i, j) for i, j in enumerate(scores.argmax(1)) if scores[:, j].argmax() == i]
    assert list(zip(found.left.tolist(), found.right.tolist(), strict=True)) == wanted
    assert (found.ranks == 1).all()


@pytest.mark.parametrize("csls", [0, 5])
def test_an_assignment_has_ranks_of_its_own_scores(csls, monkeypatch):
    one = Mixed(mixed(12, 15), {"text": 1.0})
    found = find_matches(one, 2, csls=csls)
    made, whole = assign(one, found)
    scores = slow_csls(table(one), 5) if csls else table(one)
    assert whole and len(made) == 12 == len(set(made.right.tolist()))
    for left, right, score, rank, margin in zip(
        made.left, made.right, made.scores, made.ranks, made.margins, strict=True
    ):
        row = scores[left]
        assert score == pytest.approx(row[right], abs=1e-5)
        assert rank == 1 + (row > row[right] + 1e-9).sum()
        assert margin == pytest.approx(row[right] - np.delete(row, right).max(), abs=1e-5)
    monkeypatch.setattr(alignment, "CELLS", 5)
    small, whole = assign(one, found)
    assert not whole and len(set(small.right.tolist())) == len(small) <= 12
    assert (small.ranks >= 1).all() and (small.ranks <= 2).all()


def test_answers_stand_first_and_links_that_share_an_entity_are_one():
    links = np.array([[4, 1], [4, 3], [2, 0]])
    answers, left, right = Answers.of(links, 6, 5)
    assert left.tolist() == [2, 4, 0, 1, 3, 5] and right.tolist() == [0, 1, 3, 2, 4]
    assert answers.asked == (2, 3)
    same = answers.left[:, None] == answers.right[None]
    assert np.argwhere(same).tolist() == [[0, 0], [1, 1], [1, 2]]
    inner = answers.within_test()
    assert len(inner.left) == 2 and len(inner.right) == 3


@pytest.mark.parametrize("pool", ["test", "all"])
def test_ranks_equal_slow_loops_in_both_pools(pool):
    links = np.array([[4, 1], [4, 3], [2, 0], [7, 9]])
    one = Mixed(mixed(10, 12), {"text": 0.5, "structure": 0.5})
    answers, left, right = Answers.of(links, 10, 12)
    if pool == "test":
        answers = answers.within_test()
        left, right = left[: answers.asked[0]], right[: answers.asked[1]]
    found = measure(one.chosen(left, right), answers, csls=4)
    plain = table(one.chosen(left, right))
    for name, scores in (("plain", plain), ("csls", slow_csls(plain, min(4, *plain.shape)))):
        for way, own, asked, held in (
            ("forward", scores, answers.left, answers.right),
            ("backward", scores.T, answers.right, answers.left),
        ):
            for row in range(answers.asked[way == "backward"]):
                good = held == asked[row]
                wanted = 1 + (own[row][~good] > own[row][good].max() + 1e-9).sum()
                assert found[name].ranks[way][row] == wanted


def test_a_constant_view_is_at_chance_and_a_perfect_one_is_right():
    links = np.stack([np.arange(8), np.arange(8)], axis=1)
    answers, *_ = Answers.of(links, 8, 8)
    same = np.ones((8, 3))
    constant = measure(Mixed({"v": ByVectors(same, same)}, {"v": 1}), answers)["plain"]
    assert (constant.ranks["forward"] == 4.5).all()
    eye = np.eye(8)
    perfect = measure(Mixed({"v": ByVectors(eye, eye)}, {"v": 1}), answers)["plain"]
    result = comparison({"constant": constant, "perfect": perfect}, "all", answers, resamples=20,
                        base="constant")  # fmt: skip
    assert result["perfect"].scores["mrr forward"].mean == 1
    assert result["constant"].scores["mrr backward"].mean == pytest.approx(2 / 9)
    assert result["perfect"].gains["hits@1 forward"].low > 0
    assert result.facts["pool_size"] == {"forward": 8, "backward": 8}


def test_hits_do_not_exceed_mrr():
    ranks = {"forward": np.array([1, 2.5, 9]), "backward": np.array([1.0, 12])}
    columns = Scored(ranks).columns
    assert columns["hits@1 forward"][0].tolist() == [1, 0, 0]
    assert columns["hits@10 backward"][0].tolist() == [1, 0]
    assert columns["mrr forward"][0] == pytest.approx([1, 0.4, 1 / 9])


def test_precision_and_recall_count_test_entities_alone():
    links = np.array([[0, 0], [1, 1], [2, 2]])
    answers, *_ = Answers.of(links, 5, 5)
    made = candidates(find_matches(Mixed({"v": ByVectors(np.eye(5), np.eye(5)[[0, 2, 1, 3, 4]])},
                                         {"v": 1}), 2).forward, 1)  # fmt: skip
    assert answers.right_share(made) == (pytest.approx(1 / 3), pytest.approx(1 / 3))
    assert answers.right_share(made.chosen(np.array([0]))) == (1.0, pytest.approx(1 / 3))
    assert answers.right_share(made.chosen(np.array([4]))) == (0.0, 0.0)
