"""Facts of DBP-5L completed: by the most frequent answer, by TP, by structure, and by both.

    python examples/benchmarks/complete_graphs.py --data DATA --base mini

The tail of each test fact is looked up among all entities of its language, filtered. Weights are
chosen on dev facts. PyKEEN's evaluator judges both sides of the same sum. Facts that another
language has in training under the links are told apart.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from bench import parser, save
from kg_runs import BASE, BASES, EP, FUSED, SUMMED, TP, Kept, encoder, fuse, names_of, train

from xadapt.data.graphs.graph import KnowledgeGraph
from xadapt.data.graphs.joining import copied_facts
from xadapt.data.graphs.opening import open_graph, open_links
from xadapt.integrations.pykeen import Training, judge
from xadapt.pipelines.kg_build import build_graph
from xadapt.tasks.kg.completion_structure import (
    make_completion_structure,
    read_completion_structure,
)
from xadapt.tasks.kg.graph_names import relation_names
from xadapt.tasks.kg.ranking import SIDES, Scorer, filtered_ranks
from xadapt.tasks.kg.scorers import FREQUENCY, ByNames, MostFrequent, Weighted, choose_weights

LANGS = ("ja", "en", "fr", "es")
SYSTEMS: dict[str, tuple[tuple[str, ...], str | None]] = {
    TP: (("tp",), None), EP: (("ep",), None), BASE: ((), None),
    FUSED: (("ep", "tp", "both"), "fuse(both; ep, tp)"),
}  # fmt: skip
STRUCTURE, SUM, ALL = "structure", "TP + structure", "TP + structure + most frequent"


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--base", default="mini", choices=list(BASES))
    options.add_argument("--seeds", type=int, default=3)
    options.add_argument("--model", default="TransE")
    options.add_argument("--epochs", type=int, default=25)
    options.add_argument("--dim", type=int, default=64)
    options.add_argument("--limit", type=int, help="training rows of a module, for a try")
    args = options.parse_args()
    limit = () if args.limit is None else (f"data.train.limit={args.limit}",)
    args.work.mkdir(parents=True, exist_ok=True)
    folder = args.work / "dbp5l"
    if not folder.exists():
        build_graph(f"kg:{args.data}/kg/dbp5l", folder, split="30/10/60", seed=0)
    source = f"kg:{folder}"
    whole = open_graph(source)
    copied = copied_of(whole, open_links(source))
    kept = Kept(args.work / f"completion_{args.base}_{args.model}.json")
    base = BASES[args.base]
    for seed in range(args.seeds):
        places = {}
        for kind, name in ((TP, "tp"), (EP, "ep")):
            places[name] = args.work / f"dbp5l_{args.base}_{kind}-{seed}"
            more = ("data.train.limit=15000",) if kind == TP else ()
            train(kind, base, source, source, LANGS, places[name], seed, *more, *limit)
        places["both"] = args.work / f"dbp5l_{args.base}_fused-{seed}"
        fuse(base, source, source, LANGS, places, places["both"], seed)
        for lang in LANGS:
            graph = open_graph(f"{source}/{lang}")
            scorers = structure_of(args, graph, lang, seed)
            names, relations = names_of(graph), relation_names(graph, lang)
            for name, (modules, compose) in SYSTEMS.items():
                if any(f"{lang} {one} {seed}" not in kept.found for one in (FUSED, ALL)):
                    model = encoder(base, {one: places[one] for one in modules}, compose)
                    scorers[name] = ByNames(
                        lambda texts, model=model: model.encode(
                            list(texts), show_progress_bar=False
                        ),
                        names,
                        relations,
                    )
            measure(kept, graph, lang, seed, scorers, copied)
    if args.limit is not None:
        return
    rows = {key: value for key, value in kept.found.items() if not key.endswith(": seconds")}
    save(f"complete_graphs_{args.base}", {
        "base": args.base, "seeds": args.seeds, "langs": list(LANGS), "model": args.model,
        "epochs": args.epochs, "dim": args.dim, "rows": rows,
    })  # fmt: skip


def structure_of(args: Any, graph: KnowledgeGraph, lang: str, seed: int) -> dict[str, Scorer]:
    """PyKEEN's model of one language, trained or found trained, and the floor."""
    folder = args.work / f"structure_{args.model}_{lang}-{seed}"
    if not folder.exists():
        options = Training(model=args.model, dim=args.dim, epochs=args.epochs, seed=seed)
        make_completion_structure(folder, graph, options)
    return {
        FREQUENCY: MostFrequent(graph.facts("train"), len(graph.entities)),
        STRUCTURE: read_completion_structure(folder, graph).scorer,
    }


def measure(
    kept: Kept,
    graph: KnowledgeGraph,
    lang: str,
    seed: int,
    scorers: dict[str, Scorer],
    copied: set[tuple[str, str, str]],
) -> None:
    """Rank the tails of test facts by each system, and both sides by PyKEEN's evaluator."""
    facts, known = graph.facts("test"), graph.triples
    new = np.array([
        (graph.entities[h], graph.relations[r], graph.entities[t]) not in copied
        for h, r, t in facts.tolist()
    ])  # fmt: skip

    def scored(scorer: Scorer) -> dict[str, Any]:
        ranks = filtered_ranks(scorer, facts, known, "tail")
        return {"mrr": float((1 / ranks).mean()), "hits@1": float((ranks <= 1).mean()),
                "hits@10": float((ranks <= 10).mean()), "mrr new": float((1 / ranks[new]).mean()),
                "copied": float(1 - new.mean())}  # fmt: skip

    def summed(names: tuple[str, ...], sides=("tail",)) -> Weighted:
        own = {name: scorers[name] for name in names}
        dev = graph.facts("dev")
        seen = np.concatenate([graph.facts("train"), dev])
        return Weighted(own, {side: choose_weights(own, dev, seen, side) for side in sides})

    for name in (FREQUENCY, BASE, EP, TP, FUSED, STRUCTURE):
        alone = 0 if name in (FREQUENCY, BASE) else seed
        if f"{lang} {name} {alone}" not in kept.found:
            kept.get(f"{lang} {name} {alone}", lambda name=name: scored(scorers[name]))
    sums = ((SUMMED, (EP, TP)), (SUM, (TP, STRUCTURE)), (ALL, (TP, STRUCTURE, FREQUENCY)))
    for name, used in sums:

        def both(used=used, name=name) -> dict[str, Any]:
            judged = name == SUM and seed == 0
            mixed = summed(used, SIDES if judged else ("tail",))
            found = scored(mixed)
            found["weights"] = {side: dict(own) for side, own in mixed.weights.items()}
            if judged:
                part = facts[np.random.default_rng(0).permutation(len(facts))[:500]]
                found["pykeen, 500 facts"] = judge(mixed, part, known)
            return found

        kept.get(f"{lang} {name} {seed}", both)


def copied_of(graph: KnowledgeGraph, links: Any) -> set[tuple[str, str, str]]:
    """Test facts that are training facts of another language under the links."""
    own = copied_facts(graph, links)
    return {
        (graph.entities[h], graph.relations[r], graph.entities[t])
        for (h, r, t), is_copied in zip(graph.facts("test").tolist(), own.tolist(), strict=True)
        if is_copied
    }


if __name__ == "__main__":
    main()
