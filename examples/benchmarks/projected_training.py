"""Named entities in Spanish from labels that were projected onto a translation, over seeds.

    python examples/benchmarks/projected_training.py --data DATA

Europarl's annotated English sentences are split in two, in the order of the debates; no sentence
of the second part equals one of the first. The English ones of the first part are translated by
Apertium, their labels are projected in several ways, and a module on mini is trained on each
result. Every module is measured on the Spanish sentences of the second part, as annotators marked
them. Below stands the module of the English labels themselves; above, that of the labels which
annotators gave the Spanish sentences of the first part. In the control, the projected spans of each
sentence are moved to other words of it. A module that is there already is not trained again.

CODEC scores translations, which Apertium can't; it is measured with `--translator seq2seq:FOLDER`,
and then all ways project onto translations of that model.
"""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from bench import parser, read, save
from objectives import gain

import xadapt
from xadapt.core.text_key import normal_key
from xadapt.data.readers.conll import Conll
from xadapt.data.readers.word_columns import conll_text
from xadapt.data.records import TaggedSentence
from xadapt.evaluation.statistics import over_seeds, ratio
from xadapt.functional.span_projection import count_spans
from xadapt.functional.tag_scheme import to_spans
from xadapt.tasks.tagging import Tagger

SOURCE, TARGET = "en", "es"
FLOOR, CEILING = "English labels (zero-shot)", "Spanish labels of annotators"
MOVED = "aligned, spans moved (control)"
WAYS: dict[str, dict[str, Any]] = {
    "aligned": {"base": "mini", "links_by": "itermax", "same_words": True},
    "brackets carried along": {"method": "markers"},
}
SCORED: dict[str, dict[str, Any]] = {"CODEC": {"method": "codec"}}


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--translator", default="apertium")
    options.add_argument("--base", default="mini")
    options.add_argument("--seeds", type=int, default=3)
    options.add_argument("--train", type=int, default=500, help="sentences of the first part")
    options.add_argument("--epochs", type=int, default=10)
    args = options.parse_args()
    work = args.work / "projected_training"
    work.mkdir(parents=True, exist_ok=True)
    first, second = parts(args.data, args.train)
    corpora = projected(args, work, first)
    gold = second[TARGET]
    facts = {
        "base": args.base, "translator": args.translator.split(":")[0], "epochs": args.epochs,
        "trained": len(first[SOURCE]), "tested": len(gold),
        "gold_spans": sum(len(row.spans) for row in gold),
    }  # fmt: skip
    scores: dict[str, list[float]] = {name: [] for name in corpora}
    counts: dict[str, list[np.ndarray]] = {name: [] for name in corpora}
    for seed in range(args.seeds):
        for name, (path, lang, _) in corpora.items():
            folder = work / f"{path.stem}-{seed}"
            xadapt.train(
                "ner", base=args.base, data=str(path), lang=lang, out=folder, resume=True,
                loaders="none", settings=(f"seed={seed}", f"train.epochs={args.epochs}",
                "data.train.dev=50"),
            )  # fmt: skip
            said = Tagger.load(args.base, str(folder)).tag([row.words for row in gold])
            pairs = zip(gold, said, strict=True)
            found = np.array(
                [count_spans(row.spans, to_spans(own, "bio")) for row, own in pairs], float
            ).T
            counts[name].append(found)
            right, own, given = found.sum(1)
            scores[name].append(2 * right / max(own + given, 1))
        print(seed, {name: round(own[-1], 3) for name, own in scores.items()}, flush=True)
        systems = {name: told(name, scores, counts) | corpora[name][2] for name in corpora}
        save(result_name(args), {**facts, "seeds": seed + 1, "systems": systems})


def result_name(args: Any) -> str:
    """The file of the results: one for each translator."""
    own = args.translator.split(":")[0]
    return "projected_training" if own == "apertium" else f"projected_training_{own}"


Parts = dict[str, list[TaggedSentence]]


def parts(data: Path, size: int) -> tuple[Parts, Parts]:
    """The sentences to train on, by language, and those to measure on."""
    corpus = {
        lang: list(Conll().read(str(data / "ner" / "europarl" / f"{lang}.tsv.gz"), lang))
        for lang in (SOURCE, TARGET)
    }
    second = {lang: rows[size:] for lang, rows in corpus.items()}
    keys = {key(row) for rows in second.values() for row in rows}
    kept = [n for n in range(size) if not any(key(rows[n]) in keys for rows in corpus.values())]
    return {lang: [rows[n] for n in kept] for lang, rows in corpus.items()}, second


def key(row: TaggedSentence) -> str:
    """The text by which equal sentences are found."""
    return normal_key(" ".join(row.words))


Corpora = dict[str, tuple[Path, str, dict[str, Any]]]


def projected(args: Any, work: Path, first: Parts) -> Corpora:
    """What each module is trained on: a file, its language, and facts about the projection."""
    scored = args.translator != "apertium"
    ways = WAYS | (SCORED if scored else {})
    given = {"source": SOURCE, "target": TARGET, "translator": args.translator}
    made: Corpora = {FLOOR: (written(work / "english.conll", first[SOURCE]), SOURCE, {})}
    for name, more in ways.items():
        path = work / f"{name.split()[0].lower()}.conll"
        facts = path.with_suffix(".json")
        if not facts.exists():
            found = xadapt.project(first[SOURCE], **given, **more)
            written(path, found.rows)
            facts.write_text(json.dumps({"projection": found.to_dict()}), encoding="utf-8")
        made[name] = (path, TARGET, read(facts))
        if name == "aligned":
            rows = list(Conll().read(str(path), TARGET))
            made[MOVED] = (written(work / "moved.conll", moved(rows)), TARGET, {})
    made[CEILING] = (written(work / "spanish.conll", first[TARGET]), TARGET, {})
    return made


def written(path: Path, rows: list[TaggedSentence]) -> Path:
    """Sentences as CoNLL."""
    path.write_text("".join(map(conll_text, rows)), encoding="utf-8")
    return path


def moved(rows: list[TaggedSentence]) -> list[TaggedSentence]:
    """The sentences with as many spans, of the same lengths and types, at places drawn anew."""
    rng = random.Random(0)
    made = []
    for row in rows:
        parts = [(end - start, name) for start, end, name in row.spans]
        rng.shuffle(parts)
        free = len(row.words) - sum(length for length, _ in parts)
        cuts = sorted(rng.randint(0, free) for _ in parts)
        at, spans = 0, []
        for cut, before, (length, name) in zip(cuts, [0, *cuts], parts, strict=False):
            at += cut - before
            spans.append((at, at + length, name))
            at += length
        made.append(replace(row, spans=tuple(spans)))
    return made


def told(
    name: str, scores: dict[str, list[float]], counts: dict[str, list[np.ndarray]]
) -> dict[str, Any]:
    """F1 over seeds, its interval over sentences, and the gains over the floor and the control."""
    right, own, given = sum(counts[name])
    result: dict[str, Any] = {
        "f1": vars(over_seeds(scores[name])),
        "sentences": vars(ratio(2 * right, own + given)),
        "precision": right.sum() / max(own.sum(), 1),
        "recall": right.sum() / given.sum(),
    }
    for other in (FLOOR, MOVED):
        if name not in (other, MOVED):
            result[f"over {other}"] = gain(scores[name], scores[other])
    return result


if __name__ == "__main__":
    main()
