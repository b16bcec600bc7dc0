from __future__ import annotations

import dataclasses

import pytest

from xadapt.data import records
from xadapt.data.records import ParallelPair, PlainText, Record


def test_origin_takes_no_part_in_comparison():
    here, there = PlainText("a", "de", origin="x:1"), PlainText("a", "de", origin="x:2")
    assert here == there and hash(here) == hash(there) and here.origin != there.origin
    assert PlainText("a", "de") != PlainText("a", "fr")


def test_every_record_is_frozen_hashable_and_documented():
    kinds = [k for k in vars(records).values() if isinstance(k, type) and issubclass(k, Record)]
    assert len(kinds) >= 11
    for kind in kinds:
        assert kind.__doc__ and dataclasses.is_dataclass(kind)
        assert kind.__dataclass_params__.frozen and kind.__hash__ is not None
        assert "origin" in kind.__dataclass_fields__


def test_a_record_cannot_be_changed():
    pair = ParallelPair("a", "b", "de")
    with pytest.raises(dataclasses.FrozenInstanceError):
        pair.text = "c"
    assert pair.pivot_lang == "en" and pair.origin == ""
