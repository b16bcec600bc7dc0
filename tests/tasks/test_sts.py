from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.stats import spearmanr
from tiny_commands import xadapt
from tiny_heads import published
from tiny_models import tiny_encoder, tiny_folder
from tiny_training import forward, pairs, scored

from xadapt import evaluate, load
from xadapt.backbones.encoder.encode import encode
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.encoder.pairs import tokenize_pairs
from xadapt.core.errors import UserError
from xadapt.core.files import read_json
from xadapt.data.records import ScoredPair
from xadapt.evaluation import tfidf
from xadapt.evaluation.tfidf import NAME as TFIDF
from xadapt.heads.head import Head
from xadapt.tasks.alignment import BASE
from xadapt.tasks.sts import PairScorer, Part, cosines, pearson, scores, spearman


def rows(*scores):
    return [ScoredPair(f"text {i}", f"text {i + 1}", s, "de", "de") for i, s in enumerate(scores)]


def test_spearman_with_ties_by_hand():
    gold, said = np.array([[1.0, 2, 2, 3]]), np.array([[10.0, 10, 20, 30]])
    # ranks 1 2.5 2.5 4 and 1.5 1.5 3 4, mean 2.5: products 1.5+0+0+2.25, squares 4.5 and 4.5
    assert spearman(gold, said)[0] == pytest.approx(3.75 / 4.5)
    assert spearman(gold, gold**3)[0] == pytest.approx(1)
    assert pearson(gold, -2 * gold + 1)[0] == pytest.approx(-1)


def test_both_are_those_of_scipy_row_by_row():
    rng = np.random.default_rng(1)
    gold = rng.integers(0, 6, size=(5, 40)).astype(float)
    said = gold + rng.normal(size=gold.shape).round(1)
    for own, theirs in ((spearman, stats.spearmanr), (pearson, stats.pearsonr)):
        wanted = [theirs(a, b).statistic for a, b in zip(gold, said, strict=True)]
        assert np.allclose(own(gold, said), wanted)


def test_a_constant_goes_with_nothing():
    assert pearson(np.array([[1.0, 2, 3]]), np.full((1, 3), 0.3)).tolist() == [0]


def test_any_scale_counts_alike_and_the_control_stands_last():
    pairs = rows(0.0, 5.0, 2.0, 3.0, 4.0, 1.0)
    gold = np.array([pair.score for pair in pairs], np.float32)
    result = Part.evaluate(pairs, {"a": gold, "b": -7 * gold}, base="a", resamples=50)
    assert result["a"].scores["spearman"].mean == pytest.approx(1)
    assert result["b"].scores["pearson"].mean == pytest.approx(-1)
    assert result["b"].gains["spearman"].mean == pytest.approx(-2)
    assert result.rows[-1].system == tfidf.NAME and result.count == 6


def test_the_control_is_the_cosine_of_each_pair():
    pairs = [
        ScoredPair("die katze", "die katze", 5.0, "de", "de"),
        ScoredPair("die katze", "xyz", 0.0, "de", "de"),
        ScoredPair("ein hund", "ein hut", 2.0, "de", "de"),
    ]
    found = Part.baselines(pairs)[tfidf.NAME]
    whole = tfidf.similarity([p.left for p in pairs], [p.right for p in pairs]).rows(0, 3)
    assert np.allclose(found, np.diag(whole.numpy())) and found[0] == pytest.approx(1)
    assert found[1] == 0 < found[2] < 1


def test_cosines_of_rows():
    left, right = np.array([[3.0, 4], [1, 0], [0, 0]]), np.array([[4.0, 3], [0, 2], [1, 1]])
    assert np.allclose(cosines(left, right), [0.96, 0, 0])


def test_mistakes():
    with pytest.raises(UserError, match="no pairs"):
        Part.evaluate([], {})
    level = Part.evaluate(rows(1.0, 1.0), {"m": np.array([1.0, 2.0])}, resamples=5)
    assert level["m"].scores["spearman"].mean == 0  # a small development part may be so
    for wrong in (np.zeros(2), np.array([0, 1, np.nan])):
        with pytest.raises(UserError, match="one finite score"):
            Part.evaluate(rows(1.0, 2.0, 3.0), {"m": wrong})


DATA = [(p.text, p.pivot, float(i % 6)) for i, p in enumerate(pairs(40, seed=6))]


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sts")
    encoder = Encoder.from_pretrained(str(tiny_folder(folder / "base")), dtype="float32")
    published(folder / "de", encoder, seed=1)
    published(folder / "scorer", encoder, "pair_scoring", 2)
    lines = [f"{i}\t{a}\t{b}\t{score}\n" for i, (a, b, score) in enumerate(DATA)]
    (folder / "test.tsv").write_text("".join(lines), encoding="utf-8")
    return folder


def judge(there: Path, *modules: str, **more: str):
    given = [f"{name}={there / name}" for name in modules]
    return evaluate(
        "sts",
        base=str(there / "base"),
        data=there / "test.tsv",
        modules=given,
        dtype="float32",
        **more,
    )


def sides(vectors) -> np.ndarray:
    return cosines(*(vectors([row[side] for row in DATA]) for side in (0, 1)))


def spearman_of(scores: np.ndarray) -> float:
    return float(spearmanr(scores, [row[2] for row in DATA]).statistic)


def test_the_base_alone(there: Path) -> None:
    result = judge(there)
    assert [row.system for row in result.rows] == [BASE, TFIDF]
    encoder = Encoder.from_pretrained(str(there / "base"), dtype="float32")
    wanted = spearman_of(sides(lambda texts: encode(encoder, texts).numpy()))
    assert result[BASE].scores["spearman"].mean == pytest.approx(wanted)


def test_a_module_beside_the_base_on_both_sides_or_on_its_languages(there: Path) -> None:
    adapted = load(str(there / "base"), there / "de", dtype="float32")
    both, left = judge(there, "de"), judge(there, "de", lang="de,en")
    on = sides(lambda texts: adapted.encode(texts, ["de"] * len(texts)))
    one, other = ([row[side] for row in DATA] for side in (0, 1))
    half = cosines(adapted.encode(one, ["de"] * 40), adapted.encode(other, [None] * 40))
    assert both["module"].scores["spearman"].mean == pytest.approx(spearman_of(on))
    assert left["module"].scores["spearman"].mean == pytest.approx(spearman_of(half))
    assert spearman_of(on) != spearman_of(half)
    gain = both["module"].gains["spearman"].mean
    assert gain == pytest.approx(spearman_of(on) - both[BASE].scores["spearman"].mean)


def test_a_head_scores_pairs_in_one_row(there: Path, tmp_path: Path) -> None:
    result = judge(there, "scorer")
    scorer = PairScorer.load(str(there / "base"), str(there / "scorer"), dtype="float32")
    wanted = spearman_of(scorer.score([(a, b) for a, b, _ in DATA]))
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
        result = judge(there, *modules, compose=one, baseline=other)
        assert [row.system for row in result.rows] == [BASE, "baseline", "module", TFIDF]
        assert result["module"].gains["pearson"].mean != 0 and not result["baseline"].gains


def test_mistakes_of_a_request(there: Path, tmp_path: Path) -> None:
    for more, said in (
        ({"lang": "de,en,sw"}, "one language, or two"),
        ({"baseline": "x"}, "no module to measure"),
        ({"head": "x"}, "no module to measure"),
    ):
        with pytest.raises(UserError, match=said):
            judge(there, **more)
    (tmp_path / "level.tsv").write_text("a\tb\t1\nc\td\t1\n", encoding="utf-8")
    with pytest.raises(UserError, match="different scores"):
        evaluate("sts", base=str(there / "base"), data=tmp_path / "level.tsv")
    with pytest.raises(UserError, match="'de' is no module with a head"):
        judge(there, "de", head="de")


PAIRS = [(row.left, row.right) for row in scored(20, seed=3)]


def test_scores_are_on_the_scale_of_the_data() -> None:
    encoder = tiny_encoder()
    torch.manual_seed(0)
    head = Head("pair_scoring", ("score",), encoder.width, scale=(1.0, 5.0))
    found = scores(encoder, head, PAIRS)
    assert found.dtype == np.float32 and found.shape == (20,)
    (pair,) = tokenize_pairs(encoder, [PAIRS[3][0]], [PAIRS[3][1]])
    tokens, mask = encoder.batch([pair.ids])
    with torch.no_grad():
        plain = head.linear(forward(encoder, tokens, mask)[0, 0]).item()
    assert abs(found[3] - (1 + 4 * plain)) < 1e-4
    turned = scores(encoder, head, [(right, left) for left, right in PAIRS])
    assert not np.allclose(turned, found)


def test_each_pair_has_its_own_composition(tmp_path: Path) -> None:
    base = str(tiny_folder(tmp_path / "base"))
    encoder = Encoder.from_pretrained(base, dtype="float32")
    published(tmp_path / "m", encoder, "pair_scoring", 2)
    published(tmp_path / "de", encoder, seed=1)
    scorer = PairScorer.load(
        base,
        f"m={tmp_path}/m",
        f"de={tmp_path}/de",
        compose="by_language(de = de + m, * = m)",
        dtype="float32",
    )
    tags = ["de", "sw"] * 10
    mixed = scorer.score(PAIRS, tags)
    apart = [scorer.score([p], [g])[0] for p, g in zip(PAIRS, tags, strict=True)]
    np.testing.assert_allclose(mixed, apart, atol=1e-5)
    other = scorer.score(PAIRS, ["sw"] * 20)
    assert np.allclose(other[1::2], mixed[1::2], atol=1e-5)
    assert np.abs(other[::2] - mixed[::2]).min() > 1e-3


@pytest.mark.parametrize("wrong", ["ab", ("die katze", "the cat"), ["ab", "cd"], [("a",)]])
def test_text_is_no_pair(tmp_path: Path, wrong: Any) -> None:
    base = str(tiny_folder(tmp_path / "base"))
    published(tmp_path / "m", Encoder.from_pretrained(base, dtype="float32"), "pair_scoring", 2)
    scorer = PairScorer.load(base, tmp_path / "m", dtype="float32")
    with pytest.raises(UserError, match=r"\(left, right\)"):
        scorer.score(wrong)
    assert np.array_equal(scorer.score(PAIRS, "de"), scorer.score(PAIRS, ["de"] * 20))
