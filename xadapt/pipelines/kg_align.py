"""``align_graphs``: the same entities in two graphs, by names, their vectors and structure."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xadapt.core.errors import UserError
from xadapt.data.graphs.graph import KnowledgeGraph
from xadapt.data.graphs.links import Links
from xadapt.data.graphs.opening import open_graph
from xadapt.evaluation.comparison import Result
from xadapt.inference.adapted_encoder import AdaptedEncoder
from xadapt.pipelines.kg_aligned import Aligned
from xadapt.pipelines.kg_encoder import encoder_of, places_of
from xadapt.pipelines.kg_links import AlignmentLinks, alignment_links
from xadapt.pipelines.kg_matching import FUSED, NAMES, STRUCTURE, TEXT, Matching
from xadapt.pipelines.kg_modalities import Fusing, fused_views
from xadapt.pipelines.seen_links import require_unseen
from xadapt.tasks.kg.alignment import (
    CANDIDATES,
    Answers,
    Found,
    Matches,
    Scored,
    assign,
    candidates,
    comparison,
    find_matches,
    measure,
    mutual,
)
from xadapt.tasks.kg.alignment_structure import AlignmentStructure, read_alignment_structure
from xadapt.tasks.kg.likeness import BySpelling, ByVectors, Likeness, Mixed, Positions
from xadapt.tasks.kg.name_vectors import EntityNames, encode_names
from xadapt.tasks.kg.two_graphs import TwoGraphs, positions
from xadapt.tasks.kg.weights import best_weights, equal_weights, parse_weights

Report = Callable[[str], None]
SUM = "sum"
DEV_LEAST = 20
"""The least number of dev links that choose weights."""


@dataclass
class _Job:
    """The graphs, the links, the options, and what is collected on the way."""

    left: KnowledgeGraph
    right: KnowledgeGraph
    links: AlignmentLinks
    how: Matching
    report: Report
    notes: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

    def note(self, line: str) -> None:
        """Keep a line for people, and report it."""
        self.notes.append(line)
        self.report(line)


def align_graphs(
    left: str | KnowledgeGraph,
    right: str | KnowledgeGraph,
    *,
    links: str | Links | None = None,
    train_links: str | Links | None = None,
    base: str | AdaptedEncoder | None = None,
    modules: str | Path | Sequence[str | Path] = (),
    compose: str | None = None,
    names: bool = False,
    structure: str | Path | None = None,
    weights: str | Mapping[str, float] | None = None,
    modalities: str | Sequence[str] = (),
    images: str | Path | Sequence[str | Path] = (),
    impute: str = "none",
    out: str | Path | None = None,
    allow_seen: bool = False,
    dtype: str = "auto",
    report: Report = lambda _: None,
    progress: Callable[[int], None] = lambda _: None,
    **matching: Any,
) -> Aligned:
    """Find the same entities in two graphs.

    The views are ``text`` (vectors of the names by a base, with or without modules), ``names``
    (their spelling) and ``structure``. Their scores are cosines, and are summed with weights.

    Args:
        left: The source of the left graph, or the graph.
        right: The right one.
        links: Test links, which nothing but the measures uses. Where links have parts, those of
            test are the test, and those of dev choose the weights.
        train_links: Links that are known. Without test links, their entities are left out. With
            test links, they must not share an entity with them.
        base: The base, or a loaded encoder.
        modules: Folders of modules. One module acts on both sides.
        compose: A composition of the modules, which acts on both sides, or by language.
        names: Whether spelling is a view.
        structure: A folder that ``xadapt kg structure`` made of these graphs.
        weights: Weights of the views. By default those that are best on dev links; without such
            links all are equal.
        modalities: Some of ``text``, ``structure``, ``attributes`` and ``image``, to be fused where
            entities may lack any of them, see `xadapt.pipelines.kg_modalities`. Their weights are
            learnt on dev links, their maps on training links.
        images: A file of vectors of images for both graphs, or one for each.
        impute: How vectors that an entity lacks are guessed: ``none``, ``mean`` or ``vae``.
        out: A file for the pairs, with tabs and a header.
        allow_seen: Whether modules may have seen the test links.
        dtype: Type of the base's weights.
        report: Receives lines for people.
        progress: Called with numbers of encoded names.
        matching: The fields of `Matching`.

    Raises:
        UserError: If a source, link, folder or option is wrong, no view is named, or a module may
            have seen the test links. Nothing is written then.
    """
    asked = ((NAMES, names), (TEXT, base), (STRUCTURE, structure))
    views_named = [name for name, there in asked if there]
    fusing = Fusing.of(modalities, images, impute)
    if not (views_named or fusing.kinds):
        raise UserError("no view is named", todo="Add --base, --names or --structure")
    how = Matching(**matching)
    how.check(links is not None, views_named)
    fusing.check(views_named, how, weights is not None)
    composition, places = places_of(base, modules, compose)
    sides = [open_graph(one) if isinstance(one, str) else one for one in (left, right)]
    job = _Job(sides[0], sides[1], alignment_links(links, train_links, *sides), how, report)
    if job.links.test is not None and places and not allow_seen:
        for name in require_unseen(places, job.links.sha256, _named(links)):
            job.note(f"{name} did not learn from a graph: what it saw of the test is not known")
    shape = None if structure is None else read_alignment_structure(structure, *sides)
    own = _names(job) if base is not None or names else None
    with tempfile.TemporaryDirectory(prefix="xadapt-align-") as folder:
        views: dict[str, Likeness] = {}
        if own and names:
            views[NAMES] = BySpelling.of(own[0], own[1])
        if own and base is not None:
            encoder = encoder_of(base, composition, places, dtype)
            views[TEXT] = _by_text(encoder, own, Path(folder), progress)
        if fusing.kinds:
            aligned = _fused(views, shape, fusing, job, own)
        else:
            aligned = _summed(views, shape, weights, job, own)
        if out is not None:
            aligned.write(out)
    return aligned


def _names(job: _Job) -> tuple[EntityNames, EntityNames]:
    """Return the names of both sides, and note entities without one."""
    found = EntityNames(job.left), EntityNames(job.right)
    for graph, one in zip((job.left, job.right), found, strict=True):
        if one.named < len(one):
            job.note(f"{graph.name}: {len(one) - one.named:,} entities have no name in {one.lang}")
    return found


def _summed(
    views: dict[str, Likeness],
    shape: AlignmentStructure | None,
    weights: str | Mapping[str, float] | None,
    job: _Job,
    names: Sequence[EntityNames] | None,
) -> Aligned:
    """Add the structure to the views, weigh them, and align by their sum."""
    if shape is not None:
        views[STRUCTURE] = shape.view
    chosen = _weights(weights, views, shape, job)
    if shape is not None and job.how.rounds:
        views = _self_trained(views, chosen, shape, job)
    return _aligned(views, chosen, job, names)


def _fused(
    views: Mapping[str, Likeness],
    shape: AlignmentStructure | None,
    fusing: Fusing,
    job: _Job,
    names: Sequence[EntityNames] | None,
) -> Aligned:
    """Fuse the modalities, and align by what comes of it."""
    train, dev = (
        None if links is None else positions(links, job.left, job.right)
        for links in (job.links.train, job.links.dev)
    )
    made, facts = fused_views(
        {name: view for name, view in views.items() if isinstance(view, ByVectors)},
        shape, fusing, (job.left, job.right), (train, dev), job.how.seed, job.note,
    )  # fmt: skip
    job.facts |= facts
    return _aligned(made, {FUSED: 1.0}, job, names)


def _by_text(
    encoder: AdaptedEncoder,
    names: Sequence[EntityNames],
    folder: Path,
    progress: Callable[[int], None],
) -> ByVectors:
    made = []
    for number, own in enumerate(names):

        def encode(texts: Sequence[str], lang: str = own.lang) -> NDArray[np.float32]:
            found: NDArray[np.float32] = encoder.encode(
                list(texts), language=lang, show_progress_bar=False
            )
            return found

        made.append(encode_names(own, encode, folder, f"{number}.npy", progress))
    return ByVectors(made[0], made[1])


def _weights(
    weights: str | Mapping[str, float] | None,
    views: Mapping[str, Likeness],
    shape: AlignmentStructure | None,
    job: _Job,
) -> dict[str, float]:
    """Return the weights as given, else the best on dev links, else equal ones."""
    names = list(views)
    if weights is not None:
        text = weights
        if not isinstance(text, str):
            text = ",".join(f"{name}={value}" for name, value in text.items())
        job.facts["weights_from"] = "given"
        return parse_weights(text, names)
    if len(names) == 1:
        return equal_weights(names)
    dev = job.links.dev
    pairs = None if dev is None else positions(dev, job.left, job.right)
    if pairs is not None and shape is not None:
        pairs = pairs[~np.isin(pairs[:, 0], shape.links[:, 0])]  # the structure knows their labels
    if pairs is None or len(pairs) < DEV_LEAST:
        job.facts["weights_from"] = "equal"
        job.note(
            f"all weights are equal: fewer than {DEV_LEAST} dev links could choose them; give "
            "links with a dev part, or --weights"
        )
        return equal_weights(names)
    job.facts["weights_from"] = f"{len(pairs)} dev links"
    return best_weights(views, pairs, seed=job.how.seed)


def _self_trained(
    views: Mapping[str, Likeness],
    weights: Mapping[str, float],
    shape: AlignmentStructure,
    job: _Job,
) -> dict[str, Likeness]:
    """Encode the structure again, with pairs that are mutual nearest by the sum as if linked."""
    graphs = TwoGraphs.of(job.left, job.right)
    made = dict(views)
    free = [
        np.setdiff1d(np.arange(size), shape.links[:, column])
        for column, size in enumerate((graphs.left, graphs.right))
    ]
    for number in range(job.how.rounds):
        mixed = Mixed(made, weights).chosen(free[0], free[1])
        pairs = mutual(find_matches(mixed, 2, csls=job.how.csls or 10, memory=job.how.memory))
        guessed = np.stack([free[0][pairs.left], free[1][pairs.right]], axis=1)
        made[STRUCTURE] = shape.again(graphs, guessed)
        job.note(f"round {number + 1}: {len(guessed):,} pairs counted as linked")
    return made


def _aligned(
    views: Mapping[str, Likeness],
    weights: Mapping[str, float],
    job: _Job,
    names: Sequence[EntityNames] | None,
) -> Aligned:
    """Search, pair and measure."""
    how = job.how
    answers, orders = _orders(job)
    mixed = Mixed(views, weights)
    alone = {name: Mixed({name: view}, {name: 1.0}) for name, view in views.items()
             if name != FUSED}  # fmt: skip
    if answers is not None or job.links.known is not None:
        mixed = mixed.chosen(orders[0], orders[1])
        alone = {name: one.chosen(orders[0], orders[1]) for name, one in alone.items()}
    k = max(how.top + 1, CANDIDATES if how.pairing == "one-to-one" else 2)
    found = find_matches(mixed, k, csls=how.csls, index=how.index, memory=how.memory)
    matches = _paired(mixed, found, job)
    job.facts |= {"pool": how.pool, "csls": how.csls, "pairing": how.pairing, "views": list(views)}
    result, verdicts = None, np.full(len(matches), -1, dtype=np.int8)
    if answers is not None:
        result, verdicts = _measured(mixed, alone, matches, answers, job)
    moved = replace(matches, left=orders[0][matches.left], right=orders[1][matches.right])
    order = np.lexsort((moved.ranks, moved.left))
    shown: tuple[Sequence[str], Sequence[str]] = (
        (names[0], names[1]) if names else (job.left.entities, job.right.entities)
    )
    return Aligned(
        job.left, job.right, moved.chosen(order), weights, job.facts, result, shown,
        verdicts[order], tuple(job.notes),
    )  # fmt: skip


def _orders(job: _Job) -> tuple[Answers | None, list[Positions]]:
    """Return the right answers, and the entities of both sides in the order of the search."""
    links, sizes = job.links, (len(job.left.entities), len(job.right.entities))
    if links.test is not None:
        pairs = positions(links.test, job.left, job.right)
        answers, *orders = Answers.of(pairs, *sizes)
        if job.how.pool == "test":
            answers = answers.within_test()
            orders = [order[:n] for order, n in zip(orders, answers.asked, strict=True)]
        return answers, orders
    every = [np.arange(size) for size in sizes]
    if links.known is not None:
        pairs = positions(links.known, job.left, job.right)
        every = [np.setdiff1d(one, pairs[:, column]) for column, one in enumerate(every)]
        if not all(map(len, every)):
            raise UserError("every entity of a side is linked already", where=links.known.name)
    return None, every


def _paired(mixed: Mixed, found: Found, job: _Job) -> Matches:
    if job.how.pairing == "mutual":
        return mutual(found)
    if job.how.pairing == "best":
        return candidates(found.forward, job.how.top)
    made, whole = assign(mixed, found)
    job.facts["assignment"] = "all scores" if whole else f"{CANDIDATES} candidates"
    if not whole:
        n, m = mixed.shape
        job.note(
            f"{n:,} x {m:,} scores are too many for one assignment: each entity is assigned among "
            f"its {CANDIDATES} best"
        )
    return made


def _measured(
    mixed: Mixed, alone: Mapping[str, Mixed], matches: Matches, answers: Answers, job: _Job
) -> tuple[Result, NDArray[np.int8]]:
    """Measure each view alone, their sum, and the pairs."""
    systems: dict[str, Scored] = {
        name: measure(one, answers)["plain"] for name, one in alone.items()
    }
    fused = FUSED in job.facts["views"]
    last = FUSED if fused else SUM if len(alone) > 1 else next(iter(alone))
    if last not in alone or job.how.csls:
        both = measure(mixed, answers, job.how.csls)
        systems[last] = both["plain"]
        if "csls" in both:
            systems[f"{last}, CSLS"] = both["csls"]
    result = comparison(
        systems, job.how.pool, answers, resamples=job.how.resamples, seed=job.how.seed
    )
    precision, recall = answers.right_share(matches)
    job.facts |= {"precision": precision, "recall": recall}
    good = answers.left[matches.left] == answers.right[matches.right]
    asked = matches.left < answers.asked[0]
    return result, np.where(asked, good, -1).astype(np.int8)


def _named(links: str | Links | None) -> str:
    """Return the test links as a user would write them, without folders for a file."""
    return links.name if isinstance(links, Links) else str(links)
