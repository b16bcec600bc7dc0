"""Language models named by text, replies in a file, and a local model with random weights."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from tiny_models import tiny_tokenizer
from transformers import GPT2Config, GPT2LMHeadModel

from xadapt.core.errors import UserError
from xadapt.integrations.language_models.client import Client
from xadapt.integrations.language_models.local_model import LocalModel
from xadapt.integrations.language_models.opening import open_language_model
from xadapt.integrations.language_models.protocol import (
    LanguageModel,
    Question,
    RejectedQuestionError,
    Reply,
    UnansweredError,
)
from xadapt.integrations.language_models.replies_file import RepliesFile


def asked(text, **more):
    return Question((("system", "be short"), ("user", text)), **more)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "unknown language model"),
        ("opena:x", "did you mean openai"),
        ("openai:", "incomplete"),
        ("openai:m@ftp://a.org", "no address that begins with http"),
        ("openai:m@localhost:8000", "no address that begins with http"),
        ("openai:m@http://user:secret@a.org/v1", "holds no key"),
        ("openai:m@https://a.org/v1?key=secret", "holds no key"),
        ("openai:m@http:///v1", "no address"),
        ("openai:m@http://a.org:99999/v1", "no address"),
        ("openai:m@http://[::1/v1", "no address"),
        ("local:no-such-folder", "no language model can be loaded"),
    ],
)
def test_a_wrong_name_is_one_line_without_secrets(text, said, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(UserError, match=said) as fault:
        open_language_model(text)
    assert "secret" not in str(fault.value) and "\n" not in str(fault.value)


def test_keys_come_from_a_variable(monkeypatch):
    pytest.importorskip("openai")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    with pytest.raises(UserError, match="OPENAI_API_KEY is empty"):
        open_language_model("openai:gpt")
    with pytest.raises(UserError, match="NO_SUCH_KEY is empty"):
        open_language_model("openai:gpt@http://127.0.0.1:9/v1", key_env="NO_SUCH_KEY")
    with pytest.raises(UserError, match="only an endpoint has a key"):
        open_language_model("file:x.jsonl", key_env="NO_SUCH_KEY")
    opened = open_language_model("openai:org/name@8bit@http://127.0.0.1:9/v1/")
    assert opened.facts == {
        "language model": "openai", "model": "org/name@8bit", "address": "http://127.0.0.1:9/v1",
    }  # fmt: skip
    assert isinstance(opened, LanguageModel)


def test_replies_are_found_by_prompt_and_by_key_and_questions_are_kept(tmp_path):
    path = tmp_path / "replies.jsonl"
    usage = {"prompt_tokens": 3, "completion_tokens": 1}
    body = {"choices": [{"message": {"content": "c"}, "finish_reason": "length"}], "usage": usage}
    no = {"choices": [{"message": {"content": None, "refusal": "no"}}]}
    rows = [
        {"prompt": "first", "reply": "a"},
        {"key": asked("second").key, "reply": "b"},
        {"custom_id": asked("third").key, "response": {"status_code": 200, "body": body}},
        {"custom_id": asked("fourth").key, "response": {"status_code": 200, "body": no}},
        {"custom_id": asked("fifth").key, "response": None, "error": {"message": "x"}},
        {"custom_id": asked("sixth").key, "response": {"status_code": 500, "body": {}}},
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    model = open_language_model(f"file:{path}")
    client = Client(model)
    found = [client.reply(asked(name)) for name in ("first", "second", "third", "fourth")]
    assert found == [
        Reply("a"), Reply("b"), Reply("c", "length", 3, 1), Reply("no", "refusal")
    ]  # fmt: skip
    for name in ("fifth", "sixth", "fifth"):
        with pytest.raises(UnansweredError):
            client.reply(asked(name, schema={"type": "object"}))
    assert model.waiting == 2
    model.write_questions()
    written = [json.loads(line) for line in model.questions.read_text().splitlines()]
    assert model.questions.name == "replies.questions.jsonl"
    assert {row["body"]["messages"][-1]["content"] for row in written} == {"fifth", "sixth"}
    assert written[0]["url"] == "/v1/chat/completions" and len(written[0]["custom_id"]) == 64
    assert written[0]["body"]["response_format"]["type"] == "json_schema"
    answers = [{"key": row["custom_id"], "reply": "z"} for row in written]
    with path.open("a") as out:
        out.writelines(json.dumps(row) + "\n" for row in answers)
    again = Client(RepliesFile.read(path))
    assert again.reply(asked("fifth", schema={"type": "object"})).text == "z"


@pytest.mark.parametrize(
    "line",
    ["[1]", "{}", '{"prompt": "a"}', '{"prompt": 1, "reply": "a"}', '{"reply": "a"}', "{",
     '{"custom_id": "a", "response": {"body": {"choices": []}}}',
     '{"custom_id": "a", "response": {"body": {"choices": [{"message": {"content": 1}}]}}}',
     '{"custom_id": "a", "response": {"body": null}}'],
)  # fmt: skip
def test_a_malformed_reply_is_told_with_its_line(tmp_path, line):
    path = tmp_path / "r.jsonl"
    path.write_text('{"prompt": "a", "reply": "b"}\n\n' + line + "\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"r\.jsonl:3"):
        RepliesFile.read(path)


def test_two_replies_to_one_question_are_refused(tmp_path):
    path = tmp_path / "r.jsonl"
    path.write_text('{"prompt": "a", "reply": "b"}\n{"prompt": "a", "reply": "c"}\n')
    with pytest.raises(UserError, match="another reply"):
        RepliesFile.read(path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("causal")
    tokenizer = tiny_tokenizer()
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=len(tokenizer), n_embd=16, n_layer=2, n_head=2, n_positions=64,
        eos_token_id=tokenizer.sep_token_id or 0, bos_token_id=tokenizer.cls_token_id or 0,
    )  # fmt: skip
    model = GPT2LMHeadModel(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0, 0.6)
    model.save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


TEXTS = ["the dog sleeps", "a", "the red cat runs on a green house and the dog sleeps"]


def test_a_local_model_in_a_batch_replies_as_it_does_alone(folder):
    model = open_language_model(f"local:{folder}")
    alone = [model.reply(asked(text, max_tokens=6)) for text in TEXTS]
    assert any(reply.text for reply in alone)
    together = model._generated([asked(text, max_tokens=6) for text in TEXTS])
    assert together == alone
    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(model.reply, [asked(t, max_tokens=6) for t in TEXTS])) == alone
    assert all(reply.prompt_tokens and reply.completion_tokens <= 6 for reply in alone)


def test_a_reply_at_the_limit_is_cut_and_a_long_question_is_rejected(folder):
    model = LocalModel.from_pretrained(str(folder))
    reply = model.reply(asked("a dog", max_tokens=1))
    assert reply.finish == "length" or reply.completion_tokens == 0
    with pytest.raises(RejectedQuestionError, match="the model reads 64"):
        model.reply(asked("dog " * 100))
    near = asked("dog " * 20, max_tokens=60)
    both = model._generated([asked("a dog", max_tokens=60), near])
    assert both[0] == model.reply(asked("a dog", max_tokens=60))


def test_samples_differ_and_one_sample_repeats(folder):
    model = LocalModel.from_pretrained(str(folder))

    def drawn(sample):
        return model.reply(asked("the dog", temperature=5.0, sample=sample, max_tokens=8)).text

    assert len({drawn(i) for i in range(6)}) > 1
    assert drawn(2) == drawn(2)


def test_a_chat_template_forms_the_conversation(folder):
    model = LocalModel.from_pretrained(str(folder))
    plain = model._tokens(asked("the dog"))
    model.tokenizer.chat_template = "{% for m in messages %}{{ m['content'] }} red {% endfor %}"
    assert model._tokens(asked("the dog")) != plain
    shown = model.tokenizer.decode(model._tokens(asked("the dog")))
    assert shown.replace("▁", "").replace(" ", "").count("red") == 2


def test_other_weights_in_the_same_folder_are_another_model(folder, tmp_path):
    before = dict(LocalModel.from_pretrained(str(folder)).facts)
    assert before == dict(LocalModel.from_pretrained(str(folder)).facts)
    other = shutil.copytree(folder, tmp_path / "other")
    model = LocalModel.from_pretrained(str(other)).model
    with torch.no_grad():
        next(iter(model.parameters()))[0, 0] += 1
    model.save_pretrained(other)
    assert LocalModel.from_pretrained(str(other)).facts["weights"] != before["weights"]
