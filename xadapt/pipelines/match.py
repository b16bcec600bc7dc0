"""``match_texts``: the rows that texts are about, by random walks, by vectors, and by both."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xadapt.core.errors import UserError
from xadapt.core.files import atomic_file
from xadapt.core.sequences import as_paths
from xadapt.data.graphs.opening import open_graph
from xadapt.data.readers.match_items import Item, read_items, read_matches
from xadapt.evaluation.tfidf import SparseCosine, similarity
from xadapt.functional.random_walks import random_walks
from xadapt.inference.adapted_encoder import AdaptedEncoder
from xadapt.integrations.word2vec import node_vectors
from xadapt.pipelines.kg_encoder import open_encoder
from xadapt.pipelines.matched import Matched
from xadapt.pipelines.unfinished import Unfinished, digest_of, models_of, unfinished
from xadapt.tasks.kg.concept_index import realistic_ranks
from xadapt.tasks.kg.name_vectors import encode_names
from xadapt.tasks.kg.scorers import standardised, unit
from xadapt.tasks.kg.text_graph import COMMON, TextGraph, build_graph, compress, expand, pruned

SPELLING, WALKS, VECTORS, BOTH = "tf-idf", "walks", "vectors", "mean"
BLOCK = 256
FIRST = 5
"""Rows of P@5."""
Scores = NDArray[np.float32]
Scorer = Callable[[int, int], Scores]


@dataclass(frozen=True)
class Matching:
    """How rows are found.

    Attributes:
        top: Rows of each text.
        walks: Random walks from each node of a row or a text; 0 for no walks.
        length: Nodes of a walk.
        dim: Values of a node's vector.
        window: Nodes on each side that a node predicts.
        epochs: Passes over the walks.
        rate: Learning rate at the beginning.
        common: Share of the rows above which a word is left out.
        compress: Pairs whose shortest paths are kept, as a share of the nodes; 0 keeps all edges.
        workers: Threads of the walks.
        resamples: Number of bootstrap samples.
        seed: Seed of walks, vectors and bootstrap.
    """

    top: int = 10
    walks: int = 10
    length: int = 20
    dim: int = 100
    window: int = 5
    epochs: int = 3
    rate: float = 0.05
    common: float = COMMON
    compress: float = 0.0
    workers: int = 1
    resamples: int = 1000
    seed: int = 0

    def check(self) -> None:
        """Refuse options that are out of range.

        Raises:
            UserError: If there is such an option.
        """
        least = {"top": 1, "walks": 0, "length": 2, "dim": 1, "window": 1, "epochs": 1,
                 "workers": 1, "seed": 0}  # fmt: skip
        for name, low in least.items():
            if getattr(self, name) < low:
                raise UserError(f"{getattr(self, name)} is below {low}", where=f"--{name}")
        if not 0 < self.common <= 1:
            raise UserError("a share is above 0 and at most 1", where="--common")
        if not 0 < self.rate <= 1:
            raise UserError("a rate is above 0 and at most 1", where="--rate")
        if not 0 <= self.compress <= 10:
            raise UserError("this is from 0 to 10", where="--compress")


def match_texts(
    rows: str | Sequence[Item],
    texts: str | Sequence[Item],
    *,
    base: str | AdaptedEncoder | None = None,
    modules: str | Path | Sequence[str | Path] = (),
    compose: str | None = None,
    lang: str | None = None,
    expand_by: str | None = None,
    gold: str | Mapping[str, set[str]] | None = None,
    out: str | Path | None = None,
    restart: bool = False,
    dtype: str = "auto",
    report: Callable[[str], None] = lambda _: None,
    progress: Callable[[int], None] = lambda _: None,
    **matching: Any,
) -> Matched:
    """Find the rows that texts are about.

    Walks on the graph of rows, texts and their words give each row and text a vector, without an
    encoder; a base, with or without modules, gives them another one. The mean of both ranks the
    rows, each in units of its deviation over all rows.

    Args:
        rows: The rows: a file, or items.
        texts: The texts.
        base: The base that encodes both, or a loaded encoder.
        modules: Folders of modules on that base; one module acts on both sides.
        compose: A composition of the modules.
        lang: Language of both sides, where modules act by language.
        expand_by: A knowledge graph whose names and facts join terms.
        gold: A file of right matches, or the rows of each text, to measure with.
        out: A file for the matches, with tabs and a header. Vectors are kept beside it until it is
            written, so that the same call goes on after an interruption.
        restart: Whether the kept vectors of another module are dropped.
        dtype: Type of the base's weights.
        report: Receives lines for people.
        progress: Called with numbers of encoded items.
        matching: The fields of `Matching`.

    Raises:
        UserError: If a file or an option is wrong, or nothing compares. Nothing is written then.
    """
    how = Matching(**matching)
    how.check()
    if not how.walks and base is None:
        raise UserError("nothing is compared", todo="Add --base, or --walks above 0")
    if expand_by is not None and not how.walks:
        raise UserError("only walks use it", where="--expand", todo="Leave it out")
    pool, asked = (read_items(s) if isinstance(s, str) else list(s) for s in (rows, texts))
    right = read_matches(gold) if isinstance(gold, str) else gold
    encoder = open_encoder(base, modules, compose, dtype)
    scorers: dict[str, Scorer] = {}
    facts: dict[str, Any] = dict(asdict(how))
    work = {"lang": lang, **models_of(base, as_paths(modules), compose)}
    with unfinished(out, work, restart=restart) as place:
        if right is not None:
            scorers[SPELLING] = _rows_of(
                similarity([item.text for item in asked], [item.text for item in pool])
            )
        if how.walks:
            graph = _graph(pool, asked, expand_by, how)
            facts |= {"nodes": graph.nodes, "edges": int(graph.edges.nnz) // 2}
            report(f"{graph.nodes:,} nodes, {facts['edges']:,} edges")
            scorers[WALKS] = _by_walks(graph, how, place)
        if encoder is not None:
            sides = [_encoded(encoder, side, lang, place, progress) for side in (asked, pool)]
            scorers[VECTORS] = _cosine(*sides)
        matched = _matched(pool, asked, scorers, right, facts, how)
        if out is not None:
            matched.write(out)
            place.finish()
    return matched


def _graph(
    pool: Sequence[Item], asked: Sequence[Item], expand_by: str | None, how: Matching
) -> TextGraph:
    graph = pruned(build_graph(pool, asked, how.common))
    if expand_by is not None:
        graph = expand(graph, open_graph(expand_by))
    return compress(graph, how.compress, how.seed) if how.compress else graph


def _by_walks(graph: TextGraph, how: Matching, place: Unfinished) -> Scorer:
    starts = np.repeat(np.arange(graph.items), how.walks)
    draw = np.random.default_rng(how.seed)
    starts = starts[draw.permutation(len(starts))]

    def walks() -> Iterator[NDArray[np.int32]]:
        return random_walks(graph.edges, starts, how.length, how.seed, workers=how.workers)

    def learnt() -> NDArray[np.float32]:
        return node_vectors(
            walks, graph.nodes, dim=how.dim, window=how.window, epochs=how.epochs, rate=how.rate,
            seed=how.seed,
        )[: graph.items]  # fmt: skip

    settings = (how.walks, how.length, how.dim, how.window, how.epochs, how.rate, how.seed)
    edges = graph.edges
    key = digest_of(repr((graph.rows, *settings)), edges.indptr.tobytes(), edges.indices.tobytes())
    vectors = _kept(place, f"walks-{key}.npy", learnt)
    return _cosine(vectors[graph.rows :], vectors[: graph.rows])


def _kept(
    place: Unfinished, name: str, make: Callable[[], NDArray[np.float32]]
) -> NDArray[np.float32]:
    """Return vectors that were kept, or make and keep them."""
    path = place.folder / place.name(name)
    if path.is_file():
        found: NDArray[np.float32] = np.load(path)
        return found
    made = make()
    if place.kept:
        with atomic_file(path) as temporary, temporary.open("wb") as stream:
            np.save(stream, made)
    return made


def _encoded(
    encoder: AdaptedEncoder,
    items: Sequence[Item],
    lang: str | None,
    place: Unfinished,
    progress: Callable[[int], None],
) -> NDArray[np.float32]:
    texts = [item.text for item in items]

    def encode(own: Sequence[str]) -> NDArray[np.float32]:
        found: NDArray[np.float32] = encoder.encode(
            list(own), language=lang, show_progress_bar=False, progress=progress
        )
        return found

    file = place.name(f"{digest_of(*texts)}.npy")
    return encode_names(texts, encode, place.folder, file, keep=place.kept)


def _cosine(left: NDArray[np.float32], right: NDArray[np.float32]) -> Scorer:
    one, other = unit(left), unit(right)
    return lambda start, stop: one[start:stop] @ other.T


def _rows_of(plain: SparseCosine) -> Scorer:
    return lambda start, stop: plain.rows(start, stop).numpy()


def _matched(
    pool: Sequence[Item],
    asked: Sequence[Item],
    scorers: Mapping[str, Scorer],
    right: Mapping[str, set[str]] | None,
    facts: Mapping[str, Any],
    how: Matching,
) -> Matched:
    """Rank the rows of each text, block by block."""
    place = {item.id: i for i, item in enumerate(pool)}
    used = [name for name in scorers if name != SPELLING]
    systems = [*scorers, *([BOTH] if len(used) > 1 else [])]
    last = systems[-1]
    k = min(how.top, len(pool))
    best: list[NDArray[np.int64]] = []
    scores: dict[str, list[Scores]] = {name: [] for name in dict.fromkeys([last, *used])}
    ranks: dict[str, list[NDArray[np.float64]]] = {name: [] for name in systems}
    hits: dict[str, list[NDArray[np.float64]]] = {name: [] for name in systems}
    for start in range(0, len(asked), BLOCK):
        own = asked[start : start + BLOCK]
        found = {name: score(start, start + len(own)) for name, score in scorers.items()}
        if BOTH in systems:
            parts = [standardised(found[name]) for name in used]
            found[BOTH] = np.mean(parts, axis=0, dtype=np.float32)
        order = np.argsort(-found[last], axis=1, kind="stable")[:, :k]
        best.append(order)
        for name, kept in scores.items():
            kept.append(np.take_along_axis(found[name], order, axis=1))
        if right is None:
            continue
        answers = [[place[one] for one in sorted(right.get(i.id, ())) if one in place] for i in own]
        for name in systems:
            ranks[name].append(realistic_ranks(found[name], answers))
            hits[name].append(_in_first(found[name], answers))
    asked_right = [] if right is None else [item.id in right for item in asked]
    return Matched(
        pool, asked, np.concatenate(best), {n: np.concatenate(own) for n, own in scores.items()},
        {n: np.concatenate(own) for n, own in ranks.items() if own},
        {n: np.concatenate(own) for n, own in hits.items() if own},
        np.array(asked_right, dtype=bool), right or {}, tuple(systems), dict(facts),
    )  # fmt: skip


def _in_first(scores: Scores, answers: Sequence[Sequence[int]]) -> NDArray[np.float64]:
    """Return the share of the first rows of each text that are right, ``(texts,)``."""
    k = min(FIRST, scores.shape[1])
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return np.array(
        [np.isin(row, own).sum() / FIRST for row, own in zip(order, answers, strict=True)]
    )
