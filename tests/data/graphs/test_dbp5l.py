from __future__ import annotations

import pytest
from tiny_graphs import made

from xadapt.core.errors import UserError
from xadapt.data.graphs.opening import open_graph, open_links


def test_one_language_and_all(tmp_path):
    source = made(tmp_path / "dbp5l", "dbp5l")
    ja = open_graph(f"{source}/ja")
    assert ja.entities == ("0", "1", "2") and ja.lang == "ja" and ja.name == "dbp5l/ja"
    assert dict(ja.labels["ja"]) == {"0": ("東京",), "1": ("日本",), "2": ("京都",)}
    assert ja.relations == ("0", "1") and ja.relation_labels["en"]["0"] == ("capital",)
    assert ja.triples.tolist() == [[0, 1, 1], [2, 1, 1], [1, 0, 0]] and ja.parts.tolist() == [
        0,
        1,
        2,
    ]
    assert open_graph(f"{source}/en").labels["en"]["2"] == ("Kyoto (city)",)
    assert len(open_graph(f"{source}/de").triples) == 0  # names alone
    whole = open_graph(source)
    assert whole.languages == ("de", "en", "ja") and "ja:2" in whole.entities


def test_links_are_floats_in_the_order_of_the_name(tmp_path):
    source = made(tmp_path, "dbp5l")
    links = open_links(f"{source}/ja-en")
    assert links.pairs == (("0", "0"), ("1", "1"), ("2", "2"), ("2", "0")) and not links.split
    assert open_links(f"{source}/en-ja").pairs[-1] == ("0", "2")
    assert open_links(source).pairs[-1] == ("ja:2", "en:0")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"seed_alignlinks/ja-en.tsv": "3.0\t0.0\n"}, "the id 3 is beyond the 3 lines of ja.tsv"),
        ({"seed_alignlinks/ja-en.tsv": "1.5\t0.0\n"}, "'1.5' is no id of this layout"),
        ({"seed_alignlinks/ja-en.tsv": "-1\t0.0\n"}, "'-1' is no id"),
        ({"seed_alignlinks/ja-en.tsv": "٣\t0.0\n"}, "is no id"),
        ({"seed_alignlinks/ja-en.tsv": None}, "there are no seed_alignlinks"),
        ({"entity/ja.tsv": "a\n\nb\n"}, "ja.tsv:2: this line is empty, and line numbers are ids"),
        ({"entity/ja.tsv": ""}, "ja.tsv: this file is empty"),
        ({"kg/ja-test.tsv": "0\t1\t3\n"}, "ja-test.tsv:1: there is no entity '3' in ja.tsv"),
        ({"kg/ja-test.tsv": "0\t2\t1\n"}, "there is no relation '2' in relations.txt"),
        ({"kg/ja-train.tsv": "0\t1\n"}, "this line has 2 columns instead of 3"),
        ({"kg/ja-train.tsv": None}, "there is no kg/ja-train.tsv"),
        ({"relations.txt": None}, "there is no relations.txt"),
    ],
)
def test_faults_are_one_line(tmp_path, changed, message):
    source = made(tmp_path, "dbp5l", **changed)
    with pytest.raises(UserError) as fault:
        open_graph(source)
        open_links(source)
    assert message in str(fault.value) and "\n" not in str(fault.value)


def test_a_language_that_is_not_there(tmp_path):
    source = made(tmp_path, "dbp5l")
    with pytest.raises(UserError, match=r"no entity/fr\.tsv"):
        open_graph(f"{source}/fr")
    with pytest.raises(UserError, match="no language"):
        open_graph(f"{source}/nonsense")
    with pytest.raises(UserError, match="no seed_alignlinks/ja-fr"):
        open_links(f"{source}/ja-fr")
