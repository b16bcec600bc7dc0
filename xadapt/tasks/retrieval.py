"""Retrieval in one language: find the passages of a query among all passages.

The pool holds every distinct positive and every hard negative of the data. A query with several
positives has several right answers. Every system is compared with the frozen base and a TF-IDF
control, with paired bootstrap intervals over the queries. Queries and passages get the prompts that
the module was trained with; the frozen base gets its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import nn

from xadapt.backbones.cache.reuse import Kept
from xadapt.backbones.encoder.encode import dimension, encode
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.encoder.prompts import prefixed, side_prompts
from xadapt.core.errors import UserError
from xadapt.core.text_key import normal_key
from xadapt.data.records import TextPair
from xadapt.evaluation import tfidf
from xadapt.evaluation.comparison import Result, compare, mean
from xadapt.evaluation.systems import Encoded, Side, System
from xadapt.functional import metrics
from xadapt.heads.head import Head
from xadapt.hub.manifest import Evidence
from xadapt.hub.opening import require_module as manifest_of
from xadapt.inference.locate import locate
from xadapt.inference.prompts import prompts_of
from xadapt.tasks.alignment import (
    BASE,
    AlignmentEvaluator,
    language_of,
    open_composed,
    open_module_and_control,
    require_module,
)
from xadapt.tasks.predictor import BASELINE, MODULE
from xadapt.tasks.protocol import RESAMPLES, Option, Request, Task, read_rows
from xadapt.vectors import matching

if TYPE_CHECKING:
    from xadapt.training.loop import Trainer

K = 10
NDCG, MRR, RECALL = MEASURES = (f"nDCG@{K}", f"MRR@{K}", f"recall@{K}")
SHUFFLED = "shuffled-pairs control"
Prompts = Mapping[str, str]


@dataclass(frozen=True)
class Corpus:
    """The queries and the pool of some pairs, each text once by its normalised form.

    Attributes:
        queries: One text a query.
        passages: One text a passage: positives and hard negatives.
        right: The places of each query's positives in ``passages``.
    """

    queries: list[str]
    passages: list[str]
    right: list[set[int]]

    @classmethod
    def of(cls, rows: Sequence[TextPair]) -> Corpus:
        """Collect the texts of pairs.

        Raises:
            UserError: If there are no pairs.
        """
        if not rows:
            raise UserError("there are no pairs to evaluate on", todo="Give at least one pair")
        queries: dict[str, str] = {}
        passages: dict[str, str] = {}
        positives: dict[str, set[str]] = {}
        for row in rows:
            anchor, positive = normal_key(row.anchor), normal_key(row.positive)
            queries.setdefault(anchor, row.anchor)
            passages.setdefault(positive, row.positive)
            positives.setdefault(anchor, set()).add(positive)
            for text in row.negatives:
                passages.setdefault(normal_key(text), text)
        place = {key: number for number, key in enumerate(passages)}
        right = [{place[key] for key in positives[anchor]} for anchor in queries]
        return cls(list(queries.values()), list(passages.values()), right)

    def relevant(self, found: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return whether each found passage ``(queries, k)`` is a right answer."""
        return np.array(
            [[at in own for at in row] for own, row in zip(self.right, found, strict=True)]
        )


class Retrieval(Task):
    """Look up each query among the passages of one language."""

    name: ClassVar[str] = "retrieval"
    title: ClassVar[str] = "Retrieval of passages in one language: nDCG@10, MRR@10, recall@10."
    record: ClassVar[type] = TextPair
    metrics: ClassVar[tuple[str, ...]] = MEASURES
    task_type: ClassVar[str] = "sentence-similarity"
    by_vectors: ClassVar[bool] = True
    shared: ClassVar[tuple[str, ...]] = ("module", "compose", "baseline", "controls")
    data_help: ClassVar[str] = "Lines of query, tab, passage, and hard negatives; or named columns."
    lang_help: ClassVar[str] = "Language of the texts; known from the module if there is one."
    short: ClassVar[Mapping[str, str]] = {tfidf.NAME: "TF-IDF", SHUFFLED: "shuffled pairs"}

    @property
    def unit(self) -> str:
        """The name of a row."""
        return "queries"

    def evaluate(
        self,
        rows: Sequence[TextPair],
        systems: Mapping[str, System],
        *,
        base: Any = None,
        resamples: int = RESAMPLES,
        seed: int = 0,
        dimensions: Sequence[int] = (),
        control: bool = True,
        **_: Any,
    ) -> Result:
        """Look up every query among all passages.

        Args:
            rows: Pairs that the systems were not trained on.
            systems: The systems by name: queries go through ``language``, passages through
                ``pivot``.
            base: The system the others are compared with.
            resamples: Number of bootstrap samples over queries.
            seed: Seed of the bootstrap.
            dimensions: Numbers of first values of a vector that are measured as well.
            control: Whether TF-IDF is added; it has no vectors, so it counts whole everywhere.

        Raises:
            UserError: If there are no pairs, or a system gives NaN or the wrong shape.
        """
        corpus = Corpus.of(rows)
        encoded = Encoded(corpus.queries, corpus.passages)
        columns = {n: per_query(corpus, encoded, one, dimensions) for n, one in systems.items()}
        if control:
            plain = _measured(corpus, tfidf.similarity(corpus.queries, corpus.passages))
            names = [at_size(NDCG, size) for size in dimensions]
            columns[tfidf.NAME] = plain | dict.fromkeys(names, plain[NDCG])
        measures = list(next(iter(columns.values())))
        return compare(
            self.name,
            self.unit,
            columns,
            dict.fromkeys(measures, mean),
            facts={"pool": len(corpus.passages)},
            base=base,
            resamples=resamples,
            seed=seed,
        )

    def oracle(self, rows: Sequence[TextPair]) -> System:
        """Return equal vectors for a query and its passages."""
        corpus = Corpus.of(rows)
        asked = {text: i for i, text in enumerate(corpus.queries)}
        found = {text: i for i, text in enumerate(corpus.passages)}
        eye = np.eye(len(asked), dtype=np.float32)
        answers = np.zeros((len(found), len(asked)), np.float32)
        for query, places in enumerate(corpus.right):
            answers[list(places), query] = 1
        return System(
            lambda texts: eye[[asked[text] for text in texts]],
            lambda texts: answers[[found[text] for text in texts]],
        )

    def chance(self, rows: Sequence[TextPair], seed: int = 0) -> System:
        """Return a random vector for each text."""
        corpus = Corpus.of(rows)
        texts = sorted({*corpus.queries, *corpus.passages})
        vectors = np.random.default_rng(seed).normal(size=(len(texts), 32)).astype(np.float32)
        place = {text: i for i, text in enumerate(texts)}
        return System(lambda given: vectors[[place[text] for text in given]])

    def measure(
        self,
        request: Request,
        *,
        dimensions: Annotated[
            str | None, Option("Also measure the first values of vectors, such as 256,128,64.")
        ] = None,
    ) -> Result:
        """Measure a base, and modules on it, on pairs of one language."""
        require_module(request)
        alone = not request.modules and request.compose is None
        tag = (request.tag or "und") if alone else language_of(request.lang, request.modules)
        rows = read_rows("text_pairs", request.data, tag)
        encoder = Encoder.from_pretrained(request.base, dtype=request.dtype)
        sizes = sizes_of(dimensions, encoder)
        module, control = open_module_and_control(request, encoder, tag)
        evaluator = AlignmentEvaluator(encoder)
        systems = {BASE: prompted_system(evaluator, None, encoder.base_prompts)}
        base = BASE
        if request.baseline is not None:
            base = BASELINE
            other = open_composed(request.modules, request.baseline, encoder, tag)
            own = _prompts(request, request.baseline, encoder)
            systems[BASELINE] = prompted_system(evaluator, other, own)
        own = _prompts(request, request.compose, encoder)
        for name, one in ((MODULE, module), (SHUFFLED, control)):
            if one is not None:
                systems[name] = prompted_system(evaluator, one, own)
        controls = request.controls or alone
        return self.evaluate(rows, systems, base=base, dimensions=sizes, control=controls)

    def scores(
        self, trainer: Trainer, dev: Sequence[TextPair], cache: Kept | None = None
    ) -> dict[str, float]:
        """Compute nDCG of the current module; ``score`` is its mean over the run's dimensions."""
        acts = trainer.active_module.activation(cache=cache)

        def side(texts: Sequence[str]) -> NDArray[np.float32]:
            return encode(trainer.encoder, texts, rows=acts).numpy()

        corpus = Corpus.of(dev)
        encoded = Encoded(corpus.queries, corpus.passages)
        system = _prompted(trainer.encoder, side, trainer.encoder.pooling.prompts)
        columns = per_query(corpus, encoded, system, trainer.run.dimensions)
        found = {name: float(values[0].mean()) for name, values in columns.items()}
        sizes = [found[at_size(NDCG, size)] for size in trainer.run.dimensions]
        return {"score": float(np.mean(sizes or [found[NDCG]])), **found}

    def evidence(
        self,
        encoder: Encoder,
        module: nn.Module,
        dev: Sequence[TextPair],
        head: Head | None = None,
        cache: Kept | None = None,
        dimensions: Sequence[int] = (),
    ) -> list[Evidence]:
        """Measure the module on held-out pairs, with the base and TF-IDF."""
        evaluator = AlignmentEvaluator(encoder, cache=cache)
        systems = {
            BASE: prompted_system(evaluator, None, encoder.base_prompts),
            MODULE: prompted_system(evaluator, module, encoder.pooling.prompts),
        }
        result = self.evaluate(dev, systems, base=BASE, dimensions=dimensions)
        evaluator.close()
        return self.to_evidence(result, MODULE, BASE)

    def heading(self, result: Result) -> str:
        """Return the title of the table."""
        return f"{result.count} queries, {result.facts['pool']} passages"


def at_size(measure: str, size: int) -> str:
    """Return the name of a measure at a number of first values."""
    return f"{measure}, {size} dims"


def sizes_of(given: str | None, encoder: Encoder) -> tuple[int, ...]:
    """Parse numbers of dimensions of the command line.

    Raises:
        UserError: If one is no whole number from 1 to the dimension of the base's vectors.
    """
    whole, found = dimension(encoder), []
    for part in (given or "").split(",") if given else ():
        text = part.strip()
        if not text.isascii() or not text.isdigit() or not 0 < int(text) <= whole:
            raise UserError(
                f"{text!r} is no number of dimensions",
                where="--dimensions",
                todo=f"Write numbers from 1 to {whole}, such as {whole // 2},{max(1, whole // 4)}",
            )
        found.append(int(text))
    return tuple(dict.fromkeys(found))


def per_query(
    corpus: Corpus, encoded: Encoded, system: System, dimensions: Sequence[int]
) -> dict[str, list[NDArray[np.float64]]]:
    """Return the measures of a system, one number a query, whole and at each size."""
    columns = _measured(corpus, encoded.similarity(system))
    for size in dimensions:
        queries, passages = encoded.language(system), encoded.pivot(system)
        cut = matching.cosine(queries[:, :size], passages[:, :size])
        columns[at_size(NDCG, size)] = _measured(corpus, cut)[NDCG]
    return columns


def _measured(
    corpus: Corpus, similarity: matching.Similarity
) -> dict[str, list[NDArray[np.float64]]]:
    relevant = corpus.relevant(matching.top(similarity, K).indices)
    count = np.array([len(own) for own in corpus.right])
    return {
        NDCG: [metrics.ndcg(relevant, count)],
        MRR: [metrics.reciprocal_at(relevant)],
        RECALL: [metrics.recall_at(relevant, count)],
    }


def prompted_system(
    evaluator: AlignmentEvaluator, module: nn.Module | None, prompts: Prompts
) -> System:
    """Return the base, or the base through a module, with prompts of its own."""
    side = evaluator.bare if module is None else evaluator.through(module)
    return _prompted(evaluator.encoder, side, prompts)


def _prompted(encoder: Encoder, side: Side, prompts: Prompts) -> System:
    """Put the prompts of the sides before queries and passages."""
    own = side_prompts(replace(encoder.pooling, prompts=prompts))
    return System(
        lambda texts: side(prefixed(own, "query", texts)),
        lambda texts: side(prefixed(own, "passage", texts)),
    )


def _prompts(request: Request, composition: str | None, encoder: Encoder) -> Prompts:
    """Return the prompts that the modules of a composition were trained with."""
    if not request.modules and composition is None:
        return encoder.base_prompts
    _, places = locate(request.modules, composition)
    manifests = {name: manifest_of(folder) for name, folder in places.items()}
    return prompts_of(encoder.base_prompts, manifests)


Part = Retrieval()
