"""Embeddings within German: find the sentence that answers a question.

    python examples/benchmarks/own_language.py --data DATA

Questions of XQuAD and MLQA (`DATA/qa`), each with the sentence that holds its answer; the other
sentences of the paragraph are its hard negatives. Articles are split by hash, so that no paragraph
and no sentence is in both parts. The pool of the test is every sentence of its paragraphs.

Variants on each base, with the same module and the same number of steps: pairs alone, pairs with
shuffled answers (the control), pairs with two hard negatives, pairs with a teacher. There is no
German teacher here: the teacher is the English MiniLM, which teaches the German side of
translations the vectors of their English side (`DATA/parallel/en-de.tsv.gz`).
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from bench import MINILM, limited, parser, save, tagged_pairs, write_pairs

from xadapt.backbones.cache.prefix_states import MEMORY_BYTES, PrefixStates
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.config.recipe import Recipe
from xadapt.config.recipe_file import changed_recipe, find_recipe
from xadapt.core.text_key import normal_key
from xadapt.data.loading.records import Source
from xadapt.data.records import TextPair
from xadapt.data.transforms.shuffle import shuffled
from xadapt.evaluation.statistics import difference, interval
from xadapt.evaluation.systems import Encoded
from xadapt.evaluation.tfidf import NAME as TFIDF
from xadapt.inference.open_module import open_module
from xadapt.pipelines.train import train
from xadapt.pipelines.training_job import TrainingJob
from xadapt.tasks.alignment import AlignmentEvaluator
from xadapt.tasks.retrieval import NDCG, Corpus, Retrieval, per_query, prompted_system

BASES = {MINILM: "MiniLM", "mini": "mini"}
VARIANTS = ("pairs", "shuffled pairs", "hard negatives", "teacher")
SEEDS = (0, 1, 2)
TEST = 0.4
END = re.compile(r"(?<=[.!?])\s+(?=[A-ZÄÖÜ„\"»(0-9])")
SHORT = 25
"""A piece with fewer characters is no sentence of its own, but the end of an abbreviation."""


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--base", action="append", help="instead of both bases")
    options.add_argument("--epochs", type=int, default=2)
    options.add_argument("--layers", default="[3,6]", help="layers of the module")
    options.add_argument("--rate", type=float, help="instead of the recipe's learning rate")
    args = options.parse_args()
    work = args.work / "own_language"
    parts = split(list(questions(args.data / "qa")))
    files = write(work, parts, args.data)
    told = {
        "train": len(parts[0]),
        "test": len(Corpus.of(parts[1]).queries),
        "pool": len(Corpus.of(parts[1]).passages),
        "translations": files["translations"][1],
        "seeds": len(SEEDS),
        "epochs": args.epochs,
        "layers": args.layers,
    }
    rows: list[dict[str, Any]] = []
    for base in args.base or BASES:
        rows += measured(base, work / BASES.get(base, "base"), parts[1], files, args)
        save("own_language", {**told, "rows": rows})


def questions(folder: Path) -> Iterator[tuple[str, TextPair]]:
    """Questions with the sentence of their answer and the others, with the name of the article."""
    for name in ("xquad/de.jsonl.gz", "mlqa/de_dev.jsonl.gz"):
        with gzip.open(folder / name, "rt", encoding="utf-8") as file:
            for row in map(json.loads, file):
                pieces = sentences(row["context"])
                for asked in row["qas"]:
                    start = asked["answers"][0]["answer_start"]
                    at = next((i for i, (_, end, _) in enumerate(pieces) if start < end), None)
                    if at is None or len(pieces) < 2:
                        continue
                    others = tuple(text for i, (_, _, text) in enumerate(pieces) if i != at)
                    pair = TextPair(asked["question"].strip(), pieces[at][2], others, "de")
                    yield f"{name}:{row['article']}", pair


def sentences(context: str) -> list[tuple[int, int, str]]:
    """Start, end and text of each sentence of a paragraph."""
    cuts = [0, *(match.end() for match in END.finditer(context)), len(context)]
    found: list[tuple[int, int, str]] = []
    for start, end in pairwise(cuts):
        text = context[start:end]
        if found and (len(text.strip()) < SHORT or len(found[-1][2]) < SHORT):
            start = found.pop()[0]
        found.append((start, end, " ".join(context[start:end].split())))
    return [piece for piece in found if piece[2]]


def split(rows: list[tuple[str, TextPair]]) -> tuple[list[TextPair], list[TextPair]]:
    """Training and test pairs by article, without a text of the test in training."""

    def share(article: str) -> float:
        return int(hashlib.sha256(article.encode()).hexdigest()[:8], 16) / 16**8

    test = [pair for article, pair in rows if share(article) < TEST]
    held = {normal_key(text) for row in test for text in (row.anchor, row.positive, *row.negatives)}
    kept = [
        pair
        for article, pair in rows
        if share(article) >= TEST
        and not held & set(map(normal_key, (pair.anchor, pair.positive, *pair.negatives)))
    ]
    return kept, test


def write(
    work: Path, parts: tuple[list[TextPair], list[TextPair]], data: Path
) -> dict[str, tuple[Path, int]]:
    """Write the training files of all variants."""
    hard = [replace(row, negatives=chosen(row)) for row in parts[0]]
    pairs = [replace(row, negatives=()) for row in parts[0]]
    tables = {"pairs": pairs, "shuffled pairs": shuffled(pairs), "hard negatives": hard}
    files = {
        name: (write_rows(work / f"{name}.tsv", rows), len(rows)) for name, rows in tables.items()
    }
    held = {normal_key(t) for row in parts[1] for t in (row.anchor, row.positive, *row.negatives)}
    free = [p for p, _ in tagged_pairs(data, "de") if normal_key(p.text) not in held]
    some = limited(free, 1500)
    files["translations"] = (write_pairs(work / "translations.tsv", some), len(some))
    return files


def chosen(row: TextPair) -> tuple[str, ...]:
    """Two other sentences of the paragraph: those nearest to the question by shared words."""
    asked = set(row.anchor.casefold().split())
    order = sorted(row.negatives, key=lambda text: -len(asked & set(text.casefold().split())))
    return tuple(order[:2])


def write_rows(path: Path, rows: list[TextPair]) -> Path:
    """Write pairs as TSV: question, answer, hard negatives."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ("\t".join((row.anchor, row.positive, *row.negatives)) for row in rows)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def recipe(variant: str, seed: int, args: Any) -> Recipe:
    """The recipe of a variant; all have the same module, schedule and seed."""
    settings = [f"seed={seed}", f"train.epochs={args.epochs}", "data.train.dev=80"]
    settings += [f"module.layers={args.layers}"]
    settings += [f"train.learning_rate={args.rate}"] if args.rate else []
    name = "hard_negatives" if variant == "hard negatives" else "sentence_pairs"
    found = changed_recipe(find_recipe(name), [*settings, "objectives.0.directions=both"])
    if variant != "teacher":
        return found
    taught = found.model_dump(mode="json")
    taught["teacher"] = MINILM
    taught["objectives"].append({"name": "teacher_distillation", "data": "translations"})
    taught["data"]["translations"] = {"reader": "parallel", "dev": 0}
    return changed_recipe(taught)


def measured(
    base: str, work: Path, test: list[TextPair], files: dict[str, tuple[Path, int]], args: Any
) -> list[dict[str, Any]]:
    """The rows of one base: nDCG of each query, averaged over the seeds."""
    encoder = Encoder.from_pretrained(base, dtype="float32")
    evaluator = AlignmentEvaluator(encoder)
    corpus = Corpus.of(test)
    encoded = Encoded(corpus.queries, corpus.passages)
    frozen = prompted_system(evaluator, None, {})
    plain = Retrieval().evaluate(test, {"base": frozen}, resamples=2)
    bare = per_query(corpus, encoded, frozen, ())[NDCG][0]
    rows = [
        {"base": BASES.get(base, base), "variant": "frozen base", **told(bare)},
        {"base": "", "variant": "TF-IDF", "ndcg": plain[TFIDF].scores[NDCG].mean},
    ]
    before = None
    first = json.loads(args.layers)[0]
    states = PrefixStates(encoder, first, None, memory=MEMORY_BYTES) if first > 0 else None
    for variant in VARIANTS:
        each, seconds = [], 0.0
        for seed in SEEDS:
            out = work / f"{variant} {seed}".replace(" ", "_")
            name = "pairs" if variant == "teacher" else variant
            sources = [Source(str(files[name][0]), "de")]
            if variant == "teacher":
                path = str(files["translations"][0])
                sources.append(Source(path, "de", "en", data="translations"))
            job = TrainingJob(base, tuple(sources), out, resume=True, show=False)
            began = time.monotonic()
            train(recipe(variant, seed, args), job, lambda *_: {}, lambda _: None)
            seconds += time.monotonic() - began
            module, _ = open_module(str(out), encoder)
            system = prompted_system(AlignmentEvaluator(encoder, cache=states), module, {})
            each.append(per_query(corpus, encoded, system, ())[NDCG][0])
            print(base, variant, seed, float(each[-1].mean()), float(bare.mean()), flush=True)
        mean = np.mean(each, axis=0)
        row = {"base": "", "variant": variant, **told(mean)}
        row["seeds"] = [float(one.mean()) for one in each]
        row["over_base"] = difference(mean, bare).to_dict()
        if variant in ("hard negatives", "teacher"):
            row["over_pairs"] = difference(mean, before).to_dict()
        before = mean if variant == "pairs" else before
        rows.append(row)
    return rows


def told(values: Any) -> dict[str, Any]:
    """The mean over queries with its interval."""
    found = interval(values)
    return {"ndcg": found.mean, "low": found.low, "high": found.high}


if __name__ == "__main__":
    main()
