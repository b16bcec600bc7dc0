"""Names of the Human Phenotype Ontology linked to English names, concepts never seen in training.

    python examples/benchmarks/link_concepts.py --data DATA --base mini

A module (EP) learns names of 60 % of the concepts in six languages. The others are looked up among
the English names of all concepts, also in languages that the module never saw. A re-ranker learns
from the candidates of further names in these six languages, of concepts that are not tested; its
weight and the threshold of "no concept" are chosen on names of yet other concepts. For the latter
a fifth of the concepts lose their English name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from bench import parser, save
from kg_runs import BASES, Kept, Remembering, encoder

import xadapt
from xadapt.data.readers.lines import read_lines
from xadapt.evaluation.statistics import interval
from xadapt.pipelines.kg_link import link_mentions

TRAINED = ("de", "es", "fr", "ja", "pt", "zh")
NEVER = ("cs", "nl", "nna", "tw")
TEST, ROWS, JUDGED, DEV = 100, 1500, 500, 60
TOP, READ = 10, 8
"""Candidates of a mention, and those that a re-ranker reads."""
RANK_WEIGHTS = (1.0, 0.1)
"""Weights of the distance to the scores of the search; the first is the published one."""


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--base", default="mini", choices=list(BASES))
    options.add_argument("--seeds", type=int, default=3)
    args = options.parse_args()
    base = BASES[args.base]
    work = args.work / "hpo"
    work.mkdir(parents=True, exist_ok=True)
    kept = Kept(args.work / f"link_concepts_{args.base}.json")
    written(args.data / "hpo", work)
    mentions, index = str(work / "test.tsv"), [f"en={work / 'english.tsv'}"]
    some = [f"en={work / 'some.tsv'}"]

    def linked(*, index: list[str] = index, top: int = TOP, **more: Any) -> dict[str, Any]:
        found = link_mentions(mentions, index, top=top, resamples=1000, **more)
        first = {
            name: "".join(str(int(rank <= 1)) for rank in ranks)
            for name, ranks in found.ranks.ranks.items()
        }
        return {**found.to_dict(), "first": first, "langs": found.ranks.langs}

    kept.get("frozen base", lambda: linked(base=encoder(base, {})))
    for seed in range(args.seeds):
        out = work / f"ep-{args.base}-{seed}"
        xadapt.train(
            "mlkg_ep", base=base, data=f"kg:{work / 'kg'}", lang=list(TRAINED), out=out,
            resume=True, joint=True, loaders="none", show=False,
            settings=(f"seed={seed}", "train.epochs=3"),
        )  # fmt: skip
        kept.get(f"EP {seed}", lambda out=out: linked(base=encoder(base, {"ep": out})))
    for seed in range(args.seeds):
        ep = work / f"ep-{args.base}-{seed}"
        model = Remembering(encoder(base, {"ep": ep}))
        for weight in RANK_WEIGHTS if not seed else RANK_WEIGHTS[:1]:
            ranker = work / f"ranker-{args.base}-{seed}-{weight:g}"
            name = f"re-ranked {seed}" + ("" if weight == RANK_WEIGHTS[0] else f", {weight:g}")
            trained(ranker, base, model, work, index, seed, weight)
            more = {"base": model, "reranker": ranker, "top": READ}
            kept.get(name, lambda more=more: linked(**more, dev=str(work / "dev.tsv")))
        ranker = work / f"ranker-{args.base}-{seed}-{RANK_WEIGHTS[0]:g}"
        judge = {"reranker": ranker, "top": READ}
        for name, own in (("EP", {}), ("re-ranked", judge)):
            more = {"index": some, "base": model, "dev": str(work / "dev.tsv"), **own}
            kept.get(f"none, {name} {seed}", lambda more=more: linked(**more))
    gains = paired([kept.found[f"re-ranked {seed}"] for seed in range(args.seeds)])
    rows = {key: value for key, value in kept.found.items() if not key.endswith("seconds")}
    save(
        f"link_concepts_{args.base}",
        {"base": args.base, "seeds": args.seeds, "trained": list(TRAINED), "never": list(NEVER),
         "training_names": ROWS, "judged": JUDGED, "dev": DEV, "read": READ,
         "rank_weights": list(RANK_WEIGHTS), "gains": gains, "rows": rows},
    )  # fmt: skip


def paired(runs: list[dict]) -> dict[str, dict[str, float]]:
    """The gain of the re-ranker in R@1 over its candidates, with intervals over mentions."""
    parts = [
        np.array([[int(bit) for bit in run["first"][name]] for run in runs]).mean(0)
        for name in ("reranked", "ensemble")
    ]
    langs, change = np.array(runs[0]["langs"]), parts[0] - parts[1]
    groups = {"all": langs != "", "never": np.isin(langs, NEVER), "cs": langs == "cs"}
    return {name: interval(change[own]).to_dict() for name, own in groups.items()}


def trained(
    out: Path,
    base: str,
    model: Remembering,
    work: Path,
    index: list[str],
    seed: int,
    weight: float,
) -> None:
    """Train a re-ranker on the candidates of names of concepts that are not tested."""
    lists = work / f"lists-{seed}.jsonl"
    if not lists.is_file():
        link_mentions(str(work / "judged.tsv"), index, top=READ, base=model, pairs=lists)
    xadapt.train(
        "candidate_ranking", base=base, data=str(lists), lang="es", out=out,
        resume=True, loaders="none", show=False,
        settings=(f"seed={seed}", "train.evaluations=1", "data.train.dev=100",
                  f"objectives.0.rank_weight={weight}"),
    )  # fmt: skip


def written(data: Path, work: Path) -> None:
    """Write the English names, names to train on and names to test, unless they are there."""
    if (work / "test.tsv").is_file():
        return
    english = {}
    for _, line in read_lines(f"{data}/concepts.tsv.gz"):
        concept, name, part = line.split("\t")
        if part.startswith("shared"):
            english[concept] = name
    _write(work / "english.tsv", (f"{c}\t{name}" for c, name in english.items()))
    _write(work / "some.tsv", (f"{c}\t{n}" for c, n in english.items() if not is_left_out(c)))
    test, judged, dev = [], [], []
    used: set[str] = set()
    further: dict[str, dict[str, str]] = {}
    (work / "kg").mkdir(exist_ok=True)
    for lang in (*TRAINED, *NEVER):
        names: dict[str, str] = {}
        for _, line in read_lines(f"{data}/names_{lang}.tsv.gz"):
            concept, name, kind = line.split("\t")[:3]
            if concept in english and (kind == "label" or concept not in names):
                names[concept] = name
        order = sorted(names, key=_hash)
        held = [c for c in order if is_test(c)][:TEST]
        test += [_mention(lang, c, names[c]) for c in held]
        if lang in TRAINED:
            rest = [c for c in order if not is_test(c)]
            used.update(rest[:ROWS])
            _write(work / "kg" / f"names_{lang}.tsv", (f"{c}\t{names[c]}" for c in rest[:ROWS]))
            further[lang] = {c: names[c] for c in rest[ROWS:]}
    for lang, names in further.items():  # concepts that EP has in no language
        new = [c for c in names if c not in used]
        judged += [_mention(lang, c, names[c]) for c in new if not is_dev(c)][:JUDGED]
        dev += [_mention(lang, c, names[c]) for c in new if is_dev(c)][:DEV]
    _write(work / "kg" / "entities.tsv", sorted(used))
    _write(work / "kg" / "names_en.tsv", (f"{c}\t{english[c]}" for c in sorted(used)))
    _write(work / "judged.tsv", judged)
    _write(work / "dev.tsv", dev)
    _write(work / "test.tsv", test)


def is_test(concept: str) -> bool:
    """Whether a concept is one of the two fifths that are tested."""
    return int(_hash(concept)[:8], 16) % 5 < 2


def is_dev(concept: str) -> bool:
    """Whether a concept that is not tested is kept for choosing a weight and a threshold."""
    return int(_hash(concept)[8:16], 16) % 6 == 0


def is_left_out(concept: str) -> bool:
    """Whether a concept is in the fifth that has no English name where "no concept" is measured."""
    return int(_hash(concept)[16:24], 16) % 5 == 0


def _mention(lang: str, concept: str, name: str) -> str:
    """A line of a table of mentions, whose sentence is the name."""
    return f"{lang}\t{concept}\t{name}\t0\t{len(name)}\t{name}\t{concept}"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _write(path: Path, lines: Iterator[str] | list[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


if __name__ == "__main__":
    main()
