from __future__ import annotations

import math

import pytest
import torch
from pydantic import ValidationError

from xadapt.config.recipe import strict
from xadapt.data.records import TextPair
from xadapt.objectives.multiple_negatives_ranking import MultipleNegativesRanking

ALL = [
    TextPair("What is a cat?", "A small animal.", ("A large plant.",), "en"),
    TextPair("what is a cat", "It purrs.", (), "en"),  # the same query, another positive
    TextPair("Who purrs?", "It purrs!", ("A small animal.", "A small animal"), "en"),
    TextPair("It purrs", "Loudly.", (), "en"),  # its text is a positive of others
]


def unit(*angles):
    return torch.tensor([[math.cos(a), math.sin(a)] for a in angles])


def slow(query, keys, target, allowed, temperature):
    scores = {j: float(query @ key) / temperature for j, key in enumerate(keys) if j in allowed}
    return math.log(sum(math.exp(s) for s in scores.values())) - scores[target]


def losses(objective, anchor, positive, negative=None, **more):
    memory = objective.prepare(ALL)
    made = objective.views(ALL, None, {})
    keys = made["anchor_keys"], made["candidate_keys"]
    return objective.loss(anchor, positive, *keys, memory, negative, **more).values


def test_views_have_the_prompts_of_their_sides_and_all_negatives():
    made = MultipleNegativesRanking().views(ALL, None, {"query": "query: ", "passage": "passage: "})
    assert made["anchor"].rows[0] == "query: What is a cat?"
    assert made["positive"].rows[3] == "passage: Loudly."
    assert made["negative"].rows == [
        "passage: A large plant.",
        "passage: A small animal.",
        "passage: A small animal",
    ]
    assert all(made[name].module is True for name in ("anchor", "positive", "negative"))
    assert made["anchor_keys"][0] == made["anchor_keys"][1]  # without the prompt
    assert "negative" not in MultipleNegativesRanking().views(ALL[1:2], None, {})


ANCHOR, POSITIVE = unit(0.1, 0.2, 1.3, 2.0), unit(0.4, 0.9, 1.0, 2.2)
NEGATIVE = unit(0.5, 0.6, 1.1)  # places 4, 5 and 6 of the candidates
FORWARD = [
    # 0: the positives of its query are 0 and 1 (and 2, equal to 1); 5 and 6 are equal to 0
    slow(ANCHOR[0], [*POSITIVE, *NEGATIVE], 0, {0, 3, 4}, 0.1),
    slow(ANCHOR[1], [*POSITIVE, *NEGATIVE], 1, {1, 3, 4}, 0.1),
    # 2: its positive is 2, and 1 is equal to it
    slow(ANCHOR[2], [*POSITIVE, *NEGATIVE], 2, {0, 2, 3, 4, 5, 6}, 0.1),
    # 3: the candidates 1 and 2 are the query itself
    slow(ANCHOR[3], [*POSITIVE, *NEGATIVE], 3, {0, 3, 4, 5, 6}, 0.1),
]
BACKWARD = [
    slow(POSITIVE[0], ANCHOR, 0, {0, 2, 3}, 0.1),  # 1 asks the same
    slow(POSITIVE[1], ANCHOR, 1, {1}, 0.1),  # 0 is equal to 1, 2 has it too, 3 is itself
    slow(POSITIVE[2], ANCHOR, 2, {2}, 0.1),
    slow(POSITIVE[3], ANCHOR, 3, {0, 1, 2, 3}, 0.1),
]


def test_a_positive_is_never_its_own_negative_by_a_slow_loop():
    one = losses(MultipleNegativesRanking(temperature=0.1), ANCHOR, POSITIVE, NEGATIVE)
    assert one.tolist() == pytest.approx(FORWARD, abs=1e-5)
    both = MultipleNegativesRanking(temperature=0.1, directions="both")
    found = losses(both, ANCHOR, POSITIVE, NEGATIVE)
    mean = [(f + b) / 2 for f, b in zip(FORWARD, BACKWARD, strict=True)]
    assert found.tolist() == pytest.approx(mean, abs=1e-5)


def test_one_query_and_its_positives_alone_have_nothing_to_learn():
    objective = MultipleNegativesRanking()
    memory = objective.prepare(ALL[:2])
    made = objective.views(ALL[1:2], None, {})
    keys = made["anchor_keys"], made["candidate_keys"]
    assert objective.loss(ANCHOR[:1], POSITIVE[:1], *keys, memory).values.tolist() == [0]


def test_dimensions_are_the_mean_over_first_values():
    torch.manual_seed(0)
    vectors = torch.randn(4, 6), torch.randn(4, 6), torch.randn(3, 6)
    objective = MultipleNegativesRanking(directions="both")
    each = [losses(objective, *(one[:, :size] for one in vectors)) for size in (6, 2)]
    found = losses(objective, *vectors, dimensions=(6, 2))
    assert torch.allclose(found, (each[0] + each[1]) / 2, atol=1e-6)


@pytest.mark.parametrize("option", [{"temperature": 0}, {"directions": "backward"}, {"margin": 1}])
def test_wrong_options_are_refused(option):
    with pytest.raises(ValidationError):
        strict(MultipleNegativesRanking).validate_python(option)


def scores_of(rows, directions="forward"):
    """Losses of rows with random vectors, and the same by a slow loop over allowed candidates."""
    torch.manual_seed(0)
    objective = MultipleNegativesRanking(temperature=0.1, directions=directions)
    made = objective.views(rows, None, {})
    count = sum(len(row.negatives) for row in rows)
    anchor, positive = (torch.nn.functional.normalize(torch.randn(len(rows), 4)) for _ in range(2))
    negative = torch.nn.functional.normalize(torch.randn(count, 4)) if count else None
    more = {"related": made["related"]} if "related" in made else {}
    keys = made["anchor_keys"], made["candidate_keys"]
    found = objective.loss(
        anchor, positive, *keys, objective.prepare(rows), negative, **more
    ).values.tolist()
    every = [*positive, *(negative if negative is not None else [])]
    return (
        found,
        lambda row, allowed: slow(anchor[row], every, row, allowed, 0.1),
        (lambda row, allowed: slow(positive[row], anchor, row, allowed, 0.1)),
    )


def test_a_pair_is_never_a_negative_of_its_translation():
    rows = [
        TextPair("Er kam.", "Er war da.", ("Er blieb fort.",), "de", row="1"),
        TextPair("He came.", "He was there.", ("He stayed away.",), "en", row="1"),
        TextPair("She read.", "She had a book.", (), "en", row="2"),
    ]
    found, forward, backward = scores_of(rows, "both")
    # the contradictions 3 and 4 stay negatives, in both languages
    ahead = [forward(0, {0, 2, 3, 4}), forward(1, {1, 2, 3, 4}), forward(2, {0, 1, 2, 3, 4})]
    back = [backward(0, {0, 2}), backward(1, {1, 2}), backward(2, {0, 1, 2})]
    assert found == pytest.approx([(a + b) / 2 for a, b in zip(ahead, back, strict=True)], abs=1e-5)
    alone = [TextPair(r.anchor, r.positive, r.negatives, r.lang) for r in rows]
    assert "related" not in MultipleNegativesRanking().views(alone, None, {})
    assert scores_of(alone)[0][0] > ahead[0]


def test_passages_that_contain_the_answer_are_no_negatives():
    rows = [
        TextPair("Wer malte sie?", "Leonardo painted her.", ("In 1503 LEONARDO began.",), "de",
                 answers=("Leonardo",)),
        TextPair("Wann?", "It was 1503.", ("Leonardos were 15031.",), "de", answers=("1503",)),
    ]  # fmt: skip
    found, forward, _ = scores_of(rows)
    # 0: candidate 2 has its answer; 3 has it only inside a longer word. 1: candidate 2 has 1503.
    assert found == pytest.approx([forward(0, {0, 1, 3}), forward(1, {0, 1, 3})], abs=1e-5)
