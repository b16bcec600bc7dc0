from __future__ import annotations

import numpy as np
import pytest
import torch

from xadapt.core.errors import UserError
from xadapt.functional.similarity import NAMES, similarity, similarity_pairwise

A = np.array([[3.0, 4.0], [1.0, 0.0]], dtype=np.float32)
B = np.array([[0.0, 2.0], [1.0, 0.0], [3.0, 4.0]], dtype=np.float32)


def test_by_hand() -> None:
    assert similarity(A, B).tolist() == [
        [pytest.approx(x) for x in row] for row in ([0.8, 0.6, 1.0], [0.0, 1.0, 0.6])
    ]
    assert similarity(A, B, "dot").tolist() == [[8, 3, 25], [0, 1, 3]]
    assert similarity(A[:1], B, "manhattan").tolist() == [[-5, -6, 0]]
    assert similarity(A[1:], B, "euclidean").tolist()[0] == pytest.approx(
        [-(5**0.5), 0, -(20**0.5)]
    )
    assert similarity_pairwise(A, B[1:], "dot").tolist() == [3, 3]
    assert similarity_pairwise(A, B[1:]).tolist() == pytest.approx([0.6, 0.6])
    assert similarity_pairwise(A, B[1:], "manhattan").tolist() == [-6, -6]


@pytest.mark.parametrize("name", NAMES)
def test_it_is_that_of_sentence_transformers(name: str) -> None:
    library = pytest.importorskip("sentence_transformers.util").SimilarityFunction
    a, b = torch.randn(5, 8), torch.randn(7, 8)
    torch.testing.assert_close(similarity(a, b, name), library.to_similarity_fn(name)(a, b))
    own = library.to_similarity_pairwise_fn(name)(a, b[:5])
    torch.testing.assert_close(similarity_pairwise(a, b[:5], name), own)


@pytest.mark.parametrize(
    "form", [list, np.asarray, torch.tensor, lambda x: [torch.tensor(y) for y in x]]
)
def test_every_form_of_vectors(form) -> None:
    assert similarity(form(A.tolist()), B).shape == (2, 3)
    assert similarity(form(A.tolist())[0], form(A.tolist())[0]).tolist() == [[pytest.approx(1)]]


def test_a_vector_of_zeros_is_near_nothing() -> None:
    assert similarity(np.zeros(2), B).tolist() == [[0, 0, 0]]


@pytest.mark.parametrize(
    ("a", "b", "name", "said"),
    [
        (A, B[:, :1], "cosine", "vectors of 2 and 1 numbers"),
        (A, B, "cosin", "no similarity 'cosin'"),
        ("text", B, "cosine", "no vectors"),
        (A[None], B, "cosine", r"shape \(1, 2, 2\)"),
    ],
)
def test_what_is_wrong_is_one_line(a, b, name, said) -> None:
    with pytest.raises(UserError, match=said):
        similarity(a, b, name)


def test_pairs_need_one_for_each() -> None:
    with pytest.raises(UserError, match="2 vectors and 3"):
        similarity_pairwise(A, B)
