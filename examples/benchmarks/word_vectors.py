"""Word vectors trained on the shared text: skip-gram by gensim, one thread, one seed.

Needs `pip install gensim`. Every language reads the same number of running words at most.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

from xadapt.data.readers.lines import read_lines

MONO = ("mono", "mono2", "mono3", "extra/mono")
WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
SETTINGS = {
    "vector_size": 200,
    "window": 5,
    "min_count": 5,
    "sg": 1,
    "negative": 10,
    "sample": 1e-4,
    "epochs": 5,
    "workers": 1,
    "seed": 1,
}
WORDS = 4_000_000


def sentences(data: Path, lang: str, partner: str, words: int = WORDS) -> Iterator[list[str]]:
    """Lower-cased words of each line: monolingual text first, then a column of parallel text."""
    left = words
    for line in _lines(data, lang, partner):
        found = [word.lower() for word in WORD.findall(line)]
        if len(found) > 1:
            yield found[:left]
            left -= len(found)
        if left <= 0:
            return


def _lines(data: Path, lang: str, partner: str) -> Iterator[str]:
    for folder in MONO:
        yield from (line for _, line in read_lines(str(data / folder / f"{lang}.txt.gz")))
    other = partner if lang == "en" else lang
    for folder in ("parallel", "extra/parallel"):
        for _, line in read_lines(str(data / folder / f"en-{other}.tsv.gz")):
            yield line.split("\t")[0 if lang == "en" else 1]


def trained(data: Path, lang: str, partner: str, path: Path) -> dict:
    """Train the vectors of a language, unless the file is there; give counts and seconds."""
    told = path.with_suffix(".json")
    if told.exists() and path.exists():
        return json.loads(told.read_text(encoding="utf-8"))
    from gensim.models import Word2Vec

    text = list(sentences(data, lang, partner))
    began = time.monotonic()
    model = Word2Vec(text, **SETTINGS)
    seconds = round(time.monotonic() - began)
    path.parent.mkdir(parents=True, exist_ok=True)
    model.wv.save_word2vec_format(str(path))
    said = {"words": sum(map(len, text)), "sentences": len(text), "seconds": seconds}
    told.write_text(json.dumps(said), encoding="utf-8")
    return said
