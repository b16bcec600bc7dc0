"""Two graphs of the same world in two languages, and a small graph to complete, with controls."""

from __future__ import annotations

import numpy as np

from xadapt.data.graphs.graph import KnowledgeGraph, names_of
from xadapt.data.graphs.links import Links

ROOTS = ("Bar", "Kel", "Mon", "Ra", "Sol", "Tir", "Ul", "Vex", "Wen", "Yor", "Zan", "Lim", "Dor")
ENDS = {"de": ("stadt", "burg", "heim"), "en": ("town", "castle", "home")}


def name(number: int, lang: str) -> str:
    """A name that is spelt alike in both languages at its beginning."""
    first, rest = number % len(ROOTS), number // len(ROOTS)
    return f"{ROOTS[first]}{ROOTS[rest % len(ROOTS)].lower()}{ENDS[lang][number % 3]} {rest}"


def twins(
    size: int = 60, facts: int = 240, seed: int = 0, *, kept: float = 0.9, alike: bool = True
) -> tuple[KnowledgeGraph, KnowledgeGraph, Links]:
    """Two graphs whose entities are the same, the right ones in another order.

    Args:
        size: Entities a side.
        facts: Facts of the world.
        seed: Seed of everything.
        kept: Share of the facts that each graph has.
        alike: Whether both have facts of one world; else those of the right are drawn apart.
    """
    draw = np.random.default_rng(seed)
    order = draw.permutation(size)
    world = [_facts(draw, size, facts) for _ in range(2)]
    graphs = []
    for side, (lang, place) in enumerate((("de", np.arange(size)), ("en", order))):
        own = world[0] if alike or side == 0 else world[1]
        own = own[draw.random(len(own)) < kept].copy()
        own[:, 0], own[:, 2] = place[own[:, 0]], place[own[:, 2]]
        entities = tuple(f"{lang}{i}" for i in range(size))
        texts = [""] * size
        for number in range(size):
            texts[place[number]] = name(number, lang)
        graphs.append(
            KnowledgeGraph(
                f"twin/{lang}",
                entities,
                names_of(entities, {lang: list(enumerate(texts))}),
                tuple(f"r{i}" for i in range(4)),
                own.astype(np.int32),
                np.zeros(len(own), np.int8),
                lang=lang,
            )
        )
    pairs = tuple((f"de{i}", f"en{order[i]}") for i in range(size))
    parts = np.repeat([0, 1, 2], [size // 2, size // 4, size - size // 2 - size // 4])
    return graphs[0], graphs[1], Links("twin", pairs, parts.astype(np.int8))


def family(size: int = 30, seed: int = 0) -> KnowledgeGraph:
    """A graph in which relation 0 leads to the next entity, and relation 1 to entity 0 or 1."""
    draw = np.random.default_rng(seed)
    facts = [(i, 0, (i + 1) % size) for i in range(size)]
    facts += [(i, 1, i % 2) for i in range(2, size)]
    order = draw.permutation(len(facts))
    parts = np.zeros(len(facts), np.int8)
    parts[order[: size // 4]] = 2
    parts[order[size // 4 : size // 2]] = 1
    entities = tuple(f"Q{i}" for i in range(size))
    relations = ("next", "parity")
    return KnowledgeGraph(
        "family",
        entities,
        names_of(entities, {"de": [(i, name(i, "de")) for i in range(size)]}),
        relations,
        np.array(facts, np.int32),
        parts,
        names_of(relations, {"en": [(0, "neighbour"), (1, "kind")]}),
        lang="de",
    )


def _facts(draw: np.random.Generator, size: int, count: int) -> np.ndarray:
    made = np.stack(
        [draw.integers(0, size, count), draw.integers(0, 4, count), draw.integers(0, size, count)],
        axis=1,
    )
    return np.unique(made, axis=0)


def write_twins(folder, size: int = 60, **more) -> tuple[str, str, str]:
    """The twins as files of the layout with two graphs: both sources and the file of links."""
    left, right, links = twins(size, **more)
    folder = folder / "twin_de_en"
    folder.mkdir(parents=True, exist_ok=True)
    for number, graph in enumerate((left, right), 1):
        texts = dict(zip(*graph.labels[graph.lang].first(), strict=True))
        rows = [f"{e}\t{texts[i]}\n" for i, e in enumerate(graph.entities)]
        (folder / f"ent_{number}.tsv").write_text("".join(rows), encoding="utf-8")
        facts = [f"{graph.entities[h]}\t{graph.relations[r]}\t{graph.entities[t]}\n"
                 for h, r, t in graph.triples.tolist()]  # fmt: skip
        (folder / f"triples_{number}.tsv").write_text("".join(facts), encoding="utf-8")
    file = folder.parent / "links.tsv"
    parts = ("train", "dev", "test")
    rows = [f"{a}\t{b}\t{parts[p]}\n"
            for (a, b), p in zip(links.pairs, links.parts.tolist(), strict=True)]  # fmt: skip
    file.write_text("".join(rows), encoding="utf-8")
    return f"kg:{folder}/1", f"kg:{folder}/2", str(file)


def write_family(folder, size: int = 30) -> str:
    """The family as files of the layout of ``kg build``: its source."""
    from xadapt.data.graphs.writing import write_graph

    folder.mkdir(parents=True, exist_ok=True)
    write_graph(folder, family(size), None, {})
    return f"kg:{folder}"
