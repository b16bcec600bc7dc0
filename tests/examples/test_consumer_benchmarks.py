"""Benchmarks of names, links and matches: splits and tables by hand; no training."""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "benchmarks"))

import consumer_tables
import link_concepts
import match_claims
import vote_names


def test_printed_scores_are_read(tmp_path):
    path = tmp_path / "m.out"
    path.write_text(
        "- Loading predictions from data/names/gpt/ar.gpt-4.json...\n  Coverage - P  = 41.8\n"
        "  Coverage - R  = 23.2\n  Coverage - F1 = 29.9\n"
    )
    assert vote_names.read_printed(path) == {"ar": ["41.8", "23.2", "29.9"]}


def test_two_fifths_of_the_concepts_are_tested():
    share = sum(link_concepts.is_test(f"HP:{i:07}") for i in range(4000)) / 4000
    assert share == pytest.approx(0.4, abs=0.03)


def test_claims_and_their_tweets(tmp_path):
    (tmp_path / "claims.tsv.gz").write_bytes(gzip.compress(b"\tvclaim\ttitle\n0\tA.\tA?\n"))
    (tmp_path / "queries_train.tsv.gz").write_bytes(gzip.compress(b"1\ta tweet\t0\n2\tb\t\n"))
    rows, texts, gold = match_claims.claims(tmp_path)
    assert [row.text for row in rows] == ["A.; A?"] and [text.id for text in texts] == ["1", "2"]
    assert gold == {"1": {"0"}}


def score(value):
    return {"mean": value, "low": value, "high": value}


def test_tables_by_hand():
    own = {name: {"R@1": score(0.25), "R@5": score(0.5)} for name in ("spelling", "vectors")}
    row = {"concepts": 9, "scores": own, "by_language": {"cs": {"mentions": 4, "scores": own}}}
    text = consumer_tables.linked(
        {"rows": {"frozen base": row, "EP 0": row}, "seeds": 1, "training_names": 3, "base": "mini",
         "trained": ["de"], "never": ["cs"]}
    )  # fmt: skip
    assert "| TF-IDF | 0.250 / 0.500 | 0.250 / 0.500 |" in text and "cs, never" in text
    measures = {name: score(0.5) for name in ("MRR", "P@1", "P@5", "hits@5")}
    run = {"systems": ["walks"], "scores": {"walks": measures}, "measured": 1, "rows": 2,
           "nodes": 3, "edges": 4}  # fmt: skip
    text = consumer_tables.matched(
        {"rows": {"0": run}, "settings": {"walks": 1}, "seeds": 1, "base": "mini"}
    )
    assert "| walks | 0.500" in text
