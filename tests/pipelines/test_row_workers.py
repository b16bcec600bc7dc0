"""Rows worked on by threads: order, interruptions, rows that wait, models out of order."""

from __future__ import annotations

import threading
import time
from types import MappingProxyType

import pytest

from xadapt.core.errors import UserError
from xadapt.core.journal import open_journal
from xadapt.integrations.language_models.client import Client
from xadapt.integrations.language_models.protocol import Question, UnansweredError
from xadapt.integrations.language_models.replies_file import RepliesFile
from xadapt.pipelines.row_workers import work_on_rows


class Echo:
    facts = MappingProxyType({"model": "echo"})

    def reply(self, question):
        raise AssertionError("not asked here")


def run(folder, rows, work, clients=(), **more):
    with open_journal(folder, {}) as journal:
        try:
            work_on_rows(rows, work, journal, clients, **more)
        finally:
            found = [entry["n"] for entry in journal]
    return found


def test_rows_stay_in_order_though_some_take_longer(tmp_path):
    def work(n):
        time.sleep(0.02 if n % 5 == 0 else 0)
        return {"n": n}

    done = []
    assert run(tmp_path, range(60), work, workers=6, advance=done.append) == list(range(60))
    assert sum(done) == 60


def test_rows_are_read_only_a_little_ahead(tmp_path):
    read = []

    def rows():
        for n in range(200):
            read.append(n)
            yield n

    held = threading.Event()

    def work(n):
        if n == 0:
            held.wait(5)
        return {"n": n}

    def watch():
        time.sleep(0.3)
        seen.append(len(read))
        held.set()

    seen = []
    thread = threading.Thread(target=watch)
    thread.start()
    run(tmp_path, rows(), work, workers=2)
    thread.join()
    assert seen[0] <= 17 and len(read) == 200


def test_an_error_keeps_what_was_finished_and_the_next_run_goes_on(tmp_path):
    def work(n):
        if n == 30 and not again:
            raise UserError("no key")
        worked.append(n)
        return {"n": n}

    worked, again, client = [], [], Client(Echo())
    with pytest.raises(UserError, match="no key"):
        run(tmp_path, range(200), work, [client], workers=2)
    assert client._stop.is_set()
    before = len(worked)
    assert before < 200
    again.append(True)
    worked.clear()
    assert run(tmp_path, range(200), work, workers=2) == list(range(200))
    assert min(worked) > 0 and len(worked) == len(set(worked))


def test_rows_of_a_model_out_of_order_are_added_with_the_next_good_one(tmp_path):
    def work(n):
        if n == 9:
            raise UserError("out of order")
        return {"n": n, **({"temporary": True} if n in (2, 6, 7, 8) else {})}

    with pytest.raises(UserError):
        run(tmp_path, range(12), work, workers=1)
    with open_journal(tmp_path, {}) as journal:
        assert [entry["n"] for entry in journal] == [0, 1, 2, 3, 4, 5]
    other = tmp_path / "other"
    assert run(other, range(3), lambda n: {"n": n, "temporary": True}) == [0, 1, 2]


def test_questions_of_all_rows_are_written_and_rows_before_the_first_open_one_are_kept(tmp_path):
    model = RepliesFile(tmp_path / "r.jsonl", {}, {})
    client = Client(model)

    def work(n):
        if n in (3, 5):
            client.reply(Question((("user", str(n)),)))
        return {"n": n}

    with pytest.raises(UserError, match=r"2 questions have no reply yet.*r\.questions\.jsonl"):
        run(tmp_path / "work", range(8), work, [client], workers=2)
    assert len(model.questions.read_text().splitlines()) == 2
    with open_journal(tmp_path / "work", {}) as journal:
        assert [entry["n"] for entry in journal] in ([0, 1, 2], [0, 1], [0], [])
    assert UnansweredError
