"""Benchmarks of entities: splits, controls and marks by hand; no training."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "benchmarks"))

import entity_chart
import entity_modules
import entity_switching
import entity_tables
import knowledge_modules

from xadapt.data.readers.cldr_graph import build
from xadapt.data.records import LinkedSentence


def test_over_100_languages_and_some_that_are_never_trained_on():
    trained, held = entity_modules.split()
    assert len(trained) > 100 and len(held) == entity_modules.HELD
    assert not set(trained) & set(held) and "en" not in (*trained, *held)


def test_the_control_has_no_right_pair():
    rows = entity_modules.names("sw", 60)
    english = build(("en",)).labels["en"]
    turned = entity_modules.shuffled({"sw": rows}, 0)["sw"]
    assert [r.text for r in turned] == [r.text for r in rows]
    assert not any(english[row.entity] == row.pivot for row in turned)
    assert sorted(r.pivot for r in turned) == sorted(r.pivot for r in rows)


def test_held_out_entities_are_a_third_and_test_names_differ():
    share = sum(entity_switching.held(f"entity {i}") for i in range(3000)) / 3000
    assert share == pytest.approx(1 / 3, abs=0.03)
    unseen = next(f"Name {i}" for i in range(50) if entity_switching.held(f"Name {i}"))
    rows = [
        LinkedSentence(f"x {unseen}", ((2, 2 + len(unseen), unseen),), "es"),  # as in English
        LinkedSentence("x Nombre", ((2, 8, unseen),), "es"),
    ]
    assert entity_switching.chosen(rows, unseen=True) == rows[1:]


def test_marks_of_relations_become_mentions():
    found = knowledge_modules.mentions("<e1> Thom Yorke </e1> of <e2> Radiohead </e2> .")
    assert found == {
        "text": "Thom Yorke of Radiohead .",
        "mentions": [{"start": 0, "end": 10, "id": "Thom Yorke"},
                     {"start": 14, "end": 23, "id": "Radiohead"}],
    }  # fmt: skip
    assert knowledge_modules.mentions("<e1> a </e1> b") is None


RESULT = {
    "base": "mini", "trained": ["sw", "de"], "held_out": ["fr"], "own": ["sw"], "limit": 80,
    "recipe": "mlkg_ep", "settings": ["rank=32"],
    "entities": {"sw": 5, "de": 6, "fr": 7}, "seconds": {},
    "scores": {
        "frozen base": [{lang: {"to_pivot": 0.2, "from_pivot": 0.4, "tfidf to_pivot": 0.1,
                                "tfidf from_pivot": 0.1} for lang in ("sw", "de", "fr")}],
        "one module for all": [{lang: {"to_pivot": v, "from_pivot": v}
                                for lang in ("sw", "de", "fr")} for v in (0.5, 0.7)],
        "a module a language": [{"sw": {"to_pivot": 0.8, "from_pivot": 0.6}}],
    },
}  # fmt: skip


def test_tables_and_the_chart_hold_the_means(tmp_path):
    shown = entity_tables.entity_modules(RESULT)
    assert "| frozen base | 0.300 | 0.300 | 0.300 | 1 |" in shown
    assert "| one module for all | 0.600 ± 0.141 | 0.600 ± 0.141 | 0.600 ± 0.141 | 2 |" in shown
    assert "| a module a language |  | 0.700 |  | 1 |" in shown
    assert entity_chart.value(RESULT, "one module for all", "de") == pytest.approx(0.6)
    assert entity_chart.value(RESULT, "a module a language", "de") is None
    entity_chart.draw(RESULT, tmp_path / "chart.png")
    assert (tmp_path / "chart.png").read_bytes()[:4] == b"\x89PNG"
