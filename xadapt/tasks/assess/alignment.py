"""Judging modules: the systems of a table, wired from base, module and controls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

import numpy as np
from numpy.typing import NDArray
from torch import nn

from xadapt.backbones.cache.frozen_vectors import FrozenVectors, cache_folder
from xadapt.backbones.cache.prefix_states import MEMORY_BYTES, PrefixStates
from xadapt.backbones.encoder.encode import encode
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.finite import naming
from xadapt.data.readers.cldr_graph import build, resolve
from xadapt.data.records import ParallelPair
from xadapt.evaluation import bitext, entities
from xadapt.evaluation.systems import Side, System
from xadapt.hub.folder import SHUFFLED
from xadapt.hub.opening import open_control
from xadapt.inference.open_module import open_module
from xadapt.injection.attachment import Attachment, geometry

BASE = "frozen base"
LANGUAGE = "module, language side only"
BOTH = "module, both sides"
TWIN = "shuffled-pairs twin, both sides"

Labels = list[tuple[str, str, str]]


class Bench:
    """The sides one can evaluate on one encoder: bare, or through a module.

    Vectors of the frozen base are those that lie on disk, if they do. Where it, a module and its
    twin read the same texts, what lies below the lowest of the modules is computed once.

    Args:
        encoder: The frozen encoder.
        progress: Told how many texts were encoded.
    """

    def __init__(self, encoder: Encoder, progress: Callable[[int], None] | None = None) -> None:
        self.encoder, self.progress = encoder, progress
        self.frozen = FrozenVectors(encoder, cache_folder())
        self._sides: dict[int, tuple[Attachment, Side]] = {}
        self._prefix: PrefixStates | None = None

    def bare(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of the frozen base."""
        with naming("the frozen base"), self._shared():
            return self.frozen.get(texts).cpu().numpy()

    def through(self, module: nn.Module) -> Side:
        """A side whose texts go through a module; the same one each time it is asked for."""
        if id(module) in self._sides:
            return self._sides[id(module)][1]
        attachment = Attachment(self.encoder, module.to(self.encoder.device))

        def side(texts: Sequence[str]) -> NDArray[np.float32]:
            again = len(self._sides) > 1 or self._prefix_holds()
            with attachment.on(), self._shared() if again else nullcontext():
                return encode(self.encoder, texts, progress=self.progress).numpy()

        self._sides[id(module)] = (attachment, side)
        return side

    def close(self) -> None:
        """Take the modules off the encoder again, and let go of what they shared."""
        self._prefix = None
        while self._sides:
            self._sides.popitem()[1][0].remove()

    def _shared(self) -> AbstractContextManager[None]:
        """From the lowest layer of the modules on, if nobody else has said so already."""
        start = min((at.first_layer for at, _ in self._sides.values()), default=0)
        if start < 1 or self.encoder.reuse.kept is not None:
            return nullcontext()
        if self._prefix is None or self._prefix.start > start:
            folder = cache_folder()
            self._prefix = PrefixStates(self.encoder, start, folder, memory=MEMORY_BYTES)
        return self._prefix.used()

    def _prefix_holds(self) -> bool:
        """Whether the base left states here; it leaves none where its vectors were on disk."""
        return self._prefix is not None and self._prefix.bytes > 0

    def systems(self, module: nn.Module | None, twin: nn.Module | None = None) -> dict[str, System]:
        """The rows of a table: base, the module in both modes, and the control."""
        systems = {BASE: System(self.bare, self.bare)}
        if module is not None:
            side = self.through(module)
            systems[LANGUAGE] = System(side, self.bare)
            systems[BOTH] = System(side)
        if twin is not None:
            systems[TWIN] = System(self.through(twin))
        return systems


def open_both(
    folder: str | None, encoder: Encoder, controls: bool
) -> tuple[nn.Module | None, nn.Module | None]:
    """A published module and, if there is one and it is wanted, its shuffled-pairs twin.

    Raises:
        UserError: The folder is no module, or belongs to another base.
    """
    if folder is None:
        return None, None
    module, _ = open_module(folder, encoder)
    twin = open_control(folder, SHUFFLED, geometry(encoder)) if controls else None
    return module, twin


def judge_bitext(
    bench: Bench,
    pairs: Sequence[ParallelPair],
    module: nn.Module | None,
    twin: nn.Module | None = None,
    *,
    controls: bool = False,
    resamples: int = 1000,
) -> bitext.Result:
    """Sentence retrieval of base, module and controls over the same pairs.

    Raises:
        UserError: There are no pairs.
    """
    systems = bench.systems(module, twin)
    return bitext.evaluate(pairs, systems, base=BASE, control=controls, resamples=resamples)


def judge_entities(
    bench: Bench,
    labels: Labels,
    others: Labels,
    module: nn.Module | None,
    twin: nn.Module | None = None,
    *,
    controls: bool = False,
    resamples: int = 1000,
) -> entities.Result:
    """Entity alignment of base, module and controls over the same names.

    Raises:
        UserError: There are no names.
    """
    systems = bench.systems(module, twin)
    return entities.evaluate(
        labels, systems, others=others, base=BASE, control=controls, resamples=resamples
    )


def graph_labels(tag: str, pivot: str, pool: str) -> tuple[Labels, Labels]:
    """Test entities of the CLDR graph with both names, and those that fill the pool.

    Args:
        tag: Language of the names.
        pivot: The other language.
        pool: ``all`` fills the pool with the other entities, ``test`` does not.

    Raises:
        UserError: The graph lacks a language.
    """
    graph = build((resolve(tag), resolve(pivot)))
    test = _named(graph.pairs(tag, pivot, "test", drop_copies=True))
    rest = _named(graph.pairs(tag, pivot, "train") + graph.pairs(tag, pivot, "dev"))
    return test, rest if pool == "all" else []


def _named(pairs: Sequence[ParallelPair]) -> Labels:
    return [(pair.origin, pair.text, pair.pivot) for pair in pairs]
