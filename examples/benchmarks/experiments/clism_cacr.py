"""CLISM + CACR: hidden names are found in the translation, from English into German."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

import xadapt
from experiments.contract import LANGUAGE_MODEL, MINI, SHUFFLED, Experiment, Place, Variant
from xadapt.backbones.encoder.encode import forward
from xadapt.backbones.encoder.question_rows import Template, hidden_row
from xadapt.backbones.encoder.words import tokenize_words
from xadapt.data.readers.conll import Conll
from xadapt.data.records import AlignedSpans, ParallelPair
from xadapt.data.transforms.informative_spans import InformativeSpans, counterpart
from xadapt.data.transforms.protocol import Services
from xadapt.functional.losses import segment_means

ROWS, WORDS, TESTED = 1200, 12, 200
SHOTS, ASKED, ARTICLES = 64, 150, 16
SMALL = ("data.train.reader=aligned_spans", "data.train.transforms=[]", "data.train.dev=0",
         "train.epochs=2", "train.batch_size=16", "train.learning_rate=2e-3")  # fmt: skip
POINTERS = ("module={kind: own_tokens, module: {kind: none}}",)
ALONE, CACR_ALONE = "pointers alone", "without CLISM"


class ClismCacr(Experiment):
    system = "CLISM + CACR"
    against = ALONE
    main = "exact match"
    bases = (MINI,)
    about = (
        "Spans of Europarl's annotated names whose English words no training span has, English to "
        "German; the frozen base takes the counterpart by its own word alignment. Training spans "
        "are runs of capitalised words, aligned in the same way, in sentences of at most "
        f"{WORDS} words, some 100 steps: their loss still falls at the end. Joint and apart: share "
        "of sentences whose own translation is nearest by segment means of one row, which see each "
        f"other, and of two rows. QA: F1 on {ASKED} German questions of XQuAD, each with the "
        f"sentence of its answer, after {SHOTS} questions of other articles; the frozen base's row "
        "begins with new pointers. The joint term is solved by leakage, also on shuffled pairs."
    )

    def variants(self, place: Place) -> Sequence[Variant]:
        """Write training spans and test spans, and train the modules below pointers alone."""
        train, shuffled = place.work / "spans.jsonl", place.work / "shuffled.jsonl"
        if not train.exists():
            rows = spans(place)
            write(train, rows)
            write(shuffled, list(mispaired(rows)))
        below = {
            LANGUAGE_MODEL: self._below(place, "mlm", train),
            CACR_ALONE: self._below(place, "cacr", train),
        }
        given = {"lang": "de"}
        made = [
            Variant(self.system, "clism_cacr", str(train), SMALL, given),
            Variant("without CACR", "clism", str(train), SMALL, given),
            Variant("temperature 20", "clism_cacr", str(train),
                    (*SMALL, "objectives.0.temperature=20"), given),
            Variant(ALONE, "clism", str(train), (*SMALL, *POINTERS, "objectives.0.mlm=0"), given),
            Variant(SHUFFLED, "clism_cacr", str(shuffled), SMALL, given),
        ]  # fmt: skip
        return made + [
            Variant(name, "clism", str(train), (*SMALL, *POINTERS, "objectives.0.mlm=0"),
                    {**given, "compose": f"{folder} + self"})
            for name, folder in below.items()
        ]  # fmt: skip

    def _below(self, place: Place, recipe: str, train: Path) -> Path:
        """Train a module without pointers, once; pointers are learnt on it for each seed."""
        out = place.work / f"below-{recipe}"
        data, settings = str(train), SMALL
        if recipe == "mlm":
            rows = [json.loads(line) for line in train.read_text(encoding="utf-8").splitlines()]
            data = [" ".join(row[side]) for row in rows for side in ("src", "tgt")]
            settings = ("module.rank=16", "module.sites=[q,k,v,ffn_in,ffn_out]",
                        "data.train.dev=0", "train.epochs=2", "train.batch_size=32")  # fmt: skip
        xadapt.train(recipe, base=place.base, data=data, lang="de", out=out, resume=True,
                     loaders="none", settings=settings)  # fmt: skip
        return out

    def measure(self, place: Place, module: Path | None) -> dict[str, float]:
        """Exact match of names that were not trained on, and agreement of segment means."""
        self.variants(place) if not (place.work / "spans.jsonl").exists() else None
        test = test_spans(place)
        path = place.work / "test.jsonl"
        write(path, test)
        if module is None:
            adapted = xadapt.load(place.base)
            links = xadapt.align_words([(r.pivot, r.text) for r in test], base=place.base)
            found = [
                [counterpart(own, span, 10) == there for span, there in row.spans]
                for row, own in zip(test, links, strict=True)
            ]
            new = [[differ(row, span) for span in row.spans] for row in test]
            both = [a for own, other in zip(found, new, strict=True)
                    for a, b in zip(own, other, strict=True) if b]  # fmt: skip
            every = [one for own in found for one in own]
            scores = {"exact match": share(every), "no shared word": share(both)}
            compose = ""
        else:
            below = {LANGUAGE_MODEL: "mlm", CACR_ALONE: "cacr"}
            name = next((b for v, b in below.items()
                         if module.name.startswith(v.replace(" ", "-"))), None)  # fmt: skip
            compose = f"{place.work / f'below-{name}'} + {module}" if name else str(module)
            result = xadapt.evaluate(
                "spans", base=place.base, data=str(path), compose=compose, head=str(module)
            )
            own = result["module"].scores
            scores = {"exact match": own["exact match"].mean,
                      "no shared word": own["exact match, no shared word"].mean}  # fmt: skip
            adapted = xadapt.load(place.base, compose=compose)
        few = {f"QA, {SHOTS} shots": few_shots(place, module, compose)}
        return {**scores, **agreement(adapted, test), **few}


def few_shots(place: Place, module: Path | None, below: str) -> float:
    """F1 of answers after training on a few questions, from the module's pointers or new ones."""
    train, test = place.work / "few.json", place.work / "asked.json"
    if not test.exists():
        rows = list(questions(place))
        random.Random(0).shuffle(rows)
        early = [row for article, row in rows if article < ARTICLES]
        late = [row for article, row in rows if article >= ARTICLES]
        for path, own in ((train, early[:SHOTS]), (test, late[:ASKED])):
            path.write_text(json.dumps({"data": [{"paragraphs": own}]}), encoding="utf-8")
    out = place.work / f"answers-{module.name if module else 'base'}"
    settings = ["data.train.dev=0", "train.epochs=6", "objectives.0.overlap=16"]
    given: dict[str, Any] = {"companions": {"clism": module}, "compose": f"{below} + self"}
    if module is None:
        settings += ['objectives.0.start_from=""', "companions={}"]
        given = {}
    xadapt.train("qa_from_clism", base=place.base, data=str(train), lang="de", out=out,
                 resume=True, loaders="none", settings=settings, show=False, **given)  # fmt: skip
    compose = f"{below} + {out}" if below else str(out)
    result = xadapt.evaluate(
        "pointed_qa", base=place.base, data=str(test), compose=compose, head=str(out)
    )
    return float(result["module"].scores["f1"].mean)


def questions(place: Place) -> Iterator[tuple[int, dict[str, Any]]]:
    """The number of the article, and a paragraph that is the sentence of the answer."""
    with gzip.open(place.data / "qa/xquad/de.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            for asked in row["qas"]:
                answer = asked["answers"][0]
                start, text = answer["answer_start"], answer["text"]
                begin = row["context"].rfind(". ", 0, start) + 2 if start else 0
                begin = 0 if begin == 1 else begin
                end = row["context"].find(". ", start + len(text))
                sentence = row["context"][begin : end + 1 if end >= 0 else None]
                found = {"text": text, "answer_start": start - begin}
                own = {"id": asked["id"], "question": asked["question"], "answers": [found]}
                if sentence[start - begin :].startswith(text):
                    yield row["article"], {"context": sentence, "qas": [own]}


def spans(place: Place) -> list[AlignedSpans]:
    """Training pairs of short English sentences, with spans by the base's own word alignment."""
    rows = []
    for folder in ("parallel", "extra/parallel"):
        path = place.data / folder / "en-de.tsv.gz"
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                english, german, tag = line.rstrip("\n").split("\t")
                if 4 < len(english.split()) <= WORDS and tag in ("ntrex", "wmt-newstest"):
                    rows.append(ParallelPair(german, english, "de"))
    random.Random(0).shuffle(rows)

    def align(pairs: Any, module: str = "") -> Any:
        return xadapt.align_words(pairs, base=place.base)

    made = InformativeSpans().apply(rows[: 2 * ROWS], Services("de", callables={"align": align}))
    return list(made)[:ROWS]


def mispaired(rows: Sequence[AlignedSpans]) -> Iterator[AlignedSpans]:
    """Each sentence with the translation, and a span, of another pair."""
    for row, other in zip(rows, (*rows[1:], rows[0]), strict=True):
        pair = (row.spans[0][0], other.spans[0][1])
        yield AlignedSpans(other.text, row.pivot, (pair,), "de")


def test_spans(place: Place) -> list[AlignedSpans]:
    """Names that annotators marked on both sides, the only ones of their type in the sentence."""
    sides = [
        list(Conll().read(str(place.data / f"ner/europarl/{x}.tsv.gz"), x)) for x in ("en", "de")
    ]
    seen = {
        word.casefold()
        for line in (place.work / "spans.jsonl").read_text(encoding="utf-8").splitlines()
        for row in [json.loads(line)]
        for span in row["spans"]
        for word in row["src"][span["src"][0] : span["src"][1] + 1]
    }
    made = []
    for english, german in zip(*sides, strict=True):
        found = []
        for kind in {name for *_, name in english.spans}:
            ours = [(a, b) for a, b, name in english.spans if name == kind]
            theirs = [(a, b) for a, b, name in german.spans if name == kind]
            words = {w.casefold() for a, b in ours for w in english.words[a:b]}
            if len(ours) == len(theirs) == 1 and not words & seen:
                found.append((ours[0], theirs[0]))
        if found and max(len(english.words), len(german.words)) <= 36:
            made.append(AlignedSpans(german.words, english.words, tuple(sorted(found)), "de"))
    return made[:TESTED]


def write(path: Path, rows: Sequence[AlignedSpans]) -> None:
    """Spans as the reader aligned_spans reads them."""
    with path.open("w", encoding="utf-8") as stream:
        for row in rows:
            told = [{"src": [a, b - 1], "tgt": [c, d - 1]} for (a, b), (c, d) in row.spans]
            told = {"src": row.pivot, "tgt": row.text, "spans": told}
            stream.write(json.dumps(told, ensure_ascii=False) + "\n")


def differ(row: AlignedSpans, pair: Any) -> bool:
    """Whether the two sides of a span share no word."""
    (a, b), (c, d) = pair
    return not {w.casefold() for w in row.pivot[a:b]} & {w.casefold() for w in row.text[c:d]}


def share(values: Sequence[bool]) -> float:
    """The mean of truths."""
    return sum(values) / max(1, len(values))


@torch.inference_mode()
def agreement(adapted: Any, rows: Sequence[AlignedSpans]) -> dict[str, float]:
    """Accuracy of finding the own translation by segment means, in one row and in two."""
    encoder = adapted.encoder
    words = [tokenize_words(encoder, [getattr(r, s) for r in rows]) for s in ("pivot", "text")]
    template = Template.of(encoder.tokenizer)
    joint = [
        hidden_row(*both, (), template, 0, encoder.max_length) for both in zip(*words, strict=True)
    ]
    acts = adapted.activations(len(rows))

    def means(ids: Sequence[Any], *segments: Sequence[Any]) -> list[torch.Tensor]:
        parts = []
        for start in range(0, len(ids), 16):
            chunk = list(range(start, min(start + 16, len(ids))))
            states, _ = forward(encoder, [ids[i] for i in chunk], activation=acts(chunk))
            parts.append([segment_means(states, [own[i] for i in chunk]) for own in segments])
        return [torch.cat(own) for own in zip(*parts, strict=True)]

    first, second = means([row.ids for row in joint], [row.first_part for row in joint],
                          [row.second_part for row in joint])  # fmt: skip
    apart = [
        means([row.ids for row in side], [(1, len(row.ids) - 1) for row in side])[0]
        for side in words
    ]
    return {"joint": nearest(first, second), "apart": nearest(*apart)}


def nearest(one: torch.Tensor, other: torch.Tensor) -> float:
    """How often the vector of the same row is the nearest by cosine."""
    cosines = (
        torch.nn.functional.normalize(one, dim=-1) @ torch.nn.functional.normalize(other, dim=-1).T
    )
    return float((cosines.argmax(1) == torch.arange(len(one))).float().mean())


EXPERIMENT = ClismCacr()
