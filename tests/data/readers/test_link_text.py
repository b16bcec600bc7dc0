import pytest

from xadapt.core.errors import UserError
from xadapt.data.readers.link_text import (
    format_links,
    is_numbered,
    numbered_links,
    parse_links,
)
from xadapt.data.readers.notes import RowError


def test_sure_and_possible_links():
    assert parse_links("1-1 0p2 0-0 3?4 0p0", "x:1") == (((0, 0), (1, 1)), ((0, 2), (3, 4)))
    assert parse_links("", "x:1") == ((), ())
    assert parse_links("1-1 2p3/0.5", "x:1", first=1) == (((0, 0),), ((1, 2),))


@pytest.mark.parametrize("text", ["a-b", "1", "1-", "-1-2", "1--2", "1,2", "0-0x", "9" * 99 + "-1"])
def test_what_is_no_link_is_refused(text):
    with pytest.raises(RowError, match="is no link") as fault:
        parse_links(text, "links.txt:3")
    assert fault.value.where == "links.txt:3"


def test_a_zero_is_refused_where_words_begin_with_one():
    with pytest.raises(RowError, match="below 1"):
        parse_links("0-1", "x:1", first=1)


def test_numbered_links_begin_with_one_and_zero_is_no_word():
    lines = list(enumerate(["0001 1 1 S", "0001 2 3 P 0.5", "1 0 2", "", "18 2 2"], 1))
    assert all(is_numbered(line) for _, line in lines if line)
    assert list(numbered_links(lines, "x")) == [
        ("1", (((0, 0),), ((1, 2),))),
        ("18", (((1, 1),), ())),
    ]
    assert not is_numbered("0-0 1-1") and not is_numbered("1 2")


def test_numbered_links_stand_together():
    with pytest.raises(UserError, match="stand together") as fault:
        list(numbered_links(enumerate(["1 1 1", "2 1 1", "1 2 2"], 1), "x"))
    assert fault.value.where == "x:3"
    with pytest.raises(UserError, match="no numbered link"):
        list(numbered_links([(1, "1 1 1"), (2, "0-0")], "x"))


def test_links_are_written_sorted():
    assert format_links([(1, 0), (0, 10), (0, 2)]) == "0-2 0-10 1-0" and format_links([]) == ""
