"""An encoder with modules as the embeddings of LangChain's own vector store."""

from __future__ import annotations

import pytest
from tiny_folders import random_module
from tiny_models import MANY, tiny_encoder

from xadapt.core.errors import UserError
from xadapt.inference.adapted_encoder import AdaptedEncoder

pytest.importorskip("langchain_core")

from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import InMemoryVectorStore

from xadapt.integrations.langchain import XadaptEmbeddings


@pytest.fixture(scope="module")
def model() -> AdaptedEncoder:
    encoder = tiny_encoder()
    modules = {tag: random_module(encoder, "lora", seed=i) for i, tag in enumerate(("de", "sw"))}
    return AdaptedEncoder(encoder, modules)


def test_vectors_are_those_of_the_encoder(model: AdaptedEncoder) -> None:
    embeddings = XadaptEmbeddings(model, language="de", query_language="sw")
    assert isinstance(embeddings, Embeddings)
    assert embeddings.embed_documents(MANY) == model.encode(MANY, "de").tolist()
    assert embeddings.embed_query("paka") == model.encode("paka", "sw").tolist()
    assert embeddings.embed_documents([]) == []
    unit = XadaptEmbeddings(model, language="de", normalize_embeddings=True)
    assert sum(x * x for x in unit.embed_query("paka")) == pytest.approx(1)


def test_a_vector_store_finds_a_text_by_itself(model: AdaptedEncoder) -> None:
    store = InMemoryVectorStore(XadaptEmbeddings(model, language="de"))
    store.add_texts(MANY[:6])
    for text in MANY[:6]:
        [found] = store.similarity_search(text, k=1)
        assert found.page_content == text


def test_without_a_language_two_modules_are_asked_about(model: AdaptedEncoder) -> None:
    with pytest.raises(UserError, match="Give a language"):
        XadaptEmbeddings(model).embed_query("paka")
