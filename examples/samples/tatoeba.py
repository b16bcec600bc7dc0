"""Make ``kg_data/tatoeba``: short sentences from Tatoeba with their English translations.

The source is a folder of ``parallel/en-xx.tsv.gz`` files (English, the other language, source
tag), as many as are there in ``DATA`` and ``DATA/extra``. Only rows with the tag ``tatoeba`` are
taken. Rows that share a text with a row of the LASER test set (the tag ``tatoeba-laser``, in any
language) are left out: that set stays usable as a benchmark.

    python examples/samples/tatoeba.py --data DATA --out kg_data/tatoeba
"""

from __future__ import annotations

import argparse
import gzip
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from xadapt.core.files import atomic_file
from xadapt.core.text_key import normal_key
from xadapt.data.loading.records import limited
from xadapt.data.records import ParallelPair
from xadapt.data.transforms.split import split_by_group

LANGUAGES = ("fr", "es", "de", "it", "pt", "ru", "el", "ja")
TAG, BENCHMARK = "tatoeba", "tatoeba-laser"
WORDS = (4, 14)
LONGEST = 90
TEST, TRAIN = 500, 4000
UNFIT = re.compile(
    r"\b(kill|murder|suicid|rap(e|ed|ist)\b|sex|nake|whore|bitch|shit|fuck|ass\b|damn|nazi|hitler"
    r"|terror|bomb|gun\b|slave|drug|porn|virgin|condom|contracep|penis|breast|rac(e|is[mt])\b"
    r"|die\b|dead\b|jew|muslim|islam|gay\b|fat\b|stupid|idiot|hell\b)",
    re.IGNORECASE,
)
SLURS = re.compile(
    r"(nègr|neger|negr[oa]s?\b|put(ain|e|a|ana)\b|merd|mierd|scheiß|cazz|connard|сука|дерьм|шлюх)",
    re.IGNORECASE,
)


def rows(data: Path, lang: str) -> Iterator[tuple[str, str, str]]:
    """Yield English, the other language and the tag of each row of one language."""
    for folder in (data / "parallel", data / "extra" / "parallel"):
        path = folder / f"en-{lang}.tsv.gz"
        if path.is_file():
            with gzip.open(path, "rt", encoding="utf-8") as lines:
                for line in lines:
                    english, text, tag = line.rstrip("\n").split("\t")
                    yield english, text, tag


def benchmark_keys(data: Path) -> set[str]:
    """Return the keys of all texts of the benchmark, in all languages and both sides."""
    langs = sorted({p.name[3:].split(".")[0] for p in data.glob("**/parallel/en-*.tsv.gz")})
    found = ((en, xx) for lang in langs for en, xx, tag in rows(data, lang) if tag == BENCHMARK)
    return {normal_key(text) for pair in found for text in pair}


def candidates(data: Path, lang: str, held: set[str]) -> Iterator[ParallelPair]:
    """Yield usable pairs; of pairs that share a text, only the first."""
    seen: tuple[set[str], set[str]] = (set(), set())
    for english, text, tag in rows(data, lang):
        keys = (normal_key(english), normal_key(text))
        if tag != TAG or held & set(keys) or keys[0] == keys[1] or UNFIT.search(english):
            continue
        if (
            SLURS.search(text)
            or not WORDS[0] <= len(english.split()) <= WORDS[1]
            or len(text) > LONGEST
        ):
            continue
        if keys[0] not in seen[0] and keys[1] not in seen[1]:
            seen[0].add(keys[0])
            seen[1].add(keys[1])
            yield ParallelPair(text, english, lang, "en")


def write(path: Path, pairs: Sequence[ParallelPair]) -> None:
    """Write pairs as gzip without a time stamp, so that equal pairs give equal bytes."""
    text = "".join(f"{pair.pivot}\t{pair.text}\n" for pair in pairs)
    with atomic_file(path) as temporary:
        temporary.write_bytes(gzip.compress(text.encode(), compresslevel=9, mtime=0))


def main() -> None:
    """Write two files for each language: ``xx-train.tsv.gz`` and ``xx-test.tsv.gz``."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("kg_data/tatoeba"))
    parser.add_argument("--lang", nargs="+", default=LANGUAGES)
    given = parser.parse_args()
    held = benchmark_keys(given.data)
    for lang in given.lang:
        pairs = list(candidates(given.data, lang, held))
        train, test = split_by_group(pairs, dev=TEST)
        for name, part in (("train", limited(train, TRAIN)), ("test", test)):
            path = given.out / f"{lang}-{name}.tsv.gz"
            write(path, part)
            print(f"{path}: {len(part)} of {len(pairs)} pairs, {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
