from __future__ import annotations

import dataclasses

import pytest

from xadapt.data import records
from xadapt.data.records import Constant, ParallelPair, PlainText, Record, make_many


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


def test_many_records_at_once_are_those_of_the_constructor():
    texts, pivots = ["eins", "zwei"], ["one", "two"]
    made = make_many(ParallelPair, 2, text=texts, pivot=pivots, lang=Constant("de"),
                     origin=["f:1", "f:2"])  # fmt: skip
    assert made == [ParallelPair("eins", "one", "de"), ParallelPair("zwei", "two", "de")]
    assert [record.origin for record in made] == ["f:1", "f:2"]
    assert {type(record) for record in made} == {ParallelPair}
    with pytest.raises(dataclasses.FrozenInstanceError):
        made[0].text = "drei"
    assert make_many(PlainText, 0, text=[], lang=Constant("de")) == []
    with pytest.raises(TypeError, match="'lang' has no values"):
        make_many(PlainText, 1, text=["a"])
    with pytest.raises(ValueError, match="1 values of 'text' for 2"):
        make_many(PlainText, 2, text=["a"], lang=Constant("de"))
    with pytest.raises(TypeError, match="no field x"):
        make_many(PlainText, 1, text=["a"], lang=Constant("de"), x=["y"])
