"""AER on annotated links: the frozen base, alignment modules, and their mixture.

    python examples/benchmarks/word_alignment.py --data DATA --work runs

Modules are trained on parallel text alone. Layer, method and threshold of every system are chosen
on the first 100 annotated pairs; the others are scored. A module that is there is not trained
again.
"""

from __future__ import annotations

import gzip
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import MINILM, RESULTS, parser, read, save

import xadapt

DEV = 100
NEWS = ("wmt-newstest", "ntrex", "tatoeba", "stsb-deepl")


@dataclass(frozen=True)
class Plan:
    """The training of one language.

    Attributes:
        pair: Name of the annotated pairs.
        base: The base. Most pieces of Chinese text, and many of Japanese, are unknown to MiniLM.
        rows: Number of parallel pairs.
        words: Largest number of English words of a pair.
        tags: Sources of the pairs; all if empty.
        settings: Changes to the recipe ``word_alignment``.
    """

    pair: str
    base: str
    rows: int
    words: int = 40
    tags: tuple[str, ...] = ()
    settings: tuple[str, ...] = ("module.layers=[0,4]",)


SHARED = (
    "module.layers=[0,3]",
    "objectives.0.layer=3",
    "train.batch_size=96",
    "objectives.0.share=0.7",
    "train.learning_rate=2e-3",
)
"""A step takes 67 of 96 pairs; the statistical aligner reads all pairs."""
PLANS = {
    "fr": Plan("en-fr", MINILM, 4000),
    "ja": Plan("ja-en", "mini", 12_000, 17, settings=SHARED),
    "zh": Plan("zh-en", "mini", 12_000, 17, NEWS, SHARED),
}
RANKING = ("data.train.dev=0", "train.batch_size=16")
RANKING_ROWS = 1500


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--only", action="append", choices=list(PLANS), help="a language")
    args = options.parse_args()
    path = RESULTS / "word_alignment.json"
    result: dict[str, Any] = read(path)["pairs"] if path.exists() else {}
    for lang, plan in PLANS.items():
        if args.only in (None, []) or lang in args.only:
            result[plan.pair] = measure(args, lang, plan)
            save("word_alignment", {"pairs": result})


def measure(args: Any, lang: str, plan: Plan) -> dict[str, Any]:
    """Train the modules of a language, and score base, modules and mixture."""
    work = args.work / "word_alignment"
    work.mkdir(parents=True, exist_ok=True)
    rows = parallel(args.data, lang, plan)
    given: dict[str, Any] = {"base": plan.base, "lang": lang, "resume": True, "loaders": "none"}
    words = xadapt.train(
        "word_alignment", data=rows, out=work / f"words-{lang}", settings=plan.settings, **given
    )
    ranking = xadapt.train(
        "translation_ranking", data=rows[:RANKING_ROWS], out=work / f"ranking-{lang}",
        settings=RANKING, **given,
    )  # fmt: skip
    dev, test = gold(args.data, work, plan.pair)
    folders = {"words": work / f"words-{lang}", "ranking": work / f"ranking-{lang}"}
    named = [f"{name}={folder}" for name, folder in folders.items()]
    systems: dict[str, Any] = {}
    for name, compose in (
        ("word_alignment", "words"),
        ("translation_ranking", "ranking"),
        ("mixture", "mix(words:.5, ranking:.5)"),
    ):
        found = xadapt.evaluate(
            "words", base=plan.base, data=str(test), dev=str(dev), modules=named, compose=compose,
            lang=lang, method="argmax", units="pieces",
        )  # fmt: skip
        for row in found.rows:
            if row.system in ("frozen base", "diagonal"):
                systems[row.system] = told(row)
            else:
                systems[f"{name}, {row.system.removeprefix('module, ')}"] = told(row)
        print(plan.pair, {key: round(own["aer"], 3) for key, own in systems.items()}, flush=True)
    seconds = {"word_alignment": words.seconds, "translation_ranking": ranking.seconds}
    trained = {"word_alignment": len(rows), "translation_ranking": RANKING_ROWS}
    return {"base": "mini" if plan.base == "mini" else "MiniLM", "systems": systems,
            "pairs": found.count, "dev": DEV, "trained_on": trained,
            "seconds": seconds, "settings": list(plan.settings)}  # fmt: skip


def told(row: Any) -> dict[str, Any]:
    """The numbers of one system."""
    scores = {name: value.to_dict() for name, value in row.scores.items()}
    way = row.more.get("aligning", {})
    return {"aer": row.more["aer"], "scores": scores, "layer": way.get("layer")}


def parallel(data: Path, lang: str, plan: Plan) -> list[tuple[str, str]]:
    """Parallel pairs in an order that depends on nothing but the files."""
    rows = []
    for folder in ("parallel", "extra/parallel"):
        with gzip.open(data / folder / f"en-{lang}.tsv.gz", "rt", encoding="utf-8") as lines:
            for line in lines:
                english, other, tag = line.rstrip("\n").split("\t")
                if 3 < len(english.split()) <= 40 and len(other) < 200:
                    rows.append((english, other, tag))
    random.Random(0).shuffle(rows)
    kept = [
        (english, other)
        for english, other, tag in rows
        if len(english.split()) <= plan.words and (not plan.tags or tag in plan.tags)
    ]
    return kept[: plan.rows]


def gold(data: Path, work: Path, pair: str) -> tuple[Path, Path]:
    """The first annotated pairs, for choices, and the others, for scores, as two files."""
    with gzip.open(data / "word_alignment" / f"{pair}.tsv.gz", "rt", encoding="utf-8") as lines:
        rows = list(lines)
    parts = work / f"{pair}.dev.tsv", work / f"{pair}.test.tsv"
    for path, own in zip(parts, (rows[:DEV], rows[DEV:]), strict=True):
        path.write_text("".join(own), encoding="utf-8")
    return parts


if __name__ == "__main__":
    main()
