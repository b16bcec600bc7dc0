"""Which rows the sample of sentences takes, on a few made rows."""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

import pytest

from xadapt.data.readers.sample import languages

EXAMPLES = Path(__file__).parents[2] / "examples"
sys.path.insert(0, str(EXAMPLES))

from samples import tatoeba  # noqa: E402

ROWS = [
    ("He likes to read books.", "Il aime lire des livres.", "tatoeba"),
    ("he likes to read books", "Il adore les livres.", "tatoeba"),  # the English again
    ("They like reading books.", "Il aime lire des livres", "tatoeba"),  # the French again
    ("We were at the sea.", "Nous étions à la mer.", "tatoeba-laser"),
    ("We were at the sea!", "On était à la mer.", "tatoeba"),  # English of the benchmark
    ("I saw you at sea.", "Je t'ai vu en mer.", "tatoeba"),  # Russian rows have it: benchmark
    ("Too short.", "Trop court.", "tatoeba"),
    ("This is from another place.", "Ceci vient d'ailleurs.", "ntrex"),
    ("They wanted to kill him.", "Ils voulaient le tuer.", "tatoeba"),
    ("It was a good day.", "C'était une bonne journée.", "tatoeba"),
]
RUSSIAN = [("I saw you at sea.", "Я видел тебя на море.", "tatoeba-laser")]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for folder, lang, rows in (("parallel", "fr", ROWS), ("extra/parallel", "ru", RUSSIAN)):
        path = tmp_path / folder / f"en-{lang}.tsv.gz"
        path.parent.mkdir(parents=True)
        with gzip.open(path, "wt", encoding="utf-8") as out:
            out.writelines("\t".join(row) + "\n" for row in rows)
    return tmp_path


def test_only_usable_rows_are_taken(data: Path) -> None:
    held = tatoeba.benchmark_keys(data)
    taken = [pair.pivot for pair in tatoeba.candidates(data, "fr", held)]
    assert taken == ["He likes to read books.", "It was a good day."]


def test_equal_pairs_give_equal_bytes(data: Path, tmp_path: Path) -> None:
    pairs = list(tatoeba.candidates(data, "fr", set()))
    for name in ("a", "b"):
        tatoeba.write(tmp_path / name, pairs)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert gzip.decompress((tmp_path / "a").read_bytes()).decode().count("\t") == len(pairs)


def test_the_files_are_those_of_the_script() -> None:
    assert sorted(tatoeba.LANGUAGES) == list(languages())
