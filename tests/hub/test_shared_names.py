import pytest

from xadapt.core.errors import UserError
from xadapt.hub.shared_names import named_as_in_file, own_names, patterns, renamed

NAMES = {
    f"layers.{n}.{site}.0.{side}": f"base.encoder.layer.{n}.at.0.{site}.lora_{side}.weight"
    for n in (0, 3, 11)
    for site in ("q", "v")
    for side in "AB"
}


def test_one_entry_stands_for_all_layers():
    short = patterns(NAMES | {"invertible.F.0.weight": "base.invertible.F.0.weight"})
    assert short["layers.*.q.0.A"] == "base.encoder.layer.*.at.0.q.lora_A.weight"
    assert len(short) == 5
    back = own_names(NAMES.values(), short)
    assert back == {theirs: own for own, theirs in NAMES.items()}


def test_names_without_a_rule_are_kept_as_they_are():
    odd = {"layers.0.q.0.A": "first", "layers.1.q.0.A": "second"}
    assert patterns(odd) == odd
    assert renamed({"first": 1, "second": 2}, odd, "") == {"layers.0.q.0.A": 1, "layers.1.q.0.A": 2}


@pytest.mark.parametrize(
    "short",
    [
        {},
        {"a": "x.1.w"},
        {"a.*": "x.*.w", "b.*": "x.*.w"},
        {"a": "x.*.w"},
        {"a.*": "*"},
        {"a.*": "(x).*.w"},
        {"layers.*.a": "x.1*.w"},
    ],
)
def test_a_map_that_does_not_fit_is_refused(short):
    with pytest.raises(UserError, match=r"no name|one name|^f:"):
        own_names(["x.1.w", "x.2.w"], short, "f")


def test_names_go_into_the_file_and_come_back():
    own = NAMES | {"invertible.F.0.weight": "base.invertible.F.0.weight"}
    short = patterns(own)
    values = {name: number for number, name in enumerate(own)}
    there = named_as_in_file(values, short)
    assert {name: there[theirs] for name, theirs in own.items()} == values
    assert renamed(there, short, "") == values
    assert named_as_in_file(values, {}) == values
