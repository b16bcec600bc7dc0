from __future__ import annotations

from itertools import chain
from typing import Any

import pytest
from tiny_training import labelled, pairs, tagged

from xadapt.core import registry
from xadapt.core.errors import UserError
from xadapt.data.records import (
    LabelledText,
    ParallelPair,
    PlainText,
    TaggedSentence,
    TranslatedText,
)
from xadapt.tasks.protocol import Request, find, of_record, options_of
from xadapt.tasks.tagging import Part as TAGGING


def test_a_task_is_found_by_its_file() -> None:
    assert find("tagging") is TAGGING
    assert {"bitext", "entities", "qa"} <= set(registry.names("tasks"))
    assert not {"protocol", "table", "alignment"} & set(registry.names("tasks"))
    with pytest.raises(UserError, match="did you mean 'bitext'"):
        find("bitex")


def test_the_task_of_records_depends_on_the_head() -> None:
    """Pairs need no head; a head that answers other records does not take them away."""
    for record, head, name in (
        (ParallelPair, None, "bitext"),
        (ParallelPair, "tagging", "bitext"),
        (LabelledText, "classification", "classification"),
        (TranslatedText, "classification", "classification"),
        (TaggedSentence, "tagging", "tagging"),
    ):
        found = of_record(record, head)
        assert found is not None and found.name == name
    assert of_record(PlainText) is None and of_record(LabelledText) is None


def test_options_come_from_the_signature() -> None:
    own = options_of(find("tagging"))
    assert list(own) == ["file_format", "emea", "translator"]
    kind, default, about = own["emea"]
    assert (kind, default, about.minimum) == (int, 0, 0)
    assert own["file_format"][2].flag == "--format"
    assert options_of(find("open_ie"))["baseline_arguments"][2].old == "against_arguments"


def test_a_request_knows_the_tag_of_its_language() -> None:
    assert Request("b", "d").tag is None and Request("b", "d", lang="deu").tag == "de"
    with pytest.raises(UserError):
        _ = Request("b", "d", lang="no language").tag


@pytest.mark.parametrize(
    ("name", "rows", "wanted"),
    [
        ("classification", labelled(200), lambda rows: _share(row.label for row in rows)),
        ("bitext", pairs(40), lambda rows: 1 / len({row.text for row in rows})),
    ],
)
def test_chance_is_what_it_should_be(name: str, rows: list[Any], wanted: Any) -> None:
    """Classes drawn as often as they are: the sum of squared shares; one of n by retrieval."""
    task = find(name)
    systems = {str(seed): task.chance(rows, seed) for seed in range(30)}
    result = task.evaluate(rows, systems, resamples=1)
    scores = [result[name].scores[result.measures[0]].mean for name in systems]
    assert sum(scores) / 30 == pytest.approx(wanted(rows), abs=0.02)


def test_labels_dealt_out_are_those_of_the_sentences() -> None:
    rows = tagged(20)
    gold, dealt = TAGGING.oracle(rows), TAGGING.chance(rows, 3)
    assert gold != dealt and sorted(chain(*gold)) == sorted(chain(*dealt))
    assert [len(own) for own in gold] == [len(own) for own in dealt]


def _share(labels: Any) -> float:
    every = list(labels)
    return sum((every.count(label) / len(every)) ** 2 for label in set(every))
