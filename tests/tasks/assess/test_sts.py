from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr
from tiny_commands import xadapt
from tiny_heads import published
from tiny_models import tiny_folder
from tiny_training import pairs

from xadapt import evaluate_sts, load
from xadapt.backbones.encoder.encode import encode
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.core.errors import UserError
from xadapt.core.files import read_json
from xadapt.evaluation.sts import cosines
from xadapt.evaluation.tfidf import NAME as TFIDF
from xadapt.tasks.assess.alignment import BASE
from xadapt.tasks.predict.pair_scorer import PairScorer

ROWS = [(p.text, p.pivot, float(i % 6)) for i, p in enumerate(pairs(40, seed=6))]


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sts")
    encoder = Encoder.from_pretrained(str(tiny_folder(folder / "base")), dtype="float32")
    published(folder / "de", encoder, seed=1)
    published(folder / "scorer", encoder, "pair_scoring", 2)
    lines = [f"{i}\t{a}\t{b}\t{score}\n" for i, (a, b, score) in enumerate(ROWS)]
    (folder / "test.tsv").write_text("".join(lines), encoding="utf-8")
    return folder


def judge(there: Path, *modules: str, **more: str):
    given = [f"{name}={there / name}" for name in modules]
    return evaluate_sts(
        base=str(there / "base"), data=there / "test.tsv", modules=given, dtype="float32", **more
    )


def sides(vectors) -> np.ndarray:
    return cosines(*(vectors([row[side] for row in ROWS]) for side in (0, 1)))


def spearman(scores: np.ndarray) -> float:
    return float(spearmanr(scores, [row[2] for row in ROWS]).statistic)


def test_the_base_alone(there: Path) -> None:
    result = judge(there)
    assert [row.system for row in result.rows] == [BASE, TFIDF]
    encoder = Encoder.from_pretrained(str(there / "base"), dtype="float32")
    wanted = spearman(sides(lambda texts: encode(encoder, texts).numpy()))
    assert result[BASE].scores["spearman"].mean == pytest.approx(wanted)


def test_a_module_beside_the_base_on_both_sides_or_on_its_languages(there: Path) -> None:
    adapted = load(str(there / "base"), there / "de", dtype="float32")
    both, left = judge(there, "de"), judge(there, "de", lang="de,en")
    on = sides(lambda texts: adapted.encode(texts, ["de"] * len(texts)))
    one, other = ([row[side] for row in ROWS] for side in (0, 1))
    half = cosines(adapted.encode(one, ["de"] * 40), adapted.encode(other, [None] * 40))
    assert both["module"].scores["spearman"].mean == pytest.approx(spearman(on))
    assert left["module"].scores["spearman"].mean == pytest.approx(spearman(half))
    assert spearman(on) != spearman(half)
    gain = both["module"].gains["spearman"].mean
    assert gain == pytest.approx(spearman(on) - both[BASE].scores["spearman"].mean)


def test_a_head_scores_pairs_in_one_row(there: Path, tmp_path: Path) -> None:
    result = judge(there, "scorer")
    scorer = PairScorer.load(str(there / "base"), str(there / "scorer"), dtype="float32")
    wanted = spearman(scorer.score([(a, b) for a, b, _ in ROWS]))
    assert result["module"].scores["spearman"].mean == pytest.approx(wanted)
    assert [row.system for row in result.rows] == [BASE, "module", TFIDF]
    given = ("--base", there / "base", "--data", there / "test.tsv", "--module", there / "scorer")
    done = xadapt("evaluate", "sts", *given, "--json", tmp_path / "r.json", "--dtype", "float32")
    assert done.code == 0 and "40 pairs" in done.out and "gain: over frozen base" in done.out
    assert all(len(line) <= 80 for line in done.out.splitlines())
    assert read_json(tmp_path / "r.json")["rows"] == result.to_dict()["rows"]


def test_another_composition_beside_it(there: Path) -> None:
    for modules, one, other in ((("de",), "mix(de:.5)", "de"), (("de", "scorer"), "de + scorer",
                                                             "scorer")):  # fmt: skip
        result = judge(there, *modules, compose=one, against=other)
        assert [row.system for row in result.rows] == [BASE, "against", "module", TFIDF]
        assert result["module"].gains["pearson"].mean != 0 and not result["against"].gains


def test_mistakes(there: Path, tmp_path: Path) -> None:
    for more, said in (
        ({"lang": "de,en,sw"}, "one language, or two"),
        ({"against": "x"}, "no module to measure"),
        ({"head": "x"}, "no module to measure"),
    ):
        with pytest.raises(UserError, match=said):
            judge(there, **more)
    (tmp_path / "level.tsv").write_text("a\tb\t1\nc\td\t1\n", encoding="utf-8")
    with pytest.raises(UserError, match="different scores"):
        evaluate_sts(base=str(there / "base"), data=tmp_path / "level.tsv")
    with pytest.raises(UserError, match="'de' is no module with a head"):
        judge(there, "de", head="de")
