from __future__ import annotations

import json

import numpy as np
import pytest
from tiny_graphs import write
from tiny_heads import published
from tiny_models import tiny_folder

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.core.errors import UserError
from xadapt.data.readers.concept_names import ConceptNames
from xadapt.data.readers.mentions import Mention
from xadapt.pipelines.kg_reranked import choose, open_judge, rerank, write_training

NAMES = ConceptNames.of([("A", "en", "a"), ("A", "en", "aa"), ("B", "en", "b"), ("C", "en", "c")])


def row(text, scores, right=("A",), **same):
    """A row whose candidates are in the order of the scores."""
    own = [{"concept": c, "name": c.lower(), "score": s} for c, s in scores.items()]
    for one in own:
        if same:
            one |= {"spelling": one["score"], "same": same[one["concept"]]}
    return {"mention": text, "text": text, "candidates": own, "nil": False, "right": list(right),
            "ranks": {"spelling": 2.0}}  # fmt: skip


def judged(*given, nil=None, weight=1.0):
    made = [row("m", {"A": 0.5, "B": 0.4}) for _ in given]
    asked = []

    def judge(lists):
        asked.extend(lists)
        return [np.array(one) for one in given]

    mentions = [Mention("m", "m", ("A",)) for _ in given]
    rerank(judge, mentions, made, NAMES, "spelling", weight, nil)
    return made, asked


def test_candidates_are_ordered_and_none_is_the_answer_where_it_is_likeliest():
    (first, second), asked = judged([0.2, 0.5, 0.3], [0.2, 0.3, 0.5])
    assert asked[0] == ("m", ["a; aa", "b"])
    assert [one["concept"] for one in first["candidates"]] == ["B", "A"]
    assert not first["nil"] and second["nil"] and second["none"] == 0.5
    assert first["ranks"]["reranked"] == 2 and first["candidates"][0]["spelling"] == 0.4
    (only,), _ = judged([0.2, 0.5, 0.3], nil=0.6)
    assert only["nil"]
    (only,), _ = judged([0.2, 0.1])  # a judge without "none"
    assert not only["nil"] and "none" not in only
    (half,), _ = judged([0.2, 0.5, 0.3], weight=0.5)
    assert half["candidates"][0]["score"] == pytest.approx(0.45)


def test_weight_and_threshold_are_chosen_by_hand():
    """The search is right for the first, the judge for the second: half of each is right twice."""
    rows = [
        row("1", {"A": 0.9, "B": 0.1}, A=0.4, B=0.5),
        row("2", {"B": 0.55, "A": 0.45}, A=0.7, B=0.3),
        row("3", {"B": 0.5, "C": 0.1}, ("Z",), B=0.1, C=0.05),
    ]
    found = choose(rows, NAMES.index, "spelling")
    assert found.recall == 1 and found.answers == 1 and found.mentions == 3
    assert found.rerank_weight == pytest.approx(0.3)  # at 0.2 both of the second are equal
    assert found.nil == pytest.approx((0.1 + 0.5) / 2)
    assert choose(rows, NAMES.index, "spelling", weight=1.0).recall == 0.5
    given = choose(rows, NAMES.index, "spelling", nil=0.0)
    assert given.nil == 0 and given.answers == pytest.approx(2 / 3)
    assert "weight 0.3" in found.line() and found.to_dict()["rerank_weight"] == 0.3


def test_a_threshold_without_a_judge_and_mentions_without_a_concept_alone():
    rows = [row("1", {"A": 0.9}), row("2", {"B": 0.5}, ("Z",))]
    found = choose(rows, NAMES.index, "spelling")
    assert (found.rerank_weight, found.nil, found.answers) == (None, pytest.approx(0.7), 1)
    found = choose(rows[1:], NAMES.index, "spelling")
    assert found.answers == 1 and found.nil == pytest.approx(0.75) and found.recall == 0
    empty = {"candidates": [], "right": ["Z"]}
    assert choose([empty], NAMES.index, "spelling").answers == 1


def test_lists_and_pairs_to_train_on(tmp_path):
    mentions = [
        Mention("1", "m1", ("A", "B"), "de"), Mention("2", "m2", ("C",)),
        Mention("3", "m3", ("Z",)), Mention("4", "m4"),
    ]  # fmt: skip
    rows = [row(f"m{i}", {"A": 0.5, "B": 0.4}) for i in range(1, 5)]
    rows[2]["candidates"][0] |= {"spelling": 0.3}  # re-ranked: the score of the search is kept
    write_training(tmp_path / "l.jsonl", mentions, rows, NAMES, "spelling")
    made = [json.loads(line) for line in (tmp_path / "l.jsonl").read_text().splitlines()]
    assert made == [
        {"text": "m1", "candidates": ["a; aa"], "scores": [0.5], "right": 0, "concept": "A",
         "lang": "de"},
        {"text": "m3", "candidates": ["a; aa", "b"], "scores": [0.3, 0.4], "right": None,
         "concept": "Z"},
    ]  # fmt: skip
    write_training(tmp_path / "p.tsv", mentions, rows, NAMES, "spelling")
    assert len((tmp_path / "p.tsv").read_text().splitlines()) == 6
    with pytest.raises(UserError, match="no pairs"):
        write_training(tmp_path / "n.jsonl", mentions[1:2], rows[1:2], NAMES, "spelling")
    assert not (tmp_path / "n.jsonl").exists()


def test_modules_of_both_kinds_and_no_other(tmp_path):
    base = str(tiny_folder(tmp_path / "base"))
    encoder = Encoder.from_pretrained(base, dtype="float32")
    lists = [("katze", ["hund", "park"]), ("hund", []), ("matte", ["katze"])]
    published(tmp_path / "list", encoder, "candidate_ranking")
    found = open_judge(base, str(tmp_path / "list"), "float32")(lists)
    assert [len(own) for own in found] == [3, 1, 2]
    published(tmp_path / "tags", encoder, "tagging")
    with pytest.raises(UserError, match="head"):
        open_judge(base, str(tmp_path / "tags"), "float32")
    with pytest.raises(UserError):
        open_judge(base, str(write(tmp_path / "none", {"a": "b"})), "float32")
