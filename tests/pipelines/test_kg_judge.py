"""Candidates judged by votes: no gold, no bias of place, stages, voters, measures, resuming."""

from __future__ import annotations

import io
import json
import random
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console
from tiny_commands import good, xadapt
from tiny_voter import Voter
from twin_graphs import twins, write_twins

from xadapt.core.errors import UserError
from xadapt.integrations.language_models.client import Client, OutOfReachError
from xadapt.integrations.language_models.protocol import Reply
from xadapt.pipelines.kg_candidates import Candidates, Judging
from xadapt.pipelines.kg_judge import judge_candidates
from xadapt.pipelines.kg_judged import BOUND, FALLBACK, FIRST, VOTE
from xadapt.pipelines.kg_voters import pair_texts
from xadapt.tasks.kg.judging import EntityFacts

LEFT, RIGHT, LINKS = twins(120, 400)
GOLD = dict(LINKS.pairs)
NAMES = {EntityFacts(LEFT).name(a): EntityFacts(RIGHT).name(b) for a, b in GOLD.items()}
K = 10


def table(path, first=0.6, there=0.9, seed=0, order=None):
    """Candidates of each entity: the right one first in some, later or not at all in others."""
    draw, lines = random.Random(seed), ["src\ttgt\tscore\trank\tmargin"]
    for source in LEFT.entities:
        right = GOLD[source]
        others = draw.sample([e for e in RIGHT.entities if e != right], K)
        chance = draw.random()
        place = 0 if chance < first else draw.randrange(1, K) if chance < there else None
        own = others[:K] if place is None else [*others[:place], right, *others[place : K - 1]]
        if order is not None:
            own = [own[i] for i in order]
        lines += [f"{source}\t{target}\t0.5\t1\t" for target in own]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def go(tmp_path):
    def run(*voters, pairs=None, links=LINKS, **more):
        models = [Client(v, replies=1) if hasattr(v, "reply") else v for v in voters]
        given = {"links": links, "resamples": 50, **more}
        pairs = pairs or table(tmp_path / "pairs.tsv")
        out = tmp_path / "judged.jsonl"
        out.unlink(missing_ok=True)
        return judge_candidates(pairs, LEFT, RIGHT, models=models, out=out, **given)

    run.folder = tmp_path
    return run


def accuracy(judged, name):
    return judged.scores()[name]["accuracy"].mean


def test_who_knows_reaches_the_bound_and_not_more(go):
    judged = go(Voter(NAMES))
    assert accuracy(judged, VOTE) == accuracy(judged, BOUND) == pytest.approx(0.9, abs=0.1)
    assert accuracy(judged, FIRST) < accuracy(judged, VOTE) < 1
    assert all(row["choice"] is None or row["choice"] in row["candidates"] for row in judged.rows)
    assert all(len(row["candidates"]) == K for row in judged.rows)
    assert judged.precision.mean == 1 and len(judged.rows) == 120 and len(judged.asked) == 30
    test = judged.scores()[VOTE]["mcnemar"]
    assert test.only_theirs == 0 and test.only_ours > 3 and test.p < 0.05
    missed = [row for row in judged.rows if GOLD[row["src"]] not in row["candidates"]]
    assert missed and all(row["abstain"] for row in missed)


def test_links_are_measured_with_and_read_by_nobody(go):
    with_links = go(one := Voter(NAMES))
    without = go(other := Voter(NAMES), links=None)
    assert with_links.rows == without.rows and sorted(one.prompts) == sorted(other.prompts)
    assert without.gold is None and without.scores() == {} and without.precision is None
    ids = (*LEFT.entities, *RIGHT.entities)
    assert not any(f"{one}\n" in prompt for prompt in other.prompts for one in ids)


def test_the_order_of_the_table_says_nothing(go):
    mixed = table(go.folder / "mixed.tsv", order=[3, 0, 9, 1, 8, 2, 7, 4, 6, 5])
    one, other = go(Voter(NAMES)), go(Voter(NAMES), pairs=mixed)
    assert [row["choice"] for row in one.rows] == [row["choice"] for row in other.rows]
    first = go(Voter({}, bias=1.0), rounds=1)
    places = [row["candidates"].index(row["choice"]) for row in first.rows]
    assert np.bincount(places, minlength=K).max() < 30  # the first in the list is any candidate


@pytest.mark.parametrize("fixed", [False, True])
def test_voting_in_latin_orders_removes_the_bias_that_one_call_has(go, fixed):
    """Must hold for a bias of the call, and for one of the entry, which no repetition removes."""
    pairs = table(go.folder / "all.tsv", there=1.1)
    errors, wrong = {}, {}
    for bias in (0.0, 0.2, 0.4):
        for rounds in (1, 9):
            voter = Voter(NAMES, bias, known=0.95, fixed=fixed)
            judged = go(voter, pairs=pairs, rounds=rounds, facts=0)
            answers = [(row["choice"], GOLD[row["src"]]) for row in judged.rows]
            errors[bias, rounds] = np.mean([a != b for a, b in answers])
            wrong[bias, rounds] = np.mean([a not in (None, b) for a, b in answers])
    assert errors[0.0, 1] < errors[0.2, 1] < errors[0.4, 1]
    for bias in (0.2, 0.4):
        assert wrong[bias, 1] == pytest.approx(bias * 0.9 + 0.05, abs=0.12)
        assert wrong[bias, 9] <= 0.02  # what one call gets wrong is right, or no answer
        if not fixed:
            assert errors[bias, 9] < errors[bias, 1] - 0.1


def test_a_decided_vote_asks_no_more(go):
    go(voter := Voter(NAMES), pairs=table(go.folder / "a.tsv", there=1.1), rounds=5)
    assert len(voter.prompts) == 3 * 120
    go(voter := Voter({}), rounds=5)  # it always says none: 3 rounds decide
    assert len(voter.prompts) == 3 * 120


def with_attributes(graph):
    return replace(graph, attributes={e: (("number", e[2:]),) for e in graph.entities[::2]})


def test_attributes_come_first_and_relations_only_where_they_are_open(go, monkeypatch):
    class Asked(Voter):
        def choose(self, prompt):
            stages.append("number: " in prompt)
            return 0 if "number: " in prompt else super().choose(prompt)

    stages = []
    pairs = table(go.folder / "pairs.tsv")
    judged = judge_candidates(
        pairs, with_attributes(LEFT), RIGHT, models=[Client(Asked(NAMES))], links=LINKS,
        out=go.folder / "o.jsonl", rounds=1, resamples=50,
    )  # fmt: skip
    assert stages.count(True) == 60 and len(stages) == 180
    [details] = judged.rows[0]["rounds"].values()
    assert list(details) == ["attributes", "relations"]
    assert details["attributes"] == {"asked": 1, "counts": {}}
    [details] = judged.rows[1]["rounds"].values()
    assert list(details) == ["relations"]


def test_without_names_only_facts_are_shown(go):
    go(voter := Voter(NAMES), names=False, rounds=1)
    left, right = EntityFacts(LEFT), EntityFacts(RIGHT)
    assert not any("name: " in prompt for prompt in voter.prompts)
    assert any("r0: " in prompt for prompt in voter.prompts)
    one = Candidates("de0", ("en1", "en2"))
    texts = pair_texts(left, right, one, Judging())
    assert texts[0].startswith(left.name("de0")) and len(texts) == 3


class Saying:
    """Says one thing."""

    def __init__(self, text, name="saying"):
        self.text, self.facts = text, {"language model": "own", "model": name}

    def reply(self, question):
        return Reply(self.text)


@pytest.mark.parametrize("text", ["", "ten", '{"choice": 11}', '{"choice": -1}', '{"choice": "x"}'])
def test_a_reply_that_is_no_candidate_is_a_vote_for_nobody(go, text):
    judged = go(Saying(text))
    assert all(row["abstain"] for row in judged.rows)
    assert accuracy(judged, VOTE) == 0 and accuracy(judged, FALLBACK) == accuracy(judged, FIRST)
    assert not judged.precision


def test_ten_is_not_one(go):
    judged = go(Saying('{"choice": 10}'), rounds=1)
    other = go(Saying('{"choice": 1}'), rounds=1)
    assert all(a["choice"] != b["choice"] for a, b in zip(judged.rows, other.rows, strict=True))


def test_of_several_voters_more_than_half_decide(go):
    class Named(Voter):
        facts = property(lambda self: {"model": f"voter {self.bias} {self.known}"})

    one, two, three = Named(NAMES), Named(NAMES, 0.99), Named({}, known=0.5)
    judged = go(one, two, three, rounds=1)
    for row in judged.rows:
        votes = list(row["votes"].values())
        best = [v for v in votes if v is not None and votes.count(v) > 1]
        assert row["choice"] == (best[0] if best else None)
    assert {FIRST, VOTE, FALLBACK, BOUND, *judged.rows[0]["votes"]} == set(judged.scores())


def test_work_that_stopped_goes_on_and_other_options_are_refused(go):
    class Breaking(Voter):
        def choose(self, prompt):
            if len(self.prompts) > 100:
                raise UserError("no key")
            return super().choose(prompt)

    with pytest.raises(UserError, match="no key"):
        go(Breaking(NAMES), workers=2)
    with pytest.raises(UserError, match="another value of rounds"):
        go(Voter(NAMES), rounds=3)
    judged = go(voter := Voter(NAMES), workers=2)
    assert 0 < len(voter.prompts) < 300 and len(judged.rows) == 120
    assert accuracy(judged, VOTE) == accuracy(judged, BOUND)


def test_a_model_out_of_order_is_tried_again_for_the_last_entities(go):
    class Out(Voter):
        def choose(self, prompt):
            if len(self.prompts) > 60:
                raise OutOfReachError("no reply")
            return super().choose(prompt)

    judged = go(Out(NAMES), rounds=1, workers=1)
    faults = [row for row in judged.rows if "fault" in str(row.get("rounds"))]
    assert faults and all(row["abstain"] for row in faults)


def test_modules_and_a_cross_encoder_vote_too(go, place, de):
    left, right, links = write_twins(go.folder, 120, facts=400)
    pairs = go.folder / "aligned.tsv"
    given = ("--left", left, "--right", right)
    good("kg", "align", *given, "--names", "--top", 5, "--out", pairs)
    rows = "".join(
        f"Bar{i} town; r0: Kel\tBar{i} home; r0: Kel\tsame\n"
        f"Sol{i} town; r0: Kel\tMon{i} home; r1: Mon\tother\n"
        for i in range(12)
    )
    (go.folder / "train.tsv").write_text(rows, encoding="utf-8")
    judge = go.folder / "judge"
    good("train", "pair_classification", "--base", place.base, "--data", go.folder / "train.tsv",
         "--lang", "en", "--out", judge, "--set", "module.rank=2", "--set", "dtype=float32",
         "--set", "train.epochs=1")  # fmt: skip
    out = go.folder / "out.jsonl"
    voters = ("--base", place.base, "--module", f"{de},other={de}", "--reranker", judge)
    written = ("--out", out, "--report", go.folder / "p.html", "--json", go.folder / "r.json")
    done = good("kg", "judge", "--candidates", pairs, *given, *voters, "--links", links, "--top", 5,
                *written)  # fmt: skip
    assert "recall@5" in done.out and "cross-encoder" in done.out
    found = json.loads((go.folder / "r.json").read_text(encoding="utf-8"))
    assert found["scores"][BOUND]["accuracy"]["mean"] >= found["scores"][VOTE]["accuracy"]["mean"]
    rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    names = list(rows[0]["votes"])
    assert names == ["module de", "module other", "cross-encoder"]
    assert all(row["votes"]["module de"] == row["votes"]["module other"] for row in rows)
    assert "judged candidates" in (go.folder / "p.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"rounds": 4}, "odd number"),
        ({"rounds": 0}, "below 1"),
        ({"top": 1}, "below 2"),
        ({"top": 27}, "at most 26"),
        ({"identify": "luck"}, "functionality or values"),
        ({"facts": -1}, "below 0"),
        ({"modules": ["m"]}, "Add --base"),
        ({"models": []}, "no voter"),
    ],
)
def test_a_wrong_option_is_told(tmp_path, options, said):
    pairs = table(tmp_path / "p.tsv")
    given = {"models": [Client(Voter(NAMES))], "out": tmp_path / "o", **options}
    with pytest.raises(UserError, match=said):
        judge_candidates(pairs, LEFT, RIGHT, **given)
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("src\ttgt\n", "no candidate"),
        ("de0\tnobody\n", "'nobody' is not in twin/en"),
        ("nobody\ten0\n", "'nobody' is not in twin/de"),
        ("de0\n", "instead of"),
    ],
)
def test_a_malformed_table_is_told(tmp_path, text, said):
    (tmp_path / "p.tsv").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=said):
        judge_candidates(tmp_path / "p.tsv", LEFT, RIGHT, models=[Client(Voter(NAMES))],
                         out=tmp_path / "o")  # fmt: skip


def test_the_table_is_narrow_and_the_result_is_json(go):
    judged = go(Voter(NAMES), limit=100)
    assert len(judged.rows) == 100
    shown = io.StringIO()
    Console(file=shown, width=80).print(judged.table())
    assert max(map(len, shown.getvalue().splitlines())) <= 80
    assert "best possible: recall@10" in shown.getvalue()
    found = json.loads(json.dumps(judged.to_dict(), allow_nan=False))
    assert found["test entities not judged"] == 20 or found["asked"] < 30
    bare = go(Voter(NAMES), links=None)
    Console(file=shown, width=80).print(bare.table())
    assert "abstained" in shown.getvalue()


def test_the_command_line_refuses_in_one_line(go):
    pairs = table(go.folder / "p.tsv")
    done = xadapt("kg", "judge", "--candidates", pairs, "--left", "kg:none", "--right", "kg:none",
                  "--llm", "file:r.jsonl", "--out", go.folder / "o")  # fmt: skip
    assert done.code == 2 and len(done.lines) == 1
    done = xadapt("kg", "judge", "--candidates", pairs, "--left", "kg:none", "--right", "kg:none",
                  "--llm", "file:r.jsonl", "--out", pairs)  # fmt: skip
    assert done.code == 2 and "read by the same command" in done.err
