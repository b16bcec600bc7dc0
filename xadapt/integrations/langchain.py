"""LangChain: an encoder with modules as an ``Embeddings`` object."""

from __future__ import annotations

from typing import Any, Protocol

from xadapt.core.errors import missing_extra

try:
    from langchain_core.embeddings import Embeddings
except ModuleNotFoundError:
    raise missing_extra("langchain-core", "langchain") from None


class TextEncoder(Protocol):
    """An encoder of texts, such as `xadapt.AdaptedEncoder`."""

    def encode_query(self, texts: Any, languages: Any = None, **options: Any) -> Any:
        """Encode queries, ``(n, dim)``."""

    def encode_document(self, texts: Any, languages: Any = None, **options: Any) -> Any:
        """Encode documents, ``(n, dim)``."""


class XadaptEmbeddings(Embeddings):
    """Embeddings of LangChain, computed by an encoder with modules.

    ```python
    model = AdaptedEncoder.from_pretrained("mini", "sw")
    store = InMemoryVectorStore(XadaptEmbeddings(model, language="sw"))
    ```

    Args:
        model: The encoder.
        language: Language of the documents, and of the queries unless they have their own.
            ``None`` is for an encoder that acts on every text alike.
        query_language: Language of the queries, if it is another one.
        **options: Options of ``model.encode``, such as ``normalize_embeddings=True``.
    """

    def __init__(
        self,
        model: TextEncoder,
        *,
        language: str | None = None,
        query_language: str | None = None,
        **options: Any,
    ) -> None:
        self.model, self.language = model, language
        self.query_language = query_language or language
        self.options = {"show_progress_bar": False, **options}

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Encode documents, one list of ``dim`` numbers for each.

        Raises:
            UserError: As for ``model.encode``.
        """
        vectors = self.model.encode_document(list(texts), self.language, **self.options)
        found: list[list[float]] = vectors.tolist()
        return found

    def embed_query(self, text: str) -> list[float]:
        """Encode one query, ``dim`` numbers.

        Raises:
            UserError: As for ``model.encode``.
        """
        found: list[float] = self.model.encode_query(
            text, self.query_language, **self.options
        ).tolist()
        return found
