"""Tags around two entities: written, carried along, damaged, and read again."""

from __future__ import annotations

import random

import pytest

from xadapt.functional.entity_tags import (
    CROSSED,
    EMPTY,
    MISSING,
    SEVERAL,
    TANGLED,
    Entities,
    find_whole,
    is_escaped,
    looks_tagged,
    read_tags,
    span_fault,
    with_tags_around,
)

HT = ("H", "T")


def test_tags_by_hand():
    text = "Ada founded Acme."
    assert with_tags_around(Entities(text, (0, 3), (12, 16)), HT) == (
        "<H>Ada</H> founded <T>Acme</T>."
    )
    assert with_tags_around(Entities(text, (12, 16), (0, 3)), ("e1", "e2")) == (
        "<e2>Ada</e2> founded <e1>Acme</e1>."
    )


@pytest.mark.parametrize(
    ("head", "tail", "wanted"),
    [
        ((0, 2), (2, 4), "<H>ab</H><T>cd</T>"),  # adjacent
        ((0, 4), (1, 2), "<H>a<T>b</T>cd</H>"),  # nested
        ((0, 2), (0, 4), "<T><H>ab</H>cd</T>"),  # from the same place on
        ((0, 4), (2, 4), "<H>ab<T>cd</T></H>"),  # up to the same place
        ((0, 4), (0, 4), "<H><T>abcd</T></H>"),  # the same
        ((3, 4), (0, 1), "<T>a</T>bc<H>d</H>"),  # at both ends
    ],
)
def test_entities_that_meet(head, tail, wanted):
    found = Entities("abcd", head, tail)
    assert with_tags_around(found, HT) == wanted
    assert read_tags(wanted, HT) == found


def test_what_is_written_is_read():
    rng = random.Random(0)
    letters = "ab é日<>&; /HT"
    for _ in range(3000):
        text = "".join(rng.choices(letters, k=rng.randint(2, 14))).strip()
        spans = [tuple(sorted(rng.choices(range(len(text) + 1), k=2))) for _ in range(2)]
        head, tail = spans
        trimmed = all(text[a:b] == text[a:b].strip() for a, b in spans)
        if span_fault(text, head, tail) or not trimmed or looks_tagged(text, HT):
            continue
        tagged = with_tags_around(Entities(text, head, tail), HT)
        read = read_tags(tagged, HT, escaped=is_escaped(text))
        assert read == Entities(text, head, tail), (text, head, tail)


@pytest.mark.parametrize(
    "text",
    [
        "< H >Ada< /h> founded <t>Acme</ T>.",
        "＜H＞Ada＜/H＞ founded 〈T〉Acme〈／T〉.",
        "&lt;H&gt;Ada&lt;/H&gt; founded <T>Acme</T>.",
        "<H> Ada </H> founded<T> Acme </T>.",
        " <H>Ada </H>founded <T> Acme</T>. ",
    ],
)
def test_damage_is_repaired(text):
    assert read_tags(text, HT) == Entities("Ada founded Acme.", (0, 3), (12, 16))


def test_swapped_entities_keep_their_tags():
    found = read_tags("<T>Acme</T> ilianzishwa na <H>Ada</H>", HT)
    assert found == Entities("Acme ilianzishwa na Ada", (20, 23), (0, 4))


def test_a_pair_that_became_several_is_joined():
    text = "La <b>Universidad</b> de <b>Ohio</b> en <i>Athens</i>"
    assert read_tags(text, ("b", "i")) == SEVERAL
    found = read_tags(text, ("b", "i"), joined=True)
    assert found == Entities("La Universidad de Ohio en Athens", (3, 22), (26, 32))
    between = "<b>Ohio</b> en <i>Athens</i> y <b>Ohio</b>"
    assert read_tags(between, ("b", "i"), joined=True) == SEVERAL
    far = "<b>Ohio</b> a b c d <b>Ohio</b> en <i>Athens</i>"
    assert read_tags(far, ("b", "i"), joined=True) == SEVERAL


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Ada founded <T>Acme</T>", MISSING),
        ("", MISSING),
        ("<H>Ada founded <T>Acme</T>", TANGLED),
        ("Ada</H> founded <T>Acme</T>", TANGLED),
        ("<H>A<H>da</H></H> founded <T>Acme</T>", TANGLED),
        ("<H> </H> founded <T>Acme</T>", EMPTY),
        ("<H>Ada <T>and</H> Bo</T>", CROSSED),
    ],
)
def test_what_cannot_be_repaired_has_a_reason(text, reason):
    assert read_tags(text, HT) == reason


def test_random_damage_never_gives_a_wrong_span():
    rng = random.Random(1)
    whole = "<H>Ada L.</H> founded <T>Acme</T>, 1843"
    for _ in range(3000):
        chars = list(whole)
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(len(chars))
            chars[at : at + rng.randint(0, 2)] = rng.choice(["", "<", ">", "/", "H", " ", "</T>"])
        found = read_tags("".join(chars), HT, joined=rng.random() < 0.5)
        if isinstance(found, Entities):
            assert span_fault(found.text, found.head, found.tail) == ""
            assert found.text[slice(*found.head)].strip()


def test_faults_of_spans():
    assert span_fault("abc", (0, 1), (2, 3)) == ""
    assert "the tail 2-4 is empty or leaves a text of 3 characters" in span_fault(
        "abc", (0, 1), (2, 4)
    )
    assert "the head 1-1 is empty" in span_fault("abc", (1, 1), (2, 3))
    assert "spaces alone" in span_fault("a  b", (1, 3), (0, 1))
    assert span_fault("abcd", (0, 3), (2, 4)) == CROSSED
    with pytest.raises(ValueError, match="leaves a text"):
        with_tags_around(Entities("abc", (0, 9), (1, 2)), HT)


def test_names_are_found_as_whole_words_that_stand_there_once():
    assert find_whole("Bo met bob in Rome", "Bo") == (0, 2)
    assert find_whole("Bo met bo", "Bo") is None and find_whole("bob", "Bo") is None
    assert find_whole("a (b) c", "(b)") == (2, 5) and find_whole("a", " ") is None
    assert looks_tagged("a <h> b", HT) and looks_tagged("a &lt;H&gt; b", HT)
    assert not looks_tagged("a < b", HT) and not looks_tagged("a <b> b", HT)
