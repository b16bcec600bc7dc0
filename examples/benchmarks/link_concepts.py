"""Names of the Human Phenotype Ontology linked to English names, concepts never seen in training.

    python examples/benchmarks/link_concepts.py --data DATA --base mini

A module (EP) learns names of 60 % of the concepts in six languages. The others are looked up among
the English names of all concepts, also in languages that the module never saw.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench import parser, save
from kg_runs import BASES, Kept, encoder

import xadapt
from xadapt.data.readers.lines import read_lines
from xadapt.pipelines.kg_link import link_mentions

TRAINED = ("de", "es", "fr", "ja", "pt", "zh")
NEVER = ("cs", "nl", "nna", "tw")
TEST, ROWS, JUDGED = 100, 1500, 500
TOP = 10


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

    def linked(**more: Any) -> dict[str, Any]:
        return link_mentions(mentions, index, top=TOP, resamples=1000, **more).to_dict()

    kept.get("frozen base", lambda: linked(base=encoder(base, {})))
    for seed in range(args.seeds):
        out = work / f"ep-{args.base}-{seed}"
        xadapt.train(
            "mlkg_ep", base=base, data=f"kg:{work / 'kg'}", lang=list(TRAINED), out=out,
            resume=True, joint=True, loaders="none", show=False,
            settings=(f"seed={seed}", "train.epochs=3"),
        )  # fmt: skip
        kept.get(f"EP {seed}", lambda out=out: linked(base=encoder(base, {"ep": out})))
    ep, judge = work / f"ep-{args.base}-0", work / f"judge-{args.base}"
    pairs = work / f"pairs-{args.base}.tsv"
    if not pairs.is_file():
        link_mentions(
            str(work / "judged.tsv"), index, top=5, base=encoder(base, {"ep": ep}), pairs=pairs
        )
    xadapt.train(
        "pair_classification", base=base, data=str(pairs), lang="es", out=judge, resume=True,
        loaders="none", show=False, settings=("train.epochs=2", "train.evaluations=1"),
    )  # fmt: skip
    for weight in (0.5, 1.0):
        kept.get(
            f"re-ranked, weight {weight}",
            lambda weight=weight: linked(
                base=base, modules=[ep], reranker=judge, rerank_weight=weight
            ),
        )
    rows = {key: value for key, value in kept.found.items() if not key.endswith("seconds")}
    save(
        f"link_concepts_{args.base}",
        {"base": args.base, "seeds": args.seeds, "trained": list(TRAINED), "never": list(NEVER),
         "training_names": ROWS, "judged": JUDGED, "rows": rows},
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
    test, judged = [], []
    used: set[str] = set()
    (work / "kg").mkdir(exist_ok=True)
    for lang in (*TRAINED, *NEVER):
        names: dict[str, str] = {}
        for _, line in read_lines(f"{data}/names_{lang}.tsv.gz"):
            concept, name, kind = line.split("\t")[:3]
            if concept in english and (kind == "label" or concept not in names):
                names[concept] = name
        order = sorted(names, key=_hash)
        held = [c for c in order if is_test(c)][:TEST]
        test += [f"{lang}\t{c}\t{names[c]}\t0\t{len(names[c])}\t{names[c]}\t{c}" for c in held]
        if lang in TRAINED:
            rest = [c for c in order if not is_test(c)]
            used.update(rest[:ROWS])
            _write(work / "kg" / f"names_{lang}.tsv", (f"{c}\t{names[c]}" for c in rest[:ROWS]))
            for c in rest[ROWS : ROWS + JUDGED]:
                judged.append(f"{lang}\t{c}\t{names[c]}\t0\t{len(names[c])}\t{names[c]}\t{c}")
    _write(work / "kg" / "entities.tsv", sorted(used))
    _write(work / "kg" / "names_en.tsv", (f"{c}\t{english[c]}" for c in sorted(used)))
    _write(work / "judged.tsv", judged)
    _write(work / "test.tsv", test)


def is_test(concept: str) -> bool:
    """Whether a concept is one of the two fifths that are tested."""
    return int(_hash(concept)[:8], 16) % 5 < 2


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _write(path: Path, lines: Iterator[str] | list[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


if __name__ == "__main__":
    main()
