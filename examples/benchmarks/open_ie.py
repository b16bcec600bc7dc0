"""Open triples: learnt in English by rule from a treebank, looked for in other languages.

    python examples/benchmarks/open_ie.py --data DATA

Both taggers are trained on the English Web Treebank and tested on the PUD treebanks. Five systems
on the same frozen base: the heads alone; one LoRA; one LoRA with as many ranks as the mixture has
in all; a mixture of LoRAs with a learnt router; and three stages, each inside the frozen ones
before: a map of the embeddings, a LoRA in the layers, a mixture. The control reads no model: what
stands left and right of the predicates that the heads alone found. Gold is by rule, not by hand.
The stages take three times the steps of the others, and a head alone takes the probe's higher rate.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from bench import parser, save, xadapt

from xadapt.data.readers.conllu_trees import ConlluTrees
from xadapt.data.transforms.open_ie import open_triples
from xadapt.evaluation.statistics import over_seeds
from xadapt.tasks import open_ie

TARGETS = ["en", "de", "es", "fr", "tr"]
HEADS, LORA, WIDE, MIXTURE, STAGES = (
    "heads only", "one LoRA", "one LoRA, all ranks", "mixture of LoRAs", "in three stages",
)  # fmt: skip
TASKS = ("predicates", "arguments")


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--base", default="mini")
    options.add_argument("--lang", action="append", help="one of the languages; all if not given")
    options.add_argument("--seeds", type=int, default=3)
    options.add_argument("--sentences", type=int, default=3_000, help="English ones to learn from")
    options.add_argument("--test", type=int, help="sentences of each test; all if not given")
    options.add_argument("--epochs", type=int, default=3)
    options.add_argument("--experts", type=int, default=4)
    options.add_argument("--rank", type=int, default=4)
    args = options.parse_args()
    langs = args.lang or TARGETS
    named = ("base", "seeds", "sentences", "epochs", "experts", "rank")
    result: dict = {"languages": langs, **{name: getattr(args, name) for name in named}}
    scores: dict[str, dict[str, list[dict]]] = {}
    for seed in range(args.seeds):
        for task in TASKS:
            train(args, task, seed)
        for name, by_language in judge(args, seed, langs).items():
            for lang, row in by_language.items():
                scores.setdefault(name, {}).setdefault(lang, []).append(row)
        save(f"open_ie_{Path(args.base).name}", {**result, "systems": told(scores)})


def modules(args: argparse.Namespace) -> dict[str, str]:
    """What each module is, as a setting of the recipe."""
    sites = "sites: [q, k, v, ffn_in, ffn_out]"
    ranks = args.experts * args.rank
    small = f"{sites}, rank: {args.rank}, alpha: {2 * args.rank}"
    lora = f"{{kind: lora, {small}}}"
    mixture = f"{{kind: mixture_of_loras, experts: {args.experts}, {small}}}"
    embeddings = "kind: bottleneck, width: 1, layers: [0, 1]"
    return {
        "heads": "{kind: none}",
        "lora": lora,
        "wide": f"{{kind: lora, {sites}, rank: {ranks}, alpha: {2 * ranks}}}",
        "mixture": mixture,
        "stage1": f"{{{embeddings}, invertible: nice, invertible_width: 64}}",
        "stage2": lora,
        "stage3": mixture,
    }


def place(args: argparse.Namespace, task: str, name: str, seed: int) -> Path:
    return args.work / f"open_ie_{Path(args.base).name}" / f"{task}-{name}-{seed}"


def train(args: argparse.Namespace, task: str, seed: int) -> None:
    """Every module of one task; the stages one after the other, each inside those before."""
    for name, module in modules(args).items():
        below = [f"stage{i}" for i in range(1, int(name[-1]))] if name.startswith("stage") else []
        inside = " + ".join([*(str(place(args, task, stage, seed)) for stage in below), "self"])
        xadapt(
            "train", f"open_ie_{task}", "--base", args.base, "--lang", "en", "--resume",
            "--data", args.data / "pos" / "en_ewt_train.conllu.gz",
            "--out", place(args, task, name, seed),
            "--set", f"module={module}", "--set", f"seed={seed}",
            "--set", f"data.train.limit={args.sentences}",
            "--set", f"train.epochs={args.epochs}",
            *(["--set", "train.learning_rate=5e-3"] if name == "heads" else []),
            *(["--compose", inside] if below else []),
        )  # fmt: skip


def judge(args: argparse.Namespace, seed: int, langs: list[str]) -> dict[str, dict[str, dict]]:
    """Every system on every language, with its difference to one LoRA."""
    stages = ["stage1", "stage2", "stage3"]
    plans = {
        HEADS: ["heads"], LORA: ["lora"], WIDE: ["wide"], MIXTURE: ["mixture"], STAGES: stages,
    }  # fmt: skip
    extractors = {
        name: open_ie.Extractor.load(
            args.base,
            **{task: [f"{n}={place(args, task, n, seed)}" for n in own] for task in TASKS},
            **{f"compose_{task}": " + ".join(own) for task in TASKS},
        )
        for name, own in plans.items()
    }
    found: dict[str, dict[str, dict]] = {}
    for lang in langs:
        file = args.data / "pos" / "pud" / f"{lang}.conllu.gz"
        rows = open_triples(ConlluTrees().read(str(file), lang))[: args.test]
        said = {name: open_ie.extracted(each, rows) for name, each in extractors.items()}
        said[open_ie.LEFT_RIGHT] = open_ie.left_and_right_of(rows, said[HEADS])
        for row in open_ie.Part.evaluate(rows, said, base=LORA).rows:
            found.setdefault(row.system, {})[lang] = row.to_dict()
        print(seed, lang, {n: round(f[lang]["scores"]["triples"]["mean"], 3)
                           for n, f in found.items()})  # fmt: skip
    return found


def told(scores: dict[str, dict[str, list[dict]]]) -> dict[str, dict]:
    """By system and measure: each language's mean over seeds, their mean, and each seed's gains.

    The mean leaves English out, the language that was learnt from, if there is another.
    """
    return {
        name: {measure: summary(by_language, measure) for measure in open_ie.MEASURES}
        for name, by_language in scores.items()
    }


def summary(by_language: dict[str, list[dict]], measure: str) -> dict:
    """One measure of one system."""
    values = {
        lang: [row["scores"][measure]["mean"] for row in rows] for lang, rows in by_language.items()
    }
    others = [own for lang, own in values.items() if lang != "en"] or list(values.values())
    return {
        "mean": over_seeds(list(np.mean(others, axis=0))).to_dict(),
        "languages": {lang: over_seeds(own).to_dict() for lang, own in values.items()},
        "gain": {
            lang: [row["gain"] and row["gain"][measure] for row in rows]
            for lang, rows in by_language.items()
        },
    }


if __name__ == "__main__":
    main()
