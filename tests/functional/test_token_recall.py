from __future__ import annotations

import math

import pytest

from xadapt.functional.token_recall import first_tokens, macro_mean, recall_in_tokens

PASSAGES = ["The cat, Tom, sat.", "It was 1912 in Paris."]


def test_the_passages_are_read_in_their_order_up_to_the_count_of_tokens():
    # The cat , Tom , sat . = 7 tokens
    assert first_tokens(PASSAGES, 4) == "The cat, Tom"
    assert first_tokens(PASSAGES, 9) == "The cat, Tom, sat. It was"
    assert first_tokens(PASSAGES, 99) == " ".join(PASSAGES)


@pytest.mark.parametrize(
    ("answers", "count", "expected"),
    [
        (["Tom"], 4, 1.0),
        (["Tom"], 3, 0.0),
        (["1912 in Paris"], 11, 0.0),
        (["1912 in Paris"], 12, 1.0),
        (["nobody", "sat"], 7, 1.0),
        (["Yes"], 99, None),
        (["no", " "], 99, None),
        ([], 99, None),
    ],
)
def test_a_hit_is_a_gold_span_in_what_is_read_and_yes_or_no_has_none(answers, count, expected):
    assert recall_in_tokens(PASSAGES, answers, count) == expected


def test_another_tokenizer_may_be_given():
    assert recall_in_tokens(PASSAGES, ["cat"], 1, lambda text: [(0, 8)]) == 1.0


def test_languages_count_alike_whatever_their_size():
    assert macro_mean({"ja": [1.0, None, 1.0, 0.0, 0.0], "sw": [1.0], "te": [None]}) == 0.75
    assert math.isnan(macro_mean({}))
