from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from xadapt.core import sequences
from xadapt.core.errors import UserError


def test_one_path_or_text_is_a_list_of_one() -> None:
    assert sequences.as_paths("a/b") == sequences.as_paths(Path("a/b")) == ["a/b"]
    assert sequences.as_paths(["a", Path("b")]) == ["a", "b"] and sequences.as_paths(()) == []
    assert sequences.as_strings("ab") == ["ab"] and sequences.as_strings(("a", "b")) == ["a", "b"]


@pytest.mark.parametrize(
    ("languages", "tags"),
    [(None, None), ("sw", ["sw"] * 3), (("sw", None, "de"), ["sw", None, "de"])],
)
def test_one_tag_is_for_all_rows(languages: Any, tags: Any) -> None:
    assert sequences.as_tags(languages, 3) == tags


@pytest.mark.parametrize("languages", [["sw"], ["sw", "de", "ru"] * 2, [], [1, 2, 3], [b"a"] * 3])
def test_other_tags_are_refused(languages: Any) -> None:
    with pytest.raises(UserError):
        sequences.as_tags(languages, 3)


@pytest.mark.parametrize("wrong", [None, 1, 1.5, float("nan"), b"text", ["text"]])
def test_what_is_no_text_is_named_by_its_place(wrong: Any) -> None:
    with pytest.raises(UserError, match="text 1 is"):
        sequences.as_texts(["a", wrong])
    with pytest.raises(UserError, match=r"in sentence 1, word 0 is"):
        sequences.as_sentences([["a"], [wrong]])


def test_arrays_and_generators_are_lists_too() -> None:
    assert sequences.as_texts(np.array(["a", "b"])) == ["a", "b"]
    assert sequences.as_texts(c for c in "ab") == ["a", "b"]


@pytest.mark.parametrize("wrong", ["Guten Tag", ["Guten", "Tag"], ["Guten Tag"], [["a"], "b"], [3]])
def test_sentences_are_never_letters(wrong: Any) -> None:
    with pytest.raises(UserError, match=r"list of words.*Cut it into words"):
        sequences.as_sentences(wrong)
    assert sequences.as_sentences([("a", "b"), []]) == [("a", "b"), []]


@pytest.mark.parametrize("wrong", ["ab", ("ab", "cd"), [("a", "b"), "cd"], [("a", "b", "c")], [5]])
def test_pairs_are_never_letters(wrong: Any) -> None:
    with pytest.raises(UserError, match=r"\(left, right\)"):
        sequences.as_pairs(wrong, "pair", "(left, right)")
    with pytest.raises(UserError, match="in pair 0, side 1 is nothing"):
        sequences.as_pairs([("a", None)], "pair", "(left, right)")  # type: ignore[list-item]
    assert sequences.as_pairs([["a", "b"]], "pair", "") == [("a", "b")]  # type: ignore[list-item]
