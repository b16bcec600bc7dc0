"""FAITH's five scores as a filter of selective translation, against a real server."""

from __future__ import annotations

import json
import re

import pytest
from model_server import FAULTS, serving
from tiny_annotator import annotator
from tiny_commands import xadapt

pytest.importorskip("openai")

from xadapt.core.errors import UserError
from xadapt.integrations.language_models import client as client_module
from xadapt.integrations.language_models.client import open_client
from xadapt.integrations.translators.protocol import open_translator
from xadapt.pipelines.faith_judge import FaithJudge, FaithScores
from xadapt.pipelines.selective import translate_selective

ROWS = [{"id": n, "prompt": f"please explain `f({n})` here", "response": f"word number {n}"}
        for n in range(10)]  # fmt: skip


def judging(messages):
    """Find fault with the third row's prompt and with the fifth one's response."""
    source = re.search(r"<source>\n(.*)\n</source>", messages[1]["content"], re.S)[1]
    scores = dict.fromkeys(FaithScores.model_fields, 5) | {"terminology": 0}
    scores |= {"accuracy": 3} if "f(3)" in source else {}
    scores |= {"format": -1} if source.endswith("5") else {}
    return json.dumps(scores)


@pytest.fixture
def go(tmp_path, monkeypatch):
    monkeypatch.setenv("XADAPT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(client_module, "FIRST_WAIT", 0.001)
    data = tmp_path / "en.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")

    def run(server, judge, least=5, **more):
        return translate_selective(
            data, tmp_path / "out.jsonl", source="en", target="de",
            translator=open_translator(f"llm:openai:one@{server.url}"),
            judge=FaithJudge(open_client(f"openai:two@{judge.url}"), least), **more,
        )  # fmt: skip

    run.folder = tmp_path
    return run


def log(go):
    text = (go.folder / "out.jsonl.log.jsonl").read_text(encoding="utf-8")
    return {row["id"]: row["reason"] for row in map(json.loads, text.splitlines())}


def test_rows_below_the_least_score_are_rejected(go):
    with serving(annotator) as server, serving(judging) as judge:
        result = go(server, judge)
        assert (result.accepted, result.rejected) == (8, 2)
        assert log(go) == {
            "3": "judged too low: accuracy is 3, below 5",
            "5": "judged too low: text is missing, format can't be judged",
        }
        assert result.judge["asked"] == 19 and result.reasons == {"judged too low": 2}
        (go.folder / "out.jsonl").unlink()
        assert go(server, judge, least=3).accepted == 9
    first = json.loads((go.folder / "out.jsonl").read_text(encoding="utf-8").splitlines()[0])
    assert first["messages"][0]["content"] == "esaelp nialpxe `f(0)` ereh"


def test_faults_of_both_models_reject_rows_with_reasons(go):
    faulty = {"share": 0.3, "faults": FAULTS, "seed": 2}
    with serving(annotator, **faulty) as server, serving(judging, **faulty) as judge:
        result = go(server, judge)
    assert result.accepted + result.rejected == 10 == result.rows
    assert 0 < result.accepted < 10
    allowed = r"nothing came back|judged too low|not judged: (refused|not JSON)"
    assert log(go) and all(re.match(allowed, reason) for reason in log(go).values())


def test_a_model_does_not_judge_itself(go):
    with serving(annotator) as server, pytest.raises(UserError, match="can't be its own judge"):
        translate_selective(
            go.folder / "en.jsonl", go.folder / "o", source="en", target="de",
            translator=open_translator(f"llm:openai:one@{server.url}"),
            judge=FaithJudge(open_client(f"openai:one@{server.url}")),
        )  # fmt: skip


@pytest.mark.parametrize("least", [0, 6])
def test_scores_are_from_one_to_five(go, least):
    with serving(judging) as judge, pytest.raises(UserError, match="from 1 to 5"):
        go(judge, judge, least=least)


def test_the_command_line_translates_and_judges(go):
    out = go.folder / "out.jsonl"
    with serving(annotator) as server, serving(judging) as judge:
        given = ("translate", "--selective", "--data", go.folder / "en.jsonl", "--source", "en",
                 "--target", "de", "--out", out, "--translator", f"llm:openai:one@{server.url}",
                 "--judge", f"llm:openai:two@{judge.url}")  # fmt: skip
        done = xadapt(*given)
        assert done.code == 0, done.err
        assert "8 accepted" in done.out and "rejected: 2 because judged too low" in done.out
        done = xadapt(*given[:1], *given[2:], "--force")
        assert done.code == 2 and "--judge need --selective" in done.err
        done = xadapt(*given, "--force", "--api-key-env", "NO_SUCH_KEY")
        assert done.code == 2 and "NO_SUCH_KEY is empty" in done.err
