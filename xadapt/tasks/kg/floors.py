"""Floors of alignment and completion: what string comparison and frequencies reach alone.

A module must be above these scores. All ranks are realistic, from 1 (`xadapt.functional.metrics`).
"""

from __future__ import annotations

import re
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from xadapt.core.errors import UserError
from xadapt.data.graphs.graph import KnowledgeGraph, PartName
from xadapt.data.graphs.links import Links, require_known
from xadapt.evaluation.tfidf import similarity
from xadapt.functional.metrics import ranks

Pool = Literal["test", "all"]
Side = Literal["tail", "head"]
BRACKETS = re.compile(r"\s*[(（][^()（）]*[)）]\s*$")


def bare_name(name: str) -> str:
    """Return a name without the brackets at its end: ``Mercury (planet)`` gives ``Mercury``."""
    return BRACKETS.sub("", name).strip() or name


def usual_names(graph: KnowledgeGraph, lang: str | None = None) -> dict[str, str]:
    """Return the first name of each entity, without brackets, in one language.

    Args:
        graph: The graph.
        lang: The language. By default that of a graph with one language.

    Raises:
        UserError: If the graph has several languages and none is named, or lacks the language.
    """
    if lang is None:
        if len(graph.languages) != 1:
            raise UserError(
                f"the graph has names in {', '.join(graph.languages) or 'no language'}",
                where=graph.name,
                todo="Name one language",
            )
        lang = graph.languages[0]
    positions, texts = graph.names(lang).first()
    both = zip(positions.tolist(), texts, strict=True)
    return {graph.entities[position]: bare_name(text) for position, text in both}


def same_names(left: KnowledgeGraph, right: KnowledgeGraph, links: Links) -> NDArray[np.bool_]:
    """Return which links have the same name on both sides, apart from brackets and case, ``(n,)``.

    Raises:
        UserError: If a link leads to nothing.
    """
    require_known(links, left, right)
    own, other = usual_names(left), usual_names(right)
    pairs = ((own.get(a), other.get(b)) for a, b in links.pairs)
    equal = [a is not None and b is not None and a.casefold() == b.casefold() for a, b in pairs]
    return np.array(equal, dtype=bool)


def tfidf_ranks(
    left: KnowledgeGraph, right: KnowledgeGraph, links: Links, pool: Pool = "all"
) -> NDArray[np.float64]:
    """Rank the right entity of each link by TF-IDF cosine of the names, ``(n,)``.

    The n-grams are those of `xadapt.evaluation.tfidf`, and names have no brackets. An entity
    without a name has cosine 0 with everything.

    Args:
        left: The graph of the queries.
        right: The graph of the answers.
        links: The test links.
        pool: ``test`` ranks the right entities of the links alone, ``all`` those of the graph.

    Raises:
        UserError: If there are no links, or one leads to nothing.
    """
    if not len(links):
        raise UserError("there are no links to rank", where=links.name)
    require_known(links, left, right)
    own, other = usual_names(left), usual_names(right)
    wanted = [b for _, b in links.pairs]
    candidates = list(right.entities) if pool == "all" else list(dict.fromkeys(wanted))
    code = {entity: i for i, entity in enumerate(candidates)}
    scores = similarity([own.get(a, "") for a, _ in links.pairs], [other.get(b, "") for b in code])
    return ranks(scores, [code[b] for b in wanted], np.arange(len(candidates)))


def frequency_ranks(
    graph: KnowledgeGraph, part: PartName = "test", side: Side = "tail"
) -> NDArray[np.float64]:
    """Rank the tail of each fact by its number of training facts with the relation, ``(n,)``.

    The ranking is over all entities and filtered: other known tails of the same head and relation,
    in any part, are left out.

    Args:
        graph: The graph.
        part: The part of the facts.
        side: ``head`` ranks heads instead.

    Raises:
        UserError: If there are no facts in the part.
    """
    facts = graph.facts(part)
    if not len(facts):
        raise UserError(f"there are no facts in {part}", where=graph.name)
    ask, answer = (0, 2) if side == "tail" else (2, 0)
    known: dict[tuple[int, int], set[int]] = {}
    for fact in graph.triples.tolist():
        known.setdefault((fact[ask], fact[1]), set()).add(fact[answer])
    train = graph.facts("train")
    counts: dict[int, NDArray[np.int64]] = {}
    found = np.empty(len(facts))
    for i, fact in enumerate(facts.tolist()):
        relation, right = fact[1], fact[answer]
        if relation not in counts:
            own = train[train[:, 1] == relation, answer]
            counts[relation] = np.bincount(own, minlength=len(graph.entities))
        score = counts[relation]
        others = score[[one for one in known[fact[ask], relation] if one != right]]
        above = int((score > score[right]).sum()) - int((others > score[right]).sum())
        equal = int((score == score[right]).sum()) - int((others == score[right]).sum())
        found[i] = above + (1 + equal) / 2
    return found
