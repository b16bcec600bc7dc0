"""The client against a real server on loopback: retries, waits, cache, forms, counts, keys."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType

import pytest
from model_server import completion, serving
from pydantic import BaseModel

pytest.importorskip("openai")

from xadapt.core.errors import UserError
from xadapt.integrations.language_models import client as module
from xadapt.integrations.language_models.client import (
    BROKEN,
    Client,
    NoAnswerError,
    OutOfReachError,
    StoppedError,
    open_client,
    parse_price,
)
from xadapt.integrations.language_models.endpoint import Endpoint
from xadapt.integrations.language_models.protocol import Question, Reply, TemporaryFaultError
from xadapt.integrations.language_models.reply_cache import ReplyCache


class Number(BaseModel):
    number: int


def asked(text="hi", **more):
    return Question((("user", text),), **more)


@pytest.fixture
def server():
    with serving() as running:
        yield running


def client_of(server, folder=None, **more):
    waits = []
    made = Client(
        Endpoint("tiny", server.url, timeout=20),
        None if folder is None else ReplyCache(folder),
        wait=lambda seconds: bool(waits.append(seconds)),
        **more,
    )
    made.waits = waits
    return made


def test_a_question_is_asked_once_and_its_tokens_are_counted(server, tmp_path):
    client = client_of(server, tmp_path, price=(1_000_000, 2_000_000))
    assert client.reply(asked("two words")) == Reply("two words", "stop", 2, 2)
    assert client.reply(asked("two words")).text == "two words"
    assert client.usage.to_dict() == {
        "asked": 1, "cached": 1, "retries": 0, "failed": 0, "prompt_tokens": 2,
        "completion_tokens": 2, "uncounted": 0, "cost": 6.0,
    }  # fmt: skip
    client.close()
    again = client_of(server, tmp_path)
    assert again.reply(asked("two words")) == Reply("two words", "stop", 2, 2)
    assert server.requests.total() == 1


@pytest.mark.parametrize(
    "other",
    [
        asked("two words", temperature=0.5),
        asked("two words", max_tokens=5),
        asked("two words", schema={"type": "object"}),
        asked("two words", sample=1),
        Question((("system", "x"), ("user", "two words"))),
    ],
)
def test_another_question_has_another_reply(server, tmp_path, other):
    client = client_of(server, tmp_path)
    client.reply(asked("two words"))
    client.reply(other)
    assert server.requests.total() == 2


def test_another_model_has_other_replies(server, tmp_path):
    client_of(server, tmp_path).reply(asked())
    Client(Endpoint("other", server.url), ReplyCache(tmp_path)).reply(asked())
    assert server.requests.total() == 2


def test_threads_share_one_request(server, tmp_path):
    server.delay = 0.1
    client = client_of(server, tmp_path)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(client.reply, [asked("same")] * 8))
    assert {reply.text for reply in found} == {"same"}
    assert server.requests.total() == 1
    assert (client.usage.asked, client.usage.cached) == (1, 7)


def test_several_are_asked_at_a_time(server):
    server.delay = 0.2
    client = client_of(server)
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(client.reply, [asked(str(i)) for i in range(6)]))
    assert server.most > 3


FAULTY = {
    "a limit of requests": (429, {}, {"error": {"message": "slow down"}}),
    "out of order": (500, {}, {"error": {"message": "no"}}),
    "overloaded": (503, {"Content-Type": "text/html"}, "<html>busy</html>"),
    "no JSON": (200, {}, "{"),
    "a page": (200, {"Content-Type": "text/html"}, "<html>hello</html>"),
    "no choice": (200, {}, {"id": "x", "choices": []}),
    "no text": (200, {}, completion({"role": "assistant", "content": None})),
    "null": (200, {}, "null"),
    "a list": (200, {}, "[1]"),
}


@pytest.mark.parametrize("name", FAULTY)
def test_a_fault_that_may_pass_is_tried_again(server, name):
    server.replies = [FAULTY[name]] * 2
    client = client_of(server)
    assert client.reply(asked()).text == "hi"
    assert client.usage.retries == 2 and len(client.waits) == 2
    assert all(wait <= longest for wait, longest in zip(client.waits, (0.5, 1.0), strict=True))


def test_a_cut_answer_and_a_closed_port_are_tried_again(server):
    server.share, server.faults = 1.0, ["cut"]
    client = client_of(server)
    with pytest.raises(OutOfReachError, match="no reply after 6 attempts"):
        client.reply(asked())
    assert server.requests.total() == 6 and client.usage.failed == 1
    closed = Client(Endpoint("tiny", "http://127.0.0.1:9/v1"), attempts=2, wait=lambda _: False)
    with pytest.raises(OutOfReachError, match="no reply after 2"):
        closed.reply(asked())


def test_a_slow_answer_is_given_up(server):
    server.delay = 0.5
    client = Client(Endpoint("tiny", server.url, timeout=0.1), attempts=2, wait=lambda _: False)
    with pytest.raises(OutOfReachError, match="timed out"):
        client.reply(asked())


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After-Ms": "2500", "Retry-After": "9"}, 2.5),
        ({"Retry-After": "Thu, 01 Jan 1970 00:00:00 GMT"}, 0.0),
    ],
)
def test_the_server_says_how_long_to_wait(server, headers, seconds):
    server.replies = [(429, headers, {"error": {"message": "slow down"}})]
    client = client_of(server)
    client.reply(asked())
    assert len(client.waits) == 1 and seconds <= client.waits[0] <= seconds + 0.1


@pytest.mark.parametrize("header", ["soon", "nan", "-3", ""])
def test_a_wait_that_is_none_is_our_own(server, header):
    server.replies = [(429, {"Retry-After": header}, {"error": {"message": "slow down"}})]
    client = client_of(server)
    client.reply(asked())
    assert 0 <= client.waits[0] <= 0.5


def test_a_day_is_not_waited_for(server):
    server.replies = [(429, {"Retry-After": "86400"}, {"error": {"message": "daily limit"}})]
    with pytest.raises(UserError, match="asks to wait 86,400 s: state 429: daily limit"):
        client_of(server).reply(asked())


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (401, {"error": {"message": "wrong key"}}, "state 401: wrong key.*--api-key-env"),
        (403, {"error": {"message": "not yours"}}, "state 403"),
        (404, {"error": {"message": "no model tiny"}}, "state 404: no model tiny.*name of the"),
        (429, {"error": {"message": "pay", "code": "insufficient_quota"}}, "no quota left"),
    ],
)
def test_what_no_question_survives_ends_the_work(server, status, body, said):
    server.replies = [(status, {}, body)]
    with pytest.raises(UserError, match=said):
        client_of(server).reply(asked())
    assert server.requests.total() == 1


def test_a_question_that_is_too_long_is_asked_once(server):
    server.replies = [(400, {}, {"error": {"message": "maximum context length is 8"}})]
    client = client_of(server)
    with pytest.raises(NoAnswerError, match="rejects the question: state 400: maximum context"):
        client.reply(asked())
    assert server.requests.total() == 1 and client.reply(asked()).text == "hi"


def test_a_model_that_is_out_of_order_ends_the_work(server):
    server.share, server.faults = 1.0, ["500"]
    client = client_of(server)
    for i in range(BROKEN - 1):
        with pytest.raises(OutOfReachError):
            client.reply(asked(str(i)))
    with pytest.raises(UserError, match="8 questions one after another"):
        client.reply(asked("last"))


def test_one_good_reply_between_keeps_it_going(server):
    client = client_of(server, attempts=1)
    for i in range(3 * BROKEN):
        bad = [(500, {}, {"error": {"message": "no"}})] if i % 2 else []
        server.replies = bad
        if bad:
            with pytest.raises(OutOfReachError):
                client.reply(asked(str(i)))
        else:
            client.reply(asked(str(i)))


DIALECTS = {
    "response_format json_schema is not supported": ("response_format", {"type": "json_object"}),
    "use max_completion_tokens instead of max_tokens": ("max_completion_tokens", 1024),
    "temperature must be 1": ("temperature", None),
    "unknown field seed": ("seed", None),
}


@pytest.mark.parametrize("said", DIALECTS)
def test_requests_are_written_as_the_server_takes_them(server, said):
    server.replies = [(400, {}, {"error": {"message": said}})]
    client = client_of(server)
    for text in ("a", "b"):
        client.reply(asked(text, schema={"type": "object"}, temperature=0.5, sample=3))
    name, value = DIALECTS[said]
    assert server.bodies[0].get(name) != value
    assert [body.get(name) for body in server.bodies[1:]] == [value, value]
    assert len(server.bodies) == 3


def test_a_server_that_refuses_everything_is_not_asked_for_ever(server):
    refusal = (400, {}, {"error": {"message": "response_format temperature seed bad"}})
    server.replies = [refusal] * 20
    with pytest.raises(NoAnswerError, match="state 400"):
        client_of(server).reply(asked(schema={"type": "object"}, temperature=0.5))
    assert server.requests.total() == 5


def brain_of(*replies):
    given = iter(replies)
    return lambda messages: next(given)


@pytest.mark.parametrize(
    "text",
    [
        '{"number": 5}',
        '```json\n{"number": 5}\n```',
        'Sure, here it is: {"number": 5}. Anything else?',
        '<think>{"number": 4}? no</think>\n{"number": 5}',
    ],
)
def test_a_reply_is_read_as_json(server, text):
    server.brain = brain_of(text)
    assert client_of(server).ask([("user", "?")], Number).number == 5
    sent = server.bodies[0]["response_format"]["json_schema"]
    assert sent["name"] == "number" and sent["schema"]["required"] == ["number"]


@pytest.mark.parametrize("bad", ["five", '{"number": "five"}', '{"number"', '{"n": 5}', "[5]"])
def test_a_reply_of_another_form_is_asked_for_once_more(server, bad):
    server.brain = brain_of(bad, '{"number": 5}')
    assert client_of(server).ask([("user", "?")], Number).number == 5
    first, second = server.bodies
    assert second["messages"][:1] == first["messages"]
    assert [one["role"] for one in second["messages"]] == ["user", "assistant", "user"]
    server.brain = brain_of(bad, bad)
    with pytest.raises(NoAnswerError, match=r"not JSON|not of the form: number: "):
        client_of(server).ask([("user", "?")], Number)


def test_a_cut_reply_is_asked_for_with_more_tokens(server):
    half = completion({"role": "assistant", "content": '{"number": 12'}, "length")
    server.replies = [(200, {}, half)]
    server.brain = brain_of('{"number": 123}')
    assert client_of(server).ask([("user", "?")], Number, max_tokens=5).number == 123
    assert [body["max_tokens"] for body in server.bodies] == [5, 10]


@pytest.mark.parametrize(
    "message",
    [
        {"role": "assistant", "content": None, "refusal": "I can't do that"},
        {"role": "assistant", "content": "I'm sorry, but I can't do that"},
    ],
)
def test_a_refusal_is_not_asked_again(server, message):
    server.replies = [(200, {}, completion(message))]
    with pytest.raises(NoAnswerError, match=r"refused: I.*can't do that"):
        client_of(server).ask([("user", "?")], Number)
    assert server.requests.total() == 1


def test_a_fault_that_the_caller_finds_is_told_to_the_model(server):
    server.brain = brain_of('{"number": 5}', '{"number": 6}')
    found = client_of(server).ask(
        [("user", "?")], Number, lambda n: "it is odd" if n.number % 2 else ""
    )
    assert found.number == 6
    assert "it is odd" in server.bodies[1]["messages"][-1]["content"]


def test_the_key_is_sent_and_stays_nowhere(server, tmp_path, monkeypatch, caplog):
    secret = "sk-very-secret-key"
    monkeypatch.setenv("OWN_KEY", f" {secret}\n")
    server.brain = lambda messages: f"your key is {secret}"
    client = open_client(f"openai:tiny@{server.url}", key_env="OWN_KEY", cache=tmp_path)
    assert client.reply(asked()).text == "your key is [key]"
    assert server.headers["authorization"] == f"Bearer {secret}"
    server.replies = [(401, {}, {"error": {"message": f"wrong key {secret}"}})]
    with pytest.raises(UserError) as fault:
        client.reply(asked("more"))
    client.close()
    shown = [str(fault.value), json.dumps(dict(client.facts)), repr(client), caplog.text]
    shown += [path.read_bytes().decode("latin-1") for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(secret in text for text in shown)


def test_no_word_of_a_server_reaches_the_terminal_as_a_command(server, tmp_path):
    server.replies = [(404, {}, {"error": {"message": "no \x1b[2J\nmodel\x07"}})]
    client = client_of(server, tmp_path)
    with pytest.raises(UserError) as fault:
        client.reply(asked())
    assert str(fault.value).isprintable() and "no [2J model" in str(fault.value)
    broken = completion({"role": "assistant", "content": "half \ud800 pair"})
    server.replies = [(200, {}, json.dumps(broken))]
    assert client.reply(asked("more")).text == "half ? pair" == client.reply(asked("more")).text
    server.replies = [(200, {}, completion({"role": "assistant", "refusal": "no\x1b[2J"}))]
    with pytest.raises(NoAnswerError) as refused:
        client.ask([("user", "?")], Number)
    assert str(refused.value) == "refused: no [2J"


def test_without_a_variable_no_key_goes_to_a_strange_address(server, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-openai")
    open_client(f"openai:tiny@{server.url}").reply(asked("once"))
    assert "sk-of-openai" not in str(server.headers)


def test_stopped_work_asks_nothing_more_and_keeps_what_comes(server, tmp_path):
    server.delay = 0.3
    client = client_of(server, tmp_path)
    thread = threading.Thread(target=client.reply, args=[asked("under way")])
    thread.start()
    while not server.requests:
        pass
    client.stop()
    with pytest.raises(StoppedError):
        client.reply(asked("new"))
    thread.join()
    assert server.requests.total() == 1
    assert client.cache.find(client.facts, asked("under way")) is not None


def test_a_wait_ends_when_the_work_is_stopped(server):
    server.replies = [(429, {"Retry-After": "500"}, {"error": {"message": "slow"}})]
    client = Client(Endpoint("tiny", server.url))
    threading.Timer(0.1, client.stop).start()
    with pytest.raises(StoppedError):
        client.reply(asked())


def test_the_times_between_attempts_double_up_to_a_limit(monkeypatch):
    class Never:
        facts = MappingProxyType({"model": "never"})

        def reply(self, question):
            raise TemporaryFaultError("no")

    waits = []
    client = Client(Never(), attempts=11, wait=lambda s: bool(waits.append(s)))
    monkeypatch.setattr(client._random, "random", lambda: 1.0)
    with pytest.raises(OutOfReachError):
        client.reply(asked())
    assert waits == [0.5, 1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_a_damaged_cache_is_named(tmp_path):
    (tmp_path / "replies.sqlite").write_bytes(b"no database" * 100)
    with pytest.raises(UserError, match="cache of replies can't be used"):
        ReplyCache(tmp_path)


@pytest.mark.parametrize("text", ["", "1", "1,2,3", "a,b", "-1,2", "nan,1", "inf,1"])
def test_prices_are_two_numbers(text):
    with pytest.raises(UserError, match="two prices"):
        parse_price(text)
    assert parse_price(".15,0.6") == (0.15, 0.6) and module.MILLION == 10**6
