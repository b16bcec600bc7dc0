"""Constrained against free decoding: named entities that an encoder-decoder writes, by language.

    python examples/benchmarks/constrained_labelling.py --data DATA

A LoRA on a frozen encoder-decoder learns from English sentences of WikiANN to write each sentence
again with tags around its names. It then writes sentences of four languages, held to tagged copies
and free, greedily. An output is well formed if it is a tagged copy; without one, a sentence has no
names. The base is that of `copying_base.py`: mini's encoder, and a decoder that learnt to copy in
minutes. Beside it stands the analogue on an encoder, a tagging head on mini, learnt from the same
sentences. The control is the base without a module. What is there is not made again.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from bench import parser, save
from copying_base import LONGEST, copying_base

import xadapt
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.core.text_key import normal_key
from xadapt.data.readers.conll import Conll
from xadapt.data.readers.word_columns import conll_text
from xadapt.data.records import TaggedSentence
from xadapt.evaluation.statistics import over_seeds, ratio, ratio_difference
from xadapt.functional.span_projection import count_spans
from xadapt.functional.tag_scheme import to_spans
from xadapt.functional.tagged_text import (
    closing_tag,
    from_tagged_text,
    opening_tag,
    to_tagged_text,
)
from xadapt.tasks.tagging import Tagger

LANGUAGES = ("en", "de", "es", "ru")
TYPES = ("PER", "LOC", "ORG")
CONSTRAINED, FREE = "module, constrained", "module, free"
BARE, BARE_FREE = "base alone, constrained", "base alone, free"
HEAD = "tagging head on mini"
BATCH = 16


class Counted(NamedTuple):
    """What a system made of some sentences.

    Attributes:
        spans: Right, found and annotated spans of each sentence, ``(3, n)``.
        formed: Whether each output is a tagged copy.
        copied: Whether the words of each output are those of its sentence.
    """

    spans: np.ndarray
    formed: np.ndarray
    copied: np.ndarray


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--seeds", type=int, default=2)
    options.add_argument("--steps", type=int, default=1500, help="of learning to copy")
    options.add_argument("--sentences", type=int, default=4000, help="with English labels")
    options.add_argument("--epochs", type=int, default=3)
    options.add_argument("--test", type=int, default=300, help="sentences of each test")
    args = options.parse_args()
    work = args.work / "constrained_labelling"
    tests = {lang: short(rows_of(args, lang, "val"))[: args.test] for lang in LANGUAGES}
    held = {key(row) for rows in tests.values() for row in rows}
    learnt = [row for row in rows_of(args, "en", "train") if key(row) not in held]
    learnt = learnt[: args.sentences]
    base = copying_base(work / "base", texts_of(args.data, held), args.steps)
    model = str(work / "base" / "model")
    facts = {
        "base": base, "languages": list(LANGUAGES), "sentences": len(learnt),
        "epochs": args.epochs, "test": args.test, "longest": LONGEST,
    }  # fmt: skip
    found: dict[str, dict[str, list[Counted]]] = {}
    for seed in range(args.seeds):
        tagger, writer = trained(args, work, learnt, model, seed)
        systems: dict[str, Any] = {
            CONSTRAINED: (xadapt.load_seq2seq(model, writer), True),
            FREE: (xadapt.load_seq2seq(model, writer), False),
            HEAD: Tagger.load("mini", str(tagger)),
        }
        if not seed:
            bare = xadapt.load_seq2seq(model)
            systems |= {BARE: (bare, True), BARE_FREE: (bare, False)}
        for name, system in systems.items():
            for lang, rows in tests.items():
                made = headed(system, rows) if name == HEAD else written(*system, rows)
                found.setdefault(name, {}).setdefault(lang, []).append(made)
            print(seed, name, {lang: shown(own[-1]) for lang, own in found[name].items()})
        result = {name: told(found, name) for name in systems | found}
        save("constrained_labelling", {**facts, "seeds": seed + 1, "systems": result})


def rows_of(args: argparse.Namespace, lang: str, part: str) -> list[TaggedSentence]:
    """Sentences of WikiANN with their names."""
    path = args.data / "ner" / "wikiann" / f"{lang}_{part}.tsv.gz"
    return list(Conll().read(str(path), lang))


def short(rows: list[TaggedSentence]) -> list[TaggedSentence]:
    """The sentences that the base can write again, with tags between the words."""
    tokenizer = Encoder.from_pretrained("mini", device="cpu").tokenizer
    lengths = map(len, tokenizer([" ".join(row.words) for row in rows])["input_ids"])
    return [row for row, length in zip(rows, lengths, strict=True) if length <= LONGEST]


def key(row: TaggedSentence) -> str:
    """The text by which equal sentences are found."""
    return normal_key(" ".join(row.words))


def texts_of(data: Path, held: set[str]) -> list[str]:
    """Sentences to copy, in all languages, in an order drawn once; none that is tested."""
    found = set()
    for lang in LANGUAGES:
        for folder in ("mono", "mono3"):
            with gzip.open(data / folder / f"{lang}.txt.gz", "rt", encoding="utf-8") as lines:
                found |= {line.strip() for line in lines}
    texts = sorted(text for text in found if text and normal_key(text) not in held)
    random.Random(0).shuffle(texts)
    return texts


def trained(
    args: argparse.Namespace, work: Path, rows: list[TaggedSentence], model: str, seed: int
) -> tuple[Path, Path]:
    """The folders of the tagging head and of the module that writes, both on the same rows."""
    words, texts = work / "en.conll", work / "en.jsonl"
    words.write_text("".join(map(conll_text, rows)), encoding="utf-8")
    pairs = (
        {"source": " ".join(row.words), "target": to_tagged_text(row.words, row.spans)}
        for row in rows
    )
    texts.write_text("".join(json.dumps(pair) + "\n" for pair in pairs), encoding="utf-8")
    own = (f"seed={seed}", f"train.epochs={args.epochs}")
    given: dict[str, Any] = {"lang": "en", "resume": True, "loaders": "none", "settings": own}
    tagger, writer = work / f"tagger-{seed}", work / f"writer-{seed}"
    xadapt.train("ner", base="mini", data=str(words), out=tagger, **given)
    given["settings"] = (*own, "module.sites=[q, v, cross_q, cross_v, ffn_in]")
    xadapt.train("text_to_text", base=model, data=str(texts), out=writer, **given)
    return tagger, writer


def headed(tagger: Tagger, rows: Sequence[TaggedSentence]) -> Counted:
    """What the tagging head finds."""
    said = tagger.tag([row.words for row in rows])
    spans = [to_spans(own, "bio") for own in said]
    counts = [count_spans(row.spans, own) for row, own in zip(rows, spans, strict=True)]
    whole = np.ones(len(rows))
    return Counted(np.array(counts, float).T, whole, whole)


def written(model: Any, constrained: bool, rows: Sequence[TaggedSentence]) -> Counted:
    """What the encoder-decoder writes, greedily; rows of like length together."""
    counts, formed, copied = (np.zeros((len(rows), n)) for n in (3, 1, 1))
    order = sorted(range(len(rows)), key=lambda n: len(rows[n].words))
    for start in range(0, len(order), BATCH):
        some = order[start : start + BATCH]
        texts, spans = outputs(model, constrained, [rows[n].words for n in some])
        for n, text, own in zip(some, texts, spans, strict=True):
            words = rows[n].words
            own = from_tagged_text(text, words, TYPES) if own is None else own
            counts[n] = count_spans(rows[n].spans, own or ())
            formed[n] = own is not None
            copied[n] = own is not None or bare(text) == again(model, words)
    return Counted(counts.T, formed[:, 0], copied[:, 0])


@torch.inference_mode()
def outputs(
    model: Any, constrained: bool, sentences: Sequence[Sequence[str]]
) -> tuple[list[str], list[Any]]:
    """The outputs as texts, and the spans of those that are tagged copies by their tokens."""
    with model.active() as seq2seq:
        tokenizer, limit = seq2seq.tokenizer, seq2seq.room - 2
        processor = xadapt.TagLogitsProcessor.of(
            seq2seq.model, tokenizer, sentences, TYPES, limit=limit
        )
        given = tokenizer(
            [" ".join(words) for words in sentences], padding=True, truncation=True,
            max_length=seq2seq.room, return_tensors="pt",
        )  # fmt: skip
        tokens = seq2seq.model.generate(
            input_ids=given["input_ids"], attention_mask=given["attention_mask"], num_beams=1,
            do_sample=False, max_new_tokens=processor.longest,
            logits_processor=[processor] if constrained else None,
        )  # fmt: skip
    return tokenizer.batch_decode(tokens, skip_special_tokens=True), processor.spans(tokens)


def bare(text: str) -> list[str]:
    """The words of an output without its tags."""
    for name in TYPES:
        for tag in (opening_tag(name), closing_tag(name)):
            text = text.replace(tag, " ")
    return text.split()


def again(model: Any, words: Sequence[str]) -> list[str]:
    """The words of a sentence as the tokenizer gives them back."""
    tokenizer = model.seq2seq.tokenizer
    text: str = tokenizer.decode(tokenizer(" ".join(words))["input_ids"], skip_special_tokens=True)
    return text.split()


def shown(own: Counted) -> str:
    """F1 and the share of outputs that are tagged copies, for the log."""
    right, said, given = own.spans.sum(1)
    return f"{2 * right / max(said + given, 1):.3f}, {own.formed.mean():.1%}"


def told(found: dict[str, dict[str, list[Counted]]], name: str) -> dict[str, Any]:
    """By language: F1 over seeds, intervals over sentences, and the gain over free decoding."""
    result = {}
    other = {CONSTRAINED: FREE, BARE: BARE_FREE}.get(name)
    for lang, own in found[name].items():
        row = {
            "f1": vars(over_seeds([f1(one) for one in own])),
            "sentences": vars(ratio(*sums(own))),
            "well_formed": interval([one.formed for one in own]),
            "words_same": interval([one.copied for one in own]),
            "outputs": sum(len(one.formed) for one in own),
            "malformed": int(sum((1 - one.formed).sum() for one in own)),
        }
        if other:
            row["over_free"] = vars(ratio_difference(*sums(own), *sums(found[other][lang])))
        result[lang] = row
    return result


def f1(own: Counted) -> float:
    """F1 of one seed."""
    right, said, given = own.spans.sum(1)
    return float(2 * right / max(said + given, 1))


def sums(own: Sequence[Counted]) -> tuple[np.ndarray, np.ndarray]:
    """Numerators and denominators of F1 by sentence, summed over seeds."""
    right, said, given = sum(one.spans for one in own)
    return 2 * right, said + given


def interval(shares: Sequence[np.ndarray]) -> dict[str, float]:
    """The mean over sentences and seeds, with its interval over sentences."""
    total = np.sum(shares, 0)
    return vars(ratio(total, np.full(len(total), float(len(shares)))))


if __name__ == "__main__":
    main()
