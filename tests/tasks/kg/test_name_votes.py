from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xadapt.data.readers.name_files import CheckedNames, ScoredName
from xadapt.tasks.kg.name_votes import (
    CHECK,
    COVERAGE,
    FLAGS,
    count_names,
    name_scores,
    normal_name,
    vote,
)


def table(**entities):
    return {e: tuple(ScoredName(*n) for n in names) for e, names in entities.items()}


A = table(Q1=[("Erde", 5, True), ("erde!",)], Q2=[("Mond",)])
B = table(Q1=[("ERDE",), ("Terra", 2)], Q3=[("Sonne",)])
C = table(Q1=[("Erde",), ("Terra",)])
SOURCES = {"a": A, "b": B, "c": C}


def values(voted):
    return [(one.name, one.votes, one.primary, one.sources) for one in voted]


def test_names_are_compared_without_case_and_signs():
    assert normal_name("Saint-Étienne (Loire) 2!") == "saintétienne loire 2"
    assert normal_name("İ") == "i"  # the dot above is no letter


def test_votes_by_hand():
    voted = vote(SOURCES)
    assert list(voted) == ["Q1", "Q2", "Q3"]
    assert values(voted["Q1"]) == [
        ("Erde", 3, True, ("a", "b", "c")), ("Terra", 2, False, ("b", "c"))
    ]  # fmt: skip
    assert values(voted["Q2"]) == [("Mond", 1, False, ("a",))]
    assert [one.votes for one in vote(SOURCES, scored=True)["Q1"]] == [5 + 1 + 1, 2 + 1]


def test_spellings_that_are_alike_share_their_votes_and_no_source_counts_twice():
    def alike(names):
        first = [name.lower()[0] for name in names]
        return np.array([[a == b for b in first] for a in first])

    names = {"a": table(Q=[("Tosca",), ("Toska",)]), "b": table(Q=[("Toszka",), ("Aida",)])}
    assert [one.votes for one in vote(names)["Q"]] == [1, 1, 1, 1]
    voted = {one.name: (one.votes, one.sources) for one in vote(names, alike=alike)["Q"]}
    both = (2, ("a", "b"))
    assert voted == {"Tosca": both, "Toska": both, "Toszka": both, "Aida": (1, ("b",))}
    never = vote(names, alike=lambda own: np.eye(len(own), dtype=bool))
    assert never == vote(names)


GOLD = {
    "Q1": CheckedNames(("Erde", "erde", "Welt"), ("Terra",)),
    "Q2": CheckedNames((), ("Mond", "Luna")),
    "Q4": CheckedNames(("Mars",), ()),
}


def test_both_measures_by_hand():
    counts = count_names(vote(SOURCES), GOLD, least=2, confirms=1)
    # Q1 predicts erde, terra; right names erde, welt. Q2 has no right name: no prediction counts.
    assert counts.covered.tolist() == [1, 0, 0] and counts.predicted.tolist() == [2, 0, 0]
    assert counts.right.tolist() == [2, 0, 1] and counts.entities == 1
    # Known names keep their repetitions: Erde, erde, Welt; one vote keeps a name
    assert counts.known_right.tolist() == [3, 0, 1] and counts.known_wrong.tolist() == [1, 2, 0]
    assert counts.found_wrong.tolist() == [0, 1, 0] and counts.found_right.tolist() == [1, 0, 1]
    found = {name: one.mean for name, one in name_scores(counts, resamples=50).items()}
    precision, recall, accuracy, flagged = 1 / 2, 1 / 3, (4 - 2 + 1) / 7, 1 / 3
    expected = dict(zip(COVERAGE, (precision, recall, 2 / (2 + 3)), strict=True))
    f1 = 2 * accuracy * flagged / (accuracy + flagged)
    expected |= dict(zip(CHECK, (accuracy, flagged, f1), strict=True)) | {FLAGS: 1 / 3}
    assert found == pytest.approx(expected)


def test_nothing_predicted_and_everything_right():
    nothing = name_scores(count_names({}, GOLD), resamples=20)
    assert nothing[COVERAGE[2]].mean == 0 and nothing[CHECK[1]].mean == 1
    assert nothing[CHECK[0]].mean == 3 / 7 == nothing[FLAGS].mean
    gold = {"Q1": CheckedNames(("Erde",), ("Welt",))}
    perfect = vote({"a": table(Q1=[("Erde",)]), "b": table(Q1=[("erde",)])})
    found = name_scores(count_names(perfect, gold), resamples=20)
    assert all(one.mean == 1 == one.low for one in found.values())


NAMES = st.dictionaries(
    st.sampled_from("QRS"), st.lists(st.sampled_from(["a", "A", "b", "b!", "c"]), max_size=4)
)


@given(st.lists(NAMES, min_size=1, max_size=3), NAMES, st.integers(1, 3))
def test_counts_equal_a_slow_twin(given_names, right, least):
    sources = {
        str(i): table(**{e: [(n,) for n in own] for e, own in one.items()})
        for i, one in enumerate(given_names)
    }
    gold = {e: CheckedNames(tuple(own), ("c",)) for e, own in right.items()}
    counts = count_names(vote(sources), gold, least, least)
    for row, (entity, own) in enumerate(gold.items()):
        every = [{normal_name(n) for n in one.get(entity, [])} for one in given_names]
        kept = {k for k in ("a", "b", "c") if sum(k in one for one in every) >= least}
        keys = {normal_name(n) for n in own.right}
        assert counts.covered[row] == len(kept & keys)
        assert counts.predicted[row] == (len(kept) if keys else 0)
        assert counts.found_wrong[row] == ("c" not in kept)
        assert counts.found_right[row] == sum(normal_name(n) not in kept for n in own.right)
