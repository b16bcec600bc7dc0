"""Completion of a knowledge graph: find the tail of a fact from its head and its relation.

By names, the phrase "head relation" is looked up among the names of the entities. Every answer that
the facts know is left out of the ranking, except the right one (the filtered setting). Ranks are
realistic: the mean of the ranks before and after all equal scores. A graph gives all its entities
as the pool, and structure and the most frequent answers as further systems; rows alone give
their tails as the pool.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import nn

from xadapt.backbones.cache.reuse import Kept
from xadapt.backbones.encoder.encode import encode
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.core.errors import UserError
from xadapt.data.graphs.graph import KnowledgeGraph
from xadapt.data.graphs.joining import copied_facts
from xadapt.data.graphs.opening import open_graph, open_links
from xadapt.data.readers.graph_source import is_graph
from xadapt.data.records import NamedTriple
from xadapt.evaluation import tfidf
from xadapt.evaluation.comparison import Result, compare, mean
from xadapt.evaluation.systems import Encoded, System
from xadapt.functional import metrics
from xadapt.heads.head import Head
from xadapt.hub.manifest import Evidence
from xadapt.integrations.pykeen import judge
from xadapt.tasks.alignment import (
    BASE,
    AlignmentEvaluator,
    open_composed,
    open_module_and_control,
    require_module,
)
from xadapt.tasks.kg.completion_structure import read_completion_structure
from xadapt.tasks.kg.graph_names import relation_names
from xadapt.tasks.kg.name_vectors import EntityNames
from xadapt.tasks.kg.ranking import Facts, Scorer, filtered_ranks
from xadapt.tasks.kg.scorers import FREQUENCY, ByNames, MostFrequent, Weighted, choose_weights
from xadapt.tasks.predictor import BASELINE, MODULE
from xadapt.tasks.protocol import RESAMPLES, Option, Request, Task
from xadapt.vectors import matching

if TYPE_CHECKING:
    from xadapt.training.loop import Trainer

MRR, HITS1, HITS10 = MEASURES = ("mrr", "hits@1", "hits@10")
STRUCTURE, SUM = "structure", "module + structure"
NEW, COPIED = "not copied", "copied"
PARTS = ("test", "dev")


class Completion(Task):
    """Look up each fact's tail by its head and relation."""

    name: ClassVar[str] = "completion"
    title: ClassVar[str] = (
        "Completion of a knowledge graph: MRR, Hits@1 and Hits@10 of the tails of facts."
    )
    record: ClassVar[type] = NamedTriple
    metrics: ClassVar[tuple[str, ...]] = MEASURES
    shared: ClassVar[tuple[str, ...]] = ("module", "compose", "baseline", "controls")
    data_help: ClassVar[str] = (
        "A graph with facts of train and test: dbp5l:DIR/ja, kg:DIR/ja, cldr:sw and so on."
    )
    default_data: ClassVar[str | None] = "cldr:de"
    lang_help: ClassVar[str] = "Language of the names, if the graph has names in several."
    short: ClassVar[Mapping[str, str]] = {tfidf.NAME: "TF-IDF"}

    def evaluate(
        self,
        rows: Sequence[NamedTriple],
        systems: Mapping[str, System],
        *,
        base: Any = None,
        resamples: int = RESAMPLES,
        seed: int = 0,
        others: Sequence[tuple[str, str]] = (),
        known: Sequence[tuple[str, str, str]] = (),
        control: bool = True,
    ) -> Result:
        """Look up the tail of every row among the tails of all rows, by names.

        Args:
            rows: Facts with names. The first name of each part is used.
            systems: The systems by name: phrases go through ``language``, names of tails through
                ``pivot``.
            base: The system the others are compared with.
            resamples: Number of bootstrap samples over facts.
            seed: Seed of the bootstrap.
            others: Further entities of the pool, with their names.
            known: Further facts whose tails are left out of the ranking.
            control: Whether TF-IDF is added.

        Raises:
            UserError: If there are no facts, or a system gives NaN or the wrong shape.
        """
        asked = _Asked(rows, others, known)
        encoded = Encoded(asked.phrases, asked.names)
        columns = {
            name: _columns(asked.ranks(encoded.similarity(system)))
            for name, system in systems.items()
        }
        if control:
            likeness = tfidf.similarity(asked.phrases, asked.names)
            columns[tfidf.NAME] = _columns(asked.ranks(likeness))
        return self._compared(columns, len(asked.names), base, resamples, seed)

    def _compared(
        self,
        columns: Mapping[str, Mapping[str, list[NDArray[np.float64]]]],
        pool: int,
        base: Any,
        resamples: int,
        seed: int,
        **more: Any,
    ) -> Result:
        measures = dict.fromkeys(next(iter(columns.values())), mean)
        details = more.pop("details", None)
        return compare(
            self.name, self.unit, columns, measures, details=details,
            facts={"pool": pool, **more}, base=base, resamples=resamples, seed=seed,
        )  # fmt: skip

    def oracle(self, rows: Sequence[NamedTriple]) -> System:
        """Return vectors in which a phrase is near the names of its tails alone."""
        asked = _Asked(rows)
        phrases = {text: i for i, text in enumerate(dict.fromkeys(asked.phrases))}
        eye = np.eye(len(phrases), dtype=np.float32)
        answers = {name: np.zeros(len(phrases), np.float32) for name in asked.names}
        for text, right in zip(asked.phrases, asked.right.tolist(), strict=True):
            answers[asked.names[right]][phrases[text]] = 1
        return System(
            lambda texts: eye[[phrases[text] for text in texts]],
            lambda texts: np.stack([answers[text] for text in texts]),
        )

    def chance(self, rows: Sequence[NamedTriple], seed: int = 0) -> System:
        """Return a random vector for each text."""
        asked = _Asked(rows)
        texts = sorted({*asked.phrases, *asked.names})
        vectors = np.random.default_rng(seed).normal(size=(len(texts), 32)).astype(np.float32)
        place = {text: i for i, text in enumerate(texts)}
        return System(lambda given: vectors[[place[text] for text in given]])

    def measure(
        self,
        request: Request,
        *,
        structure: Annotated[
            str | None, Option("Folder of structure of this graph, by xadapt kg structure.")
        ] = None,
        part: Annotated[str, Option("Facts to measure: test or dev.", choices=PARTS)] = "test",
        links: Annotated[
            str | None,
            Option(
                "Links of all languages: facts that another language has in training are told "
                "apart. The graph then holds all languages, and --lang chooses one."
            ),
        ] = None,
        judge_by: Annotated[
            str | None,
            Option(
                "pykeen: also rank heads, and let PyKEEN's evaluator judge both sides.",
                flag="--judge",
                choices=("pykeen",),
            ),
        ] = None,
    ) -> Result:
        """Measure a base, modules on it, and structure, on the facts of a graph."""
        require_module(request)
        source = str(request.data)
        if not is_graph(source):
            raise UserError("this is no graph", where=source, todo=self.data_help)
        whole = open_graph(source)
        graph = whole if request.lang is None else whole.in_language(request.lang)
        copied = None if links is None else _copied(whole, graph, links, part)
        names = EntityNames(graph)
        facts = graph.facts(part)  # type: ignore[arg-type]
        if not len(facts):
            raise UserError(f"this graph has no facts of {part}", where=source)
        scorers: dict[str, Scorer] = {}
        for name, encode_texts in self._encoders(request, names.lang).items():
            scorers[name] = ByNames(encode_texts, names, relation_names(graph, names.lang))
        if structure is not None:
            scorers[STRUCTURE] = read_completion_structure(structure, graph).scorer
            last = MODULE if MODULE in scorers else BASE
            both = {"text": scorers[last], STRUCTURE: scorers[STRUCTURE]}
            scorers[SUM if last == MODULE else f"{BASE} + {STRUCTURE}"] = _summed(
                both, graph, ("tail", "head") if judge_by else ("tail",), part
            )
        scorers[FREQUENCY] = MostFrequent(graph.facts("train"), len(graph.entities))
        if request.controls:
            scorers[tfidf.NAME] = _BySpelling(names, relation_names(graph, names.lang))
        base = BASELINE if request.baseline is not None else BASE
        columns, details = {}, {}
        for name, scorer in scorers.items():
            ranks = filtered_ranks(scorer, facts, graph.triples, "tail")
            columns[name] = _columns(ranks, copied)
            if judge_by is not None:
                found = judge(scorer, facts, graph.triples)
                details[name] = {
                    f"{side} {measure}": value
                    for side, own in found.items()
                    for measure, value in own.items()
                }
        return self._compared(
            columns, len(graph.entities), base, RESAMPLES, 0, lang=names.lang, part=part,
            details=details, weights=_weights_of(scorers),
            copied=None if copied is None else float(copied.mean()),
        )  # fmt: skip

    def _encoders(self, request: Request, lang: str) -> dict[str, Any]:
        """Return the functions from texts to vectors of the base, the baseline and the module."""
        encoder = request.open_base()
        evaluator = AlignmentEvaluator(encoder)
        found: dict[str, Any] = {BASE: evaluator.bare}
        if request.baseline is not None:
            other = open_composed(request.modules, request.baseline, encoder, lang)
            found[BASELINE] = evaluator.through(other)
        module, shuffled = open_module_and_control(request, encoder, lang)
        if module is not None:
            found[MODULE] = evaluator.through(module)
        if shuffled is not None:
            found["shuffled-pairs control"] = evaluator.through(shuffled)
        return found

    def scores(
        self, trainer: Trainer, dev: Sequence[NamedTriple], cache: Kept | None = None
    ) -> dict[str, float]:
        """Compute the measures of the current module; ``score`` is the MRR."""
        acts = trainer.active_module.activation(cache=cache)

        def side(texts: Sequence[str]) -> NDArray[np.float32]:
            return encode(trainer.encoder, texts, rows=acts).numpy()

        asked = _Asked(dev)
        similarity = Encoded(asked.phrases, asked.names).similarity(System(side))
        columns = _columns(asked.ranks(similarity))
        found = {name: float(values[0].mean()) for name, values in columns.items()}
        return {"score": found[MRR], **found}

    def evidence(
        self,
        encoder: Encoder,
        module: nn.Module,
        dev: Sequence[NamedTriple],
        head: Head | None = None,
        cache: Kept | None = None,
    ) -> list[Evidence]:
        """Measure the module on held-out facts, with the base and TF-IDF."""
        evaluator = AlignmentEvaluator(encoder, cache=cache)
        systems = {
            BASE: System(evaluator.bare),
            MODULE: System(evaluator.through(module)),
        }
        result = self.evaluate(dev, systems, base=BASE)
        evaluator.close()
        return self.to_evidence(result, MODULE, BASE, sides="both")

    def heading(self, result: Result) -> str:
        """Return the title of the table."""
        return f"{result.count:,} facts, tails among {result.facts['pool']:,} entities"


class _Asked:
    """The phrases of facts, the pool of names, and the answers to leave out."""

    def __init__(
        self,
        rows: Sequence[NamedTriple],
        others: Sequence[tuple[str, str]] = (),
        known: Sequence[tuple[str, str, str]] = (),
    ) -> None:
        if not rows:
            raise UserError("there are no facts to evaluate on", todo="Give at least one")
        self.phrases = [f"{row.heads[0][1]} {row.relations[0][1]}" for row in rows]
        pool = {row.tail: row.tails[0][1] for row in rows}
        for entity, name in others:
            pool.setdefault(entity, name)
        place = {entity: i for i, entity in enumerate(pool)}
        self.names = list(pool.values())
        self.right = np.array([place[row.tail] for row in rows])
        answers: dict[tuple[str, str], set[int]] = {}
        for head, relation, tail in (*((r.head, r.relation, r.tail) for r in rows), *known):
            if tail in place:
                answers.setdefault((head, relation), set()).add(place[tail])
        self._answers = [np.array(sorted(answers[row.head, row.relation])) for row in rows]

    def ranks(self, similarity: matching.Similarity) -> NDArray[np.float64]:
        """Compute the filtered realistic rank of each right tail, from 1."""
        ranks = np.empty(len(self.right))
        step = max(1, metrics.BLOCK_ELEMENTS // len(self.names))
        for start in range(0, len(ranks), step):
            stop = min(start + step, len(ranks))
            block = similarity.rows(start, stop).numpy()
            for row, scores in enumerate(block, start):
                best = scores[self.right[row]]
                scores[self._answers[row]] = -np.inf
                above = np.count_nonzero(scores > best + 1e-6)
                same = np.count_nonzero(np.abs(scores - best) <= 1e-6)
                ranks[row] = 1 + above + same / 2
        return ranks


class _BySpelling:
    """TF-IDF cosine between phrases and names, as a scorer."""

    def __init__(self, names: Sequence[str], relations: Sequence[str]) -> None:
        self._names, self._relations = list(names), relations

    def __call__(self, queries: NDArray[np.int64], side: str) -> NDArray[np.float32]:
        """Score all entities, ``(q, entities)``."""
        phrases = [
            f"{self._names[entity]} {self._relations[relation]}"
            for entity, relation in queries.tolist()
        ]
        found: NDArray[np.float32] = (
            tfidf.similarity(phrases, self._names).rows(0, len(phrases)).numpy()
        )
        return found


def _columns(
    ranks: NDArray[np.float64], copied: NDArray[np.bool_] | None = None
) -> dict[str, list[NDArray[np.float64]]]:
    """Return one number a fact by measure, and MRR of copied facts and of others apart."""
    found = {
        MRR: [metrics.reciprocal(ranks)],
        HITS1: [metrics.hits(ranks, 1)],
        HITS10: [metrics.hits(ranks, 10)],
    }
    if copied is not None:
        for name, rows in ((NEW, ~copied), (COPIED, copied)):
            if rows.any():
                found[f"{MRR}, {name}"] = [metrics.reciprocal(ranks[rows])]
    return found


def _summed(
    scorers: Mapping[str, Scorer], graph: KnowledgeGraph, sides: Sequence[Any], part: str
) -> Weighted:
    """Return the sum of scorers with the weights that are best on dev facts."""
    dev = graph.facts("dev")
    if part == "dev" or not len(dev):
        raise UserError(
            "there are no dev facts to choose the weights of module and structure on",
            where=graph.name,
            todo="Measure --part test of a graph with dev facts",
        )
    known = np.concatenate([graph.facts("train"), dev])
    weights = {side: choose_weights(scorers, dev, known, side) for side in sides}
    return Weighted(scorers, weights)


def _weights_of(scorers: Mapping[str, Scorer]) -> dict[str, Any]:
    found = next((one for one in scorers.values() if isinstance(one, Weighted)), None)
    return {} if found is None else {side: dict(own) for side, own in found.weights.items()}


def _copied(
    whole: KnowledgeGraph, graph: KnowledgeGraph, links: str, part: str
) -> NDArray[np.bool_]:
    """Return which of the facts of one language another language has in training."""
    if part != "test" or whole is graph:
        raise UserError(
            "copied facts are told apart for the test facts of one language of several",
            where="--links",
            todo="Name the graph of all languages, --lang, and --part test",
        )
    found = copied_facts(whole, open_links(links))
    facts: Facts = whole.facts("test")
    own = {
        (whole.entities[h], whole.relations[r], whole.entities[t]): bool(is_copied)
        for (h, r, t), is_copied in zip(facts.tolist(), found.tolist(), strict=True)
    }
    return np.array(
        [
            own[graph.entities[h], graph.relations[r], graph.entities[t]]
            for h, r, t in graph.facts("test").tolist()
        ],
        dtype=bool,
    )


Part = Completion()
