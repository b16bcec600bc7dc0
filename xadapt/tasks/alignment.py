"""Evaluate alignment: texts of two languages, encoded by the frozen base or through a module.

A user who loads a module leaves the module on for the pivot language too. So every module
is measured in two modes: on for the language side only, and on for both sides.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray
from torch import nn

from xadapt.backbones.cache.frozen_vectors import FrozenVectors, cache_folder
from xadapt.backbones.cache.prefix_states import MEMORY_BYTES, PrefixStates
from xadapt.backbones.cache.reuse import Kept
from xadapt.backbones.encoder.encode import encode
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.encoder.long_texts import CutCount, counting_cut, tell_cut
from xadapt.backbones.encoder.windows import FIRST
from xadapt.backbones.finite import naming
from xadapt.composition.by_language import for_language
from xadapt.composition.composed import Composed
from xadapt.config.recipe import DataSpec
from xadapt.core.errors import UserError
from xadapt.data.loading.records import Source, read_pairs
from xadapt.data.loading.source_options import require_used
from xadapt.data.records import ParallelPair
from xadapt.evaluation.comparison import Result
from xadapt.evaluation.systems import DIRECTIONS, Direction, Side, System
from xadapt.evaluation.tfidf import NAME as TFIDF
from xadapt.hub.folder import SHUFFLED as SHUFFLED_FILE
from xadapt.hub.opening import open_control
from xadapt.hub.opening import require_module as manifest_of
from xadapt.inference.locate import locate
from xadapt.inference.open_module import open_module
from xadapt.injection.activation import Activation, ActiveAdapter
from xadapt.injection.attachment import model_shape
from xadapt.languages.tags import normalise
from xadapt.tasks.protocol import RESAMPLES, Request, Task

BASE = "frozen base"
LANGUAGE = "module, language side only"
BOTH = "module, both sides"
BASELINE_LANGUAGE = "baseline, language side only"
BASELINE_BOTH = "baseline, both sides"
SHUFFLED = "shuffled-pairs control, both sides"
SHORT = {
    BASE: "frozen base",
    LANGUAGE: "module",
    BOTH: "module, both",
    BASELINE_LANGUAGE: "baseline",
    BASELINE_BOTH: "baseline, both",
    SHUFFLED: "shuffled pairs",
    TFIDF: "TF-IDF",
}
LEGEND = {
    LANGUAGE: "module: on for the language, off for {pivot}",
    BOTH: "both: on for {pivot} too",
    SHUFFLED: "shuffled pairs: the same module, trained on pairs that are no translations",
}
BETTER = "*: gain over the frozen base above 0 by paired 95 % bootstrap"
BETTER_THAN_BASELINE = "*: gain above 0 (95 %): module over baseline, others over base"


class AlignmentEvaluator:
    """The sides of an evaluation on one encoder: the bare base, or the base through a module.

    Vectors of the frozen base are read from disk if they are there. Where the base, a module and
    its control read the same texts, the layers below the lowest module are computed once.

    Args:
        encoder: The frozen encoder.
        progress: Called with the number of texts encoded so far.
        cache: Cached states from which all forwards may start; without it, the evaluator makes its
            own cache.
    """

    def __init__(
        self,
        encoder: Encoder,
        progress: Callable[[int], None] | None = None,
        cache: Kept | None = None,
    ) -> None:
        self.encoder, self.progress, self.cache = encoder, progress, cache
        self.frozen = FrozenVectors(encoder, cache_folder())
        self._adapters: dict[int, ActiveAdapter] = {}
        self._sides: WeakValueDictionary[int, Side] = WeakValueDictionary()
        self._prefix: PrefixStates | None = None

    def bare(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Encode texts by the frozen base, ``(n, dim)``."""
        if self.encoder.windows == FIRST:
            tell_cut(self.encoder, texts)  # also where their vectors are on disk
        with naming("the frozen base"), counting_cut(CutCount()):
            return self.frozen.get(texts, self._shared()).cpu().numpy()

    def through(self, module: nn.Module) -> Side:
        """Return the side that encodes texts through a module; equal calls return the same side."""
        known = self._sides.get(id(module))
        if known is not None:
            return known
        adapter = self._adapters.get(id(module))
        if adapter is None:
            adapter = ActiveAdapter(self.encoder, module.to(self.encoder.device))
            self._adapters[id(module)] = adapter

        def side(texts: Sequence[str]) -> NDArray[np.float32]:
            again = self.cache is not None or len(self._adapters) > 1 or self._prefix_holds()
            rows = Activation.of(adapter, cache=self._shared() if again else None)
            return encode(self.encoder, texts, rows=rows, progress=self.progress).numpy()

        self._sides[id(module)] = side
        return side

    def close(self) -> None:
        """Release the modules and the states that they shared."""
        self._prefix = None
        self._adapters.clear()
        self._sides.clear()

    def systems(
        self,
        module: nn.Module | None,
        shuffled: nn.Module | None = None,
        baseline: nn.Module | None = None,
    ) -> dict[str, System]:
        """Return the rows of a table: base, baseline and module in both modes, and the control.

        Args:
            module: The module to measure, if any beyond the base.
            shuffled: The same module trained on shuffled pairs.
            baseline: Another module to compare the module with.
        """
        systems = {BASE: System(self.bare, self.bare)}
        for one, names in (
            (baseline, (BASELINE_LANGUAGE, BASELINE_BOTH)),
            (module, (LANGUAGE, BOTH)),
        ):
            if one is not None:
                side = self.through(one)
                systems |= {names[0]: System(side, self.bare), names[1]: System(side)}
        if shuffled is not None:
            systems[SHUFFLED] = System(self.through(shuffled))
        return systems

    def _shared(self) -> Kept | None:
        """Return the given cache, or a cache of the states that enter the modules' lowest layer."""
        if self.cache is not None:
            return self.cache
        start = min((adapter.first_layer for adapter in self._adapters.values()), default=0)
        if start < 1:
            return None
        if self._prefix is None or self._prefix.start > start:
            folder = cache_folder()
            self._prefix = PrefixStates(self.encoder, start, folder, memory=MEMORY_BYTES)
        return self._prefix

    def _prefix_holds(self) -> bool:
        """Whether the base cached states; there are none where its vectors were on disk."""
        return self._prefix is not None and self._prefix.bytes > 0


class AlignmentTask(Task):
    """A task that looks up texts of one language among those of another by their vectors."""

    shared: ClassVar[tuple[str, ...]] = ("module", "compose", "baseline", "controls", "windows")
    lang_help: ClassVar[str] = "Language of the texts; known from the module if there is one."
    task_type: ClassVar[str] = "sentence-similarity"
    short: ClassVar[Mapping[str, str]] = SHORT

    @abstractmethod
    def evaluate(
        self,
        rows: Sequence[Any],
        systems: Mapping[str, System],
        *,
        base: Any = None,
        resamples: int = RESAMPLES,
        seed: int = 0,
        control: bool = True,
        **settings: Any,
    ) -> Result:
        """Look up every row's text among the other side, in both directions."""

    def oracle(self, rows: Sequence[Any]) -> System:
        """Return equal vectors for both sides of a row, and different ones for different rows."""
        number = {row.text: i for i, row in enumerate(rows)}
        number |= {row.pivot: number[row.text] for row in rows}
        return System(lambda texts: np.eye(len(rows), dtype=np.float32)[[number[t] for t in texts]])

    def chance(self, rows: Sequence[Any], seed: int = 0) -> System:
        """Return a random vector for each text."""
        texts = sorted({text for row in rows for text in (row.text, row.pivot)})
        vectors = np.random.default_rng(seed).normal(size=(len(texts), 32)).astype(np.float32)
        place = {text: i for i, text in enumerate(texts)}
        return System(lambda given: vectors[[place[text] for text in given]])

    def compare_modules(
        self,
        evaluator: AlignmentEvaluator,
        rows: Sequence[Any],
        module: nn.Module | None,
        shuffled: nn.Module | None = None,
        baseline: nn.Module | None = None,
        *,
        controls: bool = False,
        resamples: int = RESAMPLES,
        **settings: Any,
    ) -> Result:
        """Evaluate base, baseline, module and controls on the same rows.

        Args:
            evaluator: The evaluator, which holds the encoder.
            rows: Records.
            module: The module to measure, if any beyond the base.
            shuffled: The same module trained on shuffled pairs.
            baseline: Another module. Gains of the module are differences to the baseline.
            controls: Whether TF-IDF is added.
            resamples: Number of bootstrap samples.
            settings: Further arguments of `evaluate`.

        Raises:
            UserError: If there are no rows.
        """
        systems = evaluator.systems(module, shuffled, baseline)
        base: str | dict[str, str] = BASE
        if baseline is not None:
            others = [*systems, *([TFIDF] if controls else [])]
            base = {name: BASE for name in others if name != BASE}
            base |= {LANGUAGE: BASELINE_LANGUAGE, BOTH: BASELINE_BOTH}
        return self.evaluate(
            rows, systems, base=base, control=controls, resamples=resamples, **settings
        )

    def measure_rows(
        self, request: Request, tag: str, rows: Sequence[Any], **settings: Any
    ) -> Result:
        """Load what a request names and evaluate it on records.

        Args:
            request: The request of the user.
            tag: Language of the texts.
            rows: Records.
            settings: Further arguments of `evaluate`.

        Raises:
            UserError: If a folder is no module, or belongs to another base.
        """
        require_module(request)
        encoder = request.open_base()
        module, shuffled = open_module_and_control(request, encoder, tag)
        baseline = None
        if request.baseline is not None:
            baseline = open_composed(request.modules, request.baseline, encoder, tag)
        with naming(request.compose or ", ".join(request.modules) or request.base):
            return self.compare_modules(
                AlignmentEvaluator(encoder),
                rows,
                module,
                shuffled,
                baseline,
                controls=request.controls,
                **settings,
            )

    def legend(self, result: Result) -> str:
        """Explain the names of systems in a table."""
        lines = [LEGEND[row.system] for row in result.rows if row.system in LEGEND]
        if any(row.gains for row in result.rows):
            lines.append(
                BETTER if isinstance(result.options["base"], str) else BETTER_THAN_BASELINE
            )
        return "\n".join(line.format(pivot=result.facts["pivot_lang"]) for line in lines)

    def ways(self, result: Result) -> dict[Direction, str]:
        """Return the two directions in words: ``sw>en`` and ``en>sw``."""
        lang, pivot = result.facts["lang"], result.facts["pivot_lang"]
        return dict(zip(DIRECTIONS, (f"{lang}>{pivot}", f"{pivot}>{lang}"), strict=True))


def in_words(way: Direction) -> str:
    """Return a direction as used in the names of measures: ``to pivot``."""
    return way.replace("_", " ")


def language_of(lang: str | None, modules: Sequence[str | Path] = ()) -> str:
    """Return the language of the texts: as named, else the language of the module.

    Raises:
        UserError: If no language is named, and there is not one module for one language.
    """
    if lang is not None:
        return normalise(lang)
    todo = "Name it with --lang"
    if not modules:
        raise UserError("the language of the texts is not known", todo=todo)
    _, places = locate(list(map(str, modules)))
    known = list(dict.fromkeys(t for f in places.values() for t in manifest_of(f).languages))
    if len(known) != 1:
        raise UserError(
            f"the module is for {', '.join(known)}",
            where=", ".join(map(str, modules)),
            todo="Choose one with --lang",
        )
    return known[0]


def read_named(source: Source) -> list[ParallelPair]:
    """Read the parallel text that a user names, and refuse options that don't apply.

    Raises:
        UserError: If columns are named for a file without columns, or the file is unusable.
    """
    require_used([source], {source.data: DataSpec()})
    return read_pairs(source)


def require_module(request: Request) -> None:
    """Refuse a baseline where no module is compared with it.

    Raises:
        UserError: If there is a baseline, and neither a module nor a composition.
    """
    if request.baseline is not None and not request.modules and request.compose is None:
        raise UserError("there is no module to measure", todo="Name one with --module")


def open_module_and_control(
    request: Request, encoder: Encoder, tag: str
) -> tuple[nn.Module | None, nn.Module | None]:
    """Open the module or composition of a request and, if asked for, its shuffled-pairs control.

    Raises:
        UserError: If a folder is no module, or belongs to another base.
    """
    if not request.modules and request.compose is None:
        return None, None
    _, places = locate(request.modules, request.compose)
    if request.compose is not None or len(places) != 1:
        return open_composed(request.modules, request.compose, encoder, tag), None
    [folder] = places.values()
    module, _ = open_module(folder, encoder)
    if not request.controls:
        return module, None
    control = open_control(folder, SHUFFLED_FILE, model_shape(encoder))
    if control is None:
        request.report(
            "this module has no shuffled-pairs control; train it with --controls to make one"
        )
    return module, control


def open_composed(
    folders: Sequence[str], compose: str | None, encoder: Encoder, tag: str
) -> nn.Module:
    """Open the modules of a composition as one module that acts on texts of a language.

    Args:
        folders: Folders of modules.
        compose: The composition; without it, the module for the language.
        encoder: The base on which the modules were trained.
        tag: Language of the texts.

    Raises:
        UserError: If a folder is no module or belongs to another base, or no part of the
            composition is for the language.
    """
    value, places = locate(folders, compose)
    own = for_language(value, tag)
    if own is None:
        raise UserError(f"the composition has no module for {tag}", where=compose or "--module")
    opened = {where: open_module(where, encoder)[0] for where in dict.fromkeys(places.values())}
    return Composed.checked(own, {name: opened[where] for name, where in places.items()})
