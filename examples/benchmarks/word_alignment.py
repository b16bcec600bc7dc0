"""AER on annotated links: the frozen base, alignment modules, and their mixture.

    python examples/benchmarks/word_alignment.py --data DATA --work runs

Modules are trained on parallel text, and one on a dictionary too. Layer and threshold of every
system are chosen on the first 150 annotated pairs, on which data and settings were tried as well;
the others are scored. A module that is there is not trained again.
"""

from __future__ import annotations

import gzip
import random
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import MINILM, RESULTS, parser, read, save

import xadapt

DEV = 150


@dataclass(frozen=True)
class Plan:
    """The training of one language.

    Attributes:
        pair: Name of the annotated pairs.
        base: The base. Most pieces of Chinese text, and many of Japanese, are unknown to MiniLM.
        rows: Number of parallel pairs.
        words: Largest number of English words of a pair.
        split: Whether text is cut into words and is in lower case, as annotated text is.
        settings: Changes to the recipe ``word_alignment``.
    """

    pair: str
    base: str
    rows: int
    words: int = 40
    split: bool = False
    settings: tuple[str, ...] = ("module.layers=[0,4]",)


WORDS = (
    "module={kind: embedding_map, form: both, rank: null, row_rank: 64, lora_rank: 16, "
    "layers: [0, 1]}",
    "objectives.0.layer=1",
    "train.batch_size=32",
    "train.learning_rate=2e-3",
)
"""A module that learns a difference for each piece: most pieces of Chinese are characters."""
PLANS = {
    "fr": Plan("en-fr", MINILM, 4000),
    "ja": Plan("ja-en", "mini", 24_000, 30, True, WORDS),
    "zh": Plan("zh-en", "mini", 24_000, 30, True, WORDS),
}
OTHERS = ("data.train.dev=0", "train.batch_size=16")
OTHER_ROWS, OTHER_WORDS = 1500, 17
LOANS = re.compile(r"[\u30a0-\u30ff]+")
"""Katakana, whose runs are words."""
RUNS = re.compile(LOANS.pattern + r"|[\u3040-\u309f\u3400-\u9fff\u3005]+|\w+(?:'\w+)?|[^\w\s]")
LONGEST = 6
"""Most characters of a word that is looked for in the dictionary."""


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
    short = [row for row in rows if len(row[0].split()) <= OTHER_WORDS][:OTHER_ROWS]
    given: dict[str, Any] = {"base": plan.base, "lang": lang, "resume": True, "loaders": "none"}
    words = xadapt.train(
        "word_alignment", data=rows, out=work / f"words-{lang}", settings=plan.settings, **given
    )
    ranking = xadapt.train(
        "translation_ranking", data=short, out=work / f"ranking-{lang}", settings=OTHERS, **given
    )
    entries = work / f"en-{lang}.tsv"
    entries.write_bytes(gzip.decompress((args.data / "dictionary" / entries.name).with_suffix(
        ".tsv.gz").read_bytes()))  # fmt: skip
    contrast = xadapt.train(
        "ml_ctl", data={"train": short, "dictionary": str(entries)}, out=work / f"contrast-{lang}",
        settings=OTHERS, **given,
    )  # fmt: skip
    dev, test = gold(args.data, work, plan.pair)
    folders = {name: work / f"{name}-{lang}" for name in ("words", "ranking", "contrast")}
    named = [f"{name}={folder}" for name, folder in folders.items()]
    systems: dict[str, Any] = {}
    for name, compose in (
        ("word_alignment", "words"),
        ("translation_ranking", "ranking"),
        ("ml_ctl", "contrast"),
        ("mixture", "mix(words:.5, ranking:.5)"),
        ("both whole", "words + ranking"),
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
    seconds = {"word_alignment": words.seconds, "translation_ranking": ranking.seconds,
               "ml_ctl": contrast.seconds}  # fmt: skip
    trained = {"word_alignment": len(rows), "translation_ranking": len(short), "ml_ctl": len(short)}
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
    kept = [(one, other) for one, other, _ in rows if len(one.split()) <= plan.words][: plan.rows]
    if not plan.split:
        return kept
    known = dictionary_words(data, lang)
    return [(" ".join(split(one)), " ".join(split(other, known))) for one, other in kept]


def dictionary_words(data: Path, lang: str) -> set[str]:
    """The words of the language in the dictionary."""
    with gzip.open(data / "dictionary" / f"en-{lang}.tsv.gz", "rt", encoding="utf-8") as lines:
        return {line.split("\t")[1].strip() for line in lines}


def split(text: str, known: Collection[str] = ()) -> list[str]:
    """Cut text into words and marks; runs without spaces into the longest words of a dictionary."""
    found = []
    for run in RUNS.findall(text.lower()):
        if not known or run.isascii() or LOANS.fullmatch(run):
            found.append(run)
            continue
        start = 0
        while start < len(run):
            ends = range(min(len(run), start + LONGEST), start, -1)
            end = next((end for end in ends if run[start:end] in known), start + 1)
            found.append(run[start:end])
            start = end
    return found


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
