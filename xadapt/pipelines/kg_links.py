"""Links between the two graphs of an alignment: for the test, for weights, and those known."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from xadapt.core.errors import UserError
from xadapt.data.graphs.graph import KnowledgeGraph
from xadapt.data.graphs.links import Links, require_apart, require_known
from xadapt.data.graphs.opening import open_links
from xadapt.data.readers.graph_links import links_sha256


@dataclass(frozen=True)
class AlignmentLinks:
    """The links that an alignment is given.

    Attributes:
        test: Links that are only measured on.
        dev: Links that choose weights.
        train: Links that a fusion of modalities learns from. They share no entity with test links.
        known: Links that are known. They share no entity with test links.
        sha256: Hash of the source of the test links.
    """

    test: Links | None = None
    dev: Links | None = None
    train: Links | None = None
    known: Links | None = None
    sha256: str = ""


def alignment_links(
    links: str | Links | None,
    train_links: str | Links | None,
    left: KnowledgeGraph,
    right: KnowledgeGraph,
) -> AlignmentLinks:
    """Read the links of an alignment.

    Args:
        links: Test links. Where they have parts: those of test, and those of dev for weights.
        train_links: Known links. Their dev part, if they have one, is for weights where ``links``
            have none.
        left: The left graph.
        right: The right graph.

    Raises:
        UserError: If a source can't be read, a link leads to nothing, there is no test link, or a
            test link shares an entity with a link of another part.
    """
    test = dev = train = known = None
    sha256 = ""
    if links is not None:
        whole = between(links, left, right)
        require_known(whole, left, right)
        test = whole.of("test") if whole.split else whole
        if not test.pairs:
            raise UserError("there is no test link", where=whole.name, todo="Mark some as test")
        if whole.split:
            require_apart(whole.of("train", "dev"), test)
            train, dev = whole.of("train"), whole.of("dev")
        sha256 = links.sha256 if isinstance(links, Links) else links_sha256(links)
    if train_links is not None:
        known = between(train_links, left, right)
        require_known(known, left, right)
        known = known.of("train", "dev") if known.split else known
        if test is not None:
            require_apart(known, test)
        if known.split and not (dev is not None and dev.pairs):
            dev = known.of("dev")
        if train is None or not train.pairs:
            train = known.of("train") if known.split else known
    train, dev = (one if one is not None and one.pairs else None for one in (train, dev))
    return AlignmentLinks(test, dev, train, known, sha256)


def training_links(links: str | Links, left: KnowledgeGraph, right: KnowledgeGraph) -> Links:
    """Return the training links of a source between two graphs.

    Raises:
        UserError: If the source can't be read, or has no training links between the graphs.
    """
    found = between(links, left, right)
    train = found.of("train") if found.split else found
    if not train.pairs:
        raise UserError("there is no training link between these graphs", where=found.name,
                        todo="A line holds two ids and train, dev or test")  # fmt: skip
    return train


def between(links: str | Links, left: KnowledgeGraph, right: KnowledgeGraph) -> Links:
    """Return the links of a source that lead from one graph to the other.

    A file, or links of two graphs, must fit both graphs. The links of a graph in more languages may
    lead elsewhere too, and in either direction; those between the two graphs are taken.

    Raises:
        UserError: If the source can't be read, or no link is between the graphs.
    """
    found = open_links(links) if isinstance(links, str) else links
    if isinstance(links, Links) or Path(links).exists():
        return found
    kept, parts = [], []
    for (a, b), part in zip(found.pairs, found.parts.tolist(), strict=True):
        for one, other in ((a, b), (b, a)):
            if one in left.index and other in right.index:
                kept.append((one, other))
                parts.append(part)
                break
    if not kept:
        raise UserError(
            f"no link is between {left.name} and {right.name}",
            where=found.name,
            todo="Check that the links belong to these graphs",
        )
    return replace(found, pairs=tuple(kept), parts=np.array(parts, dtype=np.int8))
