"""What a small pretrained encoder knows, beside MiniLM and its own shape with random weights.

    python examples/benchmarks/baselines.py --data DATA --texts TEXTS --base DIR/model

`TEXTS` is what `examples/mini/collect.py` writes: its dev pairs were never learnt from. The probe
is a linear classifier on frozen token states: on seven tenths of a language's PUD sentences, tested
on the rest; and learnt in English, tested in the others. Of the dev sentences' tokens 15 % are
hidden; the bigram sees the true token on the left even where it is hidden from the network.
"""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

import numpy as np
import torch
from bench import MINILM, parser, save
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from transformers import AutoConfig, AutoModel, AutoModelForMaskedLM

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.data.readers.parallel import read_parallel
from xadapt.evaluation.systems import DIRECTIONS
from xadapt.evaluation.tfidf import NAME as TFIDF
from xadapt.tasks.alignment import BASE, AlignmentEvaluator
from xadapt.tasks.bitext import SentenceRetrieval
from xadapt.tasks.entities import EntityRetrieval, graph_labels, measure_name

sys.path.insert(0, str(Path(__file__).parents[1]))
from mini.measure import report
from mini.rows import tokenised
from mini.tokens import read_texts

MOST = 500
Sentence = tuple[list[str], list[str]]


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--texts", type=Path, required=True)
    options.add_argument("--base", required=True, help="what pretrain_mini.py left in DIR/model")
    options.add_argument("--lang", action="append", help="one of the languages; all if not given")
    args = options.parse_args()
    found = sorted((args.texts / "pairs" / "dev").glob("en-*.tsv"))
    langs = args.lang or [path.stem.removeprefix("en-") for path in found]
    result = {}
    for name, encoder in encoders(args.base).items():
        evaluator = AlignmentEvaluator(encoder)
        result[name] = {
            "parameters": sum(p.numel() for p in encoder.model.parameters()),
            "bitext": {lang: bitext(evaluator, args.texts, lang) for lang in langs},
            "entities": {lang: entities(evaluator, lang) for lang in langs},
            "tagging": tagging(encoder, args.data / "pos" / "pud"),
        }
        print(name, result[name], flush=True)
    hidden = hidden_words(args.base, args.texts, langs)
    save("baselines", {"systems": result, "hidden_words": hidden})


def hidden_words(base: str, texts: Path, langs: list[str]) -> dict[str, dict]:
    """Accuracy on hidden tokens by language, of the network and of counts over the same text."""
    mini = Encoder.from_pretrained(base, dtype="float32")
    place, tokenizer = mini.source.location, mini.tokenizer
    train, dev = (
        {lang: rows for lang, rows in read_texts(texts / part).items() if lang in {*langs, "en"}}
        for part in ("train", "dev")
    )
    rows = [tokenised(tokenizer, some, mini.max_length) for some in (train, dev)]
    torch.manual_seed(0)
    nets = {
        "pretrained": AutoModelForMaskedLM.from_pretrained(place, dtype=torch.float32),
        "random weights": AutoModelForMaskedLM.from_config(AutoConfig.from_pretrained(place)),
    }
    found = {name: report(net, tokenizer, *rows, "cpu") for name, net in nets.items()}
    return {
        lang: {**row, "random": found["random weights"][lang]["accuracy"]}
        for lang, row in found["pretrained"].items()
    }


def encoders(base: str) -> dict[str, Encoder]:
    """The three frozen encoders, all in fp32."""
    mini = Encoder.from_pretrained(base, dtype="float32")
    torch.manual_seed(0)
    config = AutoConfig.from_pretrained(mini.source.location)
    fresh = AutoModel.from_config(config, add_pooling_layer=False)
    return {
        "pretrained": mini,
        "MiniLM": Encoder.from_pretrained(MINILM, dtype="float32"),
        "random weights": Encoder.wrap(fresh, mini.tokenizer, pooling=mini.pooling),
    }


def bitext(evaluator: AlignmentEvaluator, texts: Path, lang: str) -> dict[str, float]:
    """Accuracy both ways on at most 500 pairs, with TF-IDF's and the size of the pool."""
    pairs = list(read_parallel(texts / "pairs" / "dev" / f"en-{lang}.tsv", lang=lang))[:MOST]
    task = SentenceRetrieval()
    found = task.compare_modules(evaluator, pairs, None, controls=True, resamples=10)
    mean = {
        name: float(np.mean([score.mean for score in found[name].scores.values()]))
        for name in (BASE, TFIDF)
    }
    return {"pool": found.count, "accuracy": mean[BASE], "tfidf": mean[TFIDF]}


def entities(evaluator: AlignmentEvaluator, lang: str) -> dict[str, float]:
    """Hits@1 both ways on the graph's test entities, with TF-IDF's."""
    test, rest = graph_labels(lang, "en", "all")
    found = EntityRetrieval().compare_modules(
        evaluator, test, None, controls=True, resamples=10, others=rest
    )
    hits = [measure_name("hits@1", way) for way in DIRECTIONS]
    return {
        key: float(np.mean([found[name].scores[measure].mean for measure in hits]))
        for key, name in (("hits@1", BASE), ("tfidf", TFIDF))
    }


def tagging(encoder: Encoder, folder: Path) -> dict[str, dict[str, float]]:
    """Accuracy of the probes by language, with that of each word's most frequent tag."""
    data = {path.name.split(".")[0]: sentences(path) for path in sorted(folder.glob("*.gz"))}
    split = {lang: (len(rows) * 7) // 10 for lang, rows in data.items()}
    states = {lang: [vectors(encoder, words) for words, _ in rows] for lang, rows in data.items()}
    probes = {lang: probe(states[lang][:cut], data[lang][:cut]) for lang, cut in split.items()}
    return {
        lang: {
            "own": score(probes[lang], states[lang][cut:], data[lang][cut:]),
            "from_en": score(probes["en"], states[lang][cut:], data[lang][cut:]),
            "words": frequent(data[lang][:cut], data[lang][cut:]),
        }
        for lang, cut in split.items()
    }


def sentences(path: Path) -> list[Sentence]:
    """Words and universal tags of each sentence of a CoNLL-U file."""
    found: list[Sentence] = []
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for block in lines.read().strip().split("\n\n"):
            rows = [line.split("\t") for line in block.splitlines() if line[:1].isdigit()]
            whole = [row for row in rows if row[0].isdigit()]
            found.append(([row[1] for row in whole], [row[3] for row in whole]))
    return found


@torch.inference_mode()
def vectors(encoder: Encoder, words: list[str]) -> np.ndarray:
    """The state of each word's first piece, ``(words seen, width)``; a long sentence is cut."""
    given = encoder.tokenizer(
        words, is_split_into_words=True, truncation=True, max_length=encoder.max_length
    )
    tokens, mask = encoder.batch([given["input_ids"]])
    states = encoder.run(encoder.embed(tokens, mask), mask)[0].float().numpy()
    first: dict[int, int] = {}
    for place, word in enumerate(given.word_ids()):
        if word is not None:
            first.setdefault(word, place)
    return states[[first[word] for word in range(len(first))]]


def probe(states: list[np.ndarray], rows: list[Sentence]):
    """A linear classifier on standardised states."""
    tags = [tag for x, (_, own) in zip(states, rows, strict=True) for tag in own[: len(x)]]
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=200)).fit(
        np.concatenate(states), tags
    )


def score(model, states: list[np.ndarray], rows: list[Sentence]) -> float:
    """Share of words tagged right."""
    tags = [tag for x, (_, own) in zip(states, rows, strict=True) for tag in own[: len(x)]]
    return float((model.predict(np.concatenate(states)) == np.array(tags)).mean())


def frequent(train: list[Sentence], test: list[Sentence]) -> float:
    """Share right when each word gets its most frequent tag, an unknown word NOUN."""
    counts: dict[str, dict[str, int]] = {}
    for words, tags in train:
        for word, tag in zip(words, tags, strict=True):
            own = counts.setdefault(word, {})
            own[tag] = own.get(tag, 0) + 1
    best = {word: max(own, key=own.__getitem__) for word, own in counts.items()}
    found = [
        best.get(word, "NOUN") == tag
        for words, tags in test
        for word, tag in zip(words, tags, strict=True)
    ]
    return float(np.mean(found))


if __name__ == "__main__":
    main()
