"""Semantic textual similarity: correlate scores of pairs with scores by people.

The scores are those of a head for pairs, or the cosine of the two texts' vectors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata
from torch import nn

from xadapt.backbones.cache.frozen_vectors import FrozenVectors, cache_folder
from xadapt.backbones.cache.reuse import Kept
from xadapt.backbones.encoder.encode import Rows, encode
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.encoder.long_texts import CutCount, counting_cut, tell_cut
from xadapt.backbones.encoder.pairs import tell_cut_pairs, tokenize_pairs
from xadapt.backbones.encoder.windows import FIRST
from xadapt.composition.values import Composition
from xadapt.core.errors import UserError
from xadapt.core.sequences import as_pairs
from xadapt.data.records import ScoredPair
from xadapt.evaluation import tfidf
from xadapt.evaluation.comparison import Result, compare
from xadapt.heads.head import Head
from xadapt.hub.manifest import Evidence
from xadapt.inference.adapted_encoder import AdaptedEncoder
from xadapt.inference.locate import locate
from xadapt.inference.shared_states import shared_cache
from xadapt.languages.tags import normalise
from xadapt.tasks.alignment import BASE
from xadapt.tasks.development import head_of
from xadapt.tasks.head_task import LINEAR, LOAD_HEAD, HeadTask
from xadapt.tasks.predictor import (
    BASELINE,
    MODULE,
    Predictor,
    first_scores,
    heads_of,
    load_each,
)
from xadapt.tasks.protocol import RESAMPLES, Request, read_rows
from xadapt.training.active_module import ActiveModule

if TYPE_CHECKING:
    from xadapt.training.loop import Trainer

Side = Callable[[Sequence[str], Sequence[str] | None], NDArray[np.float32]]


class PairScorer(Predictor):
    """A predictor of pair scores by a head over the first token's state; made by `load`."""

    task: ClassVar[str] = "pair_scoring"

    def score(
        self,
        pairs: Sequence[tuple[str, str]],
        languages: str | Sequence[str | None] | None = None,
        *,
        compositions: Composition | Sequence[Composition] = None,
        cache: Kept | None = None,
    ) -> NDArray[np.float32]:
        """Predict the score of each pair, in the unit of the head's data: ``(n,)``.

        Args:
            pairs: Any number of pairs; both texts go through the encoder in one row.
            languages: A tag for each pair, or one for all, where the composition chooses by
                language.
            compositions: Another composition for each pair, or one for all.
            cache: States below the first module, shared by calls on the same texts.

        Raises:
            UserError: As for `AdaptedEncoder.encode`, or if an item is no pair (left, right).
        """
        pairs = as_pairs(pairs, "pair", "(left, right)")
        rows = self.adapted.activations(len(pairs), languages, compositions, cache)
        with rows.named():
            return scores(self.adapted.encoder, self.head, pairs, rows)


def scores(
    encoder: Encoder, head: Head, pairs: Sequence[tuple[str, str]], rows: Rows | None = None
) -> NDArray[np.float32]:
    """Predict the score of each pair on the head's scale, ``(n,)``, without clipping.

    Args:
        encoder: The encoder.
        head: The head.
        pairs: Any number of pairs.
        rows: As for `xadapt.backbones.encoder.encode.encode`.
    """
    assert head.scale is not None
    made = tokenize_pairs(encoder, [left for left, _ in pairs], [right for _, right in pairs])
    tell_cut_pairs(encoder, pairs, made)
    ids, second = [pair.ids for pair in made], [pair.second for pair in made]
    found = first_scores(encoder, head, ids, second, rows)[:, 0].numpy()
    low, high = head.scale
    return np.asarray(low + (high - low) * found, dtype=np.float32)


class Similarity(HeadTask):
    """Score how alike two texts are, by a head or by the cosine of their vectors."""

    name: ClassVar[str] = "sts"
    title: ClassVar[str] = (
        "Semantic textual similarity, by vectors or by a head: Spearman and Pearson."
    )
    record: ClassVar[type] = ScoredPair
    metrics: ClassVar[tuple[str, ...]] = ("spearman", "pearson")
    shared: ClassVar[tuple[str, ...]] = (*HeadTask.shared, "windows")
    task_type: ClassVar[str] = "sentence-similarity"
    head: ClassVar[str | None] = "pair_scoring"
    by_vectors: ClassVar[bool] = True
    predictor: ClassVar[type[Predictor]] = PairScorer
    reader: ClassVar[str] = "scored_pairs"
    data_help: ClassVar[str] = "Lines of text, tab, text, tab, score."
    lang_help: ClassVar[str] = "Language of the texts, or LEFT,RIGHT: each through its own module."
    short: ClassVar[Mapping[str, str]] = {tfidf.NAME: "TF-IDF"}
    does: ClassVar[str] = "scores how alike two texts in one row are"
    example: ClassVar[tuple[str, str] | None] = (
        'left, right = "A man eats.", "A man is eating."',
        "[left], [right]",
    )

    @property
    def unit(self) -> str:
        """The name of a row."""
        return "pairs"

    def language(self, row: ScoredPair) -> str:
        """Return the language of the left text."""
        return row.left_lang

    def predict(
        self, encoder: Encoder, head: Head, rows: Sequence[ScoredPair], active: Rows | None = None
    ) -> NDArray[np.float32]:
        """Predict the score of each pair."""
        return scores(encoder, head, [(row.left, row.right) for row in rows], active)

    def references(
        self, encoder: Encoder, rows: Sequence[ScoredPair], cache: Kept | None = None
    ) -> dict[str, NDArray[np.float32]]:
        """Compute the cosine of the frozen base's vectors."""
        frozen = FrozenVectors(encoder, cache_folder())

        def side(texts: Sequence[str], _: Sequence[str] | None) -> NDArray[np.float32]:
            if encoder.windows == FIRST:
                tell_cut(encoder, texts)  # also where their vectors are on disk
            with counting_cut(CutCount()):
                return frozen.get(texts, cache).cpu().numpy()

        return {BASE: _cosines(rows, side, None, None)}

    def evaluate(
        self,
        rows: Sequence[ScoredPair],
        systems: Mapping[str, NDArray[np.float32]],
        *,
        base: Any = None,
        resamples: int = RESAMPLES,
        seed: int = 0,
    ) -> Result:
        """Correlate the systems' scores of pairs with the right scores.

        The last row is the TF-IDF cosine of the two texts. Where all right scores are equal, or
        all of a system's, the correlation counts as 0.

        Args:
            rows: The pairs with their scores.
            systems: Scores by system name, one number a pair ``(n,)``, of any scale.
            base: The system the others are compared with.
            resamples: Number of bootstrap samples over pairs.
            seed: Seed of the bootstrap.

        Raises:
            UserError: If there are no pairs, or a system's scores are not one finite number a
                pair.
        """
        gold = np.array([row.score for row in rows])
        if not len(gold):
            raise UserError("there are no pairs to evaluate on")
        every = {**systems, **self.baselines(rows)}
        columns = {}
        for name, given in every.items():
            own = np.asarray(given, dtype=np.float64)
            if own.shape != gold.shape or not np.isfinite(own).all():
                raise UserError(f"{name} does not give one finite score a pair")
            columns[name] = dict.fromkeys(self.metrics, (gold, own))
        return compare(
            self.name,
            self.unit,
            columns,
            {"spearman": spearman, "pearson": pearson},
            base=base,
            resamples=resamples,
            seed=seed,
        )

    def baselines(
        self, rows: Sequence[ScoredPair], **settings: Any
    ) -> dict[str, NDArray[np.float32]]:
        """Compute the TF-IDF cosine of each pair's texts, ``(n,)``."""
        found = tfidf.similarity([row.left for row in rows], [row.right for row in rows])
        cosine = found.queries.multiply(found.pool).sum(axis=1)
        return {tfidf.NAME: np.asarray(cosine, np.float32).reshape(-1)}

    def oracle(self, rows: Sequence[ScoredPair]) -> NDArray[np.float32]:
        """Return the right score of each pair."""
        return np.array([row.score for row in rows], np.float32)

    def chance(self, rows: Sequence[ScoredPair], seed: int = 0) -> NDArray[np.float32]:
        """Draw a random score for each pair."""
        return np.random.default_rng(seed).normal(size=len(rows)).astype(np.float32)

    def scores(
        self, trainer: Trainer, dev: Sequence[ScoredPair], cache: Kept | None = None
    ) -> dict[str, float]:
        """Score the run's head, or the cosine of its vectors where it trains no head."""
        if head_of(trainer, self.head) is not None:
            return super().scores(trainer, dev, cache)
        sides = _encoded(trainer.encoder, trainer.active_module, dev, cache)
        sizes = trainer.run.dimensions or (sides[0].shape[1],)
        gold = np.array([row.score for row in dev])
        found = [cosines(*(side[:, :size] for side in sides)) for size in sizes]
        return {"score": float(np.mean([spearman(gold, one.astype(float)) for one in found]))}

    def evidence(
        self,
        encoder: Encoder,
        module: nn.Module,
        dev: Sequence[ScoredPair],
        head: Head | None,
        cache: Kept | None = None,
        dimensions: Sequence[int] = (),
    ) -> list[Evidence]:
        """Measure the head, or the cosine of vectors, whole and at numbers of first values."""
        if head is not None:
            return super().evidence(encoder, module, dev, head, cache)
        left, right = _encoded(encoder, ActiveModule(encoder, module), dev, cache)
        others = self.references(encoder, dev, cache)
        base = next(iter(others))
        result = self.evaluate(dev, {MODULE: cosines(left, right), **others}, base=base)
        claims = self.to_evidence(result, MODULE, base)
        for size in dimensions:
            cut = {MODULE: cosines(left[:, :size], right[:, :size]), **others}
            at = self.to_evidence(self.evaluate(dev, cut, base=base), MODULE, base)
            named = {"metric": f"{at[0].metric}, {size} dims"}
            claims.append(at[0].model_copy(update=named))
        return claims

    def measure(self, request: Request) -> Result:
        """Measure the base, and a head for pairs, or vectors through modules."""
        left, right = _languages(request.lang)
        rows = read_rows(self.reader, request.data, left or self.read_as, right)
        if len({row.score for row in rows}) < 2:
            raise UserError(
                "a correlation needs pairs with different scores", where=str(request.data)
            )
        alone = not request.modules and request.compose is None
        if alone and (request.baseline is not None or request.head is not None):
            raise UserError("there is no module to measure", todo="Name one with --module")
        encoder = request.open_base()
        systems = self.references(encoder, rows)
        if alone:
            return self.score(request, rows, systems)
        _, places = locate(request.modules, request.compose)
        if request.head is not None or heads_of(places, self.predictor.task):
            found = self._by_head(request, encoder, rows, left)
        else:
            found = _by_vectors(request, encoder, rows, left, right)
        base = BASE if request.baseline is None else BASELINE
        return self.score(request, rows, {**systems, **found}, base)

    def _by_head(
        self, request: Request, encoder: Encoder, rows: Sequence[ScoredPair], left: str | None
    ) -> dict[str, NDArray[np.float32]]:
        """Predict by a head that reads both texts in one row, as a row of the first language."""
        each = load_each(
            self.predictor,
            encoder,
            request.modules,
            compose=request.compose,
            baseline=request.baseline,
            head=request.head,
        )
        return self.predict_each(each, rows, None if left is None else [left] * len(rows))

    def code(self, head: Head) -> list[str]:
        """Return the lines of code from states to ``scores``."""
        low, high = head.scale or (0.0, 1.0)
        return [*LOAD_HEAD, f"scores = {low:g} + {high - low:g} * (states[:, 0] @ {LINEAR})[:, 0]"]


def cosines(left: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.float32]:
    """Compute the cosines ``(n,)`` of rows ``(n, dim)`` by position; 0 where a row is all zero."""
    lengths = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    found: NDArray[np.float32] = (left * right).sum(1) / np.maximum(lengths, 1e-12)
    return found


def pearson(gold: NDArray[np.float64], found: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute Pearson's correlation along the last axis, 0 where one side is constant."""
    ours = gold - gold.mean(-1, keepdims=True)
    theirs = found - found.mean(-1, keepdims=True)
    spread = np.sqrt((ours**2).sum(-1) * (theirs**2).sum(-1))
    above = (ours * theirs).sum(-1)
    return np.divide(above, spread, out=np.zeros_like(above), where=spread > 1e-12)


def spearman(gold: NDArray[np.float64], found: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute Spearman's correlation along the last axis; equal values share their mean rank."""
    return pearson(rankdata(gold, axis=-1), rankdata(found, axis=-1))


def _encoded(
    encoder: Encoder, acting: ActiveModule, rows: Sequence[ScoredPair], cache: Kept | None
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Encode both texts of each pair through a module: ``(n, dim)`` each."""
    left, right = (
        encode(encoder, texts, rows=acting.rows(langs, cache)).numpy()
        for texts, langs in (
            ([row.left for row in rows], [row.left_lang for row in rows]),
            ([row.right for row in rows], [row.right_lang for row in rows]),
        )
    )
    return left, right


def _by_vectors(
    request: Request,
    encoder: Encoder,
    rows: Sequence[ScoredPair],
    left: str | None,
    right: str | None,
) -> dict[str, NDArray[np.float32]]:
    """Compute the cosine of the texts' vectors under the composition, and under the baseline."""
    given = {BASELINE: request.baseline} if request.baseline is not None else {}
    systems = {
        name: _adapted(encoder, request.modules, expression, left is not None)
        for name, expression in {**given, MODULE: request.compose}.items()
    }
    cache = shared_cache(*systems.values())
    return {
        name: _cosines(rows, partial(one.encode, cache=cache), left, right)
        for name, one in systems.items()
    }


def _adapted(
    encoder: Encoder, folders: Sequence[str], compose: str | None, by_language: bool
) -> AdaptedEncoder:
    """Load the modules; without languages and a composition, one module acts on every text."""
    if compose is None and not by_language:
        composition, places = locate(folders)
        if len(places) == 1:
            [composition] = places
        return AdaptedEncoder.open(encoder, composition, places)
    return AdaptedEncoder.load(encoder, *folders, compose=compose)


def _cosines(
    rows: Sequence[ScoredPair], side: Side, left: str | None, right: str | None
) -> NDArray[np.float32]:
    vectors = [
        side([getattr(row, name) for row in rows], None if tag is None else [tag] * len(rows))
        for name, tag in (("left", left), ("right", right or left))
    ]
    return cosines(*vectors)


def _languages(lang: str | None) -> tuple[str | None, str | None]:
    tags = [normalise(tag.strip()) for tag in lang.split(",")] if lang is not None else []
    if len(tags) > 2:
        raise UserError("pairs have one language, or two: left,right", where="--lang")
    return (tags[0] if tags else None), (tags[1] if len(tags) > 1 else None)


Part = Similarity()
