"""A journal of finished rows: half a line is cut, another piece of work is refused."""

from __future__ import annotations

import pytest

from xadapt.core.errors import UserError
from xadapt.core.journal import ROWS, open_journal


def test_rows_stay_and_half_a_line_is_cut(tmp_path):
    with open_journal(tmp_path / "work", {"data": "a", "keep": ("x",)}) as journal:
        journal.add([{"n": 1}, {"n": "zwei"}])
    with (tmp_path / "work" / ROWS).open("ab") as stream:
        stream.write(b'{"n": 3, "half')
    with open_journal(tmp_path / "work", {"data": "a", "keep": ("x",)}) as journal:
        assert list(journal) == [{"n": 1}, {"n": "zwei"}] and len(journal) == 2
        journal.add([{"n": 3}])
        assert [row["n"] for row in journal] == [1, "zwei", 3]


def test_a_first_line_that_is_half_is_cut_too(tmp_path):
    with open_journal(tmp_path / "work", {}):
        (tmp_path / "work" / ROWS).write_bytes(b'{"x": "' + b"y" * 100_000)
    with open_journal(tmp_path / "work", {}) as journal:
        assert list(journal) == [] and (tmp_path / "work" / ROWS).stat().st_size == 0


def test_other_work_and_a_second_writer_are_refused(tmp_path):
    with open_journal(tmp_path / "work", {"data": "a", "b": 1}) as journal:
        journal.add([{}])
        with pytest.raises(UserError, match="being written"), open_journal(tmp_path / "work", {}):
            pass
    with (
        pytest.raises(UserError, match="another value of data"),
        open_journal(tmp_path / "work", {"data": "b", "b": 1}),
    ):
        pass


def test_a_finished_journal_leaves_no_folder(tmp_path):
    with open_journal(tmp_path / "work", {"data": "a"}) as journal:
        journal.add([{}])
        journal.remove()
    assert not list(tmp_path.iterdir())
