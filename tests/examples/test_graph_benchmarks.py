"""Benchmarks of graphs: the shuffled control and the marks of relations by hand; no training."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "benchmarks"))

import kg_runs
import knowledge_probes

from xadapt.data.graphs.links import Links
from xadapt.data.graphs.opening import open_links


@pytest.mark.parametrize("named", [True, False])
def test_shuffled_links_are_wrong_and_the_test_stays(tmp_path, named):
    sides = ("ja:", "en:", "fr:") if named else ("", "", "")
    pairs = [(f"{sides[0]}{i}", f"{sides[1]}{100 + i}") for i in range(30)]
    if named:
        pairs += [(f"fr:{i}", f"ja:{i}") for i in range(20)]
    parts = np.array([2 if i % 5 == 0 else 0 for i in range(len(pairs))], np.int8)
    links = Links("x", tuple(pairs), parts)
    made = open_links(str(kg_runs.shuffle_links(links, tmp_path / "a.tsv", 0)))
    same = open_links(str(kg_runs.shuffle_links(links, tmp_path / "b.tsv", 0)))
    other = open_links(str(kg_runs.shuffle_links(links, tmp_path / "c.tsv", 1)))
    assert made.pairs == same.pairs and made.pairs != other.pairs
    assert made.of("test").pairs == links.of("test").pairs
    right, wrong = set(links.of("train").pairs), made.of("train").pairs
    assert len(wrong) == len(right) and len(right & set(wrong)) <= 2
    for column in (0, 1):  # the same entities are linked, each as often as before
        before = sorted(pair[column] for pair in right)
        assert sorted(pair[column] for pair in wrong) == before or named
    assert {e for pair in wrong for e in pair} == {e for pair in right for e in pair}


def test_marked_entities_keep_their_order_and_lose_their_marks():
    found = knowledge_probes.marked("Of <e2> Radiohead </e2> is <e1> Thom </e1> .", "x")
    assert found.text == "Of Radiohead is Thom ." and found.label == "x"
    first, second = (found.text[a:b] for a, b in found.spans)
    assert (first, second) == ("Thom", "Radiohead")
    assert knowledge_probes.marked("<e1> a </e1> b", "x") is None


def test_the_f1_of_relations_leaves_no_relation_out():
    gold, given = ["a", "a", "b", "no_relation"], ["a", "b", "b", "a"]
    # a: 1 of 2 found, 1 of 2 given right; b: 1 of 1 found, 1 of 2 given right
    assert knowledge_probes.macro_f1(gold, given) == pytest.approx((1 / 2 + 2 / 3) / 2)
