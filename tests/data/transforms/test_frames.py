from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xadapt.core.errors import UserError
from xadapt.data.transforms.frames import Filled, fill, fits, load_frames
from xadapt.languages import tags as languages

FRAMES = load_frames()
ALL = [
    (lang, relation, key, pattern)
    for lang, rows in FRAMES.patterns.items()
    for relation, frames in rows.items()
    for key, pattern in frames.items()
]
GOOD = """
relations: {r: {head: A, tail: B}}
frames: {en: {r: {x: "{head} and {tail}"}}, de: {r: {x: "{tail} und {head}"}}}
"""


def test_every_language_has_every_frame_of_every_relation():
    ids = {(relation, key) for _, relation, key, _ in ALL}
    assert len(ids) == 15
    assert len(FRAMES.patterns) >= 12
    for lang in FRAMES.patterns:
        assert {(r, key) for own, r, key, _ in ALL if own == lang} == ids
    assert {relation for relation, _ in ids} == set(FRAMES.types)
    assert len({languages.script(lang) for lang in FRAMES.patterns}) >= 7
    assert FRAMES.characters == {"ja", "zh"}


def test_patterns_differ_within_a_language():
    for lang in FRAMES.patterns:
        own = [pattern for tag, _, _, pattern in ALL if tag == lang]
        assert len(set(own)) == len(own)


def test_orders_differ():
    """Some frames put the tail first, and languages disagree on it: word order is varied."""
    assert {pattern.index("{head}") < pattern.index("{tail}") for *_, pattern in ALL} == {
        True,
        False,
    }


@pytest.mark.parametrize(("lang", "relation", "key", "pattern"), ALL)
def test_offsets_round_trip(lang, relation, key, pattern):
    head, tail = "{tail} Côte d’Ivoire", "中{head}"
    made = fill(pattern, head, tail)
    assert made.text[slice(*made.head)] == head
    assert made.text[slice(*made.tail)] == tail
    left = pattern.replace("{head}", "\0").replace("{tail}", "\1")
    assert made.text == left.replace("\0", head).replace("\1", tail)


@given(st.text(max_size=12), st.text(max_size=12), st.sampled_from([p for *_, p in ALL]))
def test_any_name_is_taken_as_it_is(head, tail, pattern):
    made = fill(pattern, head, tail)
    assert made.text[slice(*made.head)] == head and made.text[slice(*made.tail)] == tail


def test_fill_by_hand():
    assert fill("a {tail}b{head}.", "HH", "T") == Filled("a TbHH.", head=(4, 6), tail=(2, 3))


def test_names_that_break_a_frame():
    assert fits("“{head}”: {tail}.", "Mi'kmaw", "S. „x")
    assert not fits("“{head}”: {tail}.", "S:t Lucia", "x")
    assert not fits("“{head}” {tail}.", "x", "the “A” account")
    assert fits("{head}. {tail}", "S:t Lucia", "x")
    assert not fits("{head}. {tail}", "two\nlines", "x")


def test_unknown_language_and_relation():
    with pytest.raises(UserError, match="no sentence frames in 'is'"):
        FRAMES.of("is", "currency")
    with pytest.raises(UserError, match="relation 'capital'"):
        FRAMES.of("en", "capital")
    assert FRAMES.of("swh", "currency") == FRAMES.of("sw", "currency")


def test_own_file(tmp_path):
    path = tmp_path / "frames.yaml"
    path.write_text(GOOD)
    frames = load_frames(path)
    assert frames.types == {"r": ("A", "B")} and not frames.characters
    assert frames.of("de", "r") == {"x": "{tail} und {head}"}


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ('{tail} und {head}"', '{tail} und"', "de/r/x needs"),
        ('{tail} und {head}"', '{tail}{tail}{head}"', "de/r/x needs"),
        ("de: {r: {x:", "de: {r: {y:", "de/r lacks x"),
        ("de: {r:", "de: {s:", "de/r lacks x"),
        ("de: {r: {x:", "de: {r: {z: [1], x:", "en/r lacks z"),
        ("relations:", "relation:", "no file of sentence frames"),
        ("head: A, ", "", "no file of sentence frames"),
        ("{r: {head: A, tail: B}}", "[1]", "no file of sentence frames"),
        ("relations:", "relations: {", "no file of sentence frames"),
        ("de:", "xq:", "unknown language tag"),
    ],
)
def test_faulty_files(tmp_path, old, new, what):
    path = tmp_path / "frames.yaml"
    assert old in GOOD
    path.write_text(GOOD.replace(old, new))
    with pytest.raises(UserError, match=what):
        load_frames(path)


def test_missing_file_and_not_utf8(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        load_frames(tmp_path / "none.yaml")
    (tmp_path / "bad.yaml").write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(UserError, match="no file of sentence frames"):
        load_frames(tmp_path / "bad.yaml")


@given(st.text(max_size=60))
def test_any_text_is_frames_or_a_clear_error(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("frames") / "f.yaml"
    path.write_text(text, encoding="utf-8", errors="ignore")
    with pytest.raises(UserError):
        load_frames(path)
