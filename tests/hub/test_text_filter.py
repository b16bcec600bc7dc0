from __future__ import annotations

import json
import random
import string

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file
from scipy.stats import binomtest

from xadapt.core.errors import UserError
from xadapt.core.text_key import normal_key
from xadapt.hub.text_filter import (
    FILE,
    MAX_FILTERS,
    TextFilter,
    read_filters,
    union_rate,
    write_filters,
)

TEXTS = [f"text number {n} of the training data" for n in range(5000)]
OTHERS = [f"another text {n}, never trained on" for n in range(200_000)]


@pytest.mark.parametrize("rate", [0.05, 0.01, 0.001])
def test_every_text_is_found_and_others_at_the_stated_rate(rate):
    made = TextFilter.of(TEXTS, rate)
    assert made.seen(TEXTS).all() and made.texts == len(TEXTS)
    found = int(made.seen(OTHERS).sum())
    assert binomtest(found, len(OTHERS), made.rate).pvalue > 0.001
    assert made.rate == pytest.approx(rate, rel=0.05)


def test_the_usual_rate_finds_none_of_many_others():
    made = TextFilter.of(TEXTS)
    assert made.rate == pytest.approx(1e-6, rel=0.05)
    assert int(made.seen(OTHERS).sum()) <= 2  # 0.2 expected
    assert len(made.bits) / len(TEXTS) == pytest.approx(3.6, rel=0.01)  # bytes a text


def test_a_filter_cut_by_its_largest_size_states_its_higher_rate():
    made = TextFilter.of(TEXTS, max_bytes=4000)
    assert len(made.bits) == 4000 and made.seen(TEXTS).all()
    found = int(made.seen(OTHERS).sum())
    assert binomtest(found, len(OTHERS), made.rate).pvalue > 0.001 and made.rate > 0.01


def test_texts_that_are_similar_are_told_apart():
    """Counters, and texts that differ in one letter, are no worse than random ones."""
    made = TextFilter.of((str(n) for n in range(0, 40_000, 2)), 0.01)
    found = int(made.seen(str(n) for n in range(1, 40_000, 2)).sum())
    assert binomtest(found, 20_000, made.rate).pvalue > 0.001


@given(st.lists(st.text(max_size=8), max_size=20), st.lists(st.text(max_size=8), max_size=20))
@settings(max_examples=60, deadline=None)
def test_it_is_a_set_of_normal_keys(texts, others):
    made = TextFilter.of(texts)
    keys = {normal_key(text) for text in texts}
    assert made.texts == len(keys)
    assert list(made.seen([*texts, *others])) == [normal_key(t) in keys for t in [*texts, *others]]


def test_equal_texts_in_another_spelling_and_order_give_the_same_bits():
    rng = random.Random(0)
    some = ["The cat sat.", "Ein Hund", "Straße", "日本語"]
    spelt = ["the  CAT sat!", "ein hund", "STRASSE", "日本語。", "Ein  Hund"]
    rng.shuffle(spelt)
    one, other = TextFilter.of(some), TextFilter.of(spelt)
    assert one.texts == other.texts == 4 and np.array_equal(one.bits, other.bits)


def test_nothing_is_in_an_empty_filter(tmp_path):
    made = TextFilter.of([])
    assert made.rate == 0 and not made.seen(["", "a"]).any() and len(made.seen([])) == 0
    write_filters(tmp_path, [made])
    assert read_filters(tmp_path / FILE)[0][0].texts == 0


def test_half_a_surrogate_pair_is_a_text():
    assert TextFilter.of(["\ud800"]).seen(["\ud800", "x"]).tolist() == [True, False]


def test_through_its_file(tmp_path):
    filters = [TextFilter.of(TEXTS[:100]), TextFilter.of(TEXTS[100:300], 0.01)]
    write_filters(tmp_path, filters)
    found, raw = read_filters(tmp_path / FILE)
    assert raw == (tmp_path / FILE).read_bytes()
    for one, other in zip(filters, found, strict=True):
        assert (one.hashes, one.texts) == (other.hashes, other.texts)
        assert np.array_equal(one.bits, other.bits)
    assert union_rate(found) == pytest.approx(filters[0].rate + filters[1].rate, rel=1e-3)
    with pytest.raises(ValueError):
        write_filters(tmp_path, [])
    with pytest.raises(ValueError):
        write_filters(tmp_path, filters * MAX_FILTERS)


GOOD = json.dumps([{"hashes": 3, "texts": 1}])
BITS = np.ones(8, np.uint8)
BROKEN = {
    "no list": ({"0": BITS}, {"filters": "{}"}),
    "no entry": ({"0": BITS}, {"filters": "[]"}),
    "no header": ({"0": BITS}, None),
    "no hash": ({"0": BITS}, {"filters": GOOD.replace("3", "0")}),
    "many hashes": ({"0": BITS}, {"filters": GOOD.replace("3", "3000000")}),
    "a text": ({"0": BITS}, {"filters": GOOD.replace("3", '"3"')}),
    "another key": ({"0": BITS}, {"filters": GOOD.replace("texts", "text")}),
    "another tensor": ({"1": BITS}, {"filters": GOOD}),
    "one more": ({"0": BITS, "1": BITS}, {"filters": GOOD}),
    "no bits": ({"0": np.zeros(0, np.uint8)}, {"filters": GOOD}),
    "other numbers": ({"0": np.ones(8, np.float32)}, {"filters": GOOD}),
    "a table": ({"0": np.ones((2, 4), np.uint8)}, {"filters": GOOD}),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_malformed_file_is_one_line(tmp_path, case):
    tensors, metadata = BROKEN[case]
    save_file(tensors, str(tmp_path / FILE), metadata=metadata)
    with pytest.raises(UserError, match="no fingerprint of training texts") as error:
        read_filters(tmp_path / FILE)
    assert "\n" not in str(error.value)


@given(st.binary(max_size=64))
@settings(max_examples=60, deadline=None)
def test_any_bytes_are_refused_in_one_line(tmp_path_factory, raw):
    path = tmp_path_factory.mktemp("x") / FILE
    path.write_bytes(raw)
    with pytest.raises(UserError) as error:
        read_filters(path)
    assert "\n" not in str(error.value)


def test_bits_show_no_text():
    """What the file holds are bits alone: no letters of a text."""
    secret = "".join(random.Random(1).choices(string.ascii_lowercase, k=40))
    assert secret.encode() not in TextFilter.of([secret]).bits.tobytes()
