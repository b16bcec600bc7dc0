"""A language model as a translator: markers, refusals, threads, cache; against a real server."""

from __future__ import annotations

import pytest
from model_server import completion, serving
from tiny_annotator import annotator

pytest.importorskip("openai")

from xadapt.core.errors import UserError
from xadapt.integrations.language_models import client as client_module
from xadapt.integrations.translators.cached import CachedTranslator, cached_translator
from xadapt.integrations.translators.protocol import Translator, open_translator


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.setenv("XADAPT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(client_module, "FIRST_WAIT", 0.001)
    with serving(annotator) as running:
        yield running


def test_texts_are_translated_in_their_order_each_once(server):
    server.delay = 0.05
    translator = open_translator(f"llm:openai:tiny@{server.url}")
    assert isinstance(translator, Translator)
    texts = ["a dog", "one", "", "a dog", "two words", "  "]
    assert translator.translate(texts, "en", "de") == ["a god", "eno", "", "a god", "owt sdrow", ""]
    assert server.requests.total() == 3 and server.most > 1
    asked = server.bodies[0]["messages"][1]["content"]
    assert "from English into German" in asked and "Keep" not in asked
    assert dict(translator.facts) == {
        "translator": "llm", "prompt": "1", "language model": "openai", "model": "tiny",
        "address": server.url,
    }  # fmt: skip


def test_a_lost_marker_is_asked_for_again(server):
    lost = completion({"role": "assistant", "content": '{"translation": "see"}'})
    server.replies = [(200, {}, lost)]
    translator = open_translator(f"llm:openai:tiny@{server.url}")
    assert translator.translate(["see QZ0QZ now"], "en", "de") == ["ees QZ0QZ won"]
    assert "Keep QZ0QZ as they are" in server.bodies[0]["messages"][1]["content"]
    assert "QZ0QZ must stand in it as often" in server.bodies[1]["messages"][-1]["content"]
    server.replies = [(200, {}, lost)] * 2
    assert translator.translate(["hear QZ0QZ now"], "en", "de") == [""]


def test_what_is_refused_is_empty_and_kept_nowhere(server, tmp_path):
    refused = {"role": "assistant", "content": None, "refusal": "no"}
    server.replies = [(200, {}, completion(refused)), *[(500, {}, "busy")] * 6]
    own = CachedTranslator(open_translator(f"llm:openai:tiny@{server.url}"), tmp_path)
    assert own.translate(["bad"], "en", "de") == [""]
    assert own.translate(["later"], "en", "de") == [""]
    assert own.translate(["later"], "en", "de") == ["retal"]
    assert own.translate(["bad"], "en", "de") == [""] and server.requests.total() == 8


def test_translations_are_kept_by_model_and_language(server):
    for model in ("a", "a", "b"):
        cached = cached_translator(f"llm:openai:{model}@{server.url}")
        assert cached.translate(["a dog"], "en", "de") == ["a god"]
        cached.translate(["a dog"], "en", "fr")
    assert server.requests.total() == 4


@pytest.mark.parametrize(
    ("text", "key", "said"),
    [
        ("llm", None, "incomplete"),
        ("llm:", None, "incomplete"),
        ("llm:nothing:x", None, "unknown language model"),
        ("llm:file:x.jsonl", None, "no translator.*file:TRANSLATIONS.tsv"),
        ("llm:openai:m@http://127.0.0.1:9/v1", "NO_SUCH", "NO_SUCH is empty"),
        ("file:x.tsv", "NO_SUCH", "only a language model has a key"),
    ],
)
def test_a_wrong_name_is_told(text, key, said):
    with pytest.raises(UserError, match=said):
        open_translator(text, key_env=key)


def test_a_wrong_key_ends_the_work(server):
    server.replies = [(401, {}, {"error": {"message": "wrong key"}})] * 9
    with pytest.raises(UserError, match="state 401"):
        open_translator(f"llm:openai:tiny@{server.url}").translate(["a", "b"], "en", "de")
