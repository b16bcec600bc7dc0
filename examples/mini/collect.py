"""Open text for xadapt-mini from tagged translation files, with dev and test sentences held out.

    python examples/mini/collect.py --data DATA --out TEXTS

Groups of equal sentences are held out over all languages at once, so that a sentence held out
in one pair of languages is not learnt in another. Each language's sentences are written in an
order of their own: which line translates which can't be seen.
"""

from __future__ import annotations

import argparse
import gzip
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from xadapt.files import write_json, write_text
from xadapt.makers.split import group_pairs, split_by_group
from xadapt.records import ParallelPair
from xadapt.text_key import normal_key

OPEN = {
    "tatoeba": "CC-BY 2.0 FR",
    "tatoeba-laser": "CC-BY 2.0 FR",
    "ntrex": "CC-BY-SA 4.0",
    "tico19": "CC0",
    "opensource.guide": "CC-BY 4.0",
    "fastapi": "MIT",
    "www-l10n": "MPL-2.0",
    "bible-nt": "CC0 (English side: public domain)",
    "tldr": "CC-BY 4.0",
}
LARGEST = 60  # pairs in a group that may be held out: all translations of one sentence, no more
HELD = {"test": 0.04, "dev": 0.02}


def tagged_rows(data: Path) -> Iterator[tuple[ParallelPair, str]]:
    """All rows of ``parallel/en-xx.tsv.gz`` and ``extra/parallel/en-xx.tsv.gz``, with their tag."""
    for path in sorted(data.glob("parallel/en-*.tsv.gz")) + sorted(
        data.glob("extra/parallel/en-*.tsv.gz")
    ):
        lang = path.name.removeprefix("en-").removesuffix(".tsv.gz")
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                pivot, text, tag = line.rstrip("\n").split("\t")[:3]
                yield ParallelPair(text=text, pivot=pivot, lang=lang), tag


def split(pairs: list[ParallelPair]) -> dict[str, set[int]]:
    """Positions of the pairs held out for ``test`` and ``dev``, by whole small groups."""
    left = [i for group in group_pairs(pairs) if len(group) <= LARGEST for i in group]
    total, held = len(left), {}
    for seed, (name, share) in enumerate(HELD.items()):
        where = {id(pairs[i]): i for i in left}
        rest, taken = split_by_group([pairs[i] for i in left], dev=int(share * total), seed=seed)
        held[name] = {where[id(pair)] for pair in taken}
        left = [where[id(pair)] for pair in rest]
    return held


def sentences(rows: Iterable[tuple[ParallelPair, str]]) -> dict[str, dict[str, tuple[str, str]]]:
    """Distinct sentences of the open rows: by language, from key to sentence and tag."""
    found: dict[str, dict[str, tuple[str, str]]] = defaultdict(dict)
    for pair, tag in rows:
        if tag in OPEN:
            found["en"].setdefault(normal_key(pair.pivot), (pair.pivot, tag))
            found[pair.lang].setdefault(normal_key(pair.text), (pair.text, tag))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    rows = list(tagged_rows(args.data))
    held = split([pair for pair, _ in rows])
    parts = {"train": [r for i, r in enumerate(rows) if not any(i in h for h in held.values())]}
    parts |= {name: [rows[i] for i in sorted(at)] for name, at in held.items()}
    told = {}
    for name, part in parts.items():
        pairs = defaultdict(list)
        for pair, tag in part:
            pairs[pair.lang].append(f"{pair.pivot}\t{pair.text}\t{tag}\n")
        for lang, lines in pairs.items():
            write_text(args.out / "pairs" / name / f"en-{lang}.tsv", "".join(lines))
        found = sentences(part)
        for lang, some in sorted(found.items()):
            lines = [text for text, _ in some.values()]
            random.Random(f"mini:{name}:{lang}").shuffle(lines)
            write_text(args.out / name / f"{lang}.txt", "".join(f"{t}\n" for t in lines))
        told[name] = {
            "sentences": {lang: len(some) for lang, some in sorted(found.items())},
            "sources": Counter(tag for some in found.values() for _, tag in some.values()),
        }
        print(name, sum(told[name]["sentences"].values()), "sentences", dict(told[name]["sources"]))
    write_json(args.out / "sources.json", {"licences": OPEN, **told})


if __name__ == "__main__":
    main()
