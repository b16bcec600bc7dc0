"""Judging how alike pairs are: by the cosine of their vectors, or by a task head for pairs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xadapt.backbones.cache.frozen_vectors import FrozenVectors, cache_folder
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.core.errors import UserError
from xadapt.core.sequences import as_paths
from xadapt.data.readers.scored_pairs import ScoredPairs
from xadapt.data.records import ScoredPair
from xadapt.evaluation import sts
from xadapt.evaluation.comparison import Result
from xadapt.inference.adapted_encoder import Adapted
from xadapt.inference.locate import locate
from xadapt.inference.shared_states import reused_by
from xadapt.languages.tags import normalise
from xadapt.tasks.assess.alignment import BASE
from xadapt.tasks.predict.pair_scorer import PairScorer
from xadapt.tasks.predict.predictor import AGAINST, GIVEN, heads_of, load_each

Side = Callable[[Sequence[str], Sequence[str] | None], NDArray[np.float32]]


def evaluate_sts(
    *,
    base: str,
    data: str | Path,
    modules: Sequence[str | Path] = (),
    lang: str | None = None,
    compose: str | None = None,
    against: str | None = None,
    head: str | None = None,
    dtype: str = "auto",
) -> Result:
    """Measure how well scores of pairs go with those people gave: Spearman and Pearson.

    The scores are the head's, if one of the modules has one for pairs, else the cosine of the two
    texts' vectors. The frozen base's cosine stands beside either.

    Args:
        base: Hub id, folder, ``package:NAME/SUBDIR`` or ``mini``.
        data: Pairs with scores that were not trained on: two texts and a score, tab-separated.
        modules: Folders of modules; none measures the base alone.
        lang: Language of the pairs, or of the first and of the second texts (``de,en``). For
            vectors each text then goes through what the composition holds for its language, as
            for `Adapted.encode`; without, all go through the same. A head reads both in one row,
            as a row of the first language.
        compose: Which modules act, such as ``"language + task"``; without, the one module.
        against: Another composition of the same modules, to tell the paired difference to;
            without, it is told to the frozen base.
        head: Which module's head it is, where several have one.
        dtype: Of the base's weights: ``auto``, ``float32``, ``bfloat16``, ``int8`` or ``nf4``.

    Raises:
        UserError: A file or folder is unusable, all pairs have one score, or ``against`` or
            ``head`` is given without a module.
    """
    left, right = _languages(lang)
    rows = list(ScoredPairs().read(str(data), left or "und", right))
    if len({row.score for row in rows}) < 2:
        raise UserError("a correlation needs pairs with different scores", where=str(data))
    folders = as_paths(modules)
    encoder = Encoder.from_pretrained(base, dtype=dtype)
    frozen = FrozenVectors(encoder, cache_folder())
    systems = {BASE: _cosines(rows, lambda texts, _: frozen.get(texts).cpu().numpy(), None, None)}
    if not folders and compose is None:
        if against is not None or head is not None:
            raise UserError("there is no module to measure", todo="Name one with --module")
        return sts.evaluate(rows, systems)
    if head is not None or heads_of(locate(folders, compose)[1], PairScorer.task):
        pairs = [(row.left, row.right) for row in rows]
        tags = None if left is None else [left] * len(rows)
        each = load_each(PairScorer, encoder, folders, compose=compose, against=against, head=head)
        with reused_by(*(one.adapted for one in each.values())):
            systems |= {name: one.score(pairs, tags) for name, one in each.items()}
    else:
        given = {AGAINST: against} if against is not None else {}
        sides = {
            name: _adapted(encoder, folders, expression, left is not None)
            for name, expression in {**given, GIVEN: compose}.items()
        }
        with reused_by(*sides.values()):
            systems |= {n: _cosines(rows, one.encode, left, right) for n, one in sides.items()}
    return sts.evaluate(rows, systems, base=BASE if against is None else AGAINST)


def _adapted(
    encoder: Encoder, folders: Sequence[str], compose: str | None, by_language: bool
) -> Adapted:
    """The modules; without languages and a composition the one module acts on every text."""
    if compose is None and not by_language:
        composition, places = locate(folders)
        if len(places) == 1:
            [composition] = places
        return Adapted.open(encoder, composition, places)
    return Adapted.load(encoder, *folders, compose=compose)


def _cosines(
    rows: Sequence[ScoredPair], side: Side, left: str | None, right: str | None
) -> NDArray[np.float32]:
    vectors = [
        side([getattr(row, name) for row in rows], None if tag is None else [tag] * len(rows))
        for name, tag in (("left", left), ("right", right or left))
    ]
    return sts.cosines(*vectors)


def _languages(lang: str | None) -> tuple[str | None, str | None]:
    tags = [normalise(tag.strip()) for tag in lang.split(",")] if lang is not None else []
    if len(tags) > 2:
        raise UserError("pairs have one language, or two: left,right", where="--lang")
    return (tags[0] if tags else None), (tags[1] if len(tags) > 1 else None)
