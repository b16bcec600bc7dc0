from __future__ import annotations

import pytest

from xadapt.core.errors import UserError
from xadapt.core.row_journal import ENDING, RowJournal

WORK = {"a": 1, "é": ["x"]}


def test_rows_become_the_file_and_nothing_else_stays(tmp_path):
    out = tmp_path / "new" / "rows.jsonl"
    journal = RowJournal(out, WORK)
    journal.add([{"n": 1}, {"n": "ü"}])
    assert not out.exists() and list(journal.rows()) == [{"n": 1}, {"n": "ü"}]
    journal.finish()
    assert out.read_text(encoding="utf-8") == '{"n": 1}\n{"n": "ü"}\n'
    assert [one.name for one in out.parent.iterdir()] == ["rows.jsonl"]


def test_work_goes_on_after_every_possible_cut(tmp_path):
    out = tmp_path / "rows.jsonl"
    RowJournal(out, WORK).add([{"n": i, "text": "é\u2028"} for i in range(4)])
    left = out.with_name(out.name + ENDING)
    whole = left.read_bytes()
    for size in range(len(whole) + 1):
        left.write_bytes(whole[:size])
        journal = RowJournal(out, WORK)
        done = max(0, whole[:size].count(b"\n") - 1)
        assert journal.done == done == len(list(journal.rows()))
        journal.add([{"n": i, "text": "é\u2028"} for i in range(done, 4)])
        assert left.read_bytes() == whole
    journal.finish()
    assert out.read_bytes() == whole.split(b"\n", 1)[1]


def test_rows_of_other_work_are_refused_or_dropped(tmp_path):
    out = tmp_path / "rows.jsonl"
    RowJournal(out, WORK).add([{"n": 1}])
    with pytest.raises(UserError, match="another command"):
        RowJournal(out, {"a": 2})
    assert RowJournal(out, WORK).done == 1  # the refusal left them
    assert RowJournal(out, {"a": 2}, restart=True).done == 0
    left = out.with_name(out.name + ENDING)
    left.write_bytes(b"\xff\xfe\n\xff\n")
    with pytest.raises(UserError, match="another command"):
        RowJournal(out, WORK)


def test_what_can_not_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError):
        RowJournal(tmp_path / "file" / "rows.jsonl", WORK).add([{}])


def test_nothing_is_written_before_the_first_row(tmp_path):
    journal = RowJournal(tmp_path / "rows.jsonl", WORK)
    assert list(tmp_path.iterdir()) == [] == list(journal.rows())
    journal.finish()
    assert [one.name for one in tmp_path.iterdir()] == ["rows.jsonl"]
