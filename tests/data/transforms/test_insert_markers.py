"""Markers around names and their counterparts: by hand, and what is dropped."""

from __future__ import annotations

import random

import pytest

from xadapt.data.records import ParallelPair
from xadapt.data.transforms.insert_markers import InsertMarkers
from xadapt.data.transforms.protocol import Services

PAIR = ParallelPair(
    "gestern sah Anna  Maria den «Dom» .", "Today, we met Anna Maria at the Cathedral.", "de"
)
LINKS = [(0, 0), (3, 1), (4, 2), (5, 3), (7, 4), (8, 6), (9, 8)]


def applied(transform, rows, links=LINKS):
    log = []
    align = {"align": lambda pairs, module="": [links for _ in pairs]}
    return transform.apply(rows, Services("de", log=log.append, callables=align)), log


def test_a_name_and_its_counterpart_get_markers_and_all_else_stays():
    made, log = applied(InsertMarkers(), [PAIR])
    assert made == [
        ParallelPair(
            "gestern sah [ Anna  Maria ] den «Dom» .",
            "Today, we met [ Anna Maria ] at the Cathedral.",
            "de",
        )
    ]
    assert log[-1] == "1 of 1 pairs have markers"


def test_several_names_and_other_markers():
    made, _ = applied(InsertMarkers("<m>", "</m>", per_pair=2), [PAIR])
    assert made[0].text == "gestern sah <m> Anna  Maria </m> den «<m> Dom </m>» ."
    assert made[0].pivot == "Today, we met <m> Anna Maria </m> at the <m> Cathedral </m>."


def test_pairs_without_a_name_or_with_a_marker_are_dropped_and_the_order_is_kept():
    bare = ParallelPair("die katze", "the cat", "de")
    marked = ParallelPair("sah [ Anna", "we saw Anna [", "de")
    rows = [bare, PAIR, marked, PAIR, bare]
    made, log = applied(InsertMarkers(stop_words=0), rows)
    assert len(made) == 2 and made[0] == made[1] and "[ Anna  Maria ]" in made[0].text
    assert log[-1] == "2 of 5 pairs have markers"


def test_without_its_markers_a_text_is_what_it_was():
    rng = random.Random(0)
    words = ["Anna", "sah", "den", "Dom", ",", "und", "Köln", "-"]
    for _ in range(300):
        text = "".join(rng.choice(words) + rng.choice([" ", "  ", " "]) for _ in range(9)).strip()
        pair = ParallelPair(text, text, "de")
        made, _ = applied(
            InsertMarkers(per_pair=3, stop_words=0), [pair], [(i, i) for i in range(12)]
        )
        for row in made:
            assert row.text.replace("[ ", "").replace(" ]", "") == text and row.text != text


@pytest.mark.parametrize("options", [{"opening": ""}, {"closing": " "}, {"per_pair": 0}])
def test_options_out_of_range_are_refused(options):
    with pytest.raises(ValueError, match=r"marker|at least 1"):
        InsertMarkers(**options)
