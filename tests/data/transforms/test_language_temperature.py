"""Training records drawn by temperature."""

from __future__ import annotations

from collections import Counter

import pytest

from xadapt.core import registry
from xadapt.data.records import OpenTriples, PlainText
from xadapt.data.transforms.language_temperature import LanguageTemperature
from xadapt.data.transforms.protocol import Services

ROWS = [PlainText(f"{lang} {i}", lang) for lang, n in (("en", 64), ("de", 8), ("sw", 1))
        for i in range(n)]  # fmt: skip


def drawn(seed=0, log=lambda _: None, **options):
    made = LanguageTemperature(records="plain_texts", **options)
    return made.apply(ROWS, Services("en", seed=seed, log=log))


def test_at_one_every_record_comes_once():
    assert Counter(drawn(temperature=1)) == Counter(ROWS)


def test_at_three_the_rows_are_as_their_cube_roots():
    log = []
    made = drawn(temperature=3, total=70, log=log.append)
    assert Counter(row.lang for row in made) == {"en": 40, "de": 20, "sw": 10}
    assert log[1] == "en: 40 records drawn from 64"
    times = Counter(made)
    assert {times[row] for row in ROWS if row.lang == "de"} == {2, 3}
    assert {times[row] for row in ROWS if row.lang == "en"} == {0, 1}
    assert times[ROWS[-1]] == 10


def test_the_draw_follows_from_the_seed_and_the_order_is_mixed():
    one = drawn(temperature=3)
    assert one == drawn(temperature=3) and one != drawn(temperature=3, seed=1)
    assert len(one) == len(ROWS)
    assert [row.lang for row in one] != sorted(row.lang for row in one)


def test_no_records_stay_none_and_the_kind_is_named():
    assert LanguageTemperature().apply([], Services("en")) == []
    made = registry.load("transforms", "language_temperature")(records="open_triples")
    assert made.gives is made.consumes is OpenTriples and made.applies == "train"
    with pytest.raises(KeyError):
        assert LanguageTemperature(records="songs").gives  # type: ignore[arg-type]
