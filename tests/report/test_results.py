from __future__ import annotations

import pytest
from tiny_reports import swahili

from xadapt.core.errors import UserError
from xadapt.report import BASE, TFIDF, Score


@pytest.mark.parametrize("value", [-0.01, 1.01, 63, float("nan"), float("inf")])
def test_a_score_outside_0_to_1_is_refused(value):
    with pytest.raises(UserError, match="from 0 to 1"):
        Score(BASE, "to_pivot", value)
    with pytest.raises(UserError, match="from 0 to 1"):
        Score(BASE, "to_pivot", 0.5, value, 0.6)


def test_half_an_interval_is_refused():
    with pytest.raises(UserError, match="one end"):
        Score(BASE, "to_pivot", 0.5, 0.4)


def test_values_and_directions_are_found_by_name():
    result = swahili()
    assert result.value(TFIDF, "to_pivot") == 0.41
    assert result.value(TFIDF, "from_pivot") is None
    assert result.directions() == ["to_pivot", "from_pivot"]
    turned = swahili(scores=[Score(BASE, d, 0.5) for d in ("sideways", "from_pivot", "to_pivot")])
    assert turned.directions() == ["to_pivot", "from_pivot", "sideways"]
    assert swahili(scores=[]).directions() == []


def test_directions_are_worded_with_the_pivots_own_name():
    result = swahili(pivot="fr")
    assert result.arrow("to_pivot") == "Swahili → French"
    assert result.arrow("from_pivot") == "French → Swahili"
    assert result.arrow("sideways") == "sideways"
