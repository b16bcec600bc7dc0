"""Several labels a text, and classes of pairs: what a short training learns, beside controls.

    python examples/benchmarks/labels.py --data DATA

Multi-label: which types of entities an English sentence names (WikiANN; zero, one or several of
PER, LOC and ORG), with thresholds of 0.5, one for all labels, and one for each label, chosen on the
development part. Pairs: entailment, neutral or contradiction, learnt from parts of MultiNLI and
SNLI and measured on the development part of XNLI in English; no test premise or hypothesis is
trained on. Paraphrases: PAWS-X in English, one part held out. In the control the labels of the
training and development texts are shuffled. MiniLM, one seed. `--task` measures one task, and keeps
the results of the others.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from bench import MINILM, RESULTS, parser, read, save

import xadapt
from xadapt.core.text_key import normal_key
from xadapt.data.readers.conll import Conll
from xadapt.data.readers.labelled_pairs import LabelledPairs
from xadapt.data.records import LabelledPair, MultiLabelText
from xadapt.evaluation.label_counts import label_matrix
from xadapt.functional.thresholds import choose_thresholds
from xadapt.tasks import MultiLabelClassifier, PairClassifier
from xadapt.tasks.multi_label import labels_of
from xadapt.tasks.protocol import find

DEV = 300


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--train", type=int, default=1200, help="training texts of each task")
    options.add_argument("--test", type=int, default=500)
    options.add_argument("--epochs", type=int, default=2)
    options.add_argument("--task", action="append", help="entity types, inference, paraphrases")
    args = options.parse_args()
    size = (args.train, args.test)
    facts = {"base": "MiniLM", "train": args.train, "epochs": args.epochs, "dev": DEV}
    before = RESULTS / "labels.json"
    tasks: dict[str, Any] = read(before)["tasks"] if args.task and before.exists() else {}
    parts = {
        "entity types": ("multi_label", entity_types(args.data, *size)),
        "inference": ("pair_classification", inference(args.data, *size)),
        "paraphrases": ("pair_classification", paraphrases(args.data, *size)),
    }
    for name in args.task or parts:
        recipe, (train, test) = parts[name]
        work = args.work / "labels" / name.replace(" ", "_")
        found = {}
        for way, rows in (("module", train), ("shuffled labels", shuffled(train))):
            module = trained(recipe, rows, work / way.replace(" ", "_"), args.epochs)
            found |= predictions(recipe, module, way, rows, test)
        result = find(recipe).evaluate(test, found, base="shuffled labels")
        tasks[name] = {"trained": len(train) - DEV, **result.to_dict()}
        print(result, flush=True)
        save("labels", {**facts, "tasks": tasks})


def trained(recipe: str, rows: Sequence[Any], out: Path, epochs: int) -> Path:
    """A module trained on the rows after the development part."""
    shutil.rmtree(out, ignore_errors=True)
    more = {"settings": ["train.evaluations=2"], "loaders": "none", "epochs": epochs}
    xadapt.train(recipe, data=rows[DEV:], dev=rows[:DEV], base=MINILM, lang="en", out=out,
                 max_length=64, **more)  # fmt: skip
    return out


def predictions(
    recipe: str, module: Path, way: str, rows: Sequence[Any], test: Sequence[Any]
) -> dict[str, Any]:
    """The answers for the test rows, by system."""
    if recipe == "pair_classification":
        pairs = [(row.text, row.text_pair) for row in test]
        return {way: PairClassifier.load(MINILM, module).classify(pairs)}
    classifier = MultiLabelClassifier.load(MINILM, module)
    head, texts = classifier.head, [row.text for row in test]
    dev = rows[:DEV]
    gold = label_matrix([row.labels for row in dev], head.labels)
    held, scores = classifier.scores([row.text for row in dev]), classifier.scores(texts)
    found = {way: labels_of(head, scores)}
    for choice in ("one", "per_label") if way == "module" else ():
        head.thresholds = tuple(choose_thresholds(held, gold, choice))
        found[f"{way}, threshold {choice}"] = labels_of(head, scores)
    return found


def entity_types(data: Path, train: int, test: int) -> tuple[list[Any], list[Any]]:
    """Sentences of WikiANN, with the types of the entities in them as labels."""
    both = []
    for part, size in (("train", train + DEV), ("val", test)):
        path = data / "ner" / "wikiann" / f"en_{part}.tsv.gz"
        rows = [
            MultiLabelText(" ".join(row.words), tuple(sorted({s[2] for s in row.spans})), "en")
            for row in Conll().read(str(path), "en")
        ]
        both.append(drawn(rows, size))
    return apart(*both)


def inference(data: Path, train: int, test: int) -> tuple[list[Any], list[Any]]:
    """Pairs of MultiNLI and SNLI to train on, and of XNLI to measure on."""
    rows = [
        row
        for source in ("mnli_dev", "snli_dev")
        for row in LabelledPairs().read(str(data / "nli" / source / "en_train.tsv.gz"), "en")
    ]
    held = list(LabelledPairs().read(str(data / "nli" / "nc" / "xnli" / "en_dev.tsv.gz"), "en"))
    return apart(drawn(rows, train + DEV), drawn(held, test))


def paraphrases(data: Path, train: int, test: int) -> tuple[list[Any], list[Any]]:
    """Pairs of PAWS-X, a quarter of them to measure on."""
    reader = LabelledPairs(text="2", text_pair="3", label="4", label_names=("no", "yes"))
    rows = drawn(list(reader.read(str(data / "nli" / "pawsx" / "en.tsv.gz"), "en")), train + test)
    held = min(test, len(rows) // 4)
    return apart(rows[held:], rows[:held])


def drawn(rows: list[Any], size: int) -> list[Any]:
    """At most ``size`` rows, in a random order."""
    random.Random(0).shuffle(rows)
    return rows[:size]


def apart(train: list[Any], test: list[Any]) -> tuple[list[Any], list[Any]]:
    """The two parts, the first without rows that share a text with the second."""
    held = {normal_key(text) for row in test for text in row.split_texts()}
    kept = [r for r in train if not any(normal_key(text) in held for text in r.split_texts())]
    return kept, test


def shuffled(rows: Sequence[Any]) -> list[Any]:
    """The rows with the labels of other rows."""
    order = np.random.default_rng(0).permutation(len(rows))
    if isinstance(rows[0], LabelledPair):
        return [replace(row, label=rows[i].label) for row, i in zip(rows, order, strict=True)]
    return [replace(row, labels=rows[i].labels) for row, i in zip(rows, order, strict=True)]


if __name__ == "__main__":
    main()
