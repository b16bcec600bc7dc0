"""Sentence retrieval: find the translation of a sentence among all sentences.

For a list of translation pairs, each sentence of one side is looked up by cosine among all of the
other side: accuracy (the nearest is the translation, by position) in both directions, and LASER's
xsim, the error in percent, by each margin. Every system is compared with the frozen base and a
TF-IDF control, with paired bootstrap intervals over the pairs.

Two pairs that share a sentence on a side have each other's translation as a right answer, which
accuracy by position would count as wrong. So a later pair that shares one (by
`xadapt.core.text_key.normal_key`) with an earlier pair is dropped, and the result says how many.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from rich.table import Table
from torch import nn

from xadapt.backbones.cache.reuse import Kept
from xadapt.backbones.encoder.encode import encode
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.core.errors import UserError
from xadapt.data.records import ParallelPair
from xadapt.evaluation.comparison import Result, compare, mean
from xadapt.evaluation.retrieval import Found, correct, first_of_equals, nearest_by_margin
from xadapt.evaluation.systems import (
    DIRECTIONS,
    Direction,
    Encoded,
    System,
    pivot_kept,
    similarities,
)
from xadapt.functional import metrics
from xadapt.heads.head import Head
from xadapt.hub.manifest import Evidence
from xadapt.languages.tags import normalise
from xadapt.tasks.alignment import (
    BASE,
    BOTH,
    LANGUAGE,
    AlignmentEvaluator,
    AlignmentTask,
    in_words,
    language_of,
    read_named,
)
from xadapt.tasks.protocol import RESAMPLES, Option, Request
from xadapt.tasks.table import interval_cell, mark, new_table
from xadapt.training.loop import Trainer
from xadapt.vectors import matching
from xadapt.vectors.matching import Margin, nearest

MEASURES: dict[Direction, str] = {way: f"accuracy {in_words(way)}" for way in DIRECTIONS}


class SentenceRetrieval(AlignmentTask):
    """Look up each sentence among the translations of all, in both directions."""

    name: ClassVar[str] = "bitext"
    title: ClassVar[str] = "Sentence retrieval in both directions: accuracy, and xsim by margin."
    record: ClassVar[type] = ParallelPair
    metrics: ClassVar[tuple[str, ...]] = tuple(MEASURES.values())
    data_help: ClassVar[str] = "Parallel text the module has not seen."

    def evaluate(
        self,
        rows: Sequence[ParallelPair],
        systems: Mapping[str, System],
        *,
        base: Any = "base",
        resamples: int = RESAMPLES,
        seed: int = 0,
        control: bool = True,
        margins: Sequence[Margin] = matching.MARGINS,
        k: int = 4,
        drop_duplicates: bool = True,
        **_: Any,
    ) -> Result:
        """Look up every sentence among the translations of all, in both directions.

        Args:
            rows: Translation pairs that the systems were not trained on.
            systems: The systems by their names in the table.
            base: The system the others are compared with, if given, or one system for each.
            resamples: Number of bootstrap samples.
            seed: Seed of the bootstrap.
            control: Whether TF-IDF is added.
            margins: The margins of xsim to report.
            k: Number of neighbours that a margin uses; cut to the number of pairs.
            drop_duplicates: Leave out pairs that repeat a sentence; without it, a repeated
                sentence counts by position, as in LASER's xsim.

        Raises:
            UserError: If there are no pairs or no systems, or a system gives NaN or the wrong
                shape.
        """
        if not rows:
            raise UserError("there are no pairs to evaluate on", todo="Give at least one pair")
        kept, groups = first_of_equals(rows)
        chosen = [rows[position] for position in kept] if drop_duplicates else list(rows)
        encoded = Encoded([pair.text for pair in chosen], [pair.pivot for pair in chosen])
        scores = similarities(encoded, systems, control=control)
        found = {name: nearest_by_margin(score, margins, k) for name, score in scores.items()}
        right = {name: correct(table) for name, table in found.items()}
        base = base if isinstance(base, Mapping) or base in found else None
        result = compare(
            self.name,
            self.unit,
            {
                name: {MEASURES[way]: [values] for way, values in own.items()}
                for name, own in right.items()
            },
            dict.fromkeys(MEASURES.values(), mean),
            facts={
                "lang": _language({pair.lang for pair in chosen}),
                "pivot_lang": _language({pair.pivot_lang for pair in chosen}),
                "pool": len(chosen),
                "dropped": len(rows) - len(chosen),
                "duplicate_groups": groups,
            },
            base=base,
            resamples=resamples,
            seed=seed,
        )
        by_name = base if isinstance(base, str) else BASE
        made = [
            replace(
                row,
                more={
                    "accuracy": {way: row.scores[m].to_dict() for way, m in MEASURES.items()},
                    "xsim": _xsim(found[row.system], margins),
                    "gain": {w: row.gains[m].to_dict() for w, m in MEASURES.items() if row.gains},
                    "pivot_kept": _kept(encoded, systems, row.system, by_name),
                },
                values={MEASURES[way]: values for way, values in right[row.system].items()},
            )
            for row in result.rows
        ]
        options = {"k": min(k, len(chosen)), **result.options}
        return replace(result, rows=tuple(made), options=options)

    def measure(
        self,
        request: Request,
        *,
        columns: Annotated[
            str | None,
            Option("PIVOT,LANGUAGE as numbers from 1 or names. Without: 1,2 (English first)."),
        ] = None,
        file_format: Annotated[
            str | None, Option("Name of the file format, if the name hides it.", flag="--format")
        ] = None,
        pivot: Annotated[str, Option("Language of the other side.")] = "en",
    ) -> Result:
        """Measure a base, and modules on it, on parallel text."""
        tag = language_of(request.lang, request.modules)
        source = request.source(tag, normalise(pivot), columns, file_format)
        return self.measure_rows(request, tag, read_named(source))

    def scores(
        self, trainer: Trainer, dev: Sequence[ParallelPair], cache: Kept | None = None
    ) -> dict[str, float]:
        """Compute the accuracy in both directions and modes; ``score`` is their mean."""
        pivots = [pair.pivot for pair in dev]
        frozen = trainer.frozen.get(pivots, cache).cpu()
        acts = trainer.active_module.activation(cache=cache)
        texts = encode(trainer.encoder, [pair.text for pair in dev], rows=acts)
        active = encode(trainer.encoder, pivots, rows=acts)
        right = np.arange(len(dev))
        scores = {}
        for mode, side in (("language", frozen), ("both", active)):
            for way, (asked, pool) in zip(DIRECTIONS, ((texts, side), (side, texts)), strict=True):
                found = nearest(asked, pool, 1).indices[:, 0]
                scores[f"{mode}/{way}"] = float((found == right).mean())
        kept = torch.nn.functional.cosine_similarity(frozen, active, dim=-1).mean()
        score = float(np.mean(list(scores.values())))
        return {"score": score, **scores, "pivot_kept": float(kept)}

    def evidence(
        self,
        encoder: Encoder,
        module: nn.Module,
        dev: Sequence[ParallelPair],
        head: Head | None = None,
        cache: Kept | None = None,
    ) -> list[Evidence]:
        """Measure both modes in both directions, with base and TF-IDF."""
        evaluator = AlignmentEvaluator(encoder, cache=cache)
        result = self.compare_modules(evaluator, dev, module, controls=True)
        evaluator.close()
        claims = []
        for system, sides in ((LANGUAGE, "language"), (BOTH, "both")):
            others = {BOTH, LANGUAGE} - {system}
            own = replace(result, rows=tuple(r for r in result.rows if r.system not in others))
            claims += self.to_evidence(own, system, BASE, sides=sides)
        return claims

    def table(self, result: Result) -> Table:
        """Render accuracy with intervals, xsim by margin, and how far pivot vectors are kept."""
        pivot, facts = result.facts["pivot_lang"], result.facts
        title = f"{facts['lang']}-{pivot}: each sentence looked up among {facts['pool']}"
        if facts["dropped"]:
            title += f" ({facts['dropped']} repetitions left out)"
        margins = [m for m in result.rows[0].more["xsim"] if m != "absolute"]  # 100 - accuracy
        heads = [f"xsim {margin[:5].replace('dista', 'dist')}" for margin in margins]
        table = new_table(title, ("", "way", "accuracy [95 %]", *heads, "kept"))
        ways = self.ways(result)
        for row in result.rows:
            kept = row.more["pivot_kept"]
            for way in DIRECTIONS:
                first = way == DIRECTIONS[0]
                table.add_row(
                    self.short.get(row.system, row.system) if first else "",
                    ways[way],
                    interval_cell(row.scores[MEASURES[way]]) + mark(row.gains.get(MEASURES[way])),
                    *(f"{row.more['xsim'][margin][way]:.1f}" for margin in margins),
                    f"{kept:.3f}" if first and kept is not None else "",
                )
        about = f"xsim: errors in %, by margin; kept: cosine of {pivot} vectors with the base's"
        table.caption = "\n".join(part for part in (self.legend(result), about) if part)
        return table


def _xsim(found: Found, margins: Sequence[Margin]) -> dict[Margin, dict[Direction, float]]:
    return {
        margin: {way: metrics.error_rate(found[way][margin]) for way in DIRECTIONS}
        for margin in margins
    }


def _kept(encoded: Encoded, systems: Mapping[str, System], name: str, base: str) -> float | None:
    """Compute the mean cosine of a system's pivot vectors with those of the base.

    Return ``None`` if the system or the base is missing.
    """
    if name not in systems or base not in systems:
        return None
    return pivot_kept(encoded, systems[name], systems[base])


def _language(tags: set[str]) -> str:
    return tags.pop() if len(tags) == 1 else "mul"


Part = SentenceRetrieval()
