"""What experiments on parallel text share: files, controls, retrieval, likeness of words."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from bench import limited, split_test, tagged_pairs, write_pairs

import xadapt
from experiments.contract import LANGUAGE_MODEL, SHUFFLED, Place, Variant
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.encoder.words import tokenize_words
from xadapt.data.readers.lines import read_lines
from xadapt.data.records import ParallelPair, WordPair
from xadapt.inference.open_module import open_module
from xadapt.injection.activation import Activation, ActiveAdapter
from xadapt.objectives.ml_ctl import MLCTL
from xadapt.objectives.word_pieces import pieces_of_words, words_of

SHUFFLE = "data.train.transforms=[pair_filter, shuffle]"


def parallel_files(
    place: Place, lang: str, pairs: int, words: int | None = None
) -> dict[str, Path]:
    """Write ``train`` and ``test`` pairs of a language, and the ``text`` of its side alone.

    With ``words``, training pairs have 4 to as many English words: the test sentences are short.
    """
    files = {name: place.work / f"{lang}-{name}" for name in ("train.tsv", "test.tsv", "text.txt")}
    if not all(path.exists() for path in files.values()):
        train, test = split_test(tagged_pairs(place.data, lang))
        if words:
            train = [pair for pair in train if 3 < len(pair.pivot.split()) <= words]
        train = limited(train, pairs)
        write_pairs(files["train.tsv"], train)
        write_pairs(files["test.tsv"], test)
        lines = "".join(f"{pair.text}\n" for pair in train)
        files["text.txt"].write_text(lines, encoding="utf-8")
    return {name.partition(".")[0]: path for name, path in files.items()}


def short_lines(data: Path, lang: str) -> Iterator[str]:
    """Lines of plain text with 20 to 60 characters."""
    for folder in ("mono", "extra/mono"):
        for _, line in read_lines(str(data / folder / f"{lang}.txt.gz")):
            if 20 <= len(line.strip()) <= 60:
                yield line.strip()


def controls(
    place: Place, recipe: str, files: dict[str, Path], lang: str, data: Any = None
) -> list[Variant]:
    """The system on shuffled pairs, and a LoRA of the same size learnt from the text alone."""
    given = data or files["train"]
    found = [Variant(SHUFFLED, recipe, given, (SHUFFLE,), {"lang": lang})]
    if place.predicts_tokens:
        size = ("module.rank=32", "module.alpha=256", "train.batch_size=16")
        found.append(Variant(LANGUAGE_MODEL, "mlm", files["text"], size, {"lang": lang}))
    return found


def retrieval(
    place: Place, module: Path | None, test: Path, lang: str, both: bool = True
) -> dict[str, float]:
    """Accuracy of retrieval among the test pairs, the module on for both sides or for one."""
    result = xadapt.evaluate(
        "bitext", base=place.base, data=str(test), lang=lang, module=module or ()
    )
    sides = "module, both sides" if both else "module, language side only"
    row = next(r for r in result.to_dict()["rows"]
               if r["system"] == (sides if module else "frozen base"))  # fmt: skip
    ways = {"to_pivot": f"{lang} to en", "from_pivot": f"en to {lang}"}
    return {name: row["accuracy"][way]["mean"] for way, name in ways.items()}


def dictionary_file(place: Place, lang: str) -> Path:
    """The dictionary English to a language, unpacked."""
    path = place.work / f"en-{lang}-dictionary.tsv"
    if not path.exists():
        packed = (place.data / "dictionary" / f"en-{lang}.tsv.gz").read_bytes()
        path.write_bytes(gzip.decompress(packed))
    return path


def words_alike(place: Place, module: Path | None, test: Path, lang: str) -> float:
    """How much nearer words of the dictionary are to their translation than to other words.

    The mean over test pairs of the cosine of a word's last states and its translation's, less the
    mean cosine with all other words of the translated sentence; the module acts on both sides.
    """
    found = []
    for word, other, there in _translations(place, module, test, lang, both=True):
        likeness = {k: float(word @ v) for k, v in there.items()}
        rest = [value for k, value in likeness.items() if k != other]
        found.append(likeness[other] - float(np.mean(rest)))
    return float(np.mean(found))


def translated_words(place: Place, module: Path | None, test: Path, lang: str) -> float:
    """How often the nearest word of the translated sentence is the one of the dictionary.

    The module acts on the language alone.
    """
    found = [
        max(there, key=lambda at, word=word, there=there: float(word @ there[at])) == other
        for word, other, there in _translations(place, module, test, lang, both=False)
    ]
    return sum(found) / len(found)


def _translations(
    place: Place, module: Path | None, test: Path, lang: str, both: bool
) -> Iterator[tuple[np.ndarray, int, dict[int, np.ndarray]]]:
    """The state of each word that has an entry, the number of its translation, and all states."""
    pairs, entries = _pairs(test, lang), _entries(dictionary_file(place, lang), lang)
    anchors = MLCTL().prepare(pairs, entries).anchors
    encoder = _encoder(place.base)
    act = None
    if module is not None:
        act = Activation.of(ActiveAdapter(encoder, open_module(str(module), encoder)[0]))
    for pair in pairs:
        chosen = anchors[pair.text, pair.pivot]
        if not chosen:
            continue
        here, there = (
            _words(encoder, side, own)
            for side, own in ((pair.text, act), (pair.pivot, act if both else None))
        )
        for word, other in chosen:
            if word in here and other in there and len(there) > 1:
                yield here[word], other, there


@torch.inference_mode()
def _words(encoder: Encoder, text: str, act: Any) -> dict[int, np.ndarray]:
    [row] = tokenize_words(encoder, [words_of(text)])
    tokens, mask = encoder.batch([row.ids])
    states = encoder.run(encoder.embed(tokens, mask, activation=act), mask, activation=act)[0]
    pieces = pieces_of_words(row, set(encoder.tokenizer.all_special_ids))
    vectors = {word: states[at].float().mean(0).numpy() for word, at in pieces.items()}
    return {word: own / np.linalg.norm(own) for word, own in vectors.items()}


@cache
def _encoder(base: str) -> Encoder:
    return Encoder.from_pretrained(base, dtype="float32")


@cache
def _pairs(path: Path, lang: str) -> Sequence[ParallelPair]:
    lines = path.read_text(encoding="utf-8").splitlines()
    cells = (line.split("\t") for line in lines)
    return [ParallelPair(text, pivot, lang) for pivot, text in cells]


@cache
def _entries(path: Path, lang: str) -> Sequence[WordPair]:
    from xadapt.data.readers.dictionary import Dictionary

    return list(Dictionary().read(str(path), lang))
