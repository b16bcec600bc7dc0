"""Shares of languages by temperature."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xadapt.functional.language_shares import rows_of_shares, temperature_shares

COUNTS = {"en": 10_000, "de": 100, "sw": 0}


def test_by_hand():
    assert temperature_shares(COUNTS, 1) == pytest.approx({"en": 100 / 101, "de": 1 / 101, "sw": 0})
    assert temperature_shares(COUNTS, 2) == pytest.approx({"en": 10 / 11, "de": 1 / 11, "sw": 0})
    high = temperature_shares(COUNTS, 1e9)
    assert high == pytest.approx({"en": 0.5, "de": 0.5, "sw": 0})


def test_the_shares_of_the_paper():
    """English has 128 times the rows of each other: at 7 about 2:1:1:1:1:1, at 100 about 1:1."""
    counts = {"en": 256_000, **dict.fromkeys(("zh", "de", "es", "pt", "ar"), 2_000)}
    shares = temperature_shares(counts, 7)
    assert shares["en"] / shares["de"] == pytest.approx(2.0, abs=0.01)
    shares = temperature_shares(counts, 100)
    assert shares["en"] / shares["de"] == pytest.approx(1.05, abs=0.01)


def test_large_counts_and_low_temperatures_stay_finite():
    shares = temperature_shares({"a": 10**12, "b": 1}, 0.01)
    assert shares == {"a": 1.0, "b": 0.0}


@pytest.mark.parametrize("temperature", [0, -1, float("nan")])
def test_a_temperature_is_above_zero(temperature):
    with pytest.raises(ValueError, match="above 0"):
        temperature_shares(COUNTS, temperature)
    with pytest.raises(ValueError, match="no row"):
        temperature_shares({"a": 0}, 1)


def test_rows_are_whole_and_the_largest_remainders_win():
    assert rows_of_shares({"a": 0.5, "b": 0.3, "c": 0.2}, 4) == {"a": 2, "b": 1, "c": 1}
    assert rows_of_shares({"a": 1 / 3, "b": 1 / 3, "c": 1 / 3}, 4) == {"a": 2, "b": 1, "c": 1}


@given(st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 9999), min_size=1),
       st.floats(0.3, 50), st.integers(0, 500))  # fmt: skip
def test_rows_add_up_and_are_within_one_of_their_share(counts, temperature, total):
    shares = temperature_shares(counts, temperature)
    rows = rows_of_shares(shares, total)
    assert sum(rows.values()) == total and min(rows.values()) >= 0
    assert all(abs(rows[name] - shares[name] * total) < 1 + 1e-6 for name in counts)
    order = sorted(counts, key=lambda name: counts[name])
    assert [shares[n] for n in order] == sorted(shares.values())
