"""Word alignment: AER, precision and recall of the links that an encoder's states give.

Source: Och and Ney 2003, https://aclanthology.org/J03-1002, section 6.1 (sure and possible links).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from rich.table import Table
from torch import nn

from xadapt.backbones.cache.reuse import Kept
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.finite import naming
from xadapt.core import registry
from xadapt.core.errors import UserError
from xadapt.data.readers.in_memory import InMemory
from xadapt.data.readers.memory_records import read_in_memory
from xadapt.data.readers.notes import LoggedNotes, name_of
from xadapt.data.readers.sides import Request as PairRequest
from xadapt.data.readers.word_alignment import sides_of
from xadapt.data.records import AlignedWords
from xadapt.evaluation.comparison import Result, compare
from xadapt.evaluation.statistics import Statistic
from xadapt.functional.word_alignment import Link, alignment_error_rate, link_counts, share
from xadapt.heads.head import Head
from xadapt.hub.manifest import Evidence
from xadapt.inference.word_aligner import (
    METHODS,
    Aligning,
    SentenceStates,
    align_states,
    aligning_of,
    sentence_states,
)
from xadapt.injection.activation import Activation, ActiveAdapter
from xadapt.languages.tags import normalise
from xadapt.tasks.alignment import (
    BASE,
    BASELINE_BOTH,
    BASELINE_LANGUAGE,
    BETTER,
    BETTER_THAN_BASELINE,
    BOTH,
    LANGUAGE,
    LEGEND,
    SHORT,
    language_of,
    open_composed,
    open_module_and_control,
    require_module,
)
from xadapt.tasks.protocol import RESAMPLES, Option, Request, Task
from xadapt.tasks.table import interval_cell, mark, new_table
from xadapt.training.loop import Trainer

AGREEMENT, PRECISION, RECALL = "1 - AER", "precision", "recall"
DIAGONAL = "diagonal"
SOFTMAX_THRESHOLDS, TRANSPORT_THRESHOLDS = (0.05, 0.1, 0.2, 0.3), (0.1, 0.2, 0.3)
Found = Sequence[Sequence[Link]]


@dataclass(frozen=True)
class _Sides:
    """The activation of each side of a system; ``None`` is the bare base."""

    left: Activation | None = None
    right: Activation | None = None


class WordAlignmentTask(Task):
    """Link the words of translations, and compare with links of annotators."""

    name: ClassVar[str] = "words"
    title: ClassVar[str] = (
        "Word alignment: AER, precision and recall against sure and possible links."
    )
    record: ClassVar[type] = AlignedWords
    metrics: ClassVar[tuple[str, ...]] = (AGREEMENT, PRECISION, RECALL)
    shared: ClassVar[tuple[str, ...]] = ("module", "compose", "baseline")
    reader: ClassVar[str] = "word_alignment"
    data_help: ClassVar[str] = (
        "Words, words, sure links, possible links (.tsv); or SENTENCES,LINKS; or LEFT,RIGHT,LINKS."
    )
    lang_help: ClassVar[str] = "The language being adapted; known from the module if there is one."
    short: ClassVar[Mapping[str, str]] = SHORT

    def evaluate(
        self,
        rows: Sequence[AlignedWords],
        systems: Mapping[str, Found],
        *,
        base: Any = None,
        resamples: int = RESAMPLES,
        seed: int = 0,
    ) -> Result:
        """Score links, and those of the diagonal after them.

        Args:
            rows: Sentence pairs with their links.
            systems: Links by system name, ``(left word, right word)`` for each pair.
            base: The system the others are compared with.
            resamples: Number of bootstrap samples over sentence pairs.
            seed: Seed of the bootstrap.

        Raises:
            UserError: If there are no pairs or no links, or a system does not link each pair.
        """
        if not rows:
            raise UserError("there are no sentence pairs to evaluate on")
        if not any(row.sure for row in rows):
            raise UserError(
                "no pair has a sure link, so recall and AER mean nothing",
                todo="Write sure links as i-j, possible ones as ipj",
            )
        counts = {}
        for name, found in {**systems, **self.baselines(rows)}.items():
            if len(found) != len(rows):
                raise UserError(f"{name} links {len(found)} pairs, and there are {len(rows)}")
            pairs = zip(rows, found, strict=True)
            counts[name] = np.array(
                [link_counts(row.sure, row.possible, own) for row, own in pairs]
            ).T
        columns: dict[str, dict[str, Sequence[Any]]] = {
            name: {AGREEMENT: list(own), PRECISION: [own[1], own[2]], RECALL: [own[0], own[3]]}
            for name, own in counts.items()
        }
        statistics: dict[str, Statistic] = {AGREEMENT: _agreement, PRECISION: share, RECALL: share}
        langs = [
            sorted({getattr(row, side) for row in rows}) for side in ("left_lang", "right_lang")
        ]
        left, right = (tags[0] if len(tags) == 1 else "mul" for tags in langs)
        result = compare(
            self.name, self.unit, columns, statistics, base=base, resamples=resamples, seed=seed,
            facts={"left_lang": left, "right_lang": right,
                   "sure": sum(len(row.sure) for row in rows),
                   "possible": sum(len(row.possible) for row in rows)},
        )  # fmt: skip
        made = [
            replace(row, more={"aer": 1 - row.scores[AGREEMENT].mean,
                               "links": int(counts[row.system][2].sum())})
            for row in result.rows
        ]  # fmt: skip
        return replace(result, rows=tuple(made))

    def baselines(self, rows: Sequence[AlignedWords], **settings: Any) -> dict[str, Any]:
        """Link each word of the longer side to the word at the same share of the other side."""
        return {DIAGONAL: [_diagonal(len(row.left), len(row.right)) for row in rows]}

    def oracle(self, rows: Sequence[AlignedWords]) -> list[list[Link]]:
        """Return the sure links."""
        return [list(row.sure) for row in rows]

    def chance(self, rows: Sequence[AlignedWords], seed: int = 0) -> list[list[Link]]:
        """Link each left word to a right word at random."""
        drawn = np.random.default_rng(seed)
        return [
            [(i, int(drawn.integers(len(row.right)))) for i in range(len(row.left))] for row in rows
        ]

    def measure(
        self,
        request: Request,
        *,
        method: Annotated[
            str | None, Option("argmax (default), itermax, softmax or transport.", choices=METHODS)
        ] = None,
        layer: Annotated[
            int | None,
            Option("Layers before the states. Without: two thirds of the base's.", minimum=0),
        ] = None,
        threshold: Annotated[
            float | None, Option("Threshold of softmax and transport (default: .1).")
        ] = None,
        similarity: Annotated[
            str | None, Option("cosine (default), or dot for softmax.", choices=("cosine", "dot"))
        ] = None,
        temperature: Annotated[float | None, Option("Divisor of softmax (default: .05).")] = None,
        units: Annotated[
            str | None,
            Option(
                "pieces (default), or words: the mean of their pieces.", choices=("pieces", "words")
            ),
        ] = None,
        dev: Annotated[
            str | None,
            Option(
                "Other linked pairs, on which each system's layer, method and threshold are chosen."
            ),
        ] = None,
        first: Annotated[
            str | None,
            Option("Language of the first sentences. Without: by the file's name, else --pivot."),
        ] = None,
        pivot: Annotated[str, Option("The other language.")] = "en",
        one_based: Annotated[bool, Option("Links i-j count words from 1.")] = False,
    ) -> Result:
        """Align by a base, and by modules on it, and score the links."""
        require_module(request)
        given = {"method": method, "layer": layer, "threshold": threshold,
                 "similarity": similarity, "temperature": temperature, "units": units}  # fmt: skip
        how = aligning_of(given)
        tag = language_of(request.lang, request.modules) if _acts(request) else request.tag
        sides = sides_of(name_of(str(request.data)), tag or "und", normalise(pivot), first)
        rows = _read(self.reader, request.data, sides, one_based)
        tuning = _read(self.reader, dev, sides, one_based) if dev is not None else []
        encoder = Encoder.from_pretrained(request.base, dtype=request.dtype)
        how.at(encoder.depth)
        systems = {BASE: _Sides()}
        base: str | dict[str, str] = BASE
        if request.baseline is not None:
            other = open_composed(request.modules, request.baseline, encoder, str(tag))
            systems |= _both(encoder, other, rows[0], str(tag), BASELINE_LANGUAGE, BASELINE_BOTH)
            base = {BASELINE_LANGUAGE: BASE, BASELINE_BOTH: BASE, DIAGONAL: BASE}
            base |= {LANGUAGE: BASELINE_LANGUAGE, BOTH: BASELINE_BOTH}
        module, _ = open_module_and_control(request, encoder, str(tag))
        if module is not None:
            systems |= _both(encoder, module, rows[0], str(tag), LANGUAGE, BOTH)
        with naming(request.compose or ", ".join(request.modules) or request.base):
            return self._scored(encoder, rows, systems, how, tuning, given, base)

    def _scored(
        self,
        encoder: Encoder,
        rows: Sequence[AlignedWords],
        systems: Mapping[str, _Sides],
        how: Aligning,
        tuning: Sequence[AlignedWords],
        given: Mapping[str, Any],
        base: Any,
    ) -> Result:
        chosen = {
            name: _best(encoder, tuning, sides, how, given) if tuning else how
            for name, sides in systems.items()
        }
        found = {
            name: _linked(
                _encoded(encoder, rows, sides, chosen[name].at(encoder.depth)), chosen[name]
            )
            for name, sides in systems.items()
        }
        result = self.evaluate(rows, found, base=base)
        ways = {
            name: {**asdict(one), "layer": one.at(encoder.depth)} for name, one in chosen.items()
        }
        made = [
            replace(row, more={**row.more, "aligning": ways[row.system]})
            if row.system in ways else row
            for row in result.rows
        ]  # fmt: skip
        return replace(result, rows=tuple(made), facts={**result.facts, "dev": len(tuning)})

    def scores(
        self, trainer: Trainer, dev: Sequence[AlignedWords], cache: Kept | None = None
    ) -> dict[str, float]:
        """Score the links of the current module, on for both sides."""
        acts = trainer.active_module.activation(cache=cache)
        how = Aligning()
        states = _encoded(trainer.encoder, dev, _Sides(acts, acts), how.at(trainer.encoder.depth))
        counts = zip(dev, _linked(states, how), strict=True)
        each = np.array([link_counts(row.sure, row.possible, own) for row, own in counts]).T
        return {"score": float(_agreement(*each))}

    def evidence(
        self,
        encoder: Encoder,
        module: nn.Module,
        dev: Sequence[AlignedWords],
        head: Head | None = None,
        cache: Kept | None = None,
    ) -> list[Evidence]:
        """Measure the module in both modes, with the base and the diagonal."""
        systems = {
            BASE: _Sides(),
            **_both(encoder, module, dev[0], dev[0].left_lang, LANGUAGE, BOTH),
        }
        result = self._scored(encoder, dev, systems, Aligning(), [], {}, BASE)
        claims = []
        for system, sides in ((LANGUAGE, "language"), (BOTH, "both")):
            others = {BOTH, LANGUAGE} - {system}
            own = replace(result, rows=tuple(r for r in result.rows if r.system not in others))
            claims += self.to_evidence(own, system, BASE, sides=sides)
        return claims

    def table(self, result: Result) -> Table:
        """Render agreement with its interval, precision, recall and AER."""
        facts = result.facts
        title = f"{facts['left_lang']}-{facts['right_lang']}: {result.count} {result.unit}"
        table = new_table(title, ("", "", f"{AGREEMENT} [95 %]", PRECISION, RECALL, "AER"))
        for row in result.rows:
            way = row.more.get("aligning")
            table.add_row(
                self.short.get(row.system, row.system),
                f"{way['method']}, layer {way['layer']}" if way else "",
                interval_cell(row.scores[AGREEMENT]) + mark(row.gains.get(AGREEMENT)),
                *(f"{row.scores[measure].mean:.3f}" for measure in (PRECISION, RECALL)),
                f"{row.more['aer']:.3f}",
            )
        lines = [LEGEND[row.system] for row in result.rows if row.system in LEGEND]
        if any(row.gains for row in result.rows):
            plain = isinstance(result.options.get("base"), str)
            lines.append(BETTER if plain else BETTER_THAN_BASELINE)
        table.caption = "\n".join(line.format(pivot="the pivot") for line in lines)
        return table


def _agreement(*counts: NDArray[np.int64]) -> NDArray[np.float64]:
    return 1 - alignment_error_rate(*counts)


def _acts(request: Request) -> bool:
    return bool(request.modules) or request.compose is not None


def _read(
    reader: str, data: str | InMemory, sides: tuple[str, str], one_based: bool
) -> list[AlignedWords]:
    if isinstance(data, InMemory):
        return list(read_in_memory(data, reader, PairRequest(*sides), LoggedNotes()))
    return list(registry.load("readers", reader)(one_based=one_based).read(data, *sides))


def _both(
    encoder: Encoder, module: nn.Module, row: AlignedWords, tag: str, one: str, both: str
) -> dict[str, _Sides]:
    """Return the sides of a module that acts on its language alone, and on both languages."""
    acts = Activation.of(ActiveAdapter(encoder, module.to(encoder.device)))
    own = _Sides(acts, None) if row.left_lang == tag else _Sides(None, acts)
    return {one: own, both: _Sides(acts, acts)}


States = list[tuple[SentenceStates, SentenceStates]]


def _encoded(encoder: Encoder, rows: Sequence[AlignedWords], sides: _Sides, layer: int) -> States:
    left = sentence_states(encoder, [row.left for row in rows], layer, sides.left)
    right = sentence_states(encoder, [row.right for row in rows], layer, sides.right)
    return list(zip(left, right, strict=True))


def _linked(states: States, how: Aligning) -> list[list[Link]]:
    return [align_states(left, right, how) for left, right in states]


def _best(
    encoder: Encoder,
    rows: Sequence[AlignedWords],
    sides: _Sides,
    how: Aligning,
    given: Mapping[str, Any],
) -> Aligning:
    """Choose what the user does not give by AER on development pairs; the first of equals."""
    best, least = how, np.inf
    layers = range(1, encoder.depth + 1) if given.get("layer") is None else (how.at(encoder.depth),)
    for layer in layers:
        states = _encoded(encoder, rows, sides, layer)
        for way in _ways(how, given):
            pairs = zip(rows, _linked(states, way), strict=True)
            counts = np.array([link_counts(r.sure, r.possible, own) for r, own in pairs]).T
            rate = float(alignment_error_rate(*counts))
            if rate < least:
                best, least = replace(way, layer=layer), rate
    return best


def _ways(how: Aligning, given: Mapping[str, Any]) -> list[Aligning]:
    methods = METHODS if given.get("method") is None else (how.method,)
    units = ("pieces", "words") if given.get("units") is None else (how.units,)
    tried: list[Aligning] = []
    for method, unit in product(methods, units):
        own = given.get("threshold")
        thresholds: Sequence[float | None] = (None,) if own is None else (own,)
        if own is None and method == "softmax":
            thresholds = SOFTMAX_THRESHOLDS
        elif own is None and method == "transport":
            thresholds = TRANSPORT_THRESHOLDS
        elif method not in ("softmax", "transport"):
            thresholds = (None,)
        similarity = how.similarity if method == "softmax" else "cosine"
        tried += [
            replace(how, method=method, units=unit, threshold=one, similarity=similarity)  # type: ignore[arg-type]
            for one in thresholds
        ]
    return tried


def _diagonal(left: int, right: int) -> list[Link]:
    if left >= right:
        return [(i, min(right - 1, i * right // left)) for i in range(left)]
    return [(min(left - 1, j * left // right), j) for j in range(right)]


Part = WordAlignmentTask()
