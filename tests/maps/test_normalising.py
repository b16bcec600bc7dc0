import numpy as np
import pytest
import torch

from xadapt.core.errors import UserError
from xadapt.maps.normalising import VECMAP, Normalisation, parse_actions, unit


@pytest.fixture
def vectors():
    return torch.from_numpy(np.random.default_rng(0).normal(1, 2, (50, 6)).astype(np.float32))


def test_unit_center_unit_by_hand(vectors):
    """Vectors are scaled again after centering: without it, lengths are not 1."""
    _, found = Normalisation.fit(vectors, VECMAP)
    rows = vectors.double().numpy()
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    rows = rows - rows.mean(axis=0)
    assert abs(np.linalg.norm(rows, axis=1) - 1).max() > 0.1
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    assert np.abs(found.numpy() - rows).max() < 1e-6
    assert torch.allclose(found.norm(dim=1), torch.ones(50))


def test_further_vectors_are_shifted_by_the_saved_mean_not_their_own(vectors):
    normal, found = Normalisation.fit(vectors, VECMAP)
    assert torch.allclose(normal(vectors), found, atol=1e-6)
    assert torch.allclose(normal(vectors[:3]), found[:3], atol=1e-6)
    own = Normalisation.fit(vectors[:3], VECMAP)[1]
    assert (own - found[:3]).abs().max() > 0.1


def test_vectors_are_not_changed_in_place(vectors):
    before = vectors.clone()
    Normalisation.fit(vectors, ("center", "unit", "centeremb"))
    assert torch.equal(vectors, before)


def test_centering_each_vector_and_no_action(vectors):
    assert Normalisation.fit(vectors, ("centeremb",))[1].mean(1).abs().max() < 1e-6
    assert Normalisation.fit(vectors, ())[1] is vectors


def test_two_means_where_center_stands_twice(vectors):
    normal, found = Normalisation.fit(vectors, ("center", "unit", "center"))
    assert len(normal.means) == 2 and torch.allclose(normal(vectors), found, atol=1e-6)


def test_a_vector_of_zeros_stays():
    assert unit(torch.zeros(1, 3)).tolist() == [[0, 0, 0]]


@pytest.mark.parametrize(
    ("given", "actions"),
    [
        ("unit,center,unit", ("unit", "center", "unit")),
        ("unit center unit", ("unit", "center", "unit")),
        ("renorm,center,renorm", ("unit", "center", "unit")),
        (["center"], ("center",)),
        ("", ()),
        ("none", ()),
    ],
)
def test_names_of_vecmap_and_muse(given, actions):
    assert parse_actions(given) == actions


def test_an_unknown_action_is_refused_with_the_nearest():
    with pytest.raises(UserError, match="did you mean 'center'"):
        parse_actions("unit,centre")
