"""mteb: an encoder with modules as an ``EncoderProtocol``.

Each text is encoded by the module of its language: that of the task's subset. A subset of bitext
mining has two languages, and mteb does not say which side is encoded. Then the module acts on both
sides.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any, Protocol

from xadapt.core.errors import UserError, missing_extra
from xadapt.languages.tags import is_tag, normalise

try:
    from mteb.models import ModelMeta
    from mteb.types import PromptType
except ModuleNotFoundError:
    raise missing_extra("mteb", "mteb") from None


class LanguageEncoder(Protocol):
    """An encoder of texts by language: `xadapt.AdaptedEncoder`."""

    encoder: Any

    def encode(self, texts: Any, languages: Any = None, **options: Any) -> Any:
        """Encode texts, ``(n, dim)``."""

    def encode_query(self, texts: Any, languages: Any = None, **options: Any) -> Any:
        """Encode queries, ``(n, dim)``."""

    def encode_document(self, texts: Any, languages: Any = None, **options: Any) -> Any:
        """Encode documents, ``(n, dim)``."""

    def similarity(self, a: Any, b: Any) -> Any:
        """Compute similarities, ``(n, m)``."""

    def similarity_pairwise(self, a: Any, b: Any) -> Any:
        """Compute similarities row by row, ``(n,)``."""

    def bare(self, languages: Any) -> list[str]:
        """Return the languages without a module."""


class MtebEncoder:
    """An encoder with modules, for ``mteb.evaluate``.

    ```python
    model = AdaptedEncoder.from_pretrained("mini", "sw")
    mteb.evaluate(MtebEncoder(model), mteb.get_tasks(tasks=["MassiveIntentClassification"]))
    ```

    Args:
        model: The encoder.
        name: Name in mteb's results, ``org/name``.
        revision: Revision in mteb's results; another module needs another one.
        language: The language of all texts, in place of the task's.
    """

    def __init__(
        self,
        model: LanguageEncoder,
        name: str = "xadapt/adapted-encoder",
        revision: str | None = None,
        *,
        language: str | None = None,
    ) -> None:
        self.model, self.language = model, language
        self.mteb_model_meta = ModelMeta.create_empty(
            {"name": name, "revision": revision, "similarity_fn_name": "cosine"}
        )

    def encode(
        self,
        inputs: Iterable[dict[str, Any]],
        *,
        task_metadata: Any,
        hf_split: str,
        hf_subset: str,
        prompt_type: Any = None,
        **options: Any,
    ) -> Any:
        """Encode the texts of batches.

        Args:
            inputs: Batches with a list ``text`` each.
            task_metadata: The task's metadata, with the languages of each subset.
            hf_split: The split; it changes nothing.
            hf_subset: The subset.
            prompt_type: Query, document or neither, which chooses the base's prompt.
            **options: Options of ``model.encode``.

        Returns:
            ``(n, dim)``, fp32.

        Raises:
            UserError: If a batch has no texts, or several languages of the subset have a module.
        """
        texts = list(chain.from_iterable(map(_texts, inputs)))
        language = self.language or self._language(task_metadata, hf_subset)
        encode = {
            PromptType.query: self.model.encode_query,
            PromptType.document: self.model.encode_document,
        }.get(prompt_type, self.model.encode)
        return encode(texts, language, **options)

    def similarity(self, embeddings1: Any, embeddings2: Any) -> Any:
        """Compute the similarity of every vector with every vector, ``(n, m)``."""
        return self.model.similarity(embeddings1, embeddings2)

    def similarity_pairwise(self, embeddings1: Any, embeddings2: Any) -> Any:
        """Compute the similarity of vectors row by row, ``(n,)``."""
        return self.model.similarity_pairwise(embeddings1, embeddings2)

    def _language(self, task_metadata: Any, subset: str) -> str | None:
        """Return the one language of a subset that has a module, or its only language."""
        named = languages_of(task_metadata, subset)
        if len(named) == 1:
            return named[0]
        without = set(self.model.bare(named))
        own = [tag for tag in named if tag not in without]
        if len(own) > 1:
            raise UserError(
                f"modules are for several languages of the subset {subset!r}: {', '.join(own)}",
                where=str(task_metadata.name),
                todo="Name one: MtebEncoder(model, language=...)",
            )
        return own[0] if own else None


def languages_of(task_metadata: Any, subset: str) -> list[str]:
    """Return the languages of a task's subset as BCP-47, each once.

    Args:
        task_metadata: The task's metadata.
        subset: Name of the subset; in parallel data sets, mteb gives the name of a column here,
            such as ``swh_Latn``.
    """
    known = task_metadata.hf_subsets_to_langscripts
    column = subset.replace("_", "-")
    named: Sequence[str] = known.get(subset) or ([column] if is_tag(column) else [])
    return list(dict.fromkeys(normalise(tag) for tag in named))


def _texts(batch: dict[str, Any]) -> list[str]:
    if "text" not in batch:
        raise UserError(f"a batch of mteb has {', '.join(batch)}, and no text")
    return list(batch["text"])
