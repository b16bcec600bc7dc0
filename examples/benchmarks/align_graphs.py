"""Entities aligned across languages: by spelling, by modules, by structure, and by sums of them.

    python examples/benchmarks/align_graphs.py --data DATA --set dbp15k_ja_en --base mini
    python examples/benchmarks/align_graphs.py --data DATA --set dbp5l --base mini

EP and TP are trained with the entities of all dev and test links left out; dev links choose the
weights of sums. The control is EP on training links whose entities have changed places. The pool is
told: the entities of test links, or all entities of the other graph.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from bench import parser, save
from kg_runs import (
    BASE,
    BASES,
    EP,
    FUSED,
    MIXED,
    SHUFFLED,
    SUMMED,
    TP,
    Kept,
    encoder,
    fuse,
    names_of,
    shuffle_links,
    train,
    vectors,
)

from xadapt.data.graphs.links import Links
from xadapt.data.graphs.opening import open_graph, open_links
from xadapt.pipelines.kg_build import build_graph
from xadapt.pipelines.kg_links import between
from xadapt.tasks.kg.alignment import WAYS, Answers, Scored, assign, find_matches, measure, mutual
from xadapt.tasks.kg.likeness import BySpelling, ByVectors, Likeness, Mixed
from xadapt.tasks.kg.propagation import Propagation, fit, propagate
from xadapt.tasks.kg.two_graphs import TwoGraphs, positions
from xadapt.tasks.kg.weights import best_weights

NAMES, TEXT, STRUCTURE = "names", "text", "structure"
DEV = 500
PAIRS = (("ja", "en"), ("en", "fr"), ("es", "en"))


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--set", required=True, choices=("dbp15k_ja_en", "dbp15k_fr_en", "dbp5l"))
    options.add_argument("--base", default="mini", choices=list(BASES))
    options.add_argument("--seeds", type=int, default=3)
    options.add_argument("--limit", type=int, help="training rows of a module, for a try")
    args = options.parse_args()
    args.more = () if args.limit is None else (f"data.train.limit={args.limit}",)
    args.work.mkdir(parents=True, exist_ok=True)
    run = dbp5l if args.set == "dbp5l" else dbp15k
    run(args)


def dbp15k(args: Any) -> None:
    """One pair of languages with structure, in the pool of test entities and in the whole one."""
    source = f"kg:{args.data}/kg/{args.set}"
    langs = args.set.split("_")[1:]
    links_file = args.work / f"{args.set}-links.tsv"
    links = with_dev(source, links_file)
    left, right = open_graph(f"{source}/1"), open_graph(f"{source}/2")
    graphs = TwoGraphs.of(left, right)
    names = [names_of(graph) for graph in (left, right)]
    spelt = BySpelling.of(*names)
    train_pairs, dev, test = (positions(links.of(p), left, right) for p in ("train", "dev", "test"))
    kept = Kept(args.work / f"{args.set}_{args.base}.json")
    base = BASES[args.base]
    sums = {
        "TF-IDF": (NAMES,), BASE: (TEXT,), "structure": (STRUCTURE,), EP: (TEXT,),
        "EP + structure": (TEXT, STRUCTURE),
        "TF-IDF + EP + structure": (NAMES, TEXT, STRUCTURE),
    }  # fmt: skip
    bare = None
    for seed in range(args.seeds):
        shaped = ByVectors(np.zeros((1, 1)), np.zeros((1, 1)))
        keys = {name: f"{name} {seed if name not in ('TF-IDF', BASE) else 0}" for name in sums}
        done = all(key in kept.found for key in keys.values())
        if done and f"EP + structure, self-trained {seed}" in kept.found:
            continue
        settings = Propagation(seed=seed)
        fitted = fit(graphs, train_pairs, settings, print)
        shaped = ByVectors(fitted.left, fitted.right)
        out = args.work / f"{args.set}_{args.base}_EP-{seed}"
        train(EP, base, source, str(links_file), langs, out, seed, "train.epochs=6", *args.more)
        model = encoder(base, {"ep": out})
        ep = ByVectors(*(vectors(model, own) for own in names))
        if BASE + " 0" not in kept.found:
            bare = ByVectors(*(vectors(encoder(base, {}), own) for own in names))
        for name, used in sums.items():
            views: dict[str, Likeness] = {NAMES: spelt, TEXT: ep, STRUCTURE: shaped}
            if name == BASE:
                views[TEXT] = bare
            views = {key: views[key] for key in used}
            kept.get(keys[name], lambda views=views: ranked(views, dev, test))
        both: dict[str, Likeness] = {TEXT: ep, STRUCTURE: shaped}
        kept.get(f"EP + structure + assignment {seed}", lambda both=both: assigned(both, dev, test))
        kept.get(
            f"EP + structure, self-trained {seed}",
            lambda both=both, settings=settings: self_trained(
                both, graphs, train_pairs, dev, test, settings
            ),
        )
    published = {"GCN-Align": [0.442, 0.430], "MTransE": [0.433, 0.407], "KECG": [0.485, 0.479]}
    place = ("dbp15k_ja_en", "dbp15k_fr_en").index(args.set)
    put(args, kept, {
        "set": args.set, "entities": [graphs.left, graphs.right],
        "links": {"train": len(train_pairs), "dev": len(dev), "test": len(test)},
        "published_hits@1": {name: own[place] for name, own in published.items()},
    })  # fmt: skip


def with_dev(source: str, path: Path) -> Links:
    """The links of DBP15K with a dev part cut out of the training links; written once."""
    links = open_links(source)
    known = [i for i, part in enumerate(links.parts.tolist()) if part == 0]
    held = set(np.random.default_rng(0).choice(known, DEV, replace=False).tolist())
    parts = ("train", "dev", "test")
    lines = [
        f"{a}\t{b}\t{'dev' if i in held else parts[part]}\n"
        for i, ((a, b), part) in enumerate(zip(links.pairs, links.parts.tolist(), strict=True))
    ]
    if not path.is_file():
        path.write_text("".join(lines), encoding="utf-8")
    return open_links(str(path))


def ranked(views: Mapping[str, Likeness], dev: Any, test: Any) -> dict[str, Any]:
    """Measures by pool, with the weights that dev links choose."""
    weights = best_weights(views, dev)
    mixed = Mixed(views, weights)
    answers, *orders = Answers.of(test, *mixed.shape)
    found: dict[str, Any] = {"weights": weights}
    for pool in ("test", "all"):
        own = answers.within_test() if pool == "test" else answers
        chosen = [
            order[: len(code)] for order, code in zip(orders, (own.left, own.right), strict=True)
        ]
        csls = 10 if pool == "test" else 0
        for name, scored in measure(mixed.chosen(*chosen), own, csls).items():
            found[pool if name == "plain" else f"{pool}, CSLS"] = means(scored)
    return found


def means(scored: Scored) -> dict[str, float]:
    """The mean of each measure and direction."""
    return {name: float(values[0].mean()) for name, values in scored.columns.items()}


def assigned(views: Mapping[str, Likeness], dev: Any, test: Any) -> dict[str, Any]:
    """Hits@1 of an assignment in the pool of test entities."""
    weights = best_weights(views, dev)
    mixed = Mixed(views, weights)
    answers, *orders = Answers.of(test, *mixed.shape)
    own = answers.within_test()
    mixed = mixed.chosen(*(order[:n] for order, n in zip(orders, own.asked, strict=True)))
    matches, whole = assign(mixed, find_matches(mixed, 10, csls=10))
    precision, recall = own.right_share(matches)
    return {"test, CSLS": {"hits@1 forward": recall, "precision": precision}, "whole": whole}


def self_trained(
    views: Mapping[str, Likeness],
    graphs: TwoGraphs,
    links: Any,
    dev: Any,
    test: Any,
    settings: Propagation,
    rounds: int = 3,
) -> dict[str, Any]:
    """Pairs that are mutual nearest by the sum count as linked, and the structure is made again."""
    made = dict(views)
    free = [np.setdiff1d(np.arange(size), links[:, column])
            for column, size in enumerate((graphs.left, graphs.right))]  # fmt: skip
    for _ in range(rounds):
        mixed = Mixed(made, best_weights(made, dev)).chosen(*free)
        pairs = mutual(find_matches(mixed, 2, csls=10, half=True))
        guessed = np.stack([free[0][pairs.left], free[1][pairs.right]], axis=1)
        apart = ~np.isin(guessed[:, 0], dev[:, 0]) & ~np.isin(guessed[:, 1], dev[:, 1])
        held_out = propagate(graphs, np.concatenate([links, guessed[apart]]), settings)
        made[STRUCTURE] = ByVectors(*held_out)
    return ranked(made, dev, test)


def dbp5l(args: Any) -> None:
    """EP, TP and both mixed on several pairs of languages, among all entities."""
    folder = args.work / "dbp5l"
    if not folder.exists():
        build_graph(f"kg:{args.data}/kg/dbp5l", folder, split="30/10/60", seed=0)
    source = f"kg:{folder}"
    langs = ("ja", "en", "fr", "es")
    graphs = {lang: open_graph(f"{source}/{lang}") for lang in langs}
    names = {lang: names_of(graph) for lang, graph in graphs.items()}
    kept = Kept(args.work / f"dbp5l_{args.base}.json")
    base = BASES[args.base]
    systems: dict[str, tuple[tuple[str, ...], str | None]] = {
        BASE: ((), None), EP: (("ep",), None), TP: (("tp",), None),
        MIXED: (("ep", "tp"), "mix(ep:.5, tp:.5)"),
        FUSED: (("ep", "tp", "both"), "fuse(both; ep, tp)"), SHUFFLED: (("shuffled",), None),
    }  # fmt: skip
    for seed in range(args.seeds):
        stem = f"dbp5l_{args.base}"
        kinds = {"ep": EP, "tp": TP, "both": "fused", "shuffled": "shuffled"}
        places = {name: args.work / f"{stem}_{kind}-{seed}" for name, kind in kinds.items()}
        if all(f"{name} {seed}" in kept.found for name in (SUMMED, SHUFFLED)):
            continue
        train(EP, base, source, source, langs, places["ep"], seed, *args.more)
        wrong = shuffle_links(open_links(source), args.work / f"{stem}_shuffled-{seed}.tsv", seed)
        train(EP, base, source, source, langs, places["shuffled"], seed, *args.more,
              train_links=str(wrong))  # fmt: skip
        tails = ("data.train.limit=15000",)
        train(TP, base, source, source, langs, places["tp"], seed, *tails, *args.more)
        fuse(base, source, source, langs, places, places["both"], seed)
        made: dict[str, dict[str, np.ndarray]] = {}
        for name, (used, compose) in systems.items():
            key = f"{name} {0 if name == BASE else seed}"
            summed = f"{SUMMED} {seed}" in kept.found
            if key in kept.found and (summed or name not in (EP, TP)):
                continue
            model = encoder(base, {one: places[one] for one in used}, compose)
            made[name] = {lang: vectors(model, own) for lang, own in names.items()}
            own = {TEXT: made[name]}
            kept.get(key, lambda own=own: by_pair(graphs, names, own, source))
        if f"{SUMMED} {seed}" not in kept.found:
            both = {EP: made[EP], TP: made[TP]}
            kept.get(f"{SUMMED} {seed}", lambda both=both: by_pair(graphs, names, both, source))
    put(args, kept, {"set": "dbp5l", "pool": "all", "langs": list(langs)})


def by_pair(graphs, names, made, source: str) -> dict[str, Any]:
    """The measures of each pair of languages."""
    return {f"{a}-{b}": pair(graphs, names, made, source, a, b) for a, b in PAIRS}


def pair(graphs, names, made, source: str, a: str, b: str) -> dict[str, Any]:
    """The measures of one pair of languages: spelling, vectors, and both."""
    left, right = graphs[a], graphs[b]
    links = between(source, left, right)
    dev, test = (positions(links.of(part), left, right) for part in ("dev", "test"))
    by_text: dict[str, Likeness] = {name: ByVectors(own[a], own[b]) for name, own in made.items()}
    spelt: dict[str, Likeness] = {NAMES: BySpelling.of(names[a], names[b])}
    found: dict[str, Any] = {"links": {"dev": len(dev), "test": len(test)}}
    sums = {TEXT: by_text, "names + text": {**spelt, **by_text}}
    if list(made) == [TEXT]:
        sums[NAMES] = spelt
    for name, own in sums.items():
        weights = best_weights(own, dev)
        mixed = Mixed(own, weights)
        answers, *orders = Answers.of(test, *mixed.shape)
        scored = measure(mixed.chosen(*orders), answers)["plain"]
        found[name] = {**means(scored), "weights": weights}
    return found


def put(args: Any, kept: Kept, facts: dict[str, Any]) -> None:
    """Write the result."""
    if args.limit is not None:
        return
    rows = {key: value for key, value in kept.found.items() if not key.endswith(": seconds")}
    seconds = {key: value for key, value in kept.found.items() if key.endswith(": seconds")}
    save(f"align_{args.set}_{args.base}", {
        "base": args.base, "seeds": args.seeds, **facts, "ways": list(WAYS), "rows": rows,
        "seconds": seconds,
    })  # fmt: skip


if __name__ == "__main__":
    main()
