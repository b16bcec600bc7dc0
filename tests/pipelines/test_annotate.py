"""Annotating by language models: spans, rejections, merging, faults, kills, files of replies."""

from __future__ import annotations

import json
import re
import signal
import threading
import time

import forked
import pytest
from model_server import FAULTS, completion, serving
from tiny_annotator import annotator, passage
from tiny_commands import xadapt

pytest.importorskip("openai")

from xadapt.core.errors import UserError
from xadapt.data.readers.rated_text import RatedTexts
from xadapt.data.readers.tagged_spans import TaggedSpans
from xadapt.integrations.language_models import client as client_module
from xadapt.pipelines.annotate import annotate
from xadapt.pipelines.annotate_entities import Entities
from xadapt.pipelines.annotate_ratings import Ratings


@pytest.fixture
def go(tmp_path, monkeypatch):
    monkeypatch.setenv("XADAPT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(client_module, "FIRST_WAIT", 0.001)

    def run(*models, rows=None, n=10, task=None, lang="sw", **more):
        rows = [{"id": f"p{i}", "text": passage(i)} for i in range(n)] if rows is None else rows
        data = tmp_path / "texts.jsonl"
        data.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return annotate(
            data, tmp_path / "out.jsonl", models=models, task=task or Entities(), lang=lang, **more
        )

    run.folder = tmp_path
    run.rows = lambda: read(tmp_path / "out.jsonl")
    run.log = lambda: read(tmp_path / "out.jsonl.log.jsonl")
    return run


def read(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def name(server, model="tiny"):
    return f"openai:{model}@{server.url}"


def test_rows_come_out_as_the_readers_take_them(go):
    with serving(annotator) as server:
        result = go(name(server), task=Entities(native_labels=True))
    assert (result.rows, result.accepted, result.rejected) == (10, 8, 2)
    assert result.counts == {"spans": 32} and result.labels == {"person": 24, "city": 8}
    first = go.rows()[0]
    assert first == {
        "id": "p0", "lang": "sw", "text": "Ada saw Bo in Berlin on day 0, and Ada left",
        "tokens": ["Ada", "saw", "Bo", "in", "Berlin", "on", "day", "0", ",", "and", "Ada", "left"],
        "spans": [[0, 1, "person"], [2, 3, "person"], [4, 5, "city"], [10, 11, "person"]],
        "char_spans": [
            {"start": 0, "end": 3, "label": "person", "native": "nosrep", "votes": 1},
            {"start": 8, "end": 10, "label": "person", "native": "nosrep", "votes": 1},
            {"start": 14, "end": 20, "label": "city", "native": "ytic", "votes": 1},
            {"start": 35, "end": 38, "label": "person", "native": "nosrep", "votes": 1},
        ],
        "rating": 4,
    }  # fmt: skip
    read_back = list(TaggedSpans().read(str(go.folder / "out.jsonl"), "sw"))
    assert [row.spans for row in read_back] == [
        tuple(map(tuple, row["spans"])) for row in go.rows()
    ]
    assert go.log()[0] == {
        "id": "p4", "line": 5, "lang": "sw", "outcome": "rejected",
        "reason": "the rating is too low: 1, below 3",
    }  # fmt: skip
    assert result.reasons == {"the rating is too low": 2}
    assert not (go.folder / "out.jsonl.work").exists()


def test_a_label_is_translated_once_and_english_needs_no_translation(go):
    with serving(annotator) as server:
        go(name(server), task=Entities(1, native_labels=True))
        asked = [b["messages"][1]["content"] for b in server.bodies]
        assert sum("entity type" in one for one in asked) == 2
        assert not any("How useful" in one for one in asked)
        (go.folder / "out.jsonl").unlink()
        server.bodies.clear()
        go(name(server), task=Entities(1, native_labels=True), lang="en")
        assert not any("entity type" in b["messages"][1]["content"] for b in server.bodies)
    assert go.rows()[0]["char_spans"][0]["native"] == "person"


def test_labels_without_a_translation_are_counted_and_left_out(go):
    def brain(messages):
        return "no" if "entity type 'city'" in messages[1]["content"] else annotator(messages)

    with serving(brain) as server:
        result = go(name(server), task=Entities(native_labels=True))
    assert result.accepted == 8 and result.counts["labels without a translation"] == 8
    assert "native" not in go.rows()[0]["char_spans"][2]


def other_annotator(messages):
    """Finds cities alone, under another name, and invents one entity."""
    said = json.loads(annotator(messages))
    if "entities" in said:
        kept = [{**one, "type": "Town"} for one in said["entities"] if one["type"] == "city"]
        said["entities"] = [*kept, {"text": "Atlantis", "type": "place"}][: len(kept) * 2]
    return json.dumps(said)


def test_two_annotators_are_merged(go):
    with serving(annotator) as one, serving(other_annotator) as two:
        result = go(name(one), name(two))
        span = go.rows()[0]["char_spans"][2]
        assert span == {"start": 14, "end": 20, "label": "city", "others": ["town"], "votes": 2}
        assert result.counts == {
            "spans": 32, "mentions not in the text": 8, "spans of several models": 8,
        }  # fmt: skip
        assert [m["asked"] for m in result.models] == [18, 8]
        (go.folder / "out.jsonl").unlink()
        agreed = go(name(one), name(two), task=Entities(agree=2))
        assert agreed.counts["spans"] == 8 and agreed.labels == {"city": 8}
        assert [m["asked"] for m in agreed.models] == [0, 0]
        with pytest.raises(UserError, match="named twice"):
            go(name(one), name(one))
        with pytest.raises(UserError, match="3 of 2 models"):
            go(name(one), name(two), task=Entities(agree=3))


def test_inventions_are_asked_about_once_more_then_rejected(go):
    def brain(messages):
        if "How useful" in messages[1]["content"]:
            return '{"rating": 4}'
        return '{"entities": [{"text": "Atlantis", "type": "place"}]}'

    with serving(brain) as server:
        result = go(name(server), n=2)
        assert (
            "most mentions are not in the passage" in server.bodies[-1]["messages"][-1]["content"]
        )
    assert result.rejected == 2 and result.reasons == {"most mentions are not in the passage": 2}
    assert go.rows() == []


@pytest.mark.parametrize("label", ["", " ", "a" * 61, "red\x1b[2J"])
def test_a_type_that_is_no_label_is_asked_about_once_more(go, label):
    def brain(messages):
        entities = [{"text": "Ada", "type": label if len(messages) < 4 else "Person_Name"}]
        return json.dumps({"entities": entities})

    with serving(brain) as server:
        result = go(name(server), rows=[{"text": "Ada left"}], task=Entities(1))
    assert result.labels == {"person name": 1}
    assert go.rows()[0]["spans"] == [[0, 1, "person_name"]]


KINDS = {
    "429": "no reply after 6 attempts: state 429: too many requests",
    "500": "no reply after 6 attempts: state 500: out of order",
    "cut": "no reply after 6 attempts: ",
    "length": "cut at the limit of tokens",
    "json": "not JSON",
    "refusal": "refused: I can't help with this passage.",
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_that_always_fails_is_rejected_with_the_reason(go, kind):
    with serving(annotator) as server:
        usual = server.fault
        bad = json.dumps("Chen saw")[1:-1]

        def fault(digest, number):
            return kind if bad in server.bodies[-1]["messages"][1]["content"] else "good"

        server.fault = fault
        result = go(name(server), n=5, workers=1)
        assert usual
    assert (result.accepted, result.rejected) == (3, 2)
    [log] = [row for row in go.log() if row["id"] == "p2"]
    assert log["reason"].startswith(KINDS[kind])


def test_a_fifth_of_faults_leaves_no_row_without_an_end_and_repeats_no_answer(go):
    with serving(annotator, share=0.2, faults=FAULTS) as server:
        result = go(name(server), n=60, task=Entities(native_labels=True))
        assert set(server.sent) == {"good", *FAULTS}
        assert max(server.answered.values()) == 1
        assert server.answered.total() == result.models[0]["asked"]
        retries = result.models[0]["retries"]
        assert server.requests.total() == result.models[0]["asked"] + retries
    assert result.accepted + result.rejected == 60 == result.rows
    assert [row["id"] for row in sorted(go.rows() + go.log(), key=lambda r: int(r["id"][1:]))] == [
        f"p{i}" for i in range(60)
    ]
    allowed = r"the rating is too low|refused: I can't|not JSON|most mentions"
    assert all(re.match(allowed, row["reason"]) for row in go.log())
    for row in go.rows():
        for span, (a, b, label) in zip(row["char_spans"], row["spans"], strict=True):
            said = row["text"][span["start"] : span["end"]]
            assert [said] == row["tokens"][a:b] and label == span["label"].replace(" ", "_")


@pytest.fixture
def interruptible():
    """Ctrl-C raises here and in forks, also where a shell started the tests in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_work_that_is_cut_ten_times_asks_no_answered_question_again(go, interruptible):
    workers, signals = 4, [signal.SIGTERM, signal.SIGINT, signal.SIGKILL]
    with serving(annotator, share=0.2) as whole:
        wanted = go(name(whole), n=50)
    rows = go.rows(), go.log()
    (go.folder / "out.jsonl").unlink()
    limit, gate = [0], threading.Event()

    def held(messages):
        """Hold requests beyond the limit until the command was cut."""
        if server.answered.total() >= limit[0]:
            gate.wait(20)
        return annotator(messages)

    with serving(held, share=0.2) as server:
        given = ("annotate", "--data", go.folder / "texts.jsonl", "--lang", "sw", "--llm",
                 name(server), "--out", go.folder / "out.jsonl", "--concurrency", workers,
                 "--force")  # fmt: skip

        def twice():
            return server.answered.total() - len(+server.answered)

        for cut in range(10):
            before, number = twice(), signals[cut % 3]
            lost = workers if cut and signals[(cut - 1) % 3] == signal.SIGKILL else 0
            limit[0] = server.answered.total() + 5
            gate.clear()
            process = forked.command(*given)
            while server.answered.total() < limit[0] and process.poll() is None:
                time.sleep(0.001)
            process.send_signal(number)
            time.sleep(0.1)
            gate.set()
            process.communicate(timeout=60)
            assert process.returncode == {signal.SIGINT: 130, signal.SIGTERM: 143}.get(number, -9)
            assert twice() - before <= lost and not (go.folder / "out.jsonl").exists()
        limit[0] = 10**6
        last = forked.command(*given)
        last.communicate(timeout=60)
        assert last.returncode == 0
        assert len(+server.answered) == wanted.models[0]["asked"]
    assert (go.rows(), go.log()) == rows


def test_other_options_don_t_go_on_with_the_work(go):
    asked = []

    def for_a_while(messages):
        asked.append(messages)
        if len(asked) == 10:
            server.replies = [(401, {}, {"error": {"message": "no"}})] * 50
        return annotator(messages)

    with serving(for_a_while) as server:
        with pytest.raises(UserError, match="state 401"):
            go(name(server), workers=1)
        assert not (go.folder / "out.jsonl").exists()
        server.replies = []
        with pytest.raises(UserError, match="another value of least_rating"):
            go(name(server), task=Entities(2))
        with pytest.raises(UserError, match="another value of models"):
            go(name(server, "other"))
        assert go(name(server)).rows == 10


def test_replies_of_a_file_are_asked_for_stage_by_stage(go):
    replies = go.folder / "r.jsonl"
    rounds = 0
    while True:
        try:
            result = go(f"file:{replies}", task=Entities(native_labels=True))
            break
        except UserError as error:
            assert "questions have no reply yet" in str(error)
        rounds += 1
        with replies.open("a", encoding="utf-8") as out:
            for row in read(go.folder / "r.questions.jsonl"):
                said = completion({"role": "assistant",
                                   "content": annotator(row["body"]["messages"])})  # fmt: skip
                answer = {"custom_id": row["custom_id"], "response": {"body": said}}
                out.write(json.dumps(answer) + "\n")
    assert rounds == 3 and (result.accepted, result.rejected) == (8, 2)
    assert go.rows()[0]["char_spans"][0]["native"] == "nosrep"


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{"id": 1}], "has no text"),
        ([{"text": " "}], "has no text"),
        ([{"text": "a \ud800"}], "half a surrogate"),
        ([{"text": "a", "id": [1]}], "an id must be"),
        ([{"text": "a", "lang": "no language"}], "unknown language tag"),
        ([{"text": "a", "lang": 5}], "no language"),
        ([[1]], "must be an object"),
        ([], "no row"),
    ],
)
def test_a_malformed_row_is_told_and_nothing_is_written(go, rows, said):
    with serving(annotator) as server, pytest.raises(UserError, match=said):
        go(name(server), rows=rows)
    assert not (go.folder / "out.jsonl").exists()


def test_the_command_line_writes_rows_counts_and_costs(go):
    text, out = go.folder / "texts.txt", go.folder / "out.jsonl"
    text.write_text("".join(f"{passage(i)}\n" for i in range(5)), encoding="utf-8")
    with serving(annotator) as server:
        given = ("annotate", "--data", text, "--lang", "sw", "--llm", name(server), "--out", out,
                 "--price", "1,2", "--json", go.folder / "c.json")  # fmt: skip
        done = xadapt(*given)
        assert done.code == 0, done.err
        assert "5 rows: 4 accepted, 1 rejected" in done.out
        assert "tiny: 9 replies (" in done.err and ", cost 0.00" in done.err
        found = json.loads((go.folder / "c.json").read_text(encoding="utf-8"))
        assert found["models"][0]["cost"] > 0 and found["counts"] == {"spans": 16}
        assert xadapt(*given).code == 2  # the output is there
        for wrong in (("--task", "nothing"), ("--llm", "nothing:x"), ("--price", "1"),
                      ("--log", out), ("--agree", "2"), ("--api-key-env", "NO_SUCH")):  # fmt: skip
            done = xadapt(*given, "--force", *wrong)
            assert done.code == 2 and len(done.lines) == 1, (wrong, done.err)


def test_ratings_alone_keep_every_passage(go):
    with serving(annotator) as server:
        result = go(name(server), task=Ratings())
        asked = [b["messages"][1]["content"] for b in server.bodies]
    assert (result.rows, result.accepted) == (10, 10) and len(asked) == 10
    assert all("How useful" in one for one in asked)
    assert go.rows()[0] == {"id": "p0", "lang": "sw", "text": passage(0), "rating": 4}
    assert result.labels == {"4": 8, "1": 2}
    texts = list(RatedTexts().read(str(go.folder / "out.jsonl"), "sw"))
    assert [row.label for row in texts] == [str(row["rating"]) for row in go.rows()]
    with pytest.raises(UserError, match="asks one model"):
        Ratings().check(2)


def test_ratings_come_from_a_file_of_replies(go):
    """The questions are written, answered elsewhere, and the same call ends with all rows."""
    replies = go.folder / "replies.jsonl"
    with pytest.raises(UserError, match="questions have no reply yet"):
        go(f"file:{replies}", task=Ratings(), n=4)
    questions = read(go.folder / "replies.questions.jsonl")
    assert len(questions) == 4 and not (go.folder / "out.jsonl").exists()
    lines = [
        json.dumps({"key": one["custom_id"], "reply": annotator(one["body"]["messages"])}) + "\n"
        for one in questions
    ]
    replies.write_text("".join(lines), encoding="utf-8")
    result = go(f"file:{replies}", task=Ratings(), n=4)
    assert result.accepted == 4 and [row["rating"] for row in go.rows()] == [4, 4, 4, 4]
