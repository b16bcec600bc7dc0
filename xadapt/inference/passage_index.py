"""An index of passages on disk for dense retrieval, with or without fused queries.

A folder has the shards and ``index.json`` of `xadapt.vectors.index`, the passages in
``passages.jsonl``, the queries that were fused in ``queries.tsv``, and ``dense_index.json``: the
base, the modules that acted, the similarity, and the fusion. A search needs the same base and the
same modules. Passages are encoded as documents with their title in front, queries as queries.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from xadapt.backbones.fingerprint import Fingerprint, compare
from xadapt.composition.text import show
from xadapt.composition.values import names, replaced
from xadapt.core.errors import UserError
from xadapt.core.files import read_json, sha256_file
from xadapt.core.sequences import as_paths
from xadapt.core.text_key import normal_key
from xadapt.data.readers.passages import Passage
from xadapt.inference.adapted_encoder import AdaptedEncoder
from xadapt.inference.bulk.plan import module_hash
from xadapt.vectors.dot_product import top_by_dot
from xadapt.vectors.index import parse
from xadapt.vectors.matching import nearest
from xadapt.vectors.shards import ShardedVectors, open_vectors

FILE, PASSAGES, QUERIES = "dense_index.json", "passages.jsonl", "queries.tsv"
Similarity = Literal["cosine", "dot"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Fusion(_Strict):
    """The queries that were fused: weight ``a``, name and hash of their file, their number."""

    a: float
    queries: str
    sha256: str
    count: int = Field(ge=0)


class IndexManifest(_Strict):
    """The contents of ``dense_index.json``.

    Attributes:
        base: Hub id of the base, if it has one.
        fingerprint: Fingerprint of the base, in its parts.
        acts: The composition that encoded every row, with the hash of each module for its name.
        modules: Hashes of the modules by the name at the time.
        pooling: Pooling and prompts.
        similarity: ``cosine``, for which all vectors have length 1, or ``dot``.
        lang: The language of all passages, where it chose the module.
        passages: Hash of the passages' file.
        fusion: The fused queries; ``None`` in a plain index.
        base_mismatch: A line for each module of another base, where that was allowed.
    """

    version: Literal[1] = 1
    base: str | None
    fingerprint: dict[str, Any]
    acts: str
    modules: dict[str, str]
    pooling: dict[str, Any]
    similarity: Similarity
    lang: str | None
    passages: str
    fusion: Fusion | None
    base_mismatch: list[str] = []


@dataclass(frozen=True)
class Hit:
    """A passage that was found for a question, with its score."""

    passage: Passage
    score: float


def opened(
    base: str | AdaptedEncoder,
    modules: str | Path | Sequence[str | Path],
    compose: str | None,
    lang: str | None,
    dtype: str = "auto",
) -> AdaptedEncoder:
    """Load what encodes passages and queries: one module acts on every row.

    Raises:
        UserError: If several modules are given without a composition or language.
    """
    if isinstance(base, AdaptedEncoder):
        return base
    given = as_paths(modules)
    if compose is None and lang is None and given:
        if len(given) > 1:
            raise UserError(
                f"{len(given)} modules are given, and nothing says which acts",
                todo="Give --compose, or --lang",
            )
        name, equals, _ = str(given[0]).partition("=")
        compose = name if equals else "module"  # a folder's name may not be a name in a composition
        given = given if equals else [f"module={given[0]}"]
    return AdaptedEncoder.load(base, *given, compose=compose, dtype=dtype)


def open_index(folder: str | Path) -> PassageIndex:
    """Open an index that `index_passages` made.

    Args:
        folder: The folder of the index.

    Raises:
        UserError: If it is no whole index, or one of its files was changed.
    """
    folder = Path(folder)
    path = folder / FILE
    if not path.is_file():
        raise UserError(
            f"this is no index of passages: it has no {FILE}",
            where=str(folder),
            todo="Make one with xadapt index",
        )
    manifest = parse(IndexManifest, read_json(path), path)
    listed = folder / PASSAGES
    if not listed.is_file() or sha256_file(listed) != manifest.passages:
        raise UserError("the passages are missing or were changed", where=str(listed))
    return PassageIndex(folder, manifest, open_vectors(folder))


@dataclass(frozen=True)
class PassageIndex:
    """An index on disk.

    Attributes:
        folder: The folder.
        manifest: What made it.
        vectors: Vectors ``(passages, dim)``, read when needed.
    """

    folder: Path
    manifest: IndexManifest
    vectors: ShardedVectors

    def __len__(self) -> int:
        return len(self.vectors)

    def require_same(self, adapted: AdaptedEncoder) -> None:
        """Refuse an encoder other than the one that made the index.

        Raises:
            UserError: If the base, a module, the composition or the pooling differs.
        """
        made, now = self.manifest, identity(adapted)
        prints = [Fingerprint.from_dict(one) for one in (made.fingerprint, now["fingerprint"])]
        found = [f"base: {line}" for line in compare(*prints)]
        if made.acts != now["acts"]:
            found.append(f"modules: {made.acts or 'none'}, now {now['acts'] or 'none'}")
        if made.pooling != now["pooling"]:
            found.append("pooling or prompts")
        if found:
            raise UserError(
                f"the index was made by another encoder: {'; '.join(found)[:600]}",
                where=str(self.folder),
                todo="Give the base and the modules it was made with, or make it again",
            )

    def search(
        self,
        adapted: AdaptedEncoder,
        questions: Sequence[str],
        k: int = 10,
        lang: str | None = None,
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Find the best passages of questions.

        Args:
            adapted: What made the index.
            questions: The questions; they get the prompt of queries and no title.
            k: Number of passages.
            lang: Language of the questions, where it chooses the module.

        Returns:
            Scores and rows of passages, each ``(questions, k)``, best first.

        Raises:
            UserError: If the encoder is another one.
        """
        self.require_same(adapted)
        units = self.manifest.similarity == "cosine"
        asked = as_vectors(adapted.encode_query(list(questions), lang), units)
        k = min(k, len(self))
        pool: Any = self.vectors  # reads like an array
        found = nearest(asked, pool, k) if units else top_by_dot(asked, pool, k)
        return found.scores.astype(np.float32), found.indices

    def passages(self, rows: Sequence[int] | NDArray[np.int64]) -> dict[int, Passage]:
        """Read the passages of some rows."""
        wanted, found = {int(row) for row in rows}, {}
        with (self.folder / PASSAGES).open(encoding="utf-8") as stream:
            for row, line in enumerate(stream):
                if row in wanted:
                    found[row] = Passage(**json.loads(line))
        return found

    def ids(self) -> list[str]:
        """Return the id of every row."""
        with (self.folder / PASSAGES).open(encoding="utf-8") as stream:
            return [json.loads(line)["id"] for line in stream]

    def refuse_fused(self, questions: Mapping[str, str]) -> None:
        """Refuse to measure with questions that were fused into the passages.

        Args:
            questions: The questions by id.

        Raises:
            UserError: If one of them is among the fused queries.
        """
        fusion = self.manifest.fusion
        if fusion is None or fusion.a == 0:
            return
        with (self.folder / QUERIES).open(encoding="utf-8") as stream:
            fused = {normal_key(json.loads(line)[1]) for line in stream}
        seen = next((name for name, text in questions.items() if normal_key(text) in fused), None)
        if seen is not None:
            raise UserError(
                f"the question {seen!r} was fused into a passage, so it measures nothing",
                where=str(self.folder),
                todo="Make the queries without the questions that are measured",
            )


def retrieve(
    index: str | Path | PassageIndex,
    questions: Sequence[str],
    *,
    base: str | AdaptedEncoder,
    modules: str | Path | Sequence[str | Path] = (),
    compose: str | None = None,
    lang: str | None = None,
    k: int = 10,
    dtype: str = "auto",
) -> list[list[Hit]]:
    """Find the best passages of questions.

    Args:
        index: An index, or its folder.
        questions: The questions.
        base: As for `index_passages`: what made the index.
        modules: As for `index_passages`.
        compose: As for `index_passages`.
        lang: Language of the questions, where it chooses the module.
        k: Number of passages.
        dtype: Type of the base's weights.

    Returns:
        For each question, the passages with their scores, best first.

    Raises:
        UserError: If there is no question, or the index was made by another base or module.
    """
    if isinstance(questions, str) or not len(questions):
        raise UserError("questions are a list of texts", todo='Write ["Who ...?"]')
    one = index if isinstance(index, PassageIndex) else open_index(index)
    adapted = opened(base, modules, compose, lang, dtype)
    scores, rows = one.search(adapted, questions, k, lang)
    there = one.passages(rows.ravel())
    return [
        [Hit(there[int(row)], float(score)) for score, row in zip(*pair, strict=True)]
        for pair in zip(scores, rows, strict=True)
    ]


def identity(adapted: AdaptedEncoder) -> dict[str, Any]:
    """Describe what encodes; the names of modules' folders don't count."""
    used = names(adapted.composition)
    hashes = {name: module_hash(adapted.modules[name]) for name in used}
    short = {name: f"m-{value.partition(':')[2][:16]}" for name, value in hashes.items()}
    acts = show(replaced(adapted.composition, short)) if used else ""
    pooling = {**adapted.encoder.pooling.to_dict(), "prompts": adapted.prompts}
    return {
        "base": adapted.encoder.hub_id(),
        "fingerprint": adapted.encoder.identity.to_dict(),
        "acts": acts,
        "modules": {Path(name).name: value for name, value in hashes.items()},
        "pooling": json.loads(json.dumps(pooling)),
    }


def unit_vectors(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Divide each vector by its length."""
    return F.normalize(torch.from_numpy(vectors), dim=1).numpy()


def as_vectors(found: Any, units: bool) -> NDArray[np.float32]:
    """Return vectors as float32, of length 1 if ``units``."""
    vectors = np.asarray(found, dtype=np.float32)
    return unit_vectors(vectors) if units else vectors
