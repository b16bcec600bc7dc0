import numpy as np
import pytest

from xadapt.functional.word_alignment import (
    alignment_error_rate,
    argmax_links,
    itermax_links,
    link_counts,
    middle_layer,
    share,
    softmax_links,
    transport_links,
    transport_plan,
    word_links,
)

SCORES = np.array([[0.9, 0.1, 0.2], [0.8, 0.3, 0.7], [0.1, 0.2, 0.6]])
"""Mutual: (0, 0) alone, since row 1 prefers column 0; column 2 prefers row 1, row 2 column 2."""


def linked(links):
    return list(zip(*(axis.tolist() for axis in np.nonzero(links)), strict=True))


def test_argmax_by_hand():
    assert linked(argmax_links(SCORES)) == [(0, 0)]
    assert linked(argmax_links([[0.2, 0.9], [0.8, 0.1]])) == [(0, 1), (1, 0)]
    assert linked(argmax_links([[1.0, 1.0], [1.0, 1.0]])) == [(0, 0)]


def test_itermax_by_hand():
    # Round 2: row 0 and column 0 count .9 of (s + 1) / 2. Row 1: .81, .65, .85; row 2: .495, .6,
    # .8. Column 2: .54, .85, .8. So (1, 2) is mutual; row 2's best, column 2, prefers row 1.
    assert linked(itermax_links(SCORES)) == [(0, 0), (1, 2)]
    assert linked(itermax_links(SCORES, rounds=1)) == [(0, 0)]
    # Round 3: row 2's scores: column 0 .495, column 1 .6, column 2 .72, so column 2 again; column 2
    # now has 0 for row 1, .54 for row 0 (0: both have links), .72 for row 2: a second link.
    assert linked(itermax_links(SCORES, rounds=3)) == [(0, 0), (1, 2), (2, 2)]


def test_itermax_never_removes_links_and_stops_where_a_side_is_full():
    full = [[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]]
    assert linked(itermax_links(full, rounds=5)) == linked(argmax_links(full)) == [(0, 0), (1, 1)]
    rng = np.random.default_rng(0)
    for _ in range(20):
        scores = rng.uniform(-1, 1, (5, 7))
        assert (itermax_links(scores) >= argmax_links(scores)).all()


def test_softmax_by_hand():
    scores = np.log([[8.0, 1.0], [1.0, 1.0]])
    # Rows: 8/9, 1/9 and 1/2, 1/2. Columns: 8/9, 1/9 and 1/2, 1/2.
    assert linked(softmax_links(scores, 0.3)) == [(0, 0), (1, 1)]
    assert linked(softmax_links(scores, 0.6)) == [(0, 0)]
    assert linked(softmax_links(scores, 0.1)) == [(0, 0), (0, 1), (1, 0), (1, 1)]


def test_softmax_does_not_overflow():
    assert linked(softmax_links([[1e4, 0.0], [0.0, 1e4]])) == [(0, 0), (1, 1)]


def test_transport_plan_by_hand():
    # Equal costs: the plan is the product of the masses. A large regularisation: the same.
    assert transport_plan(np.zeros((2, 4)), 0.1, 3) == pytest.approx(np.full((2, 4), 1 / 8))
    assert transport_plan([[0, 9], [9, 0.0]], 1e6, 9) == pytest.approx(
        np.full((2, 2), 0.25), abs=1e-5
    )
    # K = [[1, e^-1], [e^-1, 1]] is symmetric, so P = K / (2 (1 + e^-1)).
    kernel = np.exp([[0.0, -1], [-1, 0]])
    assert transport_plan([[0, 1], [1, 0.0]], 1, 5) == pytest.approx(kernel / kernel.sum())


def test_transport_plan_has_its_masses():
    plan = transport_plan(np.random.default_rng(0).uniform(size=(3, 5)), 0.1, 200)
    assert plan.sum(0) == pytest.approx(np.full(5, 0.2))
    assert plan.sum(1) == pytest.approx(np.full(3, 1 / 3), abs=1e-4)


def test_transport_gives_a_hub_to_one_piece_only():
    """Column 0 is the best of both rows; transport sends the second row elsewhere."""
    scores = [[0.9, 0.1], [0.8, 0.6]]
    assert linked(transport_links(scores, 0.5, 0.05, 200)) == [(0, 0), (1, 1)]
    assert linked(argmax_links(scores)) == [(0, 0)]


@pytest.mark.parametrize("method", [argmax_links, itermax_links, softmax_links, transport_links])
def test_an_empty_side_has_no_links(method):
    for shape in ((0, 3), (3, 0), (0, 0)):
        links = method(np.zeros(shape))
        assert links.shape == shape and links.dtype == bool
    assert linked(method([[0.3]])) == [(0, 0)]
    with pytest.raises(ValueError, match="not \\(n, m\\)"):
        method([0.1, 0.2])


@pytest.mark.parametrize("method", [argmax_links, itermax_links, softmax_links, transport_links])
def test_the_sides_are_alike(method):
    scores = np.random.default_rng(3).uniform(-1, 1, (5, 5))
    assert (method(scores) == method(scores.T).T).mean() > 0.9  # transport: within its rounds


def test_words_are_linked_if_any_of_their_pieces_are():
    links = np.zeros((3, 3), bool)
    links[0, 0] = links[1, 0] = links[2, 2] = True
    assert word_links(links, [0, 0, 1], [0, 1, 1]) == [(0, 0), (1, 1)]
    assert word_links(np.zeros((0, 0), bool), [], []) == []


def test_aer_by_hand():
    sure, possible, found = {(0, 0), (1, 1)}, {(2, 1)}, {(0, 0), (2, 1), (3, 3)}
    counts = link_counts(sure, possible, found)
    assert counts == (1, 2, 3, 2)  # a sure link is a possible one too
    each = [[c] for c in counts]
    assert alignment_error_rate(*each) == pytest.approx(1 - 3 / 5)
    assert share([2], [3]) == pytest.approx(2 / 3) and share([1], [2]) == 0.5


def test_aer_is_of_all_links_not_a_mean_over_sentences():
    # 1 of 1 and 0 of 3: AER = 1 - (1 + 1 + 0 + 0) / (1 + 3 + 1 + 3).
    counts = np.array([[1, 0], [1, 0], [1, 3], [1, 3]])
    assert alignment_error_rate(*counts) == pytest.approx(0.75)


def test_aer_of_all_right_is_0_and_of_none_1():
    links = {(0, 0), (1, 2)}
    assert alignment_error_rate(*([c] for c in link_counts(links, (), links))) == 0
    assert alignment_error_rate(*([c] for c in link_counts(links, (), ()))) == 1
    assert alignment_error_rate([0], [0], [0], [0]) == 0


def test_the_middle_layer():
    assert [middle_layer(depth) for depth in (1, 2, 4, 6, 12, 24)] == [1, 1, 3, 4, 8, 16]
