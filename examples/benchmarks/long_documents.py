"""Words tagged in documents of 600 words: in windows, cut at the base's length, and in sentences.

    python examples/benchmarks/long_documents.py --data DATA --task ner --lang pt

Neighbouring sentences of the test data are joined to documents of at least 600 words. The same
words are tagged three times: sentence by sentence, in documents that the base reads in overlapping
windows, and in documents cut at the base's maximum length, where all further words get the label of
words without a token. The tagger learns from single sentences, or (`--learn both`) from the same
sentences alone and joined to documents, which training reads in windows too.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

import torch
from bench import parser, save, xadapt

from xadapt.backbones.encoder.encode import token_states
from xadapt.backbones.encoder.words import tokenize_words
from xadapt.core import registry
from xadapt.data.records import TaggedSentence
from xadapt.evaluation.statistics import over_seeds
from xadapt.functional.tag_scheme import decode, to_labels
from xadapt.tasks import Tagger
from xadapt.tasks.predictor import unseen
from xadapt.tasks.tagging import MEASURES, READERS, Part

SENTENCES, WINDOWS, CUT = "sentences", "windows", "cut"
FILES = {
    ("ner", "pt"): ("ner/uner/pt_train.tsv.gz", "ner/uner/pt_dev.tsv.gz"),
    ("ner", "hr"): ("ner/uner/hr_train.tsv.gz", "ner/uner/hr_dev.tsv.gz"),
    ("ner", "en"): ("ner/wikiann/en_train.tsv.gz", "ner/wikiann/en_val.tsv.gz"),
    ("pos", "en"): ("pos/en_ewt_train.conllu.gz", "pos/pud/en.conllu.gz"),
}
LEARNT = {
    "sentences": "single sentences",
    "both": "sentences alone and the same sentences joined to documents",
}
RECIPES = {"ner": "ner", "pos": "pos_tagging"}


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--base", default="mini")
    options.add_argument("--task", choices=sorted(RECIPES), default="ner")
    options.add_argument("--lang", default="pt")
    options.add_argument("--words", type=int, default=600, help="least words of a document")
    options.add_argument("--sentences", type=int, default=3_000, help="to learn from, at most")
    options.add_argument("--probe", action="store_true", help="a linear head, and no module")
    options.add_argument("--documents", type=int, help="to test on; all if not given")
    options.add_argument("--learn", choices=("sentences", "both"), default="sentences")
    options.add_argument("--epochs", type=int, default=3)
    options.add_argument("--seeds", type=int, default=3)
    args = options.parse_args()
    scores: dict[str, list[float]] = {}
    gains: dict[str, list[dict]] = {}
    for seed in range(args.seeds):
        tagger = Tagger.load(args.base, train(args, seed), dtype="float32")
        result = judge(args, tagger)
        measure = MEASURES[tagger.head.scheme]
        for row in result.rows:
            scores.setdefault(row.system, []).append(row.scores[measure].mean)
            if row.gains:
                gains.setdefault(row.system, []).append(row.gains[measure].to_dict())
        print(seed, {name: round(own[-1], 4) for name, own in scores.items()})
    named = {n: getattr(args, n) for n in ("task", "lang", "words", "sentences", "epochs", "seeds")}
    encoder = tagger.adapted.encoder
    systems = {
        name: {"score": over_seeds(own).to_dict(), "values": own, "gains": gains.get(name)}
        for name, own in scores.items()
    }
    facts = {
        "base": args.base,
        **named,
        "measure": measure,
        "learnt": LEARNT[args.learn],
        "model": "a linear head" if args.probe else "a bottleneck in each layer and a head",
        "documents": result.count,
        "tokens": encoder.max_length,
    }
    save(f"long_documents_{args.task}_{args.lang}_{args.learn}", {**facts, "systems": systems})


def train(args: argparse.Namespace, seed: int) -> Path:
    """Train a tagger on sentences, or on sentences and documents."""
    place = args.work / f"long_documents_{Path(args.base).name}"
    recipe = "probe" if args.probe else RECIPES[args.task]
    out = place / f"{args.task}-{args.lang}-{args.learn}-{recipe}-{seed}"
    rows = read(args, FILES[args.task, args.lang][0])[: args.sentences]
    records = [*rows, *map(join, documents(rows, args.words))] if args.learn == "both" else rows
    file = write(place / f"{args.task}-{args.lang}-{args.learn}.jsonl", args.task, records)
    xadapt(
        "train", recipe, "--base", args.base, "--lang", args.lang, "--resume",
        "--data", file, "--out", out, "--set", f"seed={seed}", "--set", "dtype=float32",
        "--set", f"train.epochs={args.epochs}", "--set", "data.train.dev=50",
        "--set", "train.evaluations=1",
        *(("--set", "data.train.reader=conll", "--set", "objectives.0.scheme=bio")
          if args.task == "ner" else ()),
    )  # fmt: skip
    return out


def read(args: argparse.Namespace, file: str) -> list[TaggedSentence]:
    """Read labelled sentences."""
    reader = registry.load("readers", READERS["bio" if args.task == "ner" else "word"])()
    return list(reader.read(str(args.data / file), args.lang))


def write(path: Path, task: str, rows: Sequence[TaggedSentence]) -> Path:
    """Write labelled sentences as JSON lines."""
    scheme, tags = ("bio", "ner_tags") if task == "ner" else ("word", "upos")
    objects = (
        {"tokens": row.words, tags: to_labels(len(row.words), row.spans, scheme)} for row in rows
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(one) + "\n" for one in objects), encoding="utf-8")
    return path


def judge(args: argparse.Namespace, tagger: Tagger) -> object:
    """Tag the same words in three ways; the scores are over documents."""
    rows = read(args, FILES[args.task, args.lang][1])
    groups = list(documents(rows, args.words))[: args.documents]
    joined = [join(group) for group in groups]
    found = iter(tagger.tag([row.words for row in chain(*groups)]))
    by_sentence = [list(chain(*(next(found) for _ in group))) for group in groups]
    words = [row.words for row in joined]
    systems = {SENTENCES: by_sentence, WINDOWS: tagger.tag(words), CUT: cut(tagger, words)}
    return Part.evaluate(joined, systems, base=SENTENCES, scheme=tagger.head.scheme)


def documents(rows: Sequence[TaggedSentence], least: int) -> Iterator[list[TaggedSentence]]:
    """Group neighbouring sentences to documents of at least so many words; the rest is left out."""
    group: list[TaggedSentence] = []
    for row in rows:
        group.append(row)
        if sum(len(one.words) for one in group) >= least:
            yield group
            group = []


def join(group: Sequence[TaggedSentence]) -> TaggedSentence:
    """Join sentences to one, with the spans of all."""
    words: list[str] = []
    spans: list[tuple[int, int, str]] = []
    for row in group:
        spans += [(len(words) + a, len(words) + b, name) for a, b, name in row.spans]
        words += row.words
    return TaggedSentence(tuple(words), tuple(spans), group[0].lang)


def cut(tagger: Tagger, sentences: Sequence[Sequence[str]]) -> list[list[str]]:
    """Tag what fits in one row; further words are labelled as words that no forward has seen."""
    encoder, head = tagger.adapted.encoder, tagger.head
    tokenised = tokenize_words(encoder, sentences)
    found = [unseen(head, len(words)) for words in sentences]
    rows = tagger.adapted.activations(len(sentences))
    with torch.inference_mode():
        for chunk, states in token_states(encoder, [row.ids for row in tokenised], rows=rows):
            for position, own in zip(chunk, head(states).log_softmax(-1).cpu(), strict=True):
                row = tokenised[position]
                found[position][row.known] = own[[row.first[word] for word in row.known]].numpy()
    return [decode(each, head.labels, head.scheme) for each in found]


if __name__ == "__main__":
    main()
