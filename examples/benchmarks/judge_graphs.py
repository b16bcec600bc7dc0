"""Candidates of DBP-5L judged by modules and cross-encoders: Japanese and French to English.

    python examples/benchmarks/align_graphs.py --data DATA --set dbp5l --base mini
    python examples/benchmarks/judge_graphs.py --data DATA --base mini

The second command uses the graph and the modules that the first one made: EP and TP of
three seeds. For each seed, 300 entities of test links are judged, the same for all seeds.
Their ten candidates are those of EP among all English entities, or with `--structure` also those of
the sum of EP and structure. A cross-encoder is trained on the candidates of training and dev links.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from bench import parser, save
from kg_runs import BASES, Kept

import xadapt
from xadapt.data.graphs.graph import KnowledgeGraph
from xadapt.data.graphs.links import Links
from xadapt.data.graphs.opening import open_graph
from xadapt.pipelines.kg_candidates import Candidates, Judging, read_candidates
from xadapt.pipelines.kg_judge import judge_candidates
from xadapt.pipelines.kg_links import between
from xadapt.pipelines.kg_voters import pair_texts
from xadapt.tasks.kg.judging import EntityFacts
from xadapt.tasks.kg.reranking import OTHER, SAME

SOURCES, K, TAUGHT = 300, 10, 1000
VOTERS = ("EP", "TP")
LANGS = ("ja", "fr")


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--base", default="mini", choices=list(BASES))
    options.add_argument("--seeds", type=int, default=3)
    options.add_argument("--structure", action="store_true", help="also candidates by structure")
    args = options.parse_args()
    kept = Kept(args.work / f"judge_{args.base}.json")
    graph = f"kg:{args.work / 'dbp5l'}"
    right = open_graph(f"{graph}/en")
    rows: dict[str, dict[str, Any]] = {}
    for lang, shaped in product(LANGS, (False, True) if args.structure else (False,)):
        left = open_graph(f"{graph}/{lang}")
        links = between(graph, left, right)
        name = f"{lang}-en, EP + structure" if shaped else f"{lang}-en, EP"
        rows[name] = {}
        for seed in range(args.seeds):
            table = aligned(args, left, right, shaped, seed)
            found = judged(args, kept, table, left, right, links, seed)
            for system, value in found.items():
                rows[name][f"{system} {seed}"] = value
    save(f"judge_graphs_{args.base}", {"base": args.base, "sources": SOURCES, "k": K,
                                       "taught": TAUGHT, "seeds": args.seeds,
                                       "rows": rows})  # fmt: skip


def aligned(
    args: Any, left: KnowledgeGraph, right: KnowledgeGraph, shaped: bool, seed: int
) -> Path:
    """The candidates of all entities of a language, by EP or by EP and structure."""
    graph, lang = f"kg:{args.work / 'dbp5l'}", left.name.rpartition("/")[2]
    stem = args.work / f"judge_{args.base}_{lang}{'_structure' if shaped else ''}-{seed}"
    table = stem.with_suffix(".tsv")
    if table.exists():
        return table
    if shaped:
        xadapt.train_structure(stem, left=left, right=right, links=graph, seed=seed)
    xadapt.align_graphs(
        left, right, links=graph, base=BASES[args.base], modules=place(args, "EP", seed),
        structure=stem if shaped else None, out=table, top=K, resamples=10,
    )  # fmt: skip
    return table


def judged(
    args: Any,
    kept: Kept,
    table: Path,
    left: KnowledgeGraph,
    right: KnowledgeGraph,
    links: Links,
    seed: int,
) -> dict[str, Any]:
    """The measures of each choice of voters on the candidates of one seed."""
    base, facts = BASES[args.base], (EntityFacts(left), EntityFacts(right))
    asked = part_of(table, table.with_suffix(".test.tsv"), drawn(links.of("test"), SOURCES))
    own = [place(args, name, seed) for name in VOTERS]
    several = [f"EP {n}={place(args, 'EP', n)}" for n in range(args.seeds)]
    choices: dict[str, tuple[Sequence[str], bool]] = {
        "EP, TP": (own, False),
        "EP, TP, cross-encoder": (own, True),
        "EP, cross-encoder": (own[:1], True),
        "EP of three seeds, cross-encoder": (several, True),
    }
    found = {}
    for name, (modules, crossed) in choices.items():

        def judge(modules: Sequence[str] = modules, crossed: bool = crossed) -> dict[str, Any]:
            reranker = cross_encoder(args, table, left, right, links, facts, seed)
            return judge_candidates(
                asked, left, right, base=base, modules=modules, links=links.of("test"), top=K,
                reranker=reranker if crossed else None, out=args.work / "judged.jsonl",
            ).to_dict()  # fmt: skip

        found[name] = kept.get(f"{table.stem}: {name}", judge)
    return found


def place(args: Any, name: str, seed: int) -> str:
    """The folder of a module."""
    return str(args.work / f"dbp5l_{args.base}_{name}-{seed}")


def cross_encoder(
    args: Any,
    table: Path,
    left: KnowledgeGraph,
    right: KnowledgeGraph,
    links: Links,
    facts: tuple[EntityFacts, EntityFacts],
    seed: int,
) -> Path:
    """A cross-encoder that was trained on candidates of training and dev links, or train it."""
    out = table.with_suffix(".cross")
    if not (out / "xadapt.json").exists():
        known = links.of("train", "dev")
        taught = part_of(table, table.with_suffix(".taught.tsv"), drawn(known, TAUGHT))
        pairs = table.with_suffix(".pairs.tsv")
        lines = pairs_of(read_candidates(taught, left, right, Judging(top=K)), known, facts)
        pairs.write_text("".join(lines), encoding="utf-8")
        xadapt.train(
            "pair_classification", base=BASES[args.base], data=str(pairs), lang=left.lang, out=out,
            loaders="none", show=False, resume=True,
            settings=(
                f"seed={seed}", "train.epochs=2", "train.evaluations=1", "data.train.dev=0",
            ),
        )  # fmt: skip
    return out


def drawn(links: Links, size: int) -> set[str]:
    """The first left entities by their hash."""
    lefts = {a for a, _ in links.pairs}
    return set(sorted(lefts, key=lambda one: hashlib.sha256(one.encode()).hexdigest())[:size])


def part_of(table: Path, path: Path, sources: set[str]) -> Path:
    """The lines of some left entities."""
    head, *lines = table.read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [line for line in lines if line.partition("\t")[0] in sources]
    path.write_text("".join([head, *kept]), encoding="utf-8")
    return path


def pairs_of(
    given: Iterator[Candidates], links: Links, facts: tuple[EntityFacts, EntityFacts]
) -> Iterator[str]:
    """The lines of entities whose right one is among the candidates: two texts and a class."""
    right: dict[str, set[str]] = {}
    for a, b in links.pairs:
        right.setdefault(a, set()).add(b)
    for one in given:
        if right[one.source].isdisjoint(one.targets):
            continue
        own, *others = pair_texts(*facts, one, Judging())
        for target, text in zip(one.targets, others, strict=True):
            yield f"{own}\t{text}\t{SAME if target in right[one.source] else OTHER}\n"


if __name__ == "__main__":
    main()
