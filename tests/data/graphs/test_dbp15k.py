from __future__ import annotations

import pytest
from tiny_graphs import made

from xadapt.core.errors import UserError
from xadapt.data.graphs.opening import open_graph, open_links


def test_both_graphs_and_one(tmp_path):
    source = made(tmp_path / "ja_en", "dbp15k")
    ja, both = open_graph(f"{source}/1"), open_graph(source)
    assert ja.lang == "ja" and ja.entities == ("0", "1", "2")
    assert dict(ja.labels["ja"]) == {"0": ("東京",), "1": ("日本",), "2": ("AC/DC (バンド)",)}
    assert ja.attributes == {"0": (("area", ""), ("population", ""))}
    assert ja.relations == ("9", "10") and ja.triples.tolist() == [[0, 1, 1], [2, 0, 1]]
    assert both.entities == tuple("012345") and both.languages == ("ja", "en")
    assert both.labels["en"]["5"] == ("AC/DC",)


def test_languages_by_the_folder_where_uris_name_none(tmp_path):
    changed = {"ent_ids_1": "0\tx/東京\n1\tx/b\n2\tx/c\n", "training_attrs_1": None}
    assert open_graph(f"{made(tmp_path / 'zh_en', 'dbp15k', **changed)}/1").lang == "zh"
    assert open_graph(f"{made(tmp_path / 'nothing', 'dbp15k', **changed)}/1").lang == "und-x-1"


def test_links_with_parts_and_without(tmp_path):
    assert open_links(made(tmp_path / "a", "dbp15k")).counts() == {"train": 1, "dev": 0, "test": 2}
    changed = {"sup_ent_ids": None, "ref_ent_ids": None, "ill_ent_ids": "0\t3\n1\t4\n0\t3\n"}
    links = open_links(made(tmp_path / "b", "dbp15k", **changed))
    assert len(links) == 2 and not links.split


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"ent_ids_1": "0\tx\nQ1\ty\n"}, "ent_ids_1:2: 'Q1' is no id of this layout"),
        ({"ent_ids_1": "0\tx\n0\ty\n"}, "ent_ids_1:2: the id 0 stands twice"),
        ({"ent_ids_1": "0\n"}, "this line has 1 column instead of 2"),
        ({"ent_ids_2": "0\tx\n3\ty\n4\tz\n5\tz\n"}, "the id '0' is in both graphs"),
        ({"triples_1": "0\t1\n"}, "triples_1:1: this line has 2 columns instead of 3"),
        ({"triples_2": "3\t20\t0\n"}, "triples_2:1: there is no entity '0' in ent_ids_2"),
        ({"triples_2": None}, "there is no triples_2 in this folder. dbp15k:DIR"),
        ({"training_attrs_1": "x\ty\n"}, "there is no entity 'x' in ent_ids_1"),
        ({"ref_ent_ids": "0\t3\n"}, "ref_ent_ids:1: the link 0 - 3 is in train and in test"),
        ({"ref_ent_ids": None}, "there is no ref_ent_ids"),
        ({"sup_ent_ids": None}, "there is no ill_ent_ids"),
    ],
)
def test_faults_are_one_line(tmp_path, changed, message):
    source = made(tmp_path, "dbp15k", **changed)
    with pytest.raises(UserError) as fault:
        open_graph(source)
        open_links(source)
    assert message in str(fault.value) and "\n" not in str(fault.value)
