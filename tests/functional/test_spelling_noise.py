from __future__ import annotations

import random
import unicodedata

import pytest

from xadapt.functional.spelling_noise import misspelled

TEXTS = [
    "The cat sat on the mat, 24 times.",
    "Котик сидел на коврике.",
    "猫は日本の庭で寝ています。",
    "قطة على السجادة",
    "बिल्ली बगीचे में सोती है",
]


def letters(text):
    return [char for char in text if unicodedata.category(char)[0] == "L"]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 1.0])
def test_letters_change_and_nothing_else(text, share):
    for seed in range(40):
        found = misspelled(text, share, random.Random(seed))
        rest = [char for char in text if char not in letters(text)]
        assert [char for char in found if char not in letters(text)] == rest
        assert set(letters(found)) <= set(letters(text)), "no letter of another script comes in"
        assert found == misspelled(text, share, random.Random(seed))


def test_one_letter_at_least_and_as_many_as_the_share():
    text = "abcdefghij"
    singles = {misspelled(text, 0.01, random.Random(seed)) for seed in range(300)}
    assert text not in singles
    for found in singles:
        changed = sum(a != b for a, b in zip(text, found, strict=False))
        swapped = sorted(found) == sorted(text) and changed == 2
        assert swapped or len(found) in (9, 11) or changed == 1
    lengths = {len(one) for one in singles}
    assert lengths == {9, 10, 11}  # left out, replaced or swapped, doubled
    half = misspelled("ab" * 50, 0.5, random.Random(0))
    assert half != "ab" * 50 and 60 < len(half) < 140


@pytest.mark.parametrize("text", ["", "7 + 7", "a", "a 1", "!?"])
def test_texts_without_letters_to_mistype_stay(text):
    assert misspelled(text, 0.5, random.Random(0)) == text


@pytest.mark.parametrize("share", [0, -0.1, 1.1, float("nan")])
def test_a_share_is_a_share(share):
    with pytest.raises(ValueError, match="share"):
        misspelled("text", share, random.Random(0))
