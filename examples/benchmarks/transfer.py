"""Zero-shot transfer: a task learnt in English, used in other languages, with modules below it.

    python examples/benchmarks/transfer.py --data DATA --texts TEXTS --task ner
    python examples/benchmarks/transfer.py --data DATA --texts TEXTS --task pos

`TEXTS` is what `examples/mini/collect.py` writes: language modules learn from its lines, alignment
modules from its pairs. Nothing is labelled but English. Tests are WikiANN's validation parts, or
the PUD treebanks. Each system stands beside its control with another language's module below.
A base without a masked-LM head has no language modules, and so no rows that need them.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from bench import MINILM, parser, save, xadapt

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.composition.text import parse
from xadapt.core import registry
from xadapt.core.errors import UserError
from xadapt.data.records import TaggedSentence
from xadapt.evaluation.statistics import over_seeds
from xadapt.tasks.emea import emea
from xadapt.tasks.tagging import Tagger, Tagging

TASKS = {"ner": "ner", "pos": "pos_tagging"}
TARGETS = {"ner": ["de", "es", "ru"], "pos": ["de", "es", "fi", "fr", "ru", "tr"]}
EMEA = "the same, weighed by EMEA"
PLAIN = "task module"
WORD = ["--set", "objectives.0.scheme=word", "--set", "data.train.reader=conllu"]
Expression = Callable[[str], str]


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--texts", type=Path, required=True)
    options.add_argument("--base", default="mini")
    options.add_argument("--task", choices=TASKS, default="ner")
    options.add_argument("--lang", action="append", help="one of the languages; all if not given")
    options.add_argument("--seeds", type=int, default=3)
    options.add_argument("--lines", type=int, default=20_000, help="of text a language module sees")
    options.add_argument("--pairs", type=int, default=5_000, help="an alignment module sees")
    options.add_argument("--sentences", type=int, default=3_000, help="labelled English ones")
    options.add_argument("--test", type=int, help="sentences of each test; all if not given")
    args = options.parse_args()
    langs = targets(args)
    args.lm = predicts_tokens(args.base)
    for lang in ("en", *langs) if args.lm else ():
        language_module(args, lang)
    for lang in langs:
        alignment_module(args, lang)
    result: dict = {"task": args.task, "base": args.base, "languages": langs, "seeds": args.seeds}
    scores: dict[str, dict[str, list[dict]]] = {}
    for seed in range(args.seeds):
        train_tasks(args, seed, langs)
        for name, by_language in judge(args, seed, langs).items():
            for lang, row in by_language.items():
                scores.setdefault(name, {}).setdefault(lang, []).append(row)
        some = f"_{args.test}" if args.test else ""
        save(f"transfer_{args.task}_{short(args.base)}{some}", {**result, "systems": told(scores)})


def predicts_tokens(base: str) -> bool:
    """Whether the base comes with a masked-LM head."""
    try:
        Encoder.from_pretrained(base).mlm_head()
    except UserError:
        return False
    return True


def short(base: str) -> str:
    """What a base is called in file names."""
    return "MiniLM" if base == MINILM else Path(base).name


def targets(args: argparse.Namespace) -> list[str]:
    """The languages of the task that there are tests of."""
    wanted = args.lang or TARGETS[args.task]
    return [lang for lang in wanted if test_file(args, lang).exists()]


def test_file(args: argparse.Namespace, lang: str) -> Path:
    if args.task == "ner":
        return args.data / "ner" / "wikiann" / f"{lang}_val.tsv.gz"
    return args.data / "pos" / "pud" / f"{lang}.conllu.gz"


def train_file(args: argparse.Namespace) -> Path:
    if args.task == "ner":
        return args.data / "ner" / "wikiann" / "en_train.tsv.gz"
    return args.data / "pos" / "en_ewt_train.conllu.gz"


def place(args: argparse.Namespace, *parts: str) -> Path:
    return (args.work / f"transfer_{short(args.base)}").joinpath(*parts)


def language_module(args: argparse.Namespace, lang: str) -> None:
    """MAD-X's language adapter, narrower: the base is 256 wide."""
    out = place(args, f"{lang}-lang")
    xadapt(
        "train", "mad_x_language", "--base", args.base, "--lang", lang, "--resume", "--out", out,
        "--data", args.texts / "train" / f"{lang}.txt", "--set", "module.width=128",
        "--set", f"data.train.limit={args.lines}",
    )  # fmt: skip


def alignment_module(args: argparse.Namespace, lang: str) -> None:
    """Translation ranking, with English held to its vectors."""
    out = place(args, f"{lang}-align")
    xadapt(
        "train", "translation_ranking", "--base", args.base, "--lang", lang, "--resume",
        "--out", out, "--data", args.texts / "pairs" / "train" / f"en-{lang}.tsv",
        "--set", f"data.train.limit={args.pairs}",
    )  # fmt: skip


def train_tasks(args: argparse.Namespace, seed: int, langs: list[str]) -> None:
    """The head alone, the task module alone, on English's language module, and on all in turn."""
    scheme = ["--set", "objectives.0.scheme=bio", "--set", "data.train.reader=conll"]
    turns = [part for lang in ("en", *langs) for part in ("--compose", _on(args, lang))]
    plans = {
        "probe": ("probe", scheme if args.task == "ner" else []),
        "task": (TASKS[args.task], []),
        "madx": (TASKS[args.task], ["--compose", _on(args, "en")]),
        "tlr": (TASKS[args.task], turns),
        "mixture": ("mixture_of_loras", [] if args.task == "ner" else WORD),
    }
    plans = {name: plan for name, plan in plans.items() if name in trained(args)}
    for name, (recipe, more) in plans.items():
        xadapt(
            "train", recipe, "--base", args.base, "--data", train_file(args), "--lang", "en",
            "--out", place(args, args.task, f"{name}-{seed}"), "--resume",
            "--set", f"seed={seed}", "--set", f"data.train.limit={args.sentences}", *more,
        )  # fmt: skip


def trained(args: argparse.Namespace) -> tuple[str, ...]:
    """The task modules of this base."""
    return ("probe", "task", "mixture", *(("madx", "tlr") if args.lm else ()))


def _on(args: argparse.Namespace, lang: str) -> str:
    return f"{place(args, f'{lang}-lang')} + self"


def judge(args: argparse.Namespace, seed: int, langs: list[str]) -> dict[str, dict[str, dict]]:
    """Every system on every language, with its difference to the task module alone."""
    taggers = {
        name: Tagger.load(
            args.base,
            f"{name}={place(args, args.task, f'{name}-{seed}')}",
            *(f"{part}={place(args, part)}" for part in below(args, langs)),
            compose=f"mix({', '.join(f'{part}:1' for part in (name, *below(args, langs)))})",
        )
        for name in trained(args)
    }
    other = {lang: langs[(i + 1) % len(langs)] for i, lang in enumerate(langs)}
    systems: dict[str, tuple[str, Expression]] = {
        "head only": ("probe", lambda lang: "probe"),
        PLAIN: ("task", lambda lang: "task"),
        "language + task (MAD-X)": ("madx", lambda lang: f"{lang}-lang + madx"),
        "the same, another language's": ("madx", lambda lang: f"{other[lang]}-lang + madx"),
        "the same, English's": ("madx", lambda lang: "en-lang + madx"),
        "language + task (TLR)": ("tlr", lambda lang: f"{lang}-lang + tlr"),
        "TLR, another language's": ("tlr", lambda lang: f"{other[lang]}-lang + tlr"),
        "alignment + task": ("task", lambda lang: f"{lang}-align + task"),
        "alignment + task, another language's": (
            "task",
            lambda lang: f"{other[lang]}-align + task",
        ),
        "half the alignment + task": ("task", lambda lang: f"mix({lang}-align:.5) + task"),
        "mixture of LoRAs": ("mixture", lambda lang: "mixture"),
        "alignment + mixture of LoRAs": ("mixture", lambda lang: f"{lang}-align + mixture"),
        "the other languages' modules alike + task": (
            "madx",
            lambda lang: f"mix({', '.join(others(lang, langs))}) + madx",
        ),
        EMEA: ("madx", lambda lang: f"route(emea; {', '.join(others(lang, langs))}) + madx"),
    }
    systems = {name: system for name, system in systems.items() if system[0] in taggers}
    reader = registry.load("readers", "conll" if args.task == "ner" else "conllu")()
    found: dict[str, dict[str, dict]] = {name: {} for name in systems}
    for lang in langs:
        rows: list[TaggedSentence] = list(reader.read(str(test_file(args, lang)), lang))[
            : args.test
        ]
        words = [row.words for row in rows]
        said = {
            name: emea(taggers[key], words, parse(text(lang)))
            if name == EMEA
            else taggers[key].tag(words, compositions=[parse(text(lang))] * len(rows))
            for name, (key, text) in systems.items()
        }
        scheme = taggers["task"].head.scheme
        for row in Tagging().evaluate(rows, said, scheme=scheme, base=PLAIN).rows:
            found.setdefault(row.system, {})[lang] = row.to_dict()
        print(seed, lang, {n: round(f[lang]["score"]["mean"], 3) for n, f in found.items()})
    return found


def below(args: argparse.Namespace, langs: list[str]) -> list[str]:
    """The modules that task modules may stand on."""
    own = [f"{lang}-lang" for lang in ("en", *langs)] if args.lm else []
    return own + [f"{lang}-align" for lang in langs]


def others(lang: str, langs: list[str]) -> list[str]:
    """The language modules of all but one language."""
    return [f"{other}-lang" for other in ("en", *langs) if other != lang]


def told(scores: dict[str, dict[str, list[dict]]]) -> dict[str, dict]:
    """By system: each language's mean over seeds, their mean, and the gains of each seed."""
    rows = {}
    for name, by_language in scores.items():
        values = {lang: [r["score"]["mean"] for r in rs] for lang, rs in by_language.items()}
        means = np.mean(list(values.values()), axis=0)
        rows[name] = {
            "mean": over_seeds(list(means)).to_dict(),
            "languages": {lang: over_seeds(own).to_dict() for lang, own in values.items()},
            "gain": {lang: [r["gain"] for r in rs] for lang, rs in by_language.items()},
        }
    return rows


if __name__ == "__main__":
    main()
