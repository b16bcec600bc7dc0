"""Pretrain a small multilingual encoder from plain text.

    python examples/pretrain_mini.py TEXTS --out DIR

TEXTS holds a file `xx.txt` (or `.txt.gz`) for each language, a sentence a line, and one line in
fifty is held out; or TEXTS/train and TEXTS/dev hold such files each. The encoder is an XLM-R with a
masked-language-model head; the tokenizer is a unigram one that spells rare letters in bytes. It
runs on a GPU if one is there, else on the CPU, in bf16 either way. Ctrl-C and `--resume` go
together. Afterwards DIR/model is a folder that transformers and xadapt load.

With --quick and without text it learns a few names of the built-in graph, to show that it runs.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from dataclasses import fields
from pathlib import Path

import torch
from mini.card import write_card
from mini.learn import Learner, Settings, network
from mini.measure import report, words
from mini.rows import tokenised
from mini.tokens import read_texts, sampled, train_tokenizer
from mini.whiten import write_whitening
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from xadapt.core.errors import UserError
from xadapt.core.files import read_json, write_json, write_text
from xadapt.data.readers.cldr_graph import build

LINES = 400_000  # for the tokenizer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("texts", type=Path, nargs="?", help="folder with a file xx.txt a language")
    parser.add_argument("--out", type=Path, help="folder of the model, its log and checkpoint")
    parser.add_argument("--licence", help="SPDX id of the weights, for the card")
    parser.add_argument("--vocabulary", type=int, default=16_000, help="pieces of the tokenizer")
    parser.add_argument("--tokenizer", type=Path, help="take this one and train none")
    parser.add_argument("--resume", action="store_true", help="go on with an interrupted run")
    parser.add_argument("--quick", action="store_true", help="a tiny run on names of the graph")
    for field in fields(Settings):
        name = "--" + field.name.replace("_", "-")
        parser.add_argument(name, type=type(field.default), default=field.default)
    args = parser.parse_args()
    if not args.quick and not (args.texts and args.out):
        parser.error("give the folder of the texts and --out")
    try:
        quick() if args.quick else run(args)
    except UserError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(f"stopped; go on with --resume (the checkpoint is in {args.out})")


def run(args: argparse.Namespace) -> None:
    settings = Settings(**{field.name: getattr(args, field.name) for field in fields(Settings)})
    texts, held = texts_of(args.texts)
    place = args.out / "model"
    if not (args.resume and (place / "tokenizer.json").exists()):
        if place.exists():
            raise UserError("there is a model already", where=str(place), todo="Use --resume")
        tokenizer_of(args, texts, settings).save_pretrained(place)
    tokenizer = AutoTokenizer.from_pretrained(place)
    spelling = {lang: words(tokenizer, lines) for lang, lines in held.items()}
    worst = max(spelling, key=lambda lang: spelling[lang]["bytes"])
    print(
        f"{len(tokenizer):,} pieces; tokens a word "
        + ", ".join(f"{lang} {row['tokens_a_word']:.2f}" for lang, row in spelling.items())
        + f"; most spelt in bytes: {worst} {spelling[worst]['bytes']:.2%}"
    )
    train = tokenised(tokenizer, texts, settings.longest)
    dev = tokenised(tokenizer, held, settings.longest)
    model = network(settings, tokenizer)
    learner = Learner(
        model, tokenizer, train, dev, settings, args.out,
        {"vocabulary": len(tokenizer), "rows": {lang: len(rows) for lang, rows in train.items()}},
    )  # fmt: skip
    size = sum(p.numel() for p in model.parameters())
    print(
        f"{size / 1e6:.2f}M parameters ({2 * size / 1e6:.1f} MB in bf16), {learner.steps:,} steps, "
        f"{settings.tokens / 1e6:.0f}M tokens on {learner.device}"
    )
    progress = learner.learn(args.resume)
    model.to(torch.bfloat16).save_pretrained(place)
    whitened = write_whitening(place, texts)
    found = report(model, tokenizer, train, dev, learner.device)
    result = {
        "languages": {lang: {**found[lang], **spelling[lang]} for lang in found},
        "sentences": {lang: len(rows) for lang, rows in train.items()},
        "parameters": size,
        "seconds": progress.seconds,
        "steps": progress.step,
        "device": learner.device,
        "identity": progress.identity,
        "licence": args.licence,
        "whitened": whitened,
        "dev_loss": losses(args.out / "log.jsonl"),
    }
    sources = args.texts / "sources.json"
    if sources.exists():
        result["sources"] = read_json(sources)
    write_json(args.out / "report.json", result)
    write_card(place, result)
    print(f"wrote {place}")


def tokenizer_of(
    args: argparse.Namespace, texts: dict[str, list[str]], settings: Settings
) -> PreTrainedTokenizerBase:
    """The tokenizer that is given, or one trained on the text."""
    print(f"{sum(map(len, texts.values())):,} sentences, {len(texts)} languages; tokenizer ...")
    if args.tokenizer:
        return AutoTokenizer.from_pretrained(args.tokenizer, local_files_only=True)
    lines = sampled(texts, settings.alpha, LINES)
    return train_tokenizer(lines, args.vocabulary, settings.longest)


def losses(log: Path) -> list[tuple[int, float]]:
    """Tokens seen and the languages' mean held-out loss, at each look; the last sitting counts."""
    found = {}
    for line in log.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        found[row["tokens"]] = sum(row["dev_loss"].values()) / len(row["dev_loss"])
    return sorted(found.items())


def quick() -> None:
    """A network too small to learn anything, on names of three languages."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for lang in ("de", "hi", "sw"):
            names = "\n".join(label.label for label in build((lang,)).names(lang))
            write_text(folder / "texts" / f"{lang}.txt", names)
        tiny = {"layers": 1, "width": 32, "heads": 2, "ffn": 64, "tokens": 40_000}
        given = {field.name: field.default for field in fields(Settings)} | tiny
        given |= {"batch_tokens": 1024, "evaluations": 1, "vocabulary": 1000, "resume": False}
        given |= {"licence": None, "tokenizer": None}
        run(argparse.Namespace(texts=folder / "texts", out=folder / "out", **given))


def texts_of(folder: Path) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Training and held-out lines by language."""
    if (folder / "train").is_dir():
        train, held = read_texts(folder / "train"), read_texts(folder / "dev")
        strange = sorted(held.keys() - train.keys())
        if strange:
            raise UserError(f"dev has {', '.join(strange)}, train has not", where=str(folder))
        return train, held
    train, held = read_texts(folder), {}
    for lang, lines in train.items():
        distinct = sorted(set(lines))
        random.Random(lang).shuffle(distinct)
        cut = max(1, len(distinct) // 50)
        held[lang], train[lang] = distinct[:cut], distinct[cut:]
        if not train[lang]:
            raise UserError(f"{lang} has one line alone", where=str(folder), todo="Add text")
    return train, held


if __name__ == "__main__":
    main()
