from __future__ import annotations

import pytest
from tiny_graphs import WIKIDATA, lines, made

from xadapt.core.errors import UserError
from xadapt.data.graphs.opening import open_graph
from xadapt.data.graphs.wikidata import LinkedSentence, Wikidata


def test_names_facts_and_descriptions(tmp_path, caplog):
    graph = open_graph(made(tmp_path, "wikidata"))
    assert graph.entities == ("Q64", "Q183") and graph.languages == ("en", "ja")
    assert graph.labels["en"]["Q64"] == ("Berlin", "Berlin, Germany")
    assert graph.labels["ja"]["Q64"] == ("ベルリン",) and graph.labels["en"]["Q183"] == ("Germany",)
    assert graph.relation_labels["en"]["P1376"] == ("capital of",)
    assert graph.triples.tolist() == [[0, 0, 1]] and graph.parts.tolist() == [0]
    assert graph.descriptions["de"]["Q64"] == ("Berlin ist eine Stadt.",)
    assert "names in simple left out" in caplog.text


def test_sentences_have_half_open_spans(tmp_path):
    made(tmp_path, "wikidata")
    (sentence,) = Wikidata().sentences(str(tmp_path))
    words = ("Berlin", "is", "in", "Germany")
    assert sentence == LinkedSentence(words, (0, 1), (3, 4), "Q64", "Q183")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"triple.txt": "Q64\tP1376\n"}, "triple.txt:1: this line has 2 columns instead of 3"),
        ({"triple.txt": "Q64\tP1376\tQ9\n"}, "there is no entity 'Q9' in entity.json"),
        ({"triple.txt": "Q64\tP9\tQ183\n"}, "there is no relation 'P9' in relation.json"),
        ({"triple.txt": None}, "there is no triple.txt"),
        ({"entity.json": "[1]\n"}, "entity.json:1: this line is no JSON object"),
        ({"entity.json": "{\n"}, "entity.json:1"),
        ({"entity.json": lines({"labels": {}})}, "entity.json:1: id is no text"),
        ({"entity.json": lines({"id": "Q1", "labels": ["x"]})}, "not given by language"),
        ({"entity.json": lines({"id": "Q1", "labels": {"en": 5}})}, "the text in en is no text"),
        ({"entity.json": '{"id": "Q1", "labels": {"en": "\\ud800"}}\n'}, "half a surrogate pair"),
        ({"entity.json": WIKIDATA["entity.json"] * 2}, "entity.json:3: the id 'Q64' stands twice"),
        (
            {"description.json": lines({"id": "Q5", "descriptions": {}})},
            "description.json:1: there is no entity 'Q5'",
        ),
    ],
)
def test_faults_are_one_line(tmp_path, changed, message):
    with pytest.raises(UserError) as fault:
        open_graph(made(tmp_path, "wikidata", **changed))
    assert message in str(fault.value) and "\n" not in str(fault.value)


@pytest.mark.parametrize(
    ("key", "value"),
    [("subj_end", 9), ("obj_start", -1), ("obj_end", "4"), ("obj_end", 3), ("subj_start", True)],
)
def test_wrong_spans(tmp_path, key, value):
    row = {
        **{"token": ["a", "b", "c", "d"], "subj_start": 0, "subj_end": 0, "obj_start": 3},
        **{"obj_end": 4, "subj_label": "Q1", "obj_label": "Q2", key: value},
    }
    made(tmp_path, "wikidata", **{"triple_en_des.json": lines(row)})
    with pytest.raises(UserError, match="are no span of the words"):
        list(Wikidata().sentences(str(tmp_path)))
