"""What readers report, how faulty rows are counted, and readers that know no notes."""

from __future__ import annotations

import logging
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xadapt.core.errors import UserError
from xadapt.data.readers.notes import (
    ENOUGH_FAULTS,
    Notes,
    RowError,
    attempt,
    joined,
    name_of,
    noted,
    read_with_notes,
    reporting,
    without_faulty,
)


def fault(line):
    return RowError("this row is empty", where=f"/data/a.tsv:{line}", todo="Fill it in")


def test_each_line_once_without_the_folders():
    notes = Notes()
    for _ in range(2):
        notes.add("/home/me/a.tsv", "column 3 is not used")
    notes.add("hf:org/name:test", "odd")
    assert notes.lines == ["a.tsv: column 3 is not used", "name:test: odd"]
    assert noted(notes) is notes


def test_without_notes_the_unusual_is_a_warning(caplog):
    with caplog.at_level(logging.INFO, "xadapt.data.readers.notes"):
        noted(None).add("/x/a.tsv", "odd")
        noted(None).add("/x/a.tsv", "as documented", usual=True)
    assert [(r.levelname, r.getMessage()) for r in caplog.records] == [
        ("WARNING", "a.tsv: odd"),
        ("INFO", "a.tsv: as documented"),
    ]


@given(st.lists(st.booleans(), max_size=30))
def test_rows_are_skipped_while_they_are_less_than_half(good):
    rows = [n if ok else fault(n) for n, ok in enumerate(good)]
    notes = Notes()
    faults = good.count(False)
    if faults and 2 * faults >= len(good):
        with pytest.raises(UserError, match="this row is empty") as caught:
            list(without_faulty(rows, "/data/a.tsv", notes))
        assert caught.value.where == f"/data/a.tsv:{good.index(False)}"
        assert caught.value.todo == "Fill it in"
        assert (f"({faults} of {len(good)} rows are faulty)" in str(caught.value)) == (
            len(good) > 1
        )
        assert not notes.lines
        return
    assert list(without_faulty(rows, "/data/a.tsv", notes)) == [
        n for n, ok in enumerate(good) if ok
    ]
    assert len(notes.lines) == bool(faults)
    if faults:
        assert notes.lines[0] == (
            f"a.tsv: {faults} of {len(good)} rows skipped; the first, a.tsv:{good.index(False)}: "
            "this row is empty"
        )


def test_a_source_of_faults_alone_is_not_read_to_its_end():
    read = []

    def endless():
        while True:
            read.append(0)
            yield fault(len(read))

    with pytest.raises(UserError, match="1,000 of 1,000 rows are faulty"):
        list(without_faulty(endless(), "a.tsv", Notes()))
    assert len(read) == ENOUGH_FAULTS


def test_a_reader_that_is_stopped_early_reports_too():
    notes = Notes()
    rows = without_faulty(iter([1, fault(2), 3, 4]), "a.tsv", notes)
    assert list(islice(rows, 2)) == [1, 3]
    rows.close()
    assert notes.lines == ["a.tsv: 1 of 3 rows skipped; the first, a.tsv:2: this row is empty"]


def test_only_a_rows_own_fault_is_caught():
    def broken(error):
        raise error

    assert isinstance(attempt(broken, fault(1)), RowError)
    assert attempt(int, "3") == 3
    with pytest.raises(UserError, match="gzip"):
        attempt(broken, UserError("the gzip data is broken"))


def test_readers_with_and_without_notes():
    class Old:
        def read(self, source, request):
            return iter([source, request])

    class New:
        def read(self, source, request, notes=None):
            notes.add(source, "seen")
            return [source, request]

    notes = Notes()
    assert list(read_with_notes(Old(), "a", "de", notes)) == ["a", "de"]
    assert list(read_with_notes(New(), "a", "de", notes)) == ["a", "de"]
    assert notes.lines == ["a: seen"]


def test_words_of_a_note():
    assert [joined(x) for x in (["a"], ["a", "b"], "abc")] == ["a", "a and b", "a, b and c"]
    assert [name_of(x) for x in ("/a/b.tsv:3", "C:\\d\\b.tsv", "cldr")] == [
        "b.tsv:3",
        "b.tsv",
        "cldr",
    ]


def test_unusual_lines_go_to_a_function_in_place_of_the_log(caplog):
    told: list[str] = []
    with reporting(told.append):
        noted(None).add("/x/a.tsv", "column 3 is not used")
        noted(None).add("/x/a.tsv", "as documented", usual=True)
    assert told == ["a.tsv: column 3 is not used"] and not caplog.records
