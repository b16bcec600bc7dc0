"""``complete_graph``: rank the entities that complete facts, by names and by structure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from xadapt.core.errors import UserError
from xadapt.core.files import atomic_file
from xadapt.core.registry import unknown
from xadapt.data.graphs.graph import KnowledgeGraph
from xadapt.data.graphs.opening import open_graph
from xadapt.data.readers.graph_files import rows
from xadapt.inference.adapted_encoder import AdaptedEncoder
from xadapt.pipelines.kg_encoder import open_encoder
from xadapt.tasks.kg.completion_structure import read_completion_structure
from xadapt.tasks.kg.graph_names import relation_names
from xadapt.tasks.kg.name_vectors import EntityNames
from xadapt.tasks.kg.ranking import SIDES, Known, Scorer, Side
from xadapt.tasks.kg.scorers import FREQUENCY, ByNames, MostFrequent, Weighted, choose_weights
from xadapt.tasks.kg.weights import equal_weights, parse_weights
from xadapt.tasks.table import new_table

HEADER = ("head", "relation", "tail", "answer", "name", "score", "rank", "known")
ASKED = "?"
QUERY = "head, relation and tail, with ? for the asked one; or head and relation"
TEXT, STRUCTURE = "text", "structure"
BATCH = 64


@dataclass(frozen=True)
class Query:
    """A fact without its head or its tail.

    Attributes:
        head: Position of the head; ``None`` if it is asked for.
        relation: Position of the relation.
        tail: Position of the tail; ``None`` if it is asked for.
    """

    head: int | None
    relation: int
    tail: int | None

    @property
    def side(self) -> Side:
        """The side that is asked for."""
        return "tail" if self.tail is None else "head"

    @property
    def asked(self) -> tuple[int, int]:
        """The known entity and the relation."""
        known = self.head if self.tail is None else self.tail
        assert known is not None
        return known, self.relation


@dataclass(frozen=True)
class Completed:
    """The result of `complete_graph`.

    Attributes:
        graph: The graph.
        queries: The queries.
        answers: The best answers of each query, positions ``(queries, k)``; -1 for none.
        scores: Their scores.
        known: Whether the graph has the fact already.
        names: The name of each entity, for people.
        weights: The weight of each view by side.
        facts: What the numbers depend on.
    """

    graph: KnowledgeGraph
    queries: tuple[Query, ...]
    answers: NDArray[np.int64]
    scores: NDArray[np.float32]
    known: NDArray[np.bool_]
    names: Sequence[str]
    weights: Mapping[str, Mapping[str, float]]
    facts: Mapping[str, Any]

    def rows(self) -> Iterator[tuple[str, ...]]:
        """Yield the answers as cells, see `HEADER`."""
        ids, relations = self.graph.entities, self.graph.relations
        for row, query in enumerate(self.queries):
            for place, answer in enumerate(self.answers[row].tolist()):
                if answer < 0:
                    continue
                head = ASKED if query.head is None else ids[query.head]
                tail = ASKED if query.tail is None else ids[query.tail]
                yield (
                    head,
                    relations[query.relation],
                    tail,
                    ids[answer],
                    self.names[answer],
                    f"{self.scores[row, place]:.6f}",
                    str(place + 1),
                    "yes" if self.known[row, place] else "no",
                )

    def write(self, path: str | Path) -> None:
        """Write the answers as a table with tabs and a header, whole or not at all.

        Raises:
            UserError: If the file can't be written.
        """
        with atomic_file(path) as temporary, temporary.open("w", encoding="utf-8") as stream:
            stream.write("\t".join(HEADER) + "\n")
            stream.writelines("\t".join(row) + "\n" for row in self.rows())

    def to_dict(self) -> dict[str, Any]:
        """Return queries and answers as JSON values."""
        found: list[dict[str, Any]] = []
        for row in self.rows():
            cells = dict(zip(HEADER, row, strict=True))
            query = {name: cells[name] for name in HEADER[:3]}
            answer = {"id": cells["answer"], "name": cells["name"], "score": float(cells["score"]),
                      "rank": int(cells["rank"]), "known": cells["known"] == "yes"}  # fmt: skip
            if answer["rank"] == 1:
                found.append({**query, "answers": []})
            found[-1]["answers"].append(answer)
        weights = {side: dict(own) for side, own in self.weights.items()}
        return {"graph": self.graph.name, "weights": weights, **self.facts, "queries": found}

    def table(self, most: int = 12) -> Table:
        """Render the best answer of the first queries, within 80 columns."""
        title = f"{len(self.queries):,} queries, among {len(self.graph.entities):,} entities"
        made = new_table(title, ("query", "best answer", "score"))
        shown = 0
        for row in self.rows():
            if row[6] != "1":
                continue
            if shown == most:
                made.caption = f"and {len(self.queries) - most:,} more"
                break
            shown += 1
            head, tail = (self._name(cell) for cell in (row[0], row[2]))
            made.add_row(_cut(f"{head} {row[1]} {tail}", 40), _cut(row[4] or row[3], 26), row[5])
        return made

    def _name(self, cell: str) -> str:
        return cell if cell == ASKED else self.names[self.graph.index[cell]] or cell


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 3] + "..."


def complete_graph(
    graph: str | KnowledgeGraph,
    queries: str | Path | Sequence[Sequence[str]],
    *,
    base: str | AdaptedEncoder | None = None,
    modules: str | Path | Sequence[str | Path] = (),
    compose: str | None = None,
    structure: str | Path | None = None,
    frequency: bool = False,
    weights: str | Mapping[str, float] | None = None,
    lang: str | None = None,
    top: int = 10,
    keep_known: bool = False,
    out: str | Path | None = None,
    dtype: str = "auto",
    seed: int = 0,
    report: Callable[[str], None] = lambda _: None,
) -> Completed:
    """Rank the entities that complete facts.

    The views are ``text`` (cosine between the names of the known entity with the relation and the
    name of each entity), ``structure`` (a model of PyKEEN) and ``most frequent`` (how often an
    entity answers the relation). Each is brought to one unit, and they are summed with weights.

    Args:
        graph: The source of the graph, or the graph.
        queries: A file with head, relation and tail on each line, separated by tabs, where ``?``
            is asked for; two columns ask for the tail. Or such rows. An entity is named by its id,
            or by a name that no other entity has.
        base: The base, or a loaded encoder.
        modules: Folders of modules; one module acts on all texts.
        compose: A composition of the modules.
        structure: A folder that ``xadapt kg structure --graph`` made of this graph.
        frequency: Whether the most frequent answers are a view. Without another view, they are.
        weights: Weights of the views; by default those that are best on the graph's dev facts.
        lang: Language of the names; needed if the graph has several.
        top: Number of answers of each query.
        keep_known: Whether facts that the graph has are among the answers.
        out: A file for the answers, with tabs and a header.
        dtype: Type of the base's weights.
        seed: Seed of drawing dev facts.
        report: Receives lines for people.

    Raises:
        UserError: If a source, a query, a folder or an option is wrong. Nothing is written then.
    """
    if top < 1:
        raise UserError(f"{top} is below 1", where="--top")
    own = open_graph(graph) if isinstance(graph, str) else graph
    if not len(own.triples):
        raise UserError("this graph has no facts", where=own.name)
    encoder = open_encoder(base, modules, compose, dtype)
    names = EntityNames(own, lang) if own.languages and (encoder or lang) else None
    asked = tuple(_queries(queries, own))
    scorers = graph_scorers(own, encoder, names, structure, frequency)
    dev = own.facts("dev")
    chosen: dict[str, Mapping[str, float]] = {}
    told = ""
    for side in {query.side: None for query in asked}:
        chosen[side], told = _weights(weights, scorers, own, side, seed)
    if told == "equal":
        report("all weights are equal: the graph has no dev facts that could choose them")
    mixed = Weighted(scorers, chosen)  # type: ignore[arg-type]
    answers, scores, known = _best(mixed, asked, own, top, keep_known)
    shown: Sequence[str] = names if names is not None else _any_names(own)
    facts = {"weights_from": told, "views": list(scorers), "dev_facts": len(dev)}
    completed = Completed(own, asked, answers, scores, known, shown, chosen, facts)
    if out is not None:
        completed.write(out)
    return completed


def graph_scorers(
    graph: KnowledgeGraph,
    encoder: AdaptedEncoder | None,
    names: EntityNames | None,
    structure: str | Path | None,
    frequency: bool,
) -> dict[str, Scorer]:
    """Return the views that complete a graph, by name.

    Raises:
        UserError: If the structure is not of this graph.
    """
    scorers: dict[str, Scorer] = {}
    if encoder is not None and names is not None:

        def encode(texts: Sequence[str]) -> NDArray[np.float32]:
            found: NDArray[np.float32] = encoder.encode(
                list(texts), language=names.lang, show_progress_bar=False
            )
            return found

        scorers[TEXT] = ByNames(encode, names, relation_names(graph, names.lang))
    if structure is not None:
        scorers[STRUCTURE] = read_completion_structure(structure, graph).scorer
    if frequency or not scorers:
        scorers[FREQUENCY] = MostFrequent(graph.facts("train"), len(graph.entities))
    return scorers


def _weights(
    weights: str | Mapping[str, float] | None,
    scorers: Mapping[str, Scorer],
    graph: KnowledgeGraph,
    side: Side,
    seed: int,
) -> tuple[Mapping[str, float], str]:
    names = list(scorers)
    if weights is not None:
        text = weights
        if not isinstance(text, str):
            text = ",".join(f"{name}={value}" for name, value in text.items())
        return parse_weights(text, names), "given"
    dev = graph.facts("dev")
    if len(names) == 1 or not len(dev):
        return equal_weights(names), "one view" if len(names) == 1 else "equal"
    known = np.concatenate([graph.facts("train"), dev])
    return choose_weights(scorers, dev, known, side, seed=seed), "dev facts"


def _best(
    scorer: Scorer, queries: Sequence[Query], graph: KnowledgeGraph, top: int, keep_known: bool
) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.bool_]]:
    """Return the best answers of each query, their scores, and whether they are known."""
    k = min(top, len(graph.entities))
    answers = np.full((len(queries), k), -1, dtype=np.int64)
    found = np.zeros((len(queries), k), dtype=np.float32)
    known = np.zeros((len(queries), k), dtype=bool)
    for side in SIDES:
        rows_ = [i for i, query in enumerate(queries) if query.side == side]
        lookup = Known(graph.triples, side)
        for start in range(0, len(rows_), BATCH):
            own = rows_[start : start + BATCH]
            asked = np.array([queries[i].asked for i in own], dtype=np.int64)
            scores = np.array(scorer(asked, side), dtype=np.float32)
            for place, (row, facts) in enumerate(zip(own, lookup.answers(asked), strict=True)):
                line = scores[place]
                if not keep_known:
                    line[facts] = -np.inf
                order = np.argsort(-line, kind="stable")[:k]
                order = order[np.isfinite(line[order])]
                answers[row, : len(order)] = order
                found[row, : len(order)] = line[order]
                known[row, : len(order)] = np.isin(order, facts)
    return answers, found, known


def _queries(given: str | Path | Sequence[Sequence[str]], graph: KnowledgeGraph) -> Iterator[Query]:
    lines: Iterator[tuple[str, Sequence[str]]]
    if isinstance(given, (str, Path)):
        lines = rows(str(given), (2, 3), QUERY)
    else:
        lines = ((f"query {number}", row) for number, row in enumerate(given, 1))
    named = _unique_names(graph)
    count = 0
    for where, cells in lines:
        count += 1
        if len(cells) not in (2, 3) or not all(isinstance(cell, str) for cell in cells):
            raise UserError("this is no query", where=where, todo=f"A query is {QUERY}")
        head, relation, tail = cells if len(cells) == 3 else (*cells, ASKED)
        if (head == ASKED) == (tail == ASKED):
            raise UserError(
                "one of head and tail must be ?", where=where, todo=f"A line holds {QUERY}"
            )
        number = graph.relation_index.get(relation)
        if number is None:
            number = _relation(relation, graph, where)
        yield Query(
            None if head == ASKED else _entity(head, graph, named, where),
            number,
            None if tail == ASKED else _entity(tail, graph, named, where),
        )
    if not count:
        raise UserError("there is no query", where=str(given) if isinstance(given, str) else "")


def _entity(text: str, graph: KnowledgeGraph, named: Mapping[str, int | None], where: str) -> int:
    found = graph.index.get(text, named.get(text))
    if found is None:
        several = text in named
        what = (
            f"several entities are named {text[:60]!r}"
            if several
            else f"{graph.name} has no entity {text[:60]!r}"
        )
        raise UserError(what, where=where, todo="Write its id")
    return found


def _relation(text: str, graph: KnowledgeGraph, where: str) -> int:
    found = {
        position
        for names in graph.relation_labels.values()
        for position, name in names.rows()
        if name == text
    }
    if len(found) != 1:
        names = [*graph.relations]
        for own in graph.relation_labels.values():
            names += [name for _, name in own.rows()]
        raise UserError(unknown("relation", text[:60], names[:2000]), where=where)
    return found.pop()


def _unique_names(graph: KnowledgeGraph) -> dict[str, int | None]:
    """Return the entity of each name; ``None`` for a name that several have."""
    found: dict[str, int | None] = {}
    for names in graph.labels.values():
        for position, name in names.rows():
            if found.setdefault(name, position) != position:
                found[name] = None
    return found


def _any_names(graph: KnowledgeGraph) -> Sequence[str]:
    if not graph.languages:
        return [""] * len(graph.entities)
    return EntityNames(graph, graph.languages[0])
