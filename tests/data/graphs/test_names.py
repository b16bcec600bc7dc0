from __future__ import annotations

import numpy as np
import pytest

from xadapt.data.graphs.names import Names, Texts

IDS = ("a", "b", "c")
INDEX = {"a": 0, "b": 1, "c": 2}


def test_texts_are_what_was_packed():
    given = ["", "paka", "日本", "e\u0301", ""]
    packed = Texts.of(given)
    assert list(packed) == given and packed[2] == "日本" and packed[-2] == given[-2]
    assert packed[1:4:2] == ["paka", "e\u0301"] and len(packed) == 5 and list(Texts.of([])) == []
    with pytest.raises(IndexError):
        packed[5]


def test_names_are_a_mapping_whatever_the_order_of_rows():
    names = Names(IDS, INDEX, [(2, "z"), (0, "x"), (2, "y"), (2, "z"), (0, "x")])
    assert dict(names) == {"a": ("x",), "c": ("z", "y")} and len(names) == 2
    assert list(names.rows()) == [(0, "x"), (2, "z"), (2, "y")]
    assert names.first()[0].tolist() == [0, 2] and names.first()[1] == ["x", "z"]
    assert "b" not in names and names.get("b") is None and names.at(1) == ()
    with pytest.raises(KeyError):
        names["b"]
    with pytest.raises(KeyError):
        names["nobody"]


def test_names_equal_a_slow_twin():
    draws = np.random.default_rng(0)
    rows = [(int(draws.integers(3)), f"n{draws.integers(6)}") for _ in range(60)]
    slow: dict[str, list[str]] = {}
    for position, text in rows:
        own = slow.setdefault(IDS[position], [])
        if text not in own:
            own.append(text)
    assert {key: list(own) for key, own in Names(IDS, INDEX, rows).items()} == slow


def test_ids_can_be_changed():
    names = Names(IDS, INDEX, [(1, "x")])
    moved = names.moved(("p", "q", "r"), {"p": 0, "q": 1, "r": 2})
    assert dict(moved) == {"q": ("x",)} and dict(names) == {"b": ("x",)}
