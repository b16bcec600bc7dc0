"""Benchmarks of graphs: the shuffled control and the marks of relations by hand; no training."""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from twin_graphs import twins

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "benchmarks"))

import judge_graphs
import kg_runs
import knowledge_probes
import modalities

from xadapt.data.graphs.links import Links
from xadapt.data.graphs.opening import open_links
from xadapt.pipelines.kg_candidates import Candidates
from xadapt.tasks.kg.judging import EntityFacts
from xadapt.tasks.kg.modalities import Modality


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


def test_a_cross_encoder_learns_from_candidates_that_were_found_and_from_no_other():
    left, right, links = twins(40, 100)
    gold = dict(links.pairs)
    found = Candidates("de1", (gold["de2"], gold["de1"], gold["de3"]))
    missed = Candidates("de4", (gold["de5"], gold["de6"]))
    facts = EntityFacts(left), EntityFacts(right)
    lines = list(judge_graphs.pairs_of(iter([found, missed]), links, facts))
    assert [line.rstrip("\n").split("\t")[2] for line in lines] == ["other", "same", "other"]
    assert lines[1].startswith(facts[0].name("de1")) and facts[1].name(gold["de1"]) in lines[1]
    drawn = judge_graphs.drawn(links, 5)
    assert drawn < judge_graphs.drawn(links, 9) <= set(left.entities) and len(drawn) == 5


def test_more_missing_vectors_are_missing_at_every_higher_level():
    ones = Modality.of(np.ones((200, 2)), np.ones((300, 2)))
    whole = {"text": ones, "structure": ones}
    levels = [modalities.dropped(whole, "text", level, 1)["text"] for level in modalities.LEVELS]
    for less, more in pairwise(levels):
        for a, b in zip(less.has, more.has, strict=True):
            assert not (b & ~a).any() and b.sum() < a.sum()
    assert levels[0].has[0].all() and not levels[-1].has[0].any()
    assert 0.5 < levels[2].has[1].mean() < 0.7
    other = modalities.dropped(whole, "text", 60, 2)["text"]
    assert (other.has[0] != levels[3].has[0]).any()
