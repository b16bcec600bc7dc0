from __future__ import annotations

import pytest

from xadapt.tasks.kg.name_sentences import in_sentence, name_in


def test_a_name_stands_in_quotes_before_its_description():
    assert in_sentence("Tosca", "opera by Puccini") == '"Tosca": opera by Puccini'
    assert in_sentence("Tosca", "  ") == in_sentence("Tosca") == "Tosca"
    assert len(in_sentence("Tosca", "a" * 999)) < 250


@pytest.mark.parametrize(
    ("said", "has", "name"),
    [
        ('"Die Moral": Begriff', True, "Die Moral"),
        ("„Die Moral“: Begriff", True, "Die Moral"),
        ("«La morale » : notion", True, "La morale"),
        ("「道徳」:概念", True, "道徳"),
        ("道徳：概念", True, "道徳"),
        ("no sign of it", True, None),
        ("", True, None),
        ("Die  Moral", False, "Die Moral"),
        (" ", False, None),
    ],
)
def test_the_name_of_a_translation(said, has, name):
    assert name_in(said, has) == name
