from __future__ import annotations

import json
import zlib
from dataclasses import replace

import numpy as np
import pytest

from xadapt.core.errors import UserError
from xadapt.data.records import ParallelPair
from xadapt.data.transforms.pair_filter import filter_pairs
from xadapt.data.transforms.split import split_by_group
from xadapt.evaluation.retrieval import first_of_equals
from xadapt.evaluation.systems import System
from xadapt.tasks.bitext import Part

evaluate = Part.evaluate
WAYS = {"to_pivot": "accuracy to pivot", "from_pivot": "accuracy from pivot"}


def pairs_of(n):
    return [ParallelPair(f"satz nummer {i}", f"sentence number {i}", "de") for i in range(n)]


def encoder(noise, salt=""):
    """The meaning of a sentence is its last word; the noise depends on the whole text."""

    def vector(text, what):
        rng = np.random.default_rng(zlib.crc32(f"{salt}{what}".encode()))
        return rng.normal(size=16)

    def encode(texts):
        rows = [vector(t, t.split()[-1]) + noise * vector(t, t + "noise") for t in texts]
        return np.array(rows, dtype=np.float32)

    return encode


SYSTEMS = {
    "base": System(encoder(1.2), encoder(1.2)),
    "module": System(encoder(0.7), encoder(1.2)),
    "module, both sides": System(encoder(0.7)),
}


def counts(result):
    return tuple(result.facts[name] for name in ("pool", "dropped", "duplicate_groups"))


def public_numbers(left, right, margin, k=4):
    """LASER's xsim with loops over plain float64, written from its definition."""
    left = left / np.linalg.norm(left, axis=1, keepdims=True)
    right = right / np.linalg.norm(right, axis=1, keepdims=True)
    cos = left.astype(np.float64) @ right.T.astype(np.float64)
    errors = 0
    for i in range(len(cos)):
        near = np.argsort(-cos[i])[: 1 if margin == "absolute" else k]
        scores = []
        for j in near:
            around = (np.sort(cos[i])[-k:].mean() + np.sort(cos[:, j])[-k:].mean()) / 2
            scores.append(
                {
                    "absolute": cos[i, j],
                    "ratio": cos[i, j] / around,
                    "distance": cos[i, j] - around,
                }[margin]
            )
        errors += near[int(np.argmax(scores))] != i
    return 100 * errors / len(cos)


def test_equals_the_public_definitions():
    pairs = pairs_of(80)
    result = evaluate(pairs, SYSTEMS, resamples=50)
    assert result.count == result.facts["pool"] == 80
    for name, system in SYSTEMS.items():
        left = system.language([pair.text for pair in pairs])
        right = (system.pivot or system.language)([pair.pivot for pair in pairs])
        row = result[name]
        for margin in ("ratio", "distance", "absolute"):
            there, back = public_numbers(left, right, margin), public_numbers(right, left, margin)
            assert row.more["xsim"][margin]["to_pivot"] == pytest.approx(there, abs=1e-6)
            assert row.more["xsim"][margin]["from_pivot"] == pytest.approx(back, abs=1e-6)
        for way, measure in WAYS.items():
            accuracy = row.scores[measure]
            assert row.more["accuracy"][way] == accuracy.to_dict()
            assert 0 < accuracy.mean < 1
            assert row.more["xsim"]["absolute"][way] == pytest.approx(100 * (1 - accuracy.mean))
            assert accuracy.mean == row.values[measure].mean()
            assert accuracy.low <= accuracy.mean <= accuracy.high


def test_gain_is_paired_with_the_base_and_the_pivot_side_is_watched():
    result = evaluate(pairs_of(120), SYSTEMS, resamples=300)
    assert result["base"].gains == result["base"].more["gain"] == {}
    module = result["module"]
    for way, measure in WAYS.items():
        gain = module.gains[measure]
        assert module.more["gain"][way] == gain.to_dict()
        expected = module.values[measure] - result["base"].values[measure]
        assert gain.mean == pytest.approx(expected.mean())
        assert gain.low > 0
    assert result["base"].more["pivot_kept"] == pytest.approx(1)
    assert module.more["pivot_kept"] == pytest.approx(1)
    assert 0.5 < result["module, both sides"].more["pivot_kept"] < 0.99
    assert result["tf-idf"].more["pivot_kept"] is None
    assert set(result["tf-idf"].gains) == set(WAYS.values())


def test_the_control_finds_what_is_spelt_alike():
    names = ["Berlin", "Hamburg", "Lausanne", "Kinshasa", "Okinawa", "Valparaiso"]
    pairs = [ParallelPair(f"die Stadt {name}", f"the city of {name}", "de") for name in names]
    row = evaluate(pairs, {}, resamples=20)["tf-idf"]
    assert {score.mean for score in row.scores.values()} == {1}
    assert [r.system for r in evaluate(pairs, SYSTEMS, control=False).rows] == list(SYSTEMS)


def test_later_pairs_that_repeat_a_sentence_are_dropped():
    pairs = pairs_of(6)
    pairs[2:2] = [
        ParallelPair("Satz  NUMMER 0", "another 6", "de"),
        ParallelPair("etwas 7", "sentence number 1", "de"),
        ParallelPair("satz nummer 0", "sentence number 0", "de"),
        ParallelPair("etwas 7", "free again 8", "de"),
    ]
    result = evaluate(pairs, SYSTEMS, resamples=10)
    assert counts(result) == (7, 3, 2)
    whole = evaluate(pairs, SYSTEMS, resamples=10, drop_duplicates=False)
    assert counts(whole) == (10, 0, 2)
    alone = evaluate([pairs[i] for i in (0, 1, 5, 6, 7, 8, 9)], SYSTEMS, resamples=10)
    assert alone["module"] == result["module"]
    assert counts(alone)[1:] == (0, 0)


def test_order_of_the_pairs_does_not_matter():
    pairs = pairs_of(40)
    shuffled = [pairs[i] for i in np.random.default_rng(0).permutation(40)]
    one, other = evaluate(pairs, SYSTEMS, resamples=10), evaluate(shuffled, SYSTEMS, resamples=10)
    for name in SYSTEMS:
        assert one[name].more["xsim"] == other[name].more["xsim"]


def test_to_dict_is_json():
    result = evaluate(pairs_of(10), SYSTEMS, resamples=10, margins=["ratio"])
    table = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert table["task"] == "bitext"
    assert (table["lang"], table["pivot_lang"], table["pool"]) == ("de", "en", 10)
    assert table["options"] == {"k": 4, "resamples": 10, "seed": 0, "base": "base"}
    assert list(table["rows"][1]["xsim"]) == ["ratio"]
    assert table["rows"][1]["accuracy"]["to_pivot"].keys() == {"mean", "low", "high"}
    assert table["rows"][1]["gain"]["to_pivot"].keys() == {"mean", "low", "high", "p"}


@pytest.mark.parametrize("n", [1, 2, 3])
def test_fewer_pairs_than_neighbours(n):
    result = evaluate(pairs_of(n), {"base": System(encoder(0.0))}, resamples=10)
    assert result.options["k"] == n
    assert result["base"].scores["accuracy to pivot"].mean == 1
    assert result["base"].more["xsim"]["ratio"] == {"to_pivot": 0, "from_pivot": 0}


def test_an_encoder_of_zeros_is_at_chance():
    zeros = System(lambda texts: np.zeros((len(texts), 3)))
    row = evaluate(pairs_of(20), {"zeros": zeros}, resamples=10)["zeros"]
    assert row.scores["accuracy to pivot"].mean == 1 / 20
    assert row.more["xsim"]["ratio"]["to_pivot"] == 95
    assert row.gains == {}


def test_several_languages_are_mul():
    pairs = [*pairs_of(2), ParallelPair("phrase 9", "a phrase 9", "fr")]
    assert evaluate(pairs, SYSTEMS, resamples=10).facts["lang"] == "mul"


def test_bad_input_is_refused():
    broken = System(lambda texts: np.full((len(texts), 2), np.nan))
    with pytest.raises(UserError, match="NaN"):
        evaluate(pairs_of(3), {"broken": broken})
    with pytest.raises(UserError, match="no pairs"):
        evaluate([], SYSTEMS)
    with pytest.raises(UserError, match="margin"):
        evaluate(pairs_of(3), SYSTEMS, margins=["none"])
    with pytest.raises(UserError, match="k must"):
        evaluate(pairs_of(3), SYSTEMS, k=0)


def test_equal_sentences_are_those_of_the_filter_and_the_splits():
    twins = [
        ParallelPair("Straße, ﬁn!", "one", "de"),
        ParallelPair("STRASSE fin", "two", "de"),
        ParallelPair("Strasse Fin 2", "three", "de"),
    ]
    assert first_of_equals([*pairs_of(3), *twins])[0].tolist() == [0, 1, 2, 3, 5]
    result = evaluate([*pairs_of(3), *twins], SYSTEMS, resamples=10)
    assert (result.facts["pool"], result.facts["dropped"]) == (5, 1)
    _, held = split_by_group([*pairs_of(3), *twins], dev=2, seed=0)
    assert (twins[0] in held) == (twins[1] in held)
    assert filter_pairs([replace(twins[0], pivot="two"), twins[1]])[1]["duplicate"] == 1
