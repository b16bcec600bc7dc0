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


def test_work_goes_on_after_every_possible_cut(tmp_path):
    rows = [{"n": i, "text": "\u00e9\u2028"} for i in range(4)]
    work, out = tmp_path / "work", tmp_path / "rows.jsonl"
    with open_journal(work, {"a": 1}) as journal:
        journal.add(rows)
    whole = (work / ROWS).read_bytes()
    for size in range(len(whole) + 1):
        work.mkdir(exist_ok=True)
        (work / ROWS).write_bytes(whole[:size])
        with open_journal(work, {"a": 1}) as journal:
            done = whole[:size].count(b"\n")
            assert len(journal) == done
            journal.add(rows[done:])
            assert (work / ROWS).read_bytes() == whole
    with open_journal(work, {"a": 1}) as journal:
        journal.finish(out)
    assert out.read_bytes() == whole and [one.name for one in tmp_path.iterdir()] == [out.name]


def test_rows_of_other_work_stay_or_are_removed(tmp_path):
    work = tmp_path / "work"
    with open_journal(work, {"a": 1}) as journal:
        journal.add([{"n": 1}])
    with (
        pytest.raises(UserError, match="add --force"),
        open_journal(work, {"a": 2}, todo="add --force"),
    ):
        pass
    with open_journal(work, {"a": 1}) as journal:
        assert len(journal) == 1  # the refusal left them
    with open_journal(work, {"a": 2}, restart=True) as journal:
        assert len(journal) == 0
        journal.add([{"n": 2}])
    with open_journal(work, {"a": 2}) as journal:
        assert list(journal) == [{"n": 2}]


def test_a_mistake_before_the_first_row_leaves_nothing(tmp_path):
    with pytest.raises(UserError, match="wrong"), open_journal(tmp_path / "work", {}):
        raise UserError("wrong")
    assert not list(tmp_path.iterdir())
    with open_journal(tmp_path / "work", {}) as journal:
        journal.finish(tmp_path / "new" / "rows.jsonl")
    assert (tmp_path / "new" / "rows.jsonl").read_bytes() == b""
    assert [one.name for one in tmp_path.iterdir()] == ["new"]


def test_rows_stay_where_the_file_can_not_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with open_journal(tmp_path / "work", {}) as journal:
        journal.add([{"n": 1}])
        with pytest.raises(UserError):
            journal.finish(tmp_path / "file" / "rows.jsonl")
        assert len(journal) == 1
    with pytest.raises(UserError), open_journal(tmp_path / "file" / "work", {}):
        pass
