"""A tiny base, modules for two languages, labelled sentences and a tagger trained on them."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_commands import Place, good
from tiny_training import tagged

from xadapt.data.records import TaggedSentence


def write_conll(path: Path, rows: list[TaggedSentence]) -> Path:
    labels = [["B-ANIMAL" if any(s == i for s, *_ in r.spans) else "O" for i in range(len(r.words))]
              for r in rows]  # fmt: skip
    text = "\n".join(
        "".join(f"{word}\t{label}\n" for word, label in zip(row.words, own, strict=True))
        for row, own in zip(rows, labels, strict=True)
    )
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Place, Path]:
    """A tiny base, a module for German and one for Swahili, and labelled sentences."""
    folder = tmp_path_factory.mktemp("inside")
    place = Place(folder)
    good(*place.train(folder / "de"))
    good(*place.train(folder / "sw", "--set", "seed=3"))
    write_conll(folder / "train.conll", tagged(60))
    write_conll(folder / "test.conll", tagged(30, seed=4))
    return place, folder


def train(place: Place, folder: Path, out: Path, *more: object) -> tuple[object, ...]:
    data = ("--base", place.base, "--data", folder / "train.conll", "--lang", "de", "--out", out)
    return ("train", "ner", *data, "--set", "dtype=float32", "--set", "module.width=4",
            "--set", "train.epochs=1", *more)  # fmt: skip


@pytest.fixture(scope="module")
def head(made: tuple[Place, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    place, folder = made
    out = tmp_path_factory.mktemp("head") / "m"
    good(*train(place, folder, out))
    return out
