from __future__ import annotations

import math

import pytest

from xadapt.composition.values import (
    MAX_DEPTH,
    MAX_PARTS,
    ByLanguage,
    Composition,
    Fuse,
    Mix,
    Route,
    Stack,
    all_parts,
    replaced,
    require_few,
)
from xadapt.core.errors import UserError


def test_equal_values_are_equal_and_hash_alike():
    a = Stack("l", Mix({"a": 0.7, "b": 0.3}))
    assert (
        a == Stack("l", Mix({"a": 0.7, "b": 0.3}))
        and len({a, Stack("l", Mix({"a": 0.7, "b": 0.3}))}) == 1
    )
    assert a != Stack("l", Mix({"a": 0.7, "b": 0.2})) and Route("r", ["a"]) != Fuse("r", ["a"])


def test_stacks_are_opened_up():
    assert Stack("a", Stack("b", Stack("c", "d"))) == Stack("a", "b", "c", "d")


def test_they_print_as_python_that_makes_them():
    value = Stack(
        "l", Route("r", ["a", None]), ByLanguage({"de": Fuse("f", ["x"])}), Mix({"a": 0.5})
    )
    assert eval(repr(value)) == value


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Stack("a"),
        lambda: Mix({}),
        lambda: Mix({"a": math.nan}),
        lambda: Route("r", []),
        lambda: Fuse("", ["a"]),
        lambda: ByLanguage({}),
    ],
)
def test_what_makes_no_sense_is_refused(wrong):
    with pytest.raises(ValueError, match=r"part|mixture|expert|empty|language"):
        wrong()


def test_what_is_no_composition_is_refused():
    with pytest.raises(TypeError, match="no composition"):
        Stack("a", 3)


def test_names_are_replaced_everywhere():
    value = Stack("a", Mix({"b": 0.5, "c": 0.25}), Route("r", ["a", None]))
    new = {"a": Stack("x", "y"), "b": "z", "c": "z", "r": "s"}
    assert replaced(value, new) == Stack(
        "x", "y", Mix({"z": 0.75}), Route("s", [Stack("x", "y"), None])
    )
    choice = ByLanguage({"de": Fuse("f", ["b"]), "*": None})
    assert replaced(choice, new) == ByLanguage({"de": Fuse("f", ["z"]), "*": None})
    with pytest.raises(ValueError, match="given by name"):
        replaced(Fuse("a", ["b"]), new)


def test_parts_lie_at_most_so_deep():
    value: Composition = "a"
    for _ in range(MAX_DEPTH):
        value = Mix({value: 0.5})
    assert len(all_parts(value)) == MAX_DEPTH + 1 and hash(value) == hash(eval(repr(value)))
    with pytest.raises(UserError, match="more than 64 deep"):
        Route("r", [value])


def test_all_parts_come_outer_ones_first_and_are_bounded():
    value = Stack("a", Mix({"b": 0.5, Stack("c", None): 1.0}), "d")
    assert [part for part in all_parts(value) if part is None or isinstance(part, str)] == [
        "a", "b", "c", None, "d"
    ]  # fmt: skip
    most = Stack(*["a"] * MAX_PARTS)
    assert require_few(most) == most
    with pytest.raises(UserError, match="1001 parts"):
        require_few(Stack(most, "a"))
