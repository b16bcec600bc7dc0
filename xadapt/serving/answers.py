"""Answers: vectors as JSON or base64, labels with scores, spans of words."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from xadapt.functional.tag_scheme import to_spans
from xadapt.heads.head import Head
from xadapt.serving.batching import Job
from xadapt.serving.rows import Texts

SHOWN = 32
"""Most texts of a request whose language stands in the headers of the answer."""
Vector = NDArray[np.float32]


def shaped(vectors: Sequence[Vector], dimensions: int | None, unit: bool) -> list[Vector]:
    """Cut vectors to their first values, and divide them by their norms.

    Args:
        vectors: One of shape ``(dim,)`` for each text.
        dimensions: Number of values to keep; ``None`` keeps all.
        unit: Whether to divide by the norm; a vector of zeros stays.
    """
    found = [own[:dimensions] for own in vectors]
    if not unit or not found:
        return found
    return list(torch.nn.functional.normalize(torch.from_numpy(np.stack(found)), dim=1).numpy())


def as_text(vector: Vector, encoding: str) -> str:
    """Write a vector as JSON: numbers, or the base64 of little-endian float32 in quotes."""
    if encoding == "base64":
        raw = base64.b64encode(np.ascontiguousarray(vector, dtype="<f4").tobytes())
        return f'"{raw.decode()}"'
    return json.dumps(vector.tolist())


def embeddings(vectors: Sequence[Vector], encoding: str, model: str, tokens: int) -> bytes:
    """Write the answer of ``/v1/embeddings``."""
    rows = ", ".join(
        f'{{"object": "embedding", "index": {i}, "embedding": {as_text(vector, encoding)}}}'
        for i, vector in enumerate(vectors)
    )
    usage = json.dumps({"prompt_tokens": tokens, "total_tokens": tokens})
    name = json.dumps(model)
    return f'{{"object": "list", "data": [{rows}], "model": {name}, "usage": {usage}}}'.encode()


def plain_vectors(vectors: Sequence[Vector]) -> bytes:
    """Write the answer of ``/embed``: a list of lists of numbers."""
    return f"[{', '.join(as_text(vector, 'float') for vector in vectors)}]".encode()


def headers_of(job: Job) -> dict[str, str]:
    """Return the headers that say what became of the texts of a request."""
    work = job.work
    found: dict[str, str] = {}
    if not isinstance(work, Texts):
        return found
    if work.cut:
        found["x-xadapt-cut"] = str(work.cut)
    if work.choices:
        shown = work.choices[:SHOWN]
        found["x-xadapt-language"] = ", ".join(one.language for one in shown)
        found["x-xadapt-confidence"] = ", ".join(f"{one.confidence:.2f}" for one in shown)
        found["x-xadapt-model"] = ", ".join(one.name for one in shown)
    return found


def label_scores(head: Head, scores: Vector, raw: bool) -> list[dict[str, Any]]:
    """Return the labels of a head with their scores, the best first.

    Args:
        head: The head.
        scores: Its scores ``(labels,)``.
        raw: Whether to return the scores, not probabilities.
    """
    values = torch.from_numpy(scores)
    if not raw:
        values = values.sigmoid() if head.task == "multi_label" else values.softmax(0)
    rows = [
        {"label": label, "score": score}
        for label, score in zip(head.labels, values.tolist(), strict=True)
    ]
    return sorted(rows, key=lambda row: -row["score"])


def tagged(
    head: Head, words: Sequence[str], labels: Sequence[str], places: Sequence[tuple[int, int]]
) -> list[dict[str, Any]]:
    """Return the spans of a sentence, as the pipelines of transformers do.

    Args:
        head: The head.
        words: The words.
        labels: Their labels.
        places: The characters ``(start, stop)`` of each word in the text.

    Returns:
        For a head over spans, each span with ``entity_group``, ``word``, ``start`` and ``end``; for
        a head that labels each word, each word with ``entity``.
    """
    if head.scheme == "word":
        return [
            {"entity": label, "word": word, "start": start, "end": stop}
            for word, label, (start, stop) in zip(words, labels, places, strict=True)
        ]
    found = []
    for first, last, kind in to_spans(labels, head.scheme):
        found.append(
            {
                "entity_group": kind,
                "word": " ".join(words[first:last]),
                "start": places[first][0],
                "end": places[last - 1][1],
            }
        )
    return found


def words_of(text: str) -> tuple[list[str], list[tuple[int, int]]]:
    """Cut a text at spaces into words, with the characters ``(start, stop)`` of each."""
    words, places, at = [], [], 0
    for word in text.split():
        at = text.index(word, at)
        words.append(word)
        places.append((at, at + len(word)))
        at += len(word)
    return words, places


def places_of(words: Sequence[str]) -> list[tuple[int, int]]:
    """Return the characters of words that are joined by single spaces."""
    places, at = [], 0
    for word in words:
        places.append((at, at + len(word)))
        at += len(word) + 1
    return places


def as_json(value: Mapping[str, Any] | Sequence[Any]) -> bytes:
    """Write any value as JSON."""
    return json.dumps(value, ensure_ascii=False).encode()
