from __future__ import annotations

import json
import zlib
from pathlib import Path

import numpy as np
import pytest
from tiny_models import tiny_encoder
from tiny_training import module_for, pairs, shaken, trainer

from xadapt.core.errors import UserError
from xadapt.data.records import LabelPair
from xadapt.evaluation.systems import System
from xadapt.objectives.translation_ranking import TranslationRanking
from xadapt.tasks.entities import Part, graph_labels, measure_name
from xadapt.training.tasks import Task

evaluate = Part.evaluate


MEASURES = ("hits@1", "hits@10", "mrr")


def labels_of(n, start=0):
    return [LabelPair(f"Q{i}", f"name {i}", f"label {i}") for i in range(start, start + n)]


def encoder(noise):
    def vector(what):
        return np.random.default_rng(zlib.crc32(what.encode())).normal(size=12)

    return lambda texts: np.array([vector(t.split()[-1]) + noise * vector(t) for t in texts])


SYSTEMS = {"base": System(encoder(1.5)), "module": System(encoder(0.9), encoder(1.5))}


def slow_ranks(queries, pool, asked, held, full_queries, k):
    """Realistic ranks by loops, by cosine and by CSLS, from vectors and entity names."""
    unit = lambda x: x / np.linalg.norm(x, axis=1, keepdims=True)  # noqa: E731
    cos = unit(queries) @ unit(pool).T
    hub = np.sort(unit(full_queries) @ unit(pool).T, axis=0)[::-1][:k].mean(axis=0)
    table = {"cosine": cos, "csls": 2 * cos - hub}
    found = {}
    for name, scores in table.items():
        found[name] = []
        for row, entity in zip(scores, asked, strict=True):
            gold = max(row[j] for j in range(len(held)) if held[j] == entity)
            rivals = [row[j] for j in range(len(held)) if held[j] != entity]
            over = sum(rival > gold + 1e-9 for rival in rivals)
            same = sum(abs(rival - gold) <= 1e-9 for rival in rivals)
            found[name].append(((1 + over) + (1 + over + same)) / 2)
    return found


@pytest.mark.parametrize("extra", [0, 30])
def test_equals_slow_loops_in_both_pools(extra):
    labels, others = labels_of(40), labels_of(extra, start=100)
    result = evaluate(labels, SYSTEMS, others=others, csls=5, resamples=20)
    assert result.facts["pool"] == ("all" if extra else "test")
    assert result.facts["pool_size"] == {"to_pivot": 40 + extra, "from_pivot": 40 + extra}
    assert result.facts["queries"] == {"to_pivot": 40, "from_pivot": 40}
    every = [*labels, *others]
    entities = [row.entity for row in every]
    for name, system in SYSTEMS.items():
        left = system.language([row.text for row in every])
        right = (system.pivot or system.language)([row.pivot for row in every])
        for way, one, other in (("to_pivot", left, right), ("from_pivot", right, left)):
            slow = slow_ranks(one[:40], other, entities[:40], entities, one, 5)
            for scorer in ("cosine", "csls"):
                row = result[name]
                ranks = row.values[measure_name("rank", way, scorer)]
                assert ranks.tolist() == slow[scorer]
                scores = {m: row.scores[measure_name(m, way, scorer)] for m in MEASURES}
                nested = row.more["by_direction"][way][scorer]
                assert nested == {m: score.to_dict() for m, score in scores.items()}
                assert scores["mrr"].mean == pytest.approx((1 / np.array(slow[scorer])).mean())
                assert scores["hits@1"].mean == (ranks == 1).mean()
                assert scores["hits@10"].mean == (ranks <= 10).mean()
                assert scores["hits@1"].mean <= scores["mrr"].mean <= scores["hits@10"].mean


def test_more_names_in_the_pool_are_harder():
    alone = evaluate(labels_of(40), SYSTEMS, resamples=10, csls=0)
    among = evaluate(labels_of(40), SYSTEMS, others=labels_of(300, 100), resamples=10, csls=0)
    for way in ("to_pivot", "from_pivot"):
        fewer, more = (r["module"].values[measure_name("rank", way)] for r in (alone, among))
        assert (more >= fewer).all()
        assert (more > fewer).any()


def test_gain_is_the_paired_difference():
    result = evaluate(labels_of(60), SYSTEMS, resamples=100)
    assert result["base"].gains == {}
    gain = result["module"].gains["csls mrr to pivot"]
    assert result["module"].more["gain"]["to_pivot"]["csls"]["mrr"] == gain.to_dict()
    ranks = [result[name].values["csls rank to pivot"] for name in ("module", "base")]
    assert gain.mean == pytest.approx((1 / ranks[0] - 1 / ranks[1]).mean())
    assert gain.low > 0


def test_equal_names_of_different_entities_are_ties():
    same = [LabelPair(entity, "Georgia 1", "Georgia 1") for entity in ("Q1", "Q2")]
    labels = [*same, *labels_of(3, 7)]
    row = evaluate(labels, {"perfect": System(encoder(0.0))}, resamples=10)["perfect"]
    for way in ("to_pivot", "from_pivot"):
        for scorer in ("cosine", "csls"):
            assert row.values[measure_name("rank", way, scorer)].tolist() == [1.5, 1.5, 1, 1, 1]


@pytest.mark.parametrize("n", [1, 2, 33])
def test_a_constant_encoder_is_at_chance(n):
    constant = System(lambda texts: np.full((len(texts), 7), 0.3))
    row = evaluate(labels_of(n), {"constant": constant}, resamples=10)["constant"]
    found = [score.mean for name, score in row.scores.items() if "mrr" in name]
    assert found == pytest.approx([2 / (n + 1)] * 4)


def test_any_name_of_the_entity_is_right():
    labels = [
        LabelPair("Q1", "Deutschland", "Germany 1"),
        LabelPair("Q1", "BRD", "Federal 1"),
        LabelPair("Q2", "Kenia", "K 2"),
    ]
    near = {"Deutschland": [1, 0], "BRD": [0.9, 0.1], "Kenia": [0, 1]}
    near |= {"Germany 1": [0, 1], "Federal 1": [1, 0.1], "K 2": [0.4, 1]}
    system = System(lambda texts: np.array([near[text] for text in texts], dtype=np.float32))
    result = evaluate(labels, {"base": system}, csls=0, resamples=10, control=False)
    assert result.facts["queries"] == {"to_pivot": 3, "from_pivot": 3}
    assert result["base"].values["rank to pivot"].tolist() == [1, 1, 2]
    assert result["base"].values["rank from pivot"].tolist() == [2, 1, 1]


def test_a_further_name_in_the_pool_is_right_too():
    near = {"a": [1, 0], "b": [0, 1], "A": [0, 1], "B": [1, 0.5], "A two": [1, 0.1]}
    system = System(lambda texts: np.array([near[text] for text in texts], dtype=np.float32))
    labels = [LabelPair("Q1", "a", "A"), LabelPair("Q2", "b", "B")]
    others = [LabelPair("Q1", "a", "A two")]
    rows = [
        evaluate(labels, {"base": system}, others=more, csls=0, resamples=10)["base"]
        for more in ((), others)
    ]
    assert [row.values["rank to pivot"].tolist() for row in rows] == [[2, 2], [1, 2]]


def test_a_repeated_row_counts_once():
    once = evaluate(labels_of(5), SYSTEMS, resamples=10)
    twice = evaluate([*labels_of(5), *labels_of(5)], SYSTEMS, others=labels_of(5), resamples=10)
    assert twice.facts == once.facts
    assert [row.scores for row in twice.rows] == [row.scores for row in once.rows]


def test_a_pool_that_adds_nothing_is_the_test_pool():
    assert (
        evaluate(labels_of(3), SYSTEMS, others=labels_of(3), resamples=10).facts["pool"] == "test"
    )


def test_the_control_and_csls_can_be_left_out():
    result = evaluate(labels_of(4), SYSTEMS, csls=0, control=False, resamples=10)
    assert [row.system for row in result.rows] == ["base", "module"]
    assert tuple(result["base"].scores) == Part.metrics
    assert result.options["csls"] is None


def test_the_control_finds_what_is_spelt_alike():
    names = ["Kenia Kenya", "Belgien Belgium", "Japan Japan", "Peru Peru"]
    labels = [LabelPair(name, *name.split()) for name in names]
    row = evaluate(labels, {}, resamples=10)["tf-idf"]
    assert row.scores["hits@1 to pivot"].mean == 1


def test_to_dict_is_json():
    table = evaluate(labels_of(12), SYSTEMS, resamples=10).to_dict()
    table = json.loads(json.dumps(table, allow_nan=False))
    assert table["task"] == "entities"
    assert table["options"] == {"csls": 10, "resamples": 10, "seed": 0, "base": "base"}
    cell = table["rows"][1]["by_direction"]["from_pivot"]["csls"]["hits@10"]
    assert cell == table["rows"][1]["scores"]["csls hits@10 from pivot"]
    assert cell.keys() == {"mean", "low", "high"}
    assert table["rows"][1]["gain"]["to_pivot"]["cosine"]["mrr"].keys() == {*cell, "p"}
    assert table["rows"][0]["gain"] == {}


def test_bad_input_is_refused():
    with pytest.raises(UserError, match="no entities"):
        evaluate([], SYSTEMS)
    with pytest.raises(UserError, match="NaN"):
        evaluate(labels_of(2), {"x": System(lambda texts: np.full((len(texts), 2), np.nan))})
    with pytest.raises(UserError, match="k must"):
        evaluate(labels_of(2), SYSTEMS, csls=-1)


def test_graph_labels_split_by_entity() -> None:
    test, rest = graph_labels("sw", "en", "all")
    assert not {row.entity for row in test} & {row.entity for row in rest}
    assert all(row.text != row.pivot and row.lang == "sw" for row in test)
    assert graph_labels("sw", "en", "test") == (test, [])
    with pytest.raises(UserError):
        graph_labels("xh-Cyrl", "en", "all")


def test_a_run_on_names_is_scored_as_it_is_claimed(tmp_path: Path) -> None:
    encoder = tiny_encoder("bert")
    module = shaken(module_for(encoder))
    tasks = [Task("t", TranslationRanking(), pairs(8))]
    made = trainer(tmp_path, tasks, encoder=encoder, module=module)
    rows = [LabelPair(str(i), p.text, p.pivot, "de") for i, p in enumerate(pairs(20, seed=2))]
    scores = Part.scores(made, rows)
    claims = Part.evidence(encoder, module, rows)
    found = {(one.sides, one.metric): one.value for one in claims}
    for mode in ("language", "both"):
        for way in ("to_pivot", "from_pivot"):
            assert scores[f"{mode}/{way}"] == found[mode, measure_name("hits@1", way)]
    assert scores["score"] == pytest.approx(np.mean([scores[k] for k in scores if "/" in k]))
    assert {one.controls.keys() == {"tf-idf"} for one in claims} == {True}
