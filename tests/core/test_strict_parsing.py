from __future__ import annotations

import json
import time

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from xadapt.core import strict_parsing
from xadapt.core.errors import UserError
from xadapt.core.strict_parsing import parse_json, parse_yaml, read_bytes

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda own: st.lists(own, max_size=4) | st.dictionaries(st.text(max_size=4), own, max_size=4),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=40)
@given(VALUES)
def test_what_json_writes_is_read_back(value: object) -> None:
    assert parse_json(json.dumps(value)) == value
    assert parse_json(json.dumps(value, ensure_ascii=False, indent=3).encode()) == value


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('{"a": 1, "a": 1}', 1),
        ('{\n"a": 1,\n"b": {},\n"a": 2}', 4),
        ('[{"a": 1},\n {"b": {"c": 1,\n "c": 1}}]', 3),
        ('{"a:\\"{": {"a": ":a"},\n "a": 1,\n "\\u0061": 2}', 3),
    ],
)
def test_a_key_that_stands_twice_in_json_is_named_with_its_line(text: str, line: int) -> None:
    with pytest.raises(UserError, match=rf"^f\.json:{line}: the key '.' stands twice"):
        parse_json(text, where="f.json")


def test_equal_keys_of_different_objects_are_read() -> None:
    assert parse_json('{"a": {"a": 1}, "b": [{"a": 1}, {"a": 2}]}')["b"][1] == {"a": 2}


@pytest.mark.parametrize(
    "text",
    ["", "{", "NaN", '{"a": -Infinity}', "1e999", "[" * 100_000, "9" * 5000, b"\xff\xfe", "nan"],
)
def test_what_is_not_json_is_one_line(text: str | bytes) -> None:
    with pytest.raises(UserError, match=r"^f: this is not JSON \(") as caught:
        parse_json(text, where="f")
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\nb: 2\na: 1", "f:3: the key 'a' stands twice"),
        ("a:\n  - b: 1\n    b: 2", "f:3: the key 'b' stands twice"),
        ("{'{x}': 1, '{x}': 2}", "f:1: the key '{x}' stands twice"),
        ("a: &x [1]\nb: *x", "f:2: a frame can't use YAML aliases"),
        ("a: [1", "not YAML"),
        ("a: 2001-99-99", "not right"),
    ],
)
def test_wrong_yaml_is_one_line(text: str, said: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_yaml(text, where="f", kind="a frame")
    assert said in str(caught.value) and "\n" not in str(caught.value)


@pytest.fixture(params=["fast", "python"])
def loader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both YAML loaders, where libyaml is there."""
    if request.param == "python":
        monkeypatch.setattr(strict_parsing, "_Loader", strict_parsing._PythonLoader)
    else:
        assert yaml.__with_libyaml__
        assert strict_parsing._Loader is not strict_parsing._PythonLoader
    return str(request.param)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\nb:\n  c: 2\n  c: 1", "f:4: the key 'c' stands twice"),
        ("é: ü\nb: &x [1]\nc: *x", "f:3: a file can't use YAML aliases"),
        ("a: &x {b: 1}\nc: {<<: *x}", "f:2: a file can't use YAML aliases"),
        ("a: *nothing", "f:1: a file can't use YAML aliases"),
        ("a: [1\nb: 2", "f:2: not YAML"),
        ("a: !!python/name:os.system ''", "f:1: not YAML"),
        ("[" * 100_000, "not right"),
        ("- " * 100_000, "not right"),
        ("a: 1\n---\nb: 2", "not YAML"),
        ("a: \0", "not YAML"),
    ],
)
def test_both_loaders_refuse_the_same(loader: str, text: str, said: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_yaml(text, where="f")
    assert said in str(caught.value) and "\n" not in str(caught.value)


@settings(max_examples=60)
@given(VALUES)
def test_both_loaders_read_the_same(value: object) -> None:
    text = yaml.safe_dump(value, allow_unicode=True)
    other = strict_parsing._PythonLoader(text)
    assert parse_yaml(text)[0] == other.construct_document(other.get_single_node())


def test_yaml_keys_of_other_types_or_mappings_are_read() -> None:
    value, node = parse_yaml("1: a\n'1': b\nc: {1: d}\n")
    assert value == {1: "a", "1": "b", "c": {1: "d"}} and node is not None
    assert parse_yaml("") == (None, None)


def test_sizes_are_bounded_before_anything_is_parsed(tmp_path) -> None:
    (tmp_path / "f").write_bytes(b"x" * 11)
    assert read_bytes(tmp_path / "f", 11) == b"x" * 11
    with pytest.raises(UserError, match="larger than 10 bytes"):
        read_bytes(tmp_path / "f", 10)
    for other, said in ((tmp_path, "no file"), (tmp_path / "g", "no such file"), ("a\0b", "")):
        with pytest.raises(UserError, match=said):
            read_bytes(other)


def test_a_key_that_stands_twice_among_many_is_found_at_once() -> None:
    twice = "{" + ", ".join(f'"{n}": 1' for n in [*range(80_000), 3]) + "}"
    began = time.monotonic()
    with pytest.raises(UserError, match="'3' stands twice"):
        parse_json(twice, where="f")
    assert time.monotonic() - began < 5
