from __future__ import annotations

import json

import numpy as np
import pytest
from tiny_models import tiny_encoder, tiny_folder
from tiny_training import module_for, named_triples, shaken
from twin_graphs import family, write_family

from xadapt.core.errors import UserError
from xadapt.data.graphs.writing import write_graph
from xadapt.data.records import NamedTriple
from xadapt.evaluation.systems import System
from xadapt.tasks.completion import Part
from xadapt.tasks.kg.ranking import filtered_ranks
from xadapt.tasks.kg.scorers import MostFrequent
from xadapt.tasks.run_task import evaluate


def row(head, relation, tail):
    made = ((("de", head),), (("de", relation),), (("de", tail),))
    return NamedTriple(head, relation, tail, *made, "de")


def system(near):
    """Texts by their numbers: a phrase is near the tails whose number is near."""
    return System(lambda texts: np.array([[np.cos(near[t]), np.sin(near[t])] for t in texts]))


def test_known_tails_are_left_out_and_the_rest_counts():
    rows = [row("a", "r", "x"), row("a", "r", "y"), row("b", "r", "z")]
    near = {"a r": 0.0, "b r": 0.0, "x": 0.1, "y": 0.2, "z": 0.3}
    result = Part.evaluate(rows, {"it": system(near)}, resamples=5, control=False)
    assert result["it"].scores["mrr"].mean == pytest.approx((1 + 1 + 1 / 3) / 3)
    assert result["it"].scores["hits@1"].mean == pytest.approx(2 / 3)
    assert result.facts["pool"] == 3
    more = Part.evaluate(rows, {"it": system({**near, "w": 0.05})}, resamples=5, control=False,
                         others=[("w", "w")])  # fmt: skip
    assert more["it"].scores["mrr"].mean == pytest.approx((1 / 2 + 1 / 2 + 1 / 4) / 3)
    known = [("a", "r", "w"), ("b", "r", "x"), ("b", "r", "nobody")]
    filtered = Part.evaluate(rows, {"it": system({**near, "w": 0.05})}, resamples=5,
                             control=False, others=[("w", "w")], known=known)  # fmt: skip
    assert filtered["it"].scores["mrr"].mean == pytest.approx((1 + 1 + 1 / 3) / 3)


def test_equal_names_are_ties():
    rows = [row("a", "r", "x"), NamedTriple("b", "r", "w", (("de", "b"),), (("de", "r"),),
                                            (("de", "x"),), "de")]  # fmt: skip
    near = {"a r": 0, "b r": 0, "x": 0}
    result = Part.evaluate(rows, {"it": system(near)}, resamples=5, control=False)
    assert result["it"].scores["mrr"].mean == pytest.approx(1 / 1.5)


def test_no_facts_are_refused():
    with pytest.raises(UserError, match="no facts"):
        Part.evaluate([], {})


def test_a_run_is_scored_as_it_is_claimed():
    encoder = tiny_encoder("bert")
    module = shaken(module_for(encoder))
    rows = named_triples(12)
    claims = {one.metric: one for one in Part.evidence(encoder, module, rows)}
    assert set(claims) == {"mrr", "hits@1", "hits@10"}
    assert claims["mrr"].sides == "both" and set(claims["mrr"].controls) == {"tf-idf"}
    assert claims["mrr"].base != claims["mrr"].value


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return str(tiny_folder(tmp_path_factory.mktemp("base")))


def test_a_graph_is_measured_with_floor_and_control(base, tmp_path):
    source = write_family(tmp_path / "graph")
    result = evaluate("completion", base=base, data=source, controls=True)
    assert [one.system for one in result.rows] == ["frozen base", "most frequent", "tf-idf"]
    graph = family()
    ranks = filtered_ranks(
        MostFrequent(graph.facts("train"), 30), graph.facts("test"), graph.triples, "tail"
    )
    assert result["most frequent"].scores["mrr"].mean == pytest.approx((1 / ranks).mean())
    assert result.facts["pool"] == 30 and result.count == len(graph.facts("test"))
    json.dumps(result.to_dict(), allow_nan=False)
    dev = evaluate("completion", base=base, data=source, part="dev")
    assert dev.count == len(graph.facts("dev"))


def test_structure_is_summed_with_weights_of_dev_and_judged_by_pykeen(base, tmp_path):
    pytest.importorskip("pykeen")
    from xadapt.pipelines.kg_structure import train_structure

    source = write_family(tmp_path / "graph")
    train_structure(tmp_path / "shape", graph=source, dim=4, epochs=1)
    result = evaluate("completion", base=base, data=source, structure=str(tmp_path / "shape"),
                      judge_by="pykeen")  # fmt: skip
    assert [one.system for one in result.rows] == [
        "frozen base", "structure", "frozen base + structure", "most frequent",
    ]  # fmt: skip
    for one in result.rows:
        assert one.details["tail mrr"] == pytest.approx(one.scores["mrr"].mean, abs=1e-5)
        assert {"head mrr", "both hits@10"} <= set(one.details)
    assert set(result.facts["weights"]) == {"tail", "head"}
    with pytest.raises(UserError, match="no dev facts"):
        evaluate("completion", base=base, data=source, structure=str(tmp_path / "shape"),
                 part="dev")  # fmt: skip


def test_copied_facts_stand_apart(base, tmp_path):
    from dataclasses import replace

    from xadapt.data.graphs.joining import united
    from xadapt.data.graphs.links import make_links

    one = family()
    other = replace(one, parts=np.zeros_like(one.parts), labels={"en": one.labels["de"]}, lang="en")
    whole = united("both", {"de": one, "en": other})
    links = make_links("l", [(f"de:Q{i}", f"en:Q{i}") for i in range(20)])
    folder = tmp_path / "graph"
    folder.mkdir()
    write_graph(folder, whole, links, {})
    result = evaluate("completion", base=base, data=f"kg:{folder}", lang="de", links=f"kg:{folder}")
    inside = one.facts("test")
    copied = (inside[:, [0, 2]] < 20).all(axis=1)
    assert 0 < copied.sum() < len(inside)
    assert result.facts["copied"] == pytest.approx(copied.mean())
    scores = result["most frequent"].scores
    assert {"mrr, copied", "mrr, not copied"} <= set(scores)
    parts = scores["mrr, copied"].mean * copied.mean() + scores["mrr, not copied"].mean * (
        1 - copied.mean()
    )
    assert parts == pytest.approx(scores["mrr"].mean)
    with pytest.raises(UserError, match="copied facts are told apart"):
        evaluate("completion", base=base, data=f"kg:{folder}", links=f"kg:{folder}")


def test_wrong_data_is_one_line(base, tmp_path):
    with pytest.raises(UserError, match="this is no graph"):
        evaluate("completion", base=base, data=str(tmp_path))
    source = write_family(tmp_path / "graph")
    with pytest.raises(UserError, match="--part is test or dev"):
        evaluate("completion", base=base, data=source, part="train")
    (tmp_path / "graph" / "test.tsv").unlink()
    with pytest.raises(UserError, match="no facts of test"):
        evaluate("completion", base=base, data=source)
