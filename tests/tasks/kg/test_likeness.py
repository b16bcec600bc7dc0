from __future__ import annotations

import numpy as np
import pytest

from xadapt.core.errors import UserError
from xadapt.tasks.kg.likeness import BySpelling, ByVectors, Mixed, Sum, side_by_side
from xadapt.vectors import matching


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def cosine(a, b):
    unit = lambda x: x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-30)  # noqa: E731
    return unit(a) @ unit(b).T


@pytest.fixture
def views():
    left, right = draw(7, 4), draw(9, 4, seed=1)
    far, near = draw(7, 6, seed=2), draw(9, 6, seed=3)
    far[2] = 0  # an entity that a view knows nothing about
    near[5] = 0
    names = BySpelling.of([f"Kel {i}" for i in range(7)], [f"Kel {i}" for i in range(9)])
    return {"text": ByVectors(left, right), "structure": ByVectors(far, near), "names": names}


def whole(similarity):
    return similarity.rows(0, similarity.shape[0]).numpy()


def test_a_sum_of_vectors_is_one_set_of_vectors(views):
    own = {key: views[key] for key in ("text", "structure")}
    mixed = Mixed(own, {"text": 3.0, "structure": 1.0})
    wanted = 0.75 * cosine(own["text"].left, own["text"].right)
    wanted += 0.25 * cosine(own["structure"].left, own["structure"].right)
    assert whole(mixed.similarity()) == pytest.approx(wanted, abs=1e-6)
    vectors = mixed.vectors()
    assert np.linalg.norm(vectors.left, axis=1) == pytest.approx(1, abs=1e-6)
    assert np.linalg.norm(vectors.right, axis=1) == pytest.approx(1, abs=1e-6)
    assert whole(vectors.similarity()) == pytest.approx(wanted, abs=1e-6)


def test_a_sum_with_spelling_has_no_vectors(views):
    mixed = Mixed(views, {"text": 0.5, "names": 0.5})
    assert mixed.vectors() is None
    wanted = 0.5 * whole(views["text"].similarity()) + 0.5 * whole(views["names"].similarity())
    assert whole(mixed.similarity()) == pytest.approx(wanted, abs=1e-6)
    assert whole(mixed.similarity().swapped()) == pytest.approx(wanted.T, abs=1e-6)
    assert Mixed(views, {"text": 1.0}).vectors() is views["text"]


def test_some_entities_have_the_scores_they_have_among_all(views):
    rows, columns = np.array([3, 0, 2]), np.array([8, 5])
    for weights in ({"text": 0.3, "structure": 0.7}, {"names": 0.2, "text": 0.8}):
        mixed = Mixed(views, weights)
        part = mixed.chosen(rows, columns)
        assert part.shape == (3, 2)
        wanted = whole(mixed.similarity())[np.ix_(rows, columns)]
        assert whole(part.similarity()) == pytest.approx(wanted, abs=1e-6)


def test_rows_are_the_same_in_any_block(views):
    found = Sum(tuple(view.similarity() for view in views.values()), (0.2, 0.3, 0.5))
    parts = [found.rows(i, i + 1).numpy() for i in range(7)]
    assert np.concatenate(parts) == pytest.approx(whole(found), abs=1e-6)


def test_brackets_do_not_count():
    one = BySpelling.of(["Mercury (planet)", ""], ["Mercury", "Venus"])
    scores = whole(one.similarity())
    assert scores[0] == pytest.approx([1, 0], abs=0.2) and scores[1].tolist() == [0, 0]


def test_no_weight_is_refused(views):
    with pytest.raises(UserError, match="all weights are 0"):
        Mixed(views, {"text": 0.0}).similarity()


def test_vectors_may_lie_on_disk(tmp_path, views):
    np.save(tmp_path / "left.npy", views["text"].left)
    mapped = np.load(tmp_path / "left.npy", mmap_mode="r")
    one = side_by_side([mapped, views["structure"].left], [0.5, 0.5], 0)
    two = side_by_side([views["text"].left, views["structure"].left], [0.5, 0.5], 0)
    assert (one == two).all()
    assert isinstance(ByVectors(mapped, views["text"].right).similarity(), matching.Cosine)
