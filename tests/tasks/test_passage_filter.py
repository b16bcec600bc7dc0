"""Passage filter: scores by hand, learning of a rating that is a known function, and the CLI."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest
from tiny_commands import xadapt as command
from tiny_models import tiny_folder
from tiny_training import WORTE

import xadapt
from xadapt.core.errors import UserError
from xadapt.data.records import RatedText
from xadapt.tasks import TextRater
from xadapt.tasks.passage_filter import LENGTH, Part

ANIMALS = {"katze", "hund", "paka", "mbwa"}


def rated(n: int, seed: int = 0) -> list[RatedText]:
    """Texts of 3 to 8 words, rated by their first word's kind: animals 3 or 4, others 1 or 2."""
    rng = random.Random(seed)
    rows = []
    for number in range(n):
        words = [rng.choice(WORTE) for _ in range(rng.randint(3, 8))]
        words[0] = rng.choice(sorted(ANIMALS)) if rng.random() < 0.5 else "park"
        rating = 1 + 2 * (words[0] in ANIMALS) + (words[1] in ANIMALS)
        rows.append(RatedText(" ".join(words), str(rating), "de", origin=f"r:{number}"))
    return rows


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("filter")
    tiny_folder(folder / "base")
    for name, rows in (("train", rated(120)), ("test", rated(60, seed=5))):
        lines = [json.dumps({"id": i, "lang": "de", "text": r.text, "rating": int(r.label)})
                 for i, r in enumerate(rows)]  # fmt: skip
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def test_scores_by_hand() -> None:
    rows = [RatedText(text, label, "en") for text, label in
            (("aaaa", "4"), ("aaa", "1"), ("aa", "3"), ("a", "2"))]  # fmt: skip
    found = np.array([3.6, 2.5, 2.4, 1.0], np.float32)
    result = Part.evaluate(rows, {"one": found}, resamples=20)
    # ranks 4 1 3 2 of the ratings and 4 3 2 1 of the scores: 1 - 6 (0 + 4 + 1 + 1) / (4 * 15)
    assert result["one"].scores["spearman"].mean == pytest.approx(0.4)
    # kept: 3.6 and 2.5, which rounds to 3; right: 4 and 3
    assert result["one"].scores["f1"].mean == pytest.approx(2 * 1 / (2 + 2))
    assert result[LENGTH].scores["spearman"].mean == pytest.approx(0.4)
    assert result[LENGTH].scores["f1"].mean == pytest.approx(0.5)  # the two longest texts
    assert result.facts == {"least": 3.0, "worth keeping": 2}
    assert Part.evaluate(rows, {"one": found}, least=4)["one"].scores["f1"].mean == 1
    for wrong, said in (
        ({"one": found[:3]}, "one finite rating a text"),
        ({"one": np.array([1, 2, 3, np.nan])}, "one finite rating a text"),
    ):
        with pytest.raises(UserError, match=said):
            Part.evaluate(rows, wrong)
    with pytest.raises(UserError, match="no texts"):
        Part.evaluate([], {})


def test_the_oracle_is_perfect_and_chance_is_not() -> None:
    rows = rated(200)
    found = {"oracle": Part.oracle(rows), "chance": Part.chance(rows)}
    result = Part.evaluate(rows, found, resamples=20)
    assert result["oracle"].scores["spearman"].mean == pytest.approx(1)
    assert result["oracle"].scores["f1"].mean == 1
    assert abs(result["chance"].scores["spearman"].mean) < 0.2


@pytest.mark.parametrize("classes", [False, True])
def test_a_known_rating_is_learnt_and_the_best_texts_are_kept(
    place: Path, tmp_path: Path, classes: bool
) -> None:
    xadapt.train(
        "passage_filter", data=str(place / "train.jsonl"), base=str(place / "base"),
        out=tmp_path / "m", lang="de", loaders="none", settings=(
            f"objectives.0.classes={str(classes).lower()}", "data.train.dev=20",
            "train.evaluations=1", "train.epochs=8", "train.learning_rate=0.01",
            "train.batch_size=8", "module.rank=4", "module.alpha=8", "dtype=float32",
        ),
    )  # fmt: skip
    given = {"base": str(place / "base"), "module": tmp_path / "m"}
    result = xadapt.evaluate("passage_filter", data=str(place / "test.jsonl"), **given)
    own, length = result["module"].scores, result[LENGTH].scores
    assert own["spearman"].mean > 0.7 > length["spearman"].mean + 0.2
    assert own["f1"].mean > max(0.85, length["f1"].mean)
    rater = TextRater.load(str(place / "base"), tmp_path / "m")
    test = rated(60, seed=5)
    ratings = rater.rate([row.text for row in test])
    assert len(rater.head.labels) == (4 if classes else 1)
    if classes:
        assert ratings.min() >= 1 and ratings.max() <= 4
    found = command(
        "predict", "passage_filter", "--base", place / "base", "--module", tmp_path / "m",
        "--data", place / "test.jsonl", "--keep", 10, "--out", tmp_path / "best.jsonl",
    )  # fmt: skip
    assert found.code == 0, found.err
    lines = (tmp_path / "best.jsonl").read_text(encoding="utf-8").splitlines()
    kept = [json.loads(line) for line in lines]
    best = sorted(np.argsort(-ratings, kind="stable")[:10].tolist())
    assert [row["text"] for row in kept] == [test[i].text for i in best]
    assert [row["rating"] for row in kept] == pytest.approx(ratings[best].tolist(), abs=1e-3)


def test_keep_is_for_ratings_alone(place: Path, tmp_path: Path) -> None:
    found = command(
        "predict", "classification", "--base", place / "base", "--module", tmp_path,
        "--data", place / "test.jsonl", "--keep", 10, "--out", tmp_path / "best.jsonl",
    )  # fmt: skip
    assert found.code == 2 and "--keep is for passage_filter" in found.err
