"""LlamaIndex: an encoder with modules as a ``BaseEmbedding``."""

from __future__ import annotations

import asyncio
from typing import Any

from xadapt.core.errors import missing_extra

try:
    from llama_index.core.base.embeddings.base import BaseEmbedding
    from llama_index.core.bridge.pydantic import PrivateAttr
except ModuleNotFoundError:
    raise missing_extra("llama-index-core", "llama-index") from None


class XadaptEmbedding(BaseEmbedding):
    """Embeddings of LlamaIndex, computed by an encoder with modules.

    ```python
    model = AdaptedEncoder.from_pretrained("mini", "sw")
    embedding = XadaptEmbedding(model, language="sw")
    index = VectorStoreIndex.from_documents(documents, embed_model=embedding)
    ```

    Args:
        model: The encoder, such as `xadapt.AdaptedEncoder`.
        language: Language of the documents, and of the queries unless they have their own.
            ``None`` is for an encoder that acts on every text alike.
        query_language: Language of the queries, if it is another one.
        encode_options: Options of ``model.encode``, such as ``{"normalize_embeddings": True}``.
        **fields: Fields of ``BaseEmbedding``, such as ``embed_batch_size``.
    """

    _model: Any = PrivateAttr()
    _languages: tuple[str | None, str | None] = PrivateAttr()
    _options: dict[str, Any] = PrivateAttr()

    def __init__(
        self,
        model: Any,
        *,
        language: str | None = None,
        query_language: str | None = None,
        encode_options: dict[str, Any] | None = None,
        **fields: Any,
    ) -> None:
        name = fields.pop("model_name", f"xadapt:{model.encoder.base}")
        super().__init__(model_name=name, **fields)
        self._model = model
        self._languages = language, query_language or language
        self._options = {"show_progress_bar": False, **(encode_options or {})}

    @classmethod
    def class_name(cls) -> str:
        """Return the name of the class."""
        return "XadaptEmbedding"

    def _get_query_embedding(self, query: str) -> list[float]:
        found: list[float] = self._model.encode_query(
            query, self._languages[1], **self._options
        ).tolist()
        return found

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return await asyncio.to_thread(self._get_query_embedding, query)

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._get_text_embeddings([text])[0]

    async def _aget_text_embedding(self, text: str) -> list[float]:
        return await asyncio.to_thread(self._get_text_embedding, text)

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        vectors = self._model.encode_document(list(texts), self._languages[0], **self._options)
        found: list[list[float]] = vectors.tolist()
        return found

    async def _aget_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        return await asyncio.to_thread(self._get_text_embeddings, texts)
