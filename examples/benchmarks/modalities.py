"""Names and structure of DBP15K fused while more and more of one of them is missing.

    python examples/benchmarks/align_graphs.py --data DATA --set dbp15k_fr_en --base mini
    python examples/benchmarks/modalities.py --data DATA --set dbp15k_fr_en --base mini

The second command uses the modules and the links that the first one made. Vectors of one modality
are taken away from drawn entities of both sides, 0 to 100 % of them, before anything is learnt. The
fusion, with and without guesses of what is missing, stands beside plain concatenation (a missing
vector is zero), the sum of cosines with weights chosen on dev links, and each modality alone.
Hits@1 of 1,500 test entities of the left side among all test entities of the right side.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib
import numpy as np
from bench import RESULTS, parser, read, save
from kg_runs import BASES, Kept, encoder, names_of, vectors

from xadapt.data.graphs.opening import open_graph, open_links
from xadapt.functional import metrics
from xadapt.pipelines.kg_modalities import fuse_modalities
from xadapt.tasks.kg.likeness import ByVectors, Mixed
from xadapt.tasks.kg.modalities import Modality
from xadapt.tasks.kg.modality_maps import learn_map
from xadapt.tasks.kg.propagation import Propagation, fit
from xadapt.tasks.kg.two_graphs import TwoGraphs, positions
from xadapt.tasks.kg.weights import best_weights
from xadapt.vectors import matching

TEXT, STRUCTURE = "text", "structure"
LEVELS = (0, 20, 40, 60, 80, 100)
GUESSED = (60, 80)
QUERIES = 1500


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--set", default="dbp15k_fr_en", choices=("dbp15k_fr_en", "dbp15k_ja_en"))
    options.add_argument("--base", default="mini", choices=list(BASES))
    options.add_argument("--seeds", type=int, default=3)
    args = options.parse_args()
    source = f"kg:{args.data}/kg/{args.set}"
    left, right = open_graph(f"{source}/1"), open_graph(f"{source}/2")
    links = open_links(str(args.work / f"{args.set}-links.tsv"))
    train, dev, test = (positions(links.of(p), left, right) for p in ("train", "dev", "test"))
    kept = Kept(args.work / f"modalities_{args.set}_{args.base}.json")
    for seed in range(args.seeds):
        whole: dict[str, Modality] = {}
        for kind, level in conditions():
            key = f"{kind} {level} {seed}"
            if key in kept.found:
                continue
            if not whole:
                whole = made(args, left, right, train, seed)
            less = dropped(whole, kind, level, seed)
            guesses = level in GUESSED
            kept.get(key, lambda less=less, guesses=guesses, seed=seed:
                     compared(less, train, dev, test, guesses, seed))  # fmt: skip
    rows = {key: value for key, value in kept.found.items() if not key.endswith(": seconds")}
    name = f"modalities_{args.set}_{args.base}"
    save(name, {
        "set": args.set, "base": args.base, "seeds": args.seeds, "levels": list(LEVELS),
        "queries": QUERIES, "pool": len(np.unique(test[:, 1])),
        "links": {"train": len(train), "dev": len(dev), "test": len(test)}, "rows": rows,
        "seconds": {k: v for k, v in kept.found.items() if k.endswith(": seconds")},
    })  # fmt: skip
    draw(read(RESULTS / f"{name}.json"), RESULTS / f"{name}.svg")


def conditions() -> list[tuple[str, int]]:
    """What is dropped, and how much of it; nothing once."""
    return [(TEXT, 0), *((kind, level) for kind in (TEXT, STRUCTURE) for level in LEVELS[1:])]


def made(args: Any, left: Any, right: Any, train: Any, seed: int) -> dict[str, Modality]:
    """The whole vectors of both modalities, kept in a file."""
    file = args.work / f"vectors_{args.set}_{args.base}-{seed}.npz"
    if not file.is_file():
        model = encoder(BASES[args.base], {"ep": args.work / f"{args.set}_{args.base}_EP-{seed}"})
        text = [vectors(model, names_of(graph)) for graph in (left, right)]
        shape = fit(TwoGraphs.of(left, right), train, Propagation(seed=seed))
        np.savez(file, t0=text[0], t1=text[1], s0=shape.left, s1=shape.right)
    found = np.load(file)
    return {
        TEXT: Modality.of(found["t0"], found["t1"]),
        STRUCTURE: Modality.of(found["s0"], found["s1"]),
    }


def dropped(whole: Mapping[str, Modality], kind: str, level: int, seed: int) -> dict[str, Modality]:
    """The modalities, one without the vectors of drawn entities; more levels drop more of them."""
    draws = np.random.default_rng(seed)
    gone = [draws.random(size) * 100 < level for size in whole[kind].shape]
    return {**whole, kind: whole[kind].without(gone[0], gone[1])}


def compared(
    given: Mapping[str, Modality], train: Any, dev: Any, test: Any, guesses: bool, seed: int
) -> dict[str, Any]:
    """Hits@1 of every system, and how the fusion was learnt."""
    draws = np.random.default_rng(0)
    asked = test[np.sort(draws.choice(len(test), QUERIES, replace=False))]
    pool = np.unique(test[:, 1])

    def hits(view: ByVectors) -> float:
        scores = matching.cosine(view.left[asked[:, 0]], view.right[pool])
        return float(metrics.hits(metrics.ranks(scores, asked[:, 1], pool), 1).mean())

    found: dict[str, Any] = {f"{name} alone": hits(one.view) for name, one in given.items()}
    found["concatenation"] = hits(ByVectors(
        *(np.concatenate([getattr(one, side) for one in given.values()], axis=1)
          for side in ("left", "right"))
    ))  # fmt: skip
    there = {name: one.view for name, one in given.items() if all(h.any() for h in one.has)}
    mixed = Mixed(there, best_weights(there, dev, sample=200, pool=3000, seed=seed)).vectors()
    assert mixed is not None
    found["weighted sum"] = hits(mixed)
    mapped = {
        name: one if name == STRUCTURE else learn_map(one, train, dev, seed=seed)
        for name, one in given.items()
    }
    for name, one in mapped.items():
        if one is not given[name]:
            found[f"{name} alone, mapped"] = hits(one.view)
    for how in ("none", "mean", "vae") if guesses else ("none",):
        fused = fuse_modalities(
            mapped, train, dev, impute=how, unmapped=tuple(mapped), seed=seed
        )  # fmt: skip
        found["fused" if how == "none" else f"fused, {how}"] = hits(fused.view)
        found[f"learnt, {how}"] = fused.to_dict()
    return found


def draw(result: dict, target: Any) -> None:
    """A line a system: Hits@1 by the share that is missing."""
    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    plt.rcParams["svg.hashsalt"] = "modalities"
    figure, axes = plt.subplots(1, 2, figsize=(8.5, 3.2), sharey=True)
    names = ("fused", "concatenation", "weighted sum", f"{TEXT} alone", f"{STRUCTURE} alone")
    for axis, kind in zip(axes, (TEXT, STRUCTURE), strict=True):
        for name in names:
            means = [
                np.mean([run[name] for run in runs(result, kind, level)])
                for level in result["levels"]
            ]
            thick = 2.4 if name == "fused" else 1.2
            axis.plot(result["levels"], means, marker="o", ms=3, lw=thick, label=name)
        axis.set_xlabel(f"% of the vectors of {kind} that are missing")
        for side in ("top", "right"):
            axis.spines[side].set_visible(False)
    axes[0].set_ylabel("Hits@1")
    axes[0].set_ylim(0, 1)
    axes[1].legend(frameon=False, fontsize=8)
    figure.tight_layout()
    figure.savefig(target, metadata={"Date": None})
    plt.close(figure)


def runs(result: dict, kind: str, level: int) -> list[dict]:
    """The runs of all seeds of one condition."""
    kind = kind if level else TEXT
    return [result["rows"][f"{kind} {level} {seed}"] for seed in range(result["seeds"])]


if __name__ == "__main__":
    main()
