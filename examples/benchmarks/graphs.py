"""Knowledge graphs: what is in them, and the floors of alignment and completion.

python examples/benchmarks/graphs.py --data DATA
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
from bench import parser, save

from xadapt.data.graphs.graph import KnowledgeGraph
from xadapt.data.graphs.joining import copied_facts
from xadapt.data.graphs.links import Links
from xadapt.data.graphs.opening import open_graph, open_links
from xadapt.data.graphs.split import crossing, split_links
from xadapt.functional.metrics import hits, reciprocal
from xadapt.tasks.kg.floors import frequency_ranks, same_names, tfidf_ranks

PAIRS = ("en-fr", "es-en", "ja-en")
LANGS = ("ja", "es", "fr", "en")
TWINS = ("dbp15k_fr_en", "dbp15k_ja_en")
SHARES = (0.3, 0.1, 0.6)
DRAWN = 1_500
NAMES = ("wikidata", "gold", "gpt", "m-nta/with_gpt-4")


def main() -> None:
    given = parser(__doc__ or "")
    given.add_argument("--seeds", type=int, default=3)
    options = given.parse_args()
    began = time.process_time()
    kg, five = options.data / "kg", f"kg:{options.data / 'kg' / 'dbp5l'}"
    whole, links = open_graph(five), open_links(five)
    splits = [split_links(links, SHARES, seed) for seed in range(options.seeds)]
    copied = copied_facts(whole, links)
    heads = [whole.entities[head].partition(":")[0] for head, _, _ in whole.facts("test").tolist()]
    graphs = {lang: open_graph(f"{five}/{lang}") for lang in LANGS}
    save(
        "graphs",
        {
            "seeds": options.seeds,
            "shares": list(SHARES),
            "drawn": DRAWN,
            "sets": sets(kg, options.data / "wikikge10"),
            "alignment": {pair: aligned(five, graphs, splits, pair) for pair in PAIRS},
            "twins": {name: twins(f"kg:{kg / name}") for name in TWINS},
            "completion": {
                lang: {
                    "entities": len(graphs[lang].entities),
                    "facts": graphs[lang].counts()["facts"],
                    **scores(frequency_ranks(graphs[lang])),
                    "copied": float(np.mean(copied[[one == lang for one in heads]])),
                }
                for lang in LANGS
            },
            "cpu_seconds": time.process_time() - began,
        },
    )


def sets(kg: Path, names: Path) -> dict[str, dict]:
    """Numbers of every set."""
    found = {}
    for name in ("dbp5l", *TWINS):
        began = time.process_time()
        graph, links = open_graph(f"kg:{kg / name}"), open_links(f"kg:{kg / name}")
        seconds = time.process_time() - began
        across = crossing(links)["test"]
        found[name] = {
            **graph.counts(),
            "links": links.counts(),
            "crossing": across,
            "cpu_seconds": seconds,
        }
    for name in NAMES:
        graph = open_graph(f"wikikge:{names / name}")
        found[f"wikikge10/{name}"] = graph.counts()
    return found


def of_pair(links: Links, pair: str) -> Links:
    """The links of two languages, with the ids of the graphs of one language."""
    left, right = (f"{lang}:" for lang in pair.split("-"))
    chosen = links.chosen([a.startswith(left) and b.startswith(right) for a, b in links.pairs])
    bare = tuple((a.removeprefix(left), b.removeprefix(right)) for a, b in chosen.pairs)
    return Links(pair, bare, chosen.parts)


def aligned(
    source: str, graphs: dict[str, KnowledgeGraph], splits: list[Links], pair: str
) -> dict[str, dict]:
    """The share of equal names, and TF-IDF on the test links of each split and of the data."""
    left, right = (graphs[lang] for lang in pair.split("-"))
    given = open_links(f"{source}/{pair}")
    return {
        "splits": [one(left, right, of_pair(links, pair).of("test")) for links in splits],
        "drawn": [one(left, right, drawn(given, seed)) for seed in range(len(splits))],
        "all links": len(given),
    }


def drawn(links: Links, seed: int) -> Links:
    """Some links, drawn without a look at their components."""
    chosen = np.random.default_rng(seed).permutation(len(links)) < DRAWN
    return links.chosen(chosen.tolist())


def twins(source: str) -> dict:
    """The same for two graphs with links of their own."""
    links = open_links(source).of("test")
    return one(open_graph(f"{source}/1"), open_graph(f"{source}/2"), links)


def one(left: KnowledgeGraph, right: KnowledgeGraph, links: Links) -> dict:
    """Scores of TF-IDF on some links, in both pools and both ways."""
    swapped = links.swapped()
    return {
        "links": len(links),
        "same name": float(same_names(left, right, links).mean()),
        "test pool": scores(tfidf_ranks(left, right, links, "test")),
        "whole pool": scores(tfidf_ranks(left, right, links)),
        "test pool, back": scores(tfidf_ranks(right, left, swapped, "test")),
        "whole pool, back": scores(tfidf_ranks(right, left, swapped)),
    }


def scores(ranks: np.ndarray) -> dict[str, float]:
    """Hits@1, Hits@10 and MRR of realistic ranks."""
    return {
        "hits@1": float(hits(ranks, 1).mean()),
        "hits@10": float(hits(ranks, 10).mean()),
        "mrr": float(reciprocal(ranks).mean()),
    }


if __name__ == "__main__":
    main()
