"""Entity retrieval: find the entity's name in the other language.

Each name is looked up among the names of all entities of the pool. Hits@1, Hits@10 and MRR use
realistic ranks: names spelt alike that belong to different entities are ties, so nobody gains from
their order. If an entity has several names, any is right and the others are left out of the
ranking. Scores come by cosine and with CSLS, which corrects hubs but looks at all queries at once
(transductive), over the whole pool of both sides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from rich.table import Table
from torch import nn

from xadapt.backbones.cache.reuse import Kept
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.core.errors import UserError
from xadapt.data.readers.cldr_graph import build, resolve
from xadapt.data.readers.graph_source import is_graph
from xadapt.data.records import LabelPair, ParallelPair
from xadapt.evaluation.comparison import Result, Row, compare, mean
from xadapt.evaluation.systems import DIRECTIONS, Direction, Encoded, System, similarities
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
from xadapt.tasks.kg.entity_pairs import entity_pairs
from xadapt.tasks.protocol import RESAMPLES, Option, Request
from xadapt.tasks.table import interval_cell, mark, new_table
from xadapt.training.loop import Trainer
from xadapt.vectors import matching

GRAPH = "cldr"
Scorer = Literal["cosine", "csls"]
Ranks = dict[Direction, dict[Scorer, NDArray[np.float64]]]


def measure_name(measure: str, way: Direction, scorer: Scorer = "cosine") -> str:
    """Return the name of a score: ``hits@1 to pivot``, or ``csls hits@1 to pivot``.

    Args:
        measure: ``hits@1``, ``hits@10`` or ``mrr``.
        way: The direction.
        scorer: The scorer that ranks the names.
    """
    return f"{'csls ' if scorer == 'csls' else ''}{measure} {in_words(way)}"


class EntityRetrieval(AlignmentTask):
    """Look up each entity's name among the names of the other side, in both directions."""

    name: ClassVar[str] = "entities"
    title: ClassVar[str] = (
        "Entity alignment by name, in both directions: Hits@1, Hits@10 and MRR; CSLS."
    )
    record: ClassVar[type] = LabelPair
    metrics: ClassVar[tuple[str, ...]] = tuple(
        measure_name(m, way) for m in ("hits@1", "hits@10", "mrr") for way in DIRECTIONS
    )
    data_help: ClassVar[str] = (
        "A graph (cldr, dbp15k:DIR, kg:DIR, ...), or a table of names like parallel text."
    )
    default_data: ClassVar[str | None] = GRAPH

    def evaluate(
        self,
        rows: Sequence[LabelPair],
        systems: Mapping[str, System],
        *,
        base: Any = "base",
        resamples: int = RESAMPLES,
        seed: int = 0,
        control: bool = True,
        others: Sequence[LabelPair] = (),
        csls: int = 10,
        **_: Any,
    ) -> Result:
        """Look up every entity's name among the names of the other side, in both directions.

        Args:
            rows: The query entities, with both names.
            systems: The systems by their names in the table.
            base: The system the others are compared with, if given, or one system for each.
            resamples: Number of bootstrap samples.
            seed: Seed of the bootstrap.
            control: Whether TF-IDF is added.
            others: Entities that are only in the pool, such as those of the training split. An
                empty name is left out.
            csls: Number of neighbours that CSLS uses, cut to the pool; 0: without CSLS.

        Raises:
            UserError: If there are no entities or no systems, or a system gives NaN or the wrong
                shape.
        """
        if not rows:
            raise UserError("there are no entities to evaluate on", todo="Give at least one")
        every = [*rows, *others]
        codes = {entity: code for code, entity in enumerate({row.entity: 0 for row in every})}
        texts, pivots = (_names(rows, every, codes, side) for side in ("text", "pivot"))
        scores = similarities(Encoded(texts.texts, pivots.texts), systems, control=control)
        ranks = {name: _ranks(score, texts, pivots, csls) for name, score in scores.items()}
        columns = {name: _columns(table) for name, table in ranks.items()}
        grown = len(texts.texts) > texts.asked or len(pivots.texts) > pivots.asked
        result = compare(
            self.name,
            self.unit,
            columns,
            dict.fromkeys(next(iter(columns.values())), mean),
            facts={
                "lang": rows[0].lang,
                "pivot_lang": rows[0].pivot_lang,
                "pool": "all" if grown else "test",
                "pool_size": {"to_pivot": len(pivots.texts), "from_pivot": len(texts.texts)},
                "queries": {"to_pivot": texts.asked, "from_pivot": pivots.asked},
            },
            base=base if isinstance(base, Mapping) or base in ranks else None,
            resamples=resamples,
            seed=seed,
        )
        made = [
            replace(row, more=_nested(row, csls), values=_values(ranks[row.system]))
            for row in result.rows
        ]
        return replace(result, rows=tuple(made), options={"csls": csls or None, **result.options})

    def measure(
        self,
        request: Request,
        *,
        pool: Annotated[
            str | None,
            Option(
                "For a graph: test, among the test entities, or all (the default).",
                choices=("test", "all"),
            ),
        ] = None,
        columns: Annotated[
            str | None,
            Option("PIVOT,LANGUAGE as numbers from 1 or names. Without: 1,2 (English first)."),
        ] = None,
        file_format: Annotated[
            str | None, Option("Name of the file format, if the name hides it.", flag="--format")
        ] = None,
        pivot: Annotated[str, Option("Language of the other side.")] = "en",
    ) -> Result:
        """Measure a base, and modules on it, on names of entities."""
        own = {"--pool": pool}
        of_files = {"--columns": columns, "--format": file_format}
        of_graph = request.data == GRAPH or is_graph(str(request.data))
        for option, given in (of_files if of_graph else own).items():
            if given is not None:
                message = f"{option} does nothing with --data {request.data}"
                raise UserError(message, todo="Leave it out")
        tag, pivot = language_of(request.lang, request.modules), normalise(pivot)
        if request.data == GRAPH:
            rows, others = graph_labels(tag, pivot, pool or "all")
        elif of_graph:
            rows, others = entity_pairs(str(request.data), tag, pivot, pool or "all")
        else:
            pairs = read_named(request.source(tag, pivot, columns, file_format))
            rows, others = [_label(str(i), pair) for i, pair in enumerate(pairs)], []
        return self.measure_rows(request, tag, rows, others=others)

    def scores(
        self, trainer: Trainer, dev: Sequence[LabelPair], cache: Kept | None = None
    ) -> dict[str, float]:
        """Compute Hits@1 in both directions and modes; ``score`` is their mean."""
        evaluator = AlignmentEvaluator(trainer.encoder, cache=cache)
        try:
            result = self.compare_modules(
                evaluator, dev, trainer.active_module.module, resamples=1, csls=0
            )
        finally:
            evaluator.close()
        found = {
            f"{mode}/{way}": result[system].scores[measure_name("hits@1", way)].mean
            for mode, system in (("language", LANGUAGE), ("both", BOTH))
            for way in DIRECTIONS
        }
        return {"score": float(np.mean(list(found.values()))), **found}

    def evidence(
        self,
        encoder: Encoder,
        module: nn.Module,
        dev: Sequence[LabelPair],
        head: Head | None = None,
        cache: Kept | None = None,
    ) -> list[Evidence]:
        """Measure both modes in both directions, with base and TF-IDF."""
        evaluator = AlignmentEvaluator(encoder, cache=cache)
        result = self.compare_modules(evaluator, dev, module, controls=True, csls=0)
        evaluator.close()
        claims = []
        for system, sides in ((LANGUAGE, "language"), (BOTH, "both")):
            hidden = {BOTH, LANGUAGE} - {system}
            own = replace(result, rows=tuple(r for r in result.rows if r.system not in hidden))
            claims += self.to_evidence(own, system, BASE, sides=sides)
        return claims

    def table(self, result: Result) -> Table:
        """Render Hits, MRR and CSLS by system and direction."""
        facts = result.facts
        sizes = " / ".join(str(facts["pool_size"][way]) for way in DIRECTIONS)
        names = f"{facts['queries'][DIRECTIONS[0]]} names looked up among {sizes}"
        table = new_table(
            f"{facts['lang']}-{facts['pivot_lang']}: {names}",
            ("", "way", "Hits@1 [95 %]", "@10", "MRR", "CSLS @1", "MRR"),
        )
        ways = self.ways(result)
        for row in result.rows:
            for way in DIRECTIONS:
                hits = measure_name("hits@1", way)
                table.add_row(
                    self.short.get(row.system, row.system) if way == DIRECTIONS[0] else "",
                    ways[way],
                    interval_cell(row.scores[hits]) + mark(row.gains.get(hits)),
                    _number(row, "hits@10", way),
                    _number(row, "mrr", way),
                    _number(row, "hits@1", way, "csls"),
                    _number(row, "mrr", way, "csls"),
                )
        table.caption = self.legend(result)
        return table


def graph_labels(tag: str, pivot: str, pool: str) -> tuple[list[LabelPair], list[LabelPair]]:
    """Read test entities of the CLDR graph with both names, and those that fill the pool.

    Args:
        tag: Language of the names.
        pivot: The other language.
        pool: ``all`` fills the pool with the other entities, ``test`` does not.

    Raises:
        UserError: If the graph lacks a language.
    """
    graph = build((resolve(tag), resolve(pivot)))
    test = graph.pairs(tag, pivot, "test", drop_copies=True)
    rest = graph.pairs(tag, pivot, "train") + graph.pairs(tag, pivot, "dev")
    labels = [[_label(pair.origin, pair) for pair in part] for part in (test, rest)]
    return labels[0], labels[1] if pool == "all" else []


def _label(entity: str, pair: ParallelPair) -> LabelPair:
    return LabelPair(entity, pair.text, pair.pivot, pair.lang, pair.pivot_lang)


@dataclass(frozen=True)
class _Names:
    """The distinct names of one side, the query names first."""

    texts: list[str]
    entities: NDArray[np.int64]
    asked: int


def _names(
    rows: Sequence[LabelPair], every: Sequence[LabelPair], codes: Mapping[str, int], side: str
) -> _Names:
    asked = dict.fromkeys((row.entity, getattr(row, side)) for row in rows)
    named = ((row.entity, getattr(row, side)) for row in every if getattr(row, side))
    both = list(asked | dict.fromkeys(named))
    entities = np.asarray([codes[entity] for entity, _ in both], dtype=np.int64)
    return _Names([text for _, text in both], entities, len(asked))


def _ranks(similarity: matching.Similarity, texts: _Names, pivots: _Names, csls: int) -> Ranks:
    scorers: dict[Scorer, matching.Similarity] = {"cosine": similarity}
    if csls:
        scorers["csls"] = matching.csls(similarity, csls)
    there = (texts.entities[: texts.asked], pivots.entities)
    back = (pivots.entities[: pivots.asked], texts.entities)
    return {
        "to_pivot": {key: metrics.ranks(score, *there) for key, score in scorers.items()},
        "from_pivot": {
            key: metrics.ranks(score.swapped(), *back) for key, score in scorers.items()
        },
    }


def _columns(ranks: Ranks) -> dict[str, list[NDArray[np.float64]]]:
    """Compute one number for each query by measure; cosine before CSLS, Hits@1 first."""
    scorers: list[Scorer] = list(ranks["to_pivot"])
    made = {
        "hits@1": lambda own: metrics.hits(own, 1),
        "hits@10": lambda own: metrics.hits(own, 10),
        "mrr": metrics.reciprocal,
    }
    return {
        measure_name(measure, way, scorer): [values(ranks[way][scorer])]
        for scorer in scorers
        for measure, values in made.items()
        for way in DIRECTIONS
    }


def _values(ranks: Ranks) -> dict[str, NDArray[np.float64]]:
    """Return realistic ranks from 1, one a query."""
    return {
        measure_name("rank", way, scorer): own
        for way, tables in ranks.items()
        for scorer, own in tables.items()
    }


def _nested(row: Row, csls: int) -> dict[str, Any]:
    """Nest scores and gains by direction, scorer and measure, as in the first JSON format."""
    scorers: tuple[Scorer, ...] = ("cosine", "csls") if csls else ("cosine",)

    def by_direction(numbers: Mapping[str, Any]) -> dict[str, Any]:
        return {
            way: {
                scorer: {
                    measure: numbers[measure_name(measure, way, scorer)].to_dict()
                    for measure in ("hits@1", "hits@10", "mrr")
                }
                for scorer in scorers
            }
            for way in DIRECTIONS
            if numbers
        }

    return {"by_direction": by_direction(row.scores), "gain": by_direction(row.gains)}


def _number(row: Row, measure: str, way: Direction, scorer: Scorer = "cosine") -> str:
    score = row.scores.get(measure_name(measure, way, scorer))
    return f"{score.mean:.3f}" if score else ""


Part = EntityRetrieval()
