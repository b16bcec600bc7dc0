"""A tiny base and the taggers of open triples, trained on made clauses."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_commands import Place, good

NOUNS = ("katze", "hund", "matte", "park")
VERBS = ("sitzt", "läuft", "schaut")


def write_trees(path: Path, n: int, start: int = 0) -> Path:
    """Clauses of subject, verb and object, two a sentence, the second a conjunct of the first."""
    rows = []
    for i in range(start, start + n):
        one, two, three = (NOUNS[(i // size) % 4] for size in (1, 4, 16))
        cells = [
            (one, "NOUN", 2, "nsubj"), (VERBS[i % 3], "VERB", 0, "root"), (two, "NOUN", 2, "obj"),
            ("und", "CCONJ", 5, "cc"), (VERBS[i // 3 % 3], "VERB", 2, "conj"),
            (three, "NOUN", 5, "obj"),
        ]  # fmt: skip
        rows += [
            f"{at}\t{word}\t_\t{upos}\t_\t_\t{head}\t{relation}\t_\t_"
            for at, (word, upos, head, relation) in enumerate(cells, 1)
        ]
        rows.append("")
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def train(place: Place, recipe: str, data: Path, out: Path, *more: object) -> Path:
    given = ("--base", place.base, "--data", data, "--lang", "de", "--out", out)
    settings = ("dtype=float32", "train.epochs=2", "train.learning_rate=1e-2", "data.train.dev=8")
    good("train", recipe, *given, *(part for s in settings for part in ("--set", s)), *more)
    return out


@pytest.fixture(scope="module")
def taggers(tmp_path_factory: pytest.TempPathFactory) -> tuple[Place, Path]:
    """A tiny base, both taggers, and predicates in two stages."""
    folder = tmp_path_factory.mktemp("open_ie")
    place = Place(folder)
    data = write_trees(folder / "train.conllu", 60)
    write_trees(folder / "test.conllu", 20, start=100)
    train(place, "open_ie_predicates", data, folder / "p", "--set", "train.epochs=6")
    train(place, "open_ie_arguments", data, folder / "a", "--set", "train.epochs=3")
    stage = ("--compose", f"{folder}/a + self", "--set", "module.rank=2", "--set", "train.epochs=1")
    train(place, "open_ie_arguments", data, folder / "a2", *stage)
    return place, folder
