"""The callables that a run gives to transforms where the user gives none; made when called."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache, partial
from typing import Any

from xadapt.data.loading.transform_chain import Callables
from xadapt.functional.tag_scheme import to_spans
from xadapt.functional.word_alignment import Link
from xadapt.inference.adapted_encoder import AdaptedEncoder
from xadapt.inference.word_aligner import align_words
from xadapt.tasks.tagging import Tagger

Words = Sequence[str]


def default_callables(base: str, dtype: str) -> Callables:
    """Return ``align`` and ``tag`` by the states of a base, which is loaded when one is called.

    Args:
        base: The base of the run.
        dtype: Type of its weights.
    """
    return {"align": partial(_align, base, dtype), "tag": partial(_tag, base, dtype)}


def _align(
    base: str, dtype: str, pairs: Sequence[tuple[Words, Words]], module: str = ""
) -> list[list[Link]]:
    adapted = _loaded(base, dtype, module)
    left, right = (adapted.activations(len(pairs)) for _ in range(2))
    return align_words(adapted.encoder, pairs, None, left, right)


def _tag(
    base: str, dtype: str, sentences: Sequence[Words], module: str
) -> list[tuple[tuple[int, int, str], ...]]:
    tagger = Tagger.load(_loaded(base, dtype).encoder, module)
    return [to_spans(labels, tagger.head.scheme) for labels in tagger.tag(sentences)]


@lru_cache(maxsize=1)
def _loaded(base: str, dtype: str, module: str = "") -> Any:
    return AdaptedEncoder.load(base, *([module] if module else []), dtype=dtype)
