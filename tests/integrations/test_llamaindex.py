"""An encoder with modules as the embedding of LlamaIndex's own vector index."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from tiny_folders import random_module
from tiny_models import MANY, tiny_encoder

from xadapt.inference.adapted_encoder import AdaptedEncoder

pytest.importorskip("llama_index.core")

from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.indices import VectorStoreIndex
from llama_index.core.schema import TextNode

from xadapt.integrations.llamaindex import XadaptEmbedding


@pytest.fixture(scope="module")
def model() -> AdaptedEncoder:
    encoder = tiny_encoder()
    modules = {tag: random_module(encoder, "lora", seed=i) for i, tag in enumerate(("de", "sw"))}
    return AdaptedEncoder(encoder, modules)


def test_vectors_are_those_of_the_encoder(model: AdaptedEncoder) -> None:
    embedding = XadaptEmbedding(model, language="de", query_language="sw", embed_batch_size=4)
    assert isinstance(embedding, BaseEmbedding) and embedding.embed_batch_size == 4
    wanted = model.encode(MANY, "de")
    found = embedding.get_text_embedding_batch(MANY)
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    assert embedding.get_text_embedding("paka") == model.encode("paka", "de").tolist()
    query = model.encode("paka", "sw").tolist()
    assert embedding.get_query_embedding("paka") == query
    assert asyncio.run(embedding.aget_query_embedding("paka")) == query


def test_an_index_finds_a_text_by_itself(model: AdaptedEncoder) -> None:
    nodes = [TextNode(text=text) for text in MANY[:6]]
    index = VectorStoreIndex(nodes, embed_model=XadaptEmbedding(model, language="de"))
    for text in MANY[:6]:
        [found] = index.as_retriever(similarity_top_k=1).retrieve(text)
        assert found.node.get_content() == text
