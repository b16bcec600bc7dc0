"""Fuse the modalities of the entities of two graphs, of which any entity may lack some.

The modalities are ``text`` (vectors of names), ``structure``, ``attributes`` and ``image``. Three
steps follow, and test links are read in none:

1. Maps of all modalities but structure are learnt on training links
   (`xadapt.tasks.kg.modality_maps`).
2. Vectors that are missing are guessed, if asked for (`xadapt.tasks.kg.imputation`).
3. How each modality counts is learnt on dev links (`xadapt.tasks.kg.fusion`).

Where a modality alone, or the fusion without guesses, ranks the dev links better, it is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from xadapt.core.errors import UserError
from xadapt.core.registry import unknown
from xadapt.core.sequences import as_paths
from xadapt.data.graphs.graph import KnowledgeGraph
from xadapt.pipelines.kg_matching import (
    ATTRIBUTES,
    FUSED,
    IMAGE,
    NAMES,
    STRUCTURE,
    TEXT,
    Matching,
)
from xadapt.tasks.kg.alignment_structure import AlignmentStructure
from xadapt.tasks.kg.attribute_vectors import attribute_vectors
from xadapt.tasks.kg.fusion import LEAST, Fusion, Guess, Weighing, fit_fusion, fuse
from xadapt.tasks.kg.image_vectors import read_image_vectors, vectors_of_graph
from xadapt.tasks.kg.imputation import IMPUTES, Impute, guess_missing
from xadapt.tasks.kg.likeness import ByVectors, Likeness
from xadapt.tasks.kg.modalities import Modality, require_overlap, shares
from xadapt.tasks.kg.modality_maps import POOL, learn_map, mrr
from xadapt.tasks.kg.two_graphs import Pairs

KINDS = (TEXT, STRUCTURE, ATTRIBUTES, IMAGE)
WAY = "--modalities"
NEEDS = {TEXT: "--base", STRUCTURE: "--structure", IMAGE: "--images"}


@dataclass(frozen=True)
class Fusing:
    """Which modalities are fused, and how.

    Attributes:
        kinds: The modalities, some of `KINDS`; none for no fusion.
        images: A file of vectors of images, or one for each graph.
        impute: How missing vectors are guessed.
    """

    kinds: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    impute: Impute = "none"

    @classmethod
    def of(
        cls,
        kinds: str | Sequence[str],
        images: str | Path | Sequence[str | Path],
        impute: str,
    ) -> Fusing:
        """Read the options as a user writes them.

        Raises:
            UserError: If a modality or a way to guess is unknown.
        """
        named = kinds.split(",") if isinstance(kinds, str) else kinds
        names = tuple(dict.fromkeys(one.strip() for one in named if one.strip()))
        for name in names:
            if name not in KINDS:
                raise UserError(unknown("modality", name, list(KINDS)), where=WAY)
        if impute not in IMPUTES:
            raise UserError(unknown("way to guess", impute, list(IMPUTES)), where="--impute")
        given = tuple(map(str, as_paths(images)))
        if len(given) > 2:
            raise UserError("give one file for both graphs, or one for each", where="--images")
        return cls(names, given, impute)

    def check(self, views: Sequence[str], how: Matching, weighed: bool) -> None:
        """Refuse options that don't fit together.

        Args:
            views: The views that have their option.
            how: How pairs are found.
            weighed: Whether weights are given.

        Raises:
            UserError: If there is such an option.
        """
        if not self.kinds:
            if self.images or self.impute != "none":
                raise UserError("--images and --impute need modalities to fuse", where=WAY,
                                todo="Add --modalities text,structure,image")  # fmt: skip
            return
        there = {*views, *((IMAGE,) if self.images else ())}
        for name, option in NEEDS.items():
            if (name in self.kinds) != (name in there):
                missing = name in self.kinds
                raise UserError(
                    f"{name} needs {option}" if missing else f"{option} does nothing here",
                    where=WAY, todo=f"Add {option}" if missing else f"Add {name} to it",
                )  # fmt: skip
        for wrong, option in ((NAMES in views, "--names"), (weighed, "--weights"),
                              (bool(how.rounds), "--rounds")):  # fmt: skip
            if wrong:
                raise UserError(f"{option} does nothing where modalities are fused", where=WAY,
                                todo=f"Leave out {option}")  # fmt: skip


def fused_views(
    vectors: Mapping[str, ByVectors],
    shape: AlignmentStructure | None,
    fusing: Fusing,
    graphs: tuple[KnowledgeGraph, KnowledgeGraph],
    links: tuple[Pairs | None, Pairs | None],
    seed: int,
    report: Callable[[str], None],
) -> tuple[dict[str, Likeness], dict[str, Any]]:
    """Return each modality alone and the fusion of all, and how it was learnt.

    Args:
        vectors: Vectors of names, if they are asked for.
        shape: The structure, if it is asked for.
        fusing: The options.
        graphs: Both graphs.
        links: Training links and dev links.
        seed: Seed of everything random.
        report: Receives lines for people.

    Raises:
        UserError: If nothing can be compared, a file is faulty, or there are too few dev links that
            the structure was not made from.
    """
    given: dict[str, Modality] = {}
    for kind in fusing.kinds:
        if kind == TEXT:
            given[kind] = Modality.of(vectors[TEXT].left, vectors[TEXT].right)
        elif kind == STRUCTURE and shape is not None:
            given[kind] = Modality.of(shape.view.left, shape.view.right)
        elif kind == ATTRIBUTES:
            given[kind] = attribute_vectors(*graphs)
        elif kind == IMAGE:
            given[kind] = _images(fusing.images, graphs)
    require_overlap(list(given.values()))
    for name, one in given.items():
        if not all(shares(one)):
            report(f"{name}: no entity of a side has it, so that it counts nothing")
    train, dev = (np.zeros((0, 2), np.int64) if own is None else own for own in links)
    if shape is not None:
        dev = dev[~np.isin(dev[:, 0], shape.links[:, 0])]  # the structure knows their labels
    if len(dev) < LEAST:
        raise UserError(
            f"a fusion is learnt on at least {LEAST} dev links that the structure was not made "
            f"from, and there are {len(dev)}",
            where="--links", todo="Split links by xadapt kg build --split 30/10/60",
        )  # fmt: skip
    fused = fuse_modalities(given, train, dev, impute=fusing.impute, seed=seed)
    facts = fused.to_dict()
    views: dict[str, Likeness] = {name: one.view for name, one in fused.modalities.items()}
    return {**views, FUSED: fused.view}, {"fusion": {**facts, "dev_links": len(dev)}}


@dataclass(frozen=True)
class FusedModalities:
    """What came of fusing modalities.

    Attributes:
        modalities: The modalities with their maps.
        view: The fusion.
        fusion: How each modality counts.
        guesses: Guesses that are used, by modality.
        chosen: ``fusion``, or the modality alone that ranks dev links better.
        dev: MRR on dev links of all that was compared.
    """

    modalities: Mapping[str, Modality]
    view: ByVectors
    fusion: Fusion
    guesses: Mapping[str, Guess]
    chosen: str
    dev: Mapping[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers as JSON values."""
        rows = {}
        for name, how in self.fusion.items():
            left, right = shares(self.modalities[name])
            rows[name] = {"weight": how.weight, "middle": how.middle, "left": left, "right": right}
            if name in self.guesses:
                rows[name] |= {"guesses_count": how.share, "guessed_middle": how.guessed_middle}
        return {"chosen": self.chosen, "modalities": rows, "dev_mrr": dict(self.dev)}


def fuse_modalities(
    modalities: Mapping[str, Modality],
    train: Pairs,
    dev: Pairs,
    *,
    impute: Impute = "none",
    unmapped: Sequence[str] = (STRUCTURE,),
    seed: int = 0,
) -> FusedModalities:
    """Learn maps, guesses and weights of modalities, and fuse them.

    Args:
        modalities: The modalities by name.
        train: Training links ``(n, 2)``.
        dev: Dev links, from which no modality was made.
        impute: How missing vectors are guessed.
        unmapped: Modalities without a map.
        seed: Seed of everything random.

    Raises:
        UserError: If all vectors are missing, or there are too few dev links.
    """
    require_overlap(list(modalities.values()))
    mapped = {
        name: one if name in unmapped else learn_map(one, train, dev, seed=seed)
        for name, one in modalities.items()
    }
    out = [np.zeros(size, dtype=bool) for size in next(iter(mapped.values())).shape]
    for side, own in enumerate(out):
        own[dev[:, side]] = True
    guesses = guess_missing(mapped, impute, (out[0], out[1]), seed=seed)
    fusion = fit_fusion(mapped, dev, guesses, seed=seed)
    ways: dict[str, tuple[ByVectors, Fusion, Mapping[str, Guess]]] = {
        FUSED: (fuse(mapped, fusion), fusion, {}),
    }
    if guesses:
        with_guesses = f"{FUSED}, with guesses"
        ways[with_guesses] = fuse(mapped, fusion, guesses), fusion, guesses
    for name, one in mapped.items():
        alone = {key: Weighing(float(key == name), 0.0) for key in mapped}
        ways[name] = one.view, alone, {}
    draw = np.random.default_rng(seed)
    pool = [np.unique(np.concatenate([dev[:, side], draw.integers(0, len(own), POOL)]))
            for side, own in enumerate(out)]  # fmt: skip
    scores = {
        name: mrr(Modality(view.left, view.right), dev, pool) for name, (view, *_) in ways.items()
    }
    chosen = max(scores, key=lambda name: scores[name])  # of equal ones the first, the fusion
    return FusedModalities(mapped, *ways[chosen], chosen, scores)


def _images(files: Sequence[str], graphs: tuple[KnowledgeGraph, KnowledgeGraph]) -> Modality:
    read = [read_image_vectors(file) for file in files]
    both = read * 2 if len(read) == 1 else read
    sides = [vectors_of_graph(graph, *own) for graph, own in zip(graphs, both, strict=True)]
    return Modality.of(sides[0], sides[1])
