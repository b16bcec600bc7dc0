from __future__ import annotations

import pytest
from tiny_graphs import made, write

from xadapt.core.errors import UserError
from xadapt.data.graphs.opening import open_graph, open_links


def test_one_graph_in_many_languages(tmp_path):
    source = made(tmp_path / "pets", "kg")
    graph = open_graph(source)
    assert graph.name == "pets" and graph.entities == ("a", "b", "c") and graph.lang is None
    assert graph.labels["sw"]["a"] == ("paka", "nyau") and graph.relations == ("fears", "likes")
    assert graph.relation_labels["en"]["fears"] == ("is afraid of",)
    assert graph.descriptions["en"]["a"] == ("A cat is an animal.",)
    assert graph.attributes == {"a": (("legs", "4"),)}
    assert open_graph(f"{source}/sw").entities == ("a", "b")
    assert open_graph(f"{source}/").counts() == graph.counts()
    links = open_links(source)
    assert links.pairs == (("a", "b"), ("b", "c")) and links.parts.tolist() == [0, 2]


def test_links_in_one_file(tmp_path):
    links = "a\tb\ttrain\nb\tc\ttest\n"
    source = made(
        tmp_path, "kg", **{"links_train.tsv": None, "links_test.tsv": None, "links.tsv": links}
    )
    assert open_links(source).parts.tolist() == [0, 2]


def test_a_graph_a_language(tmp_path):
    source = made(tmp_path / "five", "kg of languages")
    ja = open_graph(f"{source}/ja")
    assert ja.entities == ("0", "1") and ja.lang == "ja" and ja.name == "five/ja"
    assert ja.labels["ja"]["1"] == ("日本",) and ja.relation_labels["en"]["0"] == ("capital",)
    assert [(t.head, t.relation, t.tail) for t in ja.records("dev")] == [("0", "1", "1")]
    whole = open_graph(source)
    assert whole.entities[:3] == ("en:0", "en:1", "en:2") and whole.languages == ("en", "ja")
    assert open_links(source).pairs == (("ja:0", "en:0"), ("ja:1", "en:1"))
    assert open_links(f"{source}/ja-en").pairs == (("0", "0"), ("1", "1"))
    assert open_links(f"{source}/en-ja").pairs == (("0", "0"), ("1", "1"))
    with pytest.raises(UserError, match="no links 'ja-fr'"):
        open_links(f"{source}/ja-fr")
    with pytest.raises(UserError, match=r"no graph 'fr' in this folder\. It has en, ja"):
        open_graph(f"{source}/fr")


def test_two_graphs(tmp_path):
    source = made(tmp_path / "dbp15k_ja_en", "kg of two graphs")
    graph = open_graph(source)
    assert graph.languages == ("ja", "en") and graph.entities == ("0", "1", "2", "3")
    assert graph.labels["en"]["2"] == ("Tokyo",) and graph.relations == ("5", "6")
    assert open_graph(f"{source}/2").lang == "en" and open_graph(f"{source}/ja").entities == (
        "0",
        "1",
    )
    assert open_links(source).counts() == {"train": 1, "dev": 0, "test": 1}
    unnamed = made(tmp_path / "others", "kg of two graphs")
    assert len(open_graph(unnamed).languages) == 2 and open_graph(f"{unnamed}/1").lang != "ja"


@pytest.mark.parametrize(
    ("layout", "changed", "message"),
    [
        ("kg", {"train.tsv": "a\tfears\n"}, "train.tsv:1: this line has 2 columns instead of 3"),
        ("kg", {"train.tsv": "a\tfears\tz\n"}, "train.tsv:1: there is no entity 'z' in entities"),
        ("kg", {"train.tsv": "a\thates\tb\n"}, "there is no relation 'hates' in relations.tsv"),
        ("kg", {"entities.tsv": "a\nb\na\nc\n"}, "entities.tsv:3: the id 'a' stands twice"),
        ("kg", {"names_sw.tsv": "q\tpaka\n"}, "names_sw.tsv:1: there is no entity 'q'"),
        ("kg", {"names_sw.tsv": ""}, "names_sw.tsv: this file is empty"),
        ("kg", {"attributes.tsv": "q\tlegs\n"}, "attributes.tsv:1: there is no entity 'q'"),
        ("kg", {"links_test.tsv": "a\tb\n"}, "the link a - b is in train and in test"),
        ("kg of languages", {"ja/entities.tsv": "0\tx\n0\ty\n"}, "the id '0' stands twice"),
        ("kg of languages", {"ja/test.tsv": "9\t1\t0\n"}, "there is no entity '9'"),
        ("kg of languages", {"ja/test.tsv": "0\t7\t0\n"}, "there is no relation '7'"),
        ("kg of languages", {"ja/test.tsv": None}, "there is no test.tsv in this folder"),
        ("kg of languages", {"relations.txt": None}, "there is no relations.txt in this folder"),
        ("kg of two graphs", {"ent_2.tsv": "1\tTokyo\n3\tJapan\n"}, "no entity '2'"),
        ("kg of two graphs", {"ent_2.tsv": "0\tx\n2\ty\n3\tz\n"}, "the id '0' is in both"),
        ("kg of two graphs", {"triples_2.tsv": None}, "there is no triples_2.tsv"),
        ("kg of two graphs", {"align_test.tsv": "0\t2\n"}, "0 - 2 is in train and in test"),
        ("kg of two graphs", {"align_test.tsv": None, "align_train.tsv": None}, "no align_train"),
    ],
)
def test_faults_are_one_line(tmp_path, layout, changed, message):
    source = made(tmp_path / "x_ja_en", layout, **changed)
    with pytest.raises(UserError) as fault:
        open_graph(source)
        open_links(source)
    assert message in str(fault.value) and "\n" not in str(fault.value)


def test_an_empty_folder_and_no_folder(tmp_path):
    with pytest.raises(UserError, match="there is no graph in this folder"):
        open_graph(f"kg:{write(tmp_path, {'x.txt': 'x'})}")
    with pytest.raises(UserError, match="there is no such folder"):
        open_graph(f"kg:{tmp_path}/none/at/all")
    with pytest.raises(UserError, match="there are no links"):
        made(tmp_path / "a", "kg of languages", **{"align_ja-en.tsv": None})
        open_links(f"kg:{tmp_path}/a")
