from __future__ import annotations

import pytest
from tiny_graphs import write

from xadapt.core.errors import UserError
from xadapt.data.graphs.builders import Facts, NameTables, sort_key


def test_relations_are_collected_and_sorted():
    facts = Facts({"a": 0, "b": 1}, None, "entities.tsv")
    for relation in ("10", "9", "x", "10"):
        facts.add("a", relation, "b", "here", "dev")
    relations, triples, parts = facts.build()
    assert relations == ("9", "10", "x") and triples[:, 1].tolist() == [1, 0, 2, 1]
    assert parts.tolist() == [1, 1, 1, 1] and sorted(["b", "2", "10"], key=sort_key)[0] == "2"
    assert Facts({}, None, "e").build()[1].shape == (0, 3)


def test_unknown_ids_are_refused_with_their_line(tmp_path):
    write(tmp_path, {"f": "a\tr\tb\n\na\tr\tz\n", "g": "a\tq\tb\n", "h": "a\tr\n"})
    wanted = {
        "f": "f:3: there is no entity 'z' in entities.tsv",
        "g": "g:1: there is no relation 'q' in relations.tsv",
        "h": "h:1: this line has 2 columns instead of 3. A line holds head, relation and tail",
    }
    for name, message in wanted.items():
        facts = Facts({"a": 0, "b": 1}, {"r": 0}, "x/entities.tsv", "x/relations.tsv")
        with pytest.raises(UserError) as fault:
            facts.read(str(tmp_path / name), "train")
        assert message in str(fault.value)


def test_names_by_language():
    one, other = NameTables(), NameTables()
    one.add("sw", 1, "paka")
    other.add("sw", 1, "nyau")
    other.add("en", 0, "dog")
    one.extend(other)
    made = one.build({"a": 0, "b": 1})
    assert list(made) == ["en", "sw"] and made["sw"]["b"] == ("paka", "nyau")
    assert one.of(1) == [("sw", "paka"), ("sw", "nyau")]
