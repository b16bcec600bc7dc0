from __future__ import annotations

import io
import json

import numpy as np
import pytest
from rich.console import Console
from tiny_models import tiny_encoder
from twin_graphs import family, name, write_family

from xadapt.core.errors import UserError
from xadapt.inference.adapted_encoder import AdaptedEncoder
from xadapt.pipelines.kg_complete import complete_graph

GRAPH = family()
ASKED = [("Q0", "next", "?"), ("?", "parity", "Q1"), ("Q3", "parity")]


@pytest.fixture(scope="module")
def encoder():
    return AdaptedEncoder(tiny_encoder("bert"), {})


def test_the_most_frequent_answers_by_hand():
    found = complete_graph(GRAPH, ASKED, top=4)
    train = GRAPH.facts("train")
    counts = np.bincount(train[train[:, 1] == 1, 2], minlength=30)
    known = set(GRAPH.triples[(GRAPH.triples[:, 0] == 3) & (GRAPH.triples[:, 1] == 1), 2].tolist())
    wanted = [one for one in np.argsort(-counts, kind="stable").tolist() if one not in known][:4]
    assert found.answers[2].tolist() == wanted
    assert found.facts["views"] == ["most frequent"] and not found.known.any()
    kept = complete_graph(GRAPH, ASKED, top=30, keep_known=True)
    assert kept.known[2].sum() == len(known) and (kept.answers >= 0).all()


def test_heads_and_tails_by_names(encoder):
    found = complete_graph(GRAPH, ASKED, base=encoder, top=3, keep_known=True)
    texts = [name(i, "de") for i in range(30)]
    unit = lambda v: v / np.linalg.norm(v, axis=-1, keepdims=True)  # noqa: E731
    pool = unit(encoder.encode(texts))
    phrases = [f"{texts[0]} neighbour", f"kind {texts[1]}", f"{texts[3]} kind"]
    for row, phrase in enumerate(phrases):
        own = pool @ unit(encoder.encode([phrase]))[0]
        assert found.answers[row].tolist() == np.argsort(-own, kind="stable")[:3].tolist()
    assert found.weights == {"tail": {"text": 1.0}, "head": {"text": 1.0}}


def test_names_of_entities_and_relations_may_be_written():
    first, second = name(0, "de"), name(1, "de")
    by_name = complete_graph(GRAPH, [(first, "neighbour", "?"), ("?", "kind", second)])
    by_id = complete_graph(GRAPH, ASKED[:2])
    assert (by_name.answers == by_id.answers).all()


def test_weights_are_chosen_on_dev_facts_by_side(encoder):
    found = complete_graph(GRAPH, ASKED, base=encoder, frequency=True)
    assert found.facts["weights_from"] == "dev facts" and set(found.weights) == {"tail", "head"}
    given = complete_graph(GRAPH, ASKED, base=encoder, frequency=True,
                           weights={"text": 1, "most frequent": 0})  # fmt: skip
    alone = complete_graph(GRAPH, ASKED, base=encoder)
    assert (given.answers == alone.answers).all()


def test_rows_json_and_table(tmp_path):
    out = tmp_path / "answers.tsv"
    found = complete_graph(write_family(tmp_path / "graph"), ASKED, top=2, out=out)
    lines = [line.split("\t") for line in out.read_text(encoding="utf-8").splitlines()]
    assert lines[0] == ["head", "relation", "tail", "answer", "name", "score", "rank", "known"]
    assert [line[:3] for line in lines[1::2]] == [list(row) + ["?"] * (3 - len(row))
                                                  for row in ASKED]  # fmt: skip
    value = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert len(value["queries"]) == 3 and len(value["queries"][0]["answers"]) == 2
    stream = io.StringIO()
    Console(file=stream, width=80).print(found.table())
    assert "3 queries, among 30 entities" in stream.getvalue()


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("Q0\n", "1 column"),
        ("Q0\tnext\tQ1\n", "one of head and tail must be ?"),
        ("?\tnext\t?\n", "one of head and tail must be ?"),
        ("Q99\tnext\t?\n", "no entity 'Q99'"),
        ("Q0\tnxet\t?\n", "did you mean 'next'"),
        ("Q0\tnext\t?\textra\n", "4 columns"),
        ("", "empty"),
    ],
)
def test_faults_of_queries_name_their_line(rows, said, tmp_path):
    file = tmp_path / "asked.tsv"
    file.write_text(rows)
    out = tmp_path / "out.tsv"
    with pytest.raises(UserError) as fault:
        complete_graph(GRAPH, str(file), out=out)
    assert said in str(fault.value) and "\n" not in str(fault.value) and not out.exists()
    if rows:
        assert fault.value.where == f"{file}:1"


def test_wrong_options_are_one_line(tmp_path):
    with pytest.raises(UserError, match="no folder of structure"):
        complete_graph(GRAPH, ASKED, structure=tmp_path)
    with pytest.raises(UserError, match="below 1"):
        complete_graph(GRAPH, ASKED, top=0)
    with pytest.raises(UserError, match="unknown view"):
        complete_graph(GRAPH, ASKED, weights="txet=1")
    with pytest.raises(UserError, match="is no query"):
        complete_graph(GRAPH, [("a",)])
