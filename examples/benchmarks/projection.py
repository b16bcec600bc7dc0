"""Labels projected along word alignment, against the labels that annotators gave the translation.

    python examples/benchmarks/projection.py --data DATA --work runs

Europarl's annotated sentences in English, German and Spanish are translations of each other. The
labels of one language are projected onto another and compared with its own. A module for word
alignment is trained on parallel text of another source; what is there is not trained again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from bench import MINILM, RESULTS, parser, read, save, tagged_pairs

import xadapt
from xadapt.data.readers.conll import Conll
from xadapt.data.records import TaggedSentence
from xadapt.evaluation.statistics import ratio, ratio_difference
from xadapt.functional.span_projection import count_spans, project_spans

PAIRS = (("en", "de"), ("en", "es"), ("de", "en"))
BASES = {"mini": "mini", "MiniLM": MINILM}
ROWS, LONGEST = 4000, 40
WAYS = ("argmax", "argmax + same words", "itermax", "itermax + same words")
SETTINGS = ("module.layers=[0,4]",)
Counts = np.ndarray


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--only", action="append", choices=list(BASES), help="a base")
    options.add_argument("--bare", action="store_true", help="no module is trained")
    args = options.parse_args()
    corpus = {
        lang: list(Conll().read(str(args.data / "ner" / "europarl" / f"{lang}.tsv.gz"), lang))
        for lang in ("en", "de", "es")
    }
    path = RESULTS / "projection.json"
    result: dict[str, Any] = read(path)["pairs"] if path.exists() else {}
    for source, target in PAIRS:
        own: dict[str, Any] = result.setdefault(f"{source}-{target}", {})
        own["sentences"] = len(corpus[source])
        own["source_spans"] = sum(len(row.spans) for row in corpus[source])
        own["gold_spans"] = sum(len(row.spans) for row in corpus[target])
        systems = own.setdefault("systems", {})
        rows, gold = corpus[source], corpus[target]
        systems["diagonal"] = told(gold, *diagonal(rows, gold))
        for name, base in BASES.items():
            if args.only in (None, []) or name in args.only:
                measure(args, systems, name, base, rows, gold)
        save("projection", {"pairs": result})
        print(source, target, {key: round(s["f1"]["mean"], 3) for key, s in systems.items()})


def measure(
    args: Any,
    systems: dict[str, Any],
    name: str,
    base: str,
    rows: list[TaggedSentence],
    gold: list[TaggedSentence],
) -> None:
    """Score the ways of one base, bare and with a module; a scored module is left alone."""
    source, target = rows[0].lang, gold[0].lang
    pairs = [(row.words, other.words) for row, other in zip(rows, gold, strict=True)]
    said: dict[str, Any] = {
        "source": source, "target": target, "translations": [row.words for row in gold],
    }  # fmt: skip
    before: Counts | None = None
    for label in (name,) if args.bare else (name, f"{name} + module"):
        known = [f"{label}, {way}" for way in WAYS]
        if label != name and all(one in systems for one in known):
            continue
        given: dict[str, Any] = {"base": base}  # a single module acts on both sides
        if label != name:
            other = target if source == "en" else source
            given["modules"] = str(trained(args, base, name, other))
        for way in ("argmax", "itermax"):
            links = xadapt.align_words(pairs, method=way, **given)
            for end, same in (("", False), (" + same words", True)):
                made = xadapt.project(rows, links=links, same_words=same, **said)
                systems[f"{label}, {way}{end}"] = told(gold, made.rows, made.rate, before)
                if before is None:
                    before = counts(gold, made.rows)


def trained(args: Any, base: str, name: str, lang: str) -> Path:
    """The module for word alignment of a language, trained on parallel text if it is not there."""
    folder: Path = args.work / "projection" / f"words-{name}-{lang}"
    rows = [(pair.pivot, pair.text) for pair, _ in tagged_pairs(args.data, lang)]
    short = [pair for pair in rows if 3 < len(pair[0].split()) <= LONGEST]
    order = np.random.default_rng(0).permutation(len(short))[:ROWS]
    xadapt.train(
        "word_alignment", base=base, lang=lang, data=[short[i] for i in order], out=folder,
        settings=SETTINGS, resume=True, loaders="none",
    )  # fmt: skip
    return folder


def diagonal(
    rows: list[TaggedSentence], gold: list[TaggedSentence]
) -> tuple[list[TaggedSentence], float]:
    """Words at the same share of both sentences, as a control that knows no words."""
    made = []
    for row, other in zip(rows, gold, strict=True):
        share = len(other.words) / len(row.words)
        links = [(i, min(len(other.words) - 1, int(i * share))) for i in range(len(row.words))]
        spans = project_spans(row.spans, links, other.words).spans
        made.append(TaggedSentence(other.words, spans, other.lang))
    rate = sum(len(row.spans) for row in made) / sum(len(row.spans) for row in rows)
    return made, rate


def counts(gold: list[TaggedSentence], found: list[TaggedSentence]) -> Counts:
    """Right, found and gold spans of each sentence, ``(3, n)``."""
    pairs = zip(gold, found, strict=True)
    return np.array([count_spans(a.spans, b.spans) for a, b in pairs], float).T


def told(
    gold: list[TaggedSentence],
    found: list[TaggedSentence],
    rate: float,
    before: Counts | None = None,
) -> dict[str, Any]:
    """Span F1 with its interval over sentences, precision, recall, the share projected."""
    right, own, given = counts(gold, found)
    result = {
        "f1": vars(ratio(2 * right, own + given)),
        "precision": right.sum() / max(own.sum(), 1),
        "recall": right.sum() / given.sum(),
        "rate": rate,
    }
    if before is not None:
        gain = ratio_difference(2 * right, own + given, 2 * before[0], before[1] + before[2])
        result["over bare argmax"] = vars(gain)
    return result


if __name__ == "__main__":
    main()
