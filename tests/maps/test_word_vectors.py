import numpy as np
import pytest

from xadapt.core.errors import UserError
from xadapt.maps.word_vectors import WordVectors


@pytest.mark.parametrize(
    "given",
    [
        {"a": [1, 2], "b": [3, 4]},
        (["a", "b"], [[1, 2], [3, 4]]),
        (np.array(["a", "b"]), np.array([[1, 2], [3, 4]], np.float64)),
    ],
)
def test_word_vectors_of_memory(given):
    found = WordVectors.of(given)
    assert found.words == ("a", "b") and found.vectors.dtype == np.float32
    assert found.find("b") == 1 and found.find("c") is None and "a" in found and len(found) == 2
    assert found.first(1).words == ("a",) and found.first(0) is found
    assert WordVectors.of(found) is found


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (None, "no word vectors"),
        ("text", "no word vectors"),
        ({}, "no word vectors"),
        (["a"], "no word vectors"),
        ((["a", "a"], [[1], [2]]), "'a' stands twice"),
        ((["a", ""], [[1], [2]]), "is no word"),
        ((["a", 3], [[1], [2]]), "3 is no word"),
        ((["a"], [[1], [2]]), "do not fit"),
        ((["a"], [[np.nan]]), "'a' holds NaN"),
        (([], []), "no words"),
    ],
)
def test_what_is_none_is_refused(given, said):
    with pytest.raises(UserError, match=said):
        WordVectors.of(given, "source")
