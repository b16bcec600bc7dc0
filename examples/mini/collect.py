"""Open text for xadapt-mini from tagged translation files and plain text, dev and test held out.

    python examples/mini/collect.py --data DATA --out TEXTS

Groups of equal sentences are held out over all languages at once, so that a sentence held out
in one pair of languages is not learnt in another. Each language's sentences are written in an
order of their own: which line translates which can't be seen. A plain line that is, or holds, a
sentence held out in any language is left out, and so are sentences that other tasks test on.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from mini.mono import FOLDERS, Held, mono, tested

from xadapt.core.files import write_json, write_text
from xadapt.core.text_key import normal_key
from xadapt.data.readers.lines import read_lines
from xadapt.data.records import ParallelPair
from xadapt.data.transforms.split import group_pairs, split_by_group

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
TEST, DEV = 0.04, 0.02


def tagged_pairs(data: Path) -> Iterator[ParallelPair]:
    """All rows of ``parallel/en-xx.tsv.gz`` and ``extra/parallel/en-xx.tsv.gz``; tag as origin."""
    for folder in ("parallel", "extra/parallel"):
        for path in sorted((data / folder).glob("en-*.tsv.gz")):
            lang = path.name.removeprefix("en-").removesuffix(".tsv.gz")
            for _, line in read_lines(str(path)):
                pivot, text, tag = line.rstrip("\n").split("\t")[:3]
                yield ParallelPair(text=text, pivot=pivot, lang=lang, origin=tag)


def split(pairs: list[ParallelPair]) -> dict[str, list[ParallelPair]]:
    """``train``, ``dev`` and ``test``: held out are whole groups, and small ones alone."""
    groups = group_pairs(pairs)
    train = [pairs[i] for group in groups if len(group) > LARGEST for i in group]
    small = [pairs[i] for group in groups if len(group) <= LARGEST for i in group]
    rest, test = split_by_group(small, dev=TEST, seed=0)
    rest, dev = split_by_group(rest, dev=DEV, seed=1)
    return {"train": train + rest, "dev": dev, "test": test}


def sentences(pairs: Iterable[ParallelPair]) -> dict[str, dict[str, tuple[str, str]]]:
    """Distinct sentences of the open pairs: by language, from key to sentence and tag."""
    found: dict[str, dict[str, tuple[str, str]]] = defaultdict(dict)
    for pair in pairs:
        if pair.origin in OPEN:
            found["en"].setdefault(normal_key(pair.pivot), (pair.pivot, pair.origin))
            found[pair.lang].setdefault(normal_key(pair.text), (pair.text, pair.origin))
    return found


def keys(pairs: Iterable[ParallelPair]) -> set[str]:
    """Normal keys of both sides."""
    return {normal_key(text) for pair in pairs for text in (pair.text, pair.pivot)}


def add_mono(
    found: dict[str, dict[str, tuple[str, str]]], data: Path, held: Held
) -> dict[str, dict[str, int]]:
    """Add the plain text to the sentences to learn from; how many lines were new and how many held.

    Args:
        found: By language, from key to sentence and tag; added to.
        data: Where the plain text is.
        held: What must not be learnt.
    """
    counts: dict[str, dict[str, int]] = {}
    for lang, own in sorted(found.items()):
        told = Counter({"new": 0, "known": 0, "held out": 0})
        for line, folder in mono(data, lang):
            key = normal_key(line)
            kind = "known" if key in own else "held out" if held.has(line) else "new"
            told[kind] += 1
            if kind == "new":
                own[key] = (line, folder)
        counts[lang] = dict(told)
        print(lang, counts[lang], flush=True)
    return counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--mono", action="store_true", help="also mono2 and mono3")
    args = parser.parse_args()
    parts = split(list(tagged_pairs(args.data)))
    told: dict[str, dict] = {}
    for name, part in parts.items():
        rows = defaultdict(list)
        for pair in part:
            rows[pair.lang].append(f"{pair.pivot}\t{pair.text}\t{pair.origin}\n")
        for lang, lines in rows.items():
            write_text(args.out / "pairs" / name / f"en-{lang}.tsv", "".join(lines))
        found = sentences(part)
        told[name] = {}
        if args.mono and name == "train":
            held = Held(keys(parts["dev"]) | keys(parts["test"]) | tested(args.data))
            told[name]["mono"] = add_mono(found, args.data, held)
        for lang, some in sorted(found.items()):
            lines = [text for text, _ in some.values()]
            random.Random(f"mini:{name}:{lang}").shuffle(lines)
            write_text(args.out / name / f"{lang}.txt", "".join(f"{t}\n" for t in lines))
        told[name] |= {
            "sentences": {lang: len(some) for lang, some in sorted(found.items())},
            "sources": Counter(tag for some in found.values() for _, tag in some.values()),
        }
        print(name, sum(told[name]["sentences"].values()), "sentences", dict(told[name]["sources"]))
    licences = OPEN | FOLDERS if args.mono else OPEN
    write_json(args.out / "sources.json", {"licences": licences, **told})


if __name__ == "__main__":
    main()
