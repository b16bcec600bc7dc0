from __future__ import annotations

import pytest
from tiny_graphs import made, write

from xadapt.core.errors import UserError
from xadapt.data.graphs.links import (
    links_by_part,
    make_links,
    require_apart,
    require_known,
    united_links,
)
from xadapt.data.graphs.opening import open_graph
from xadapt.data.records import EntityLink


def test_parts_sides_and_records():
    links = united_links(
        "both", [make_links("t", [("a", "x")], "train"), make_links("e", [("b", "y")], "test")]
    )
    assert links.split and len(links) == 2 and links.counts() == {"train": 1, "dev": 0, "test": 1}
    assert links.of("train").pairs == (("a", "x"),) and links.of("dev").pairs == ()
    assert links.of("test", "train").pairs == links.pairs
    assert list(links.records()) == [EntityLink("a", "x"), EntityLink("b", "y")]
    assert links.swapped().pairs[1] == ("y", "b") and links.entities() == set("abxy")
    assert not make_links("t", [("a", "x")]).split
    assert not united_links("all", [links, make_links("t", [("a", "x")])]).split
    with pytest.raises(UserError, match="unknown part"):
        links.of("tset")


def test_the_hash_depends_on_pairs_order_and_parts():
    pairs = [("a", "x"), ("b", "y")]
    own = make_links("t", pairs, "train").sha256
    assert own == make_links("other", pairs, "train").sha256
    others = [make_links("t", pairs[::-1], "train"), make_links("t", pairs, "test")]
    assert own not in [one.sha256 for one in others]


def test_a_link_to_nothing(tmp_path):
    graph = open_graph(made(tmp_path, "kg"))
    require_known(make_links("l", [("a", "c")]), graph)
    with pytest.raises(UserError) as fault:
        require_known(make_links("l.tsv", [("a", "c"), ("a", "z")]), graph)
    assert str(fault.value).startswith("l.tsv: the link a - z leads to nothing")
    with pytest.raises(UserError, match="no entity 'c'"):
        require_known(make_links("l", [("c", "c")]), graph.without(["c"]), graph)


def test_an_entity_in_training_and_test():
    train = make_links("train.tsv", [("a", "x")])
    require_apart(train, make_links("test.tsv", [("b", "y")]))
    for pair, shared in ((("a", "y"), "a"), (("b", "x"), "x")):
        with pytest.raises(UserError) as fault:
            require_apart(train, make_links("test.tsv", [pair]))
        assert f"test.tsv: the entity '{shared}'" in str(fault.value)


def test_files_by_part(tmp_path):
    write(tmp_path, {"a": "1\t2\n1\t2\n", "b": "3\t4\n1\t2\n"})
    alone = links_by_part("l", {"dev": str(tmp_path / "a")}, "two ids")
    assert alone.pairs == (("1", "2"),) and alone.parts.tolist() == [1]
    both = {"train": str(tmp_path / "a"), "test": str(tmp_path / "b")}
    with pytest.raises(UserError) as fault:
        links_by_part("l", both, "two ids")
    assert f"{tmp_path}/b:2: the link 1 - 2 is in train and in test" in str(fault.value)
