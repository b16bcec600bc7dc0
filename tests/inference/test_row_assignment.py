from __future__ import annotations

import warnings

import pytest
from torch import nn

from xadapt.composition.values import ByLanguage, Stack
from xadapt.core.errors import UserError
from xadapt.inference.fallback_language import FallbackLanguages, FallbackLanguageWarning
from xadapt.inference.row_assignment import bare, by_names, choose, with_one, without

TWO = ByLanguage({"de": "a", "sw": Stack("b", "t")})
NONE = FallbackLanguages()


def test_rows_have_what_is_for_their_language() -> None:
    assert choose(TWO, NONE, 3, ["sw", None, "deu"], None) == [Stack("b", "t"), None, "a"]
    assert choose(TWO, NONE, 2, ["sw", "de"], ["x", TWO]) == ["x", "a"]
    assert (
        choose("x", NONE, 2, None, None) == ["x", "x"] and choose(None, NONE, 0, None, None) == []
    )
    assert choose(ByLanguage({"de": "a", "nl": "a"}), NONE, 1, None, None) == ["a"]
    with pytest.raises(UserError, match=r"Give a language for each text \(de, sw\)"):
        choose(TWO, NONE, 1, None, None)
    with pytest.raises(UserError, match="2 texts and 1 compositions"):
        choose(TWO, NONE, 2, None, ["a"])


def test_a_relative_stands_in_with_a_notice() -> None:
    near = FallbackLanguages(("de", "sw"), ("en",))
    with pytest.warns(FallbackLanguageWarning, match="no module is for nl: that for de"):
        assert choose(TWO, near, 2, ["nl", "de"], None) == ["a", "a"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert choose(TWO, near, 1, ["nl"], [TWO]) == [None]
    assert bare(TWO, ["nl", "de", None, "nl"]) == ["nl"]


def test_a_choice_grows_and_shrinks() -> None:
    one, two = nn.Linear(1, 1), nn.Linear(1, 1)
    choice = by_names({"de": one, "nl": one, "sw": two})
    assert choice == ByLanguage({"de": "de", "nl": "de", "sw": "sw"}) and by_names({}) is None
    more = with_one(choice, "slavic", ["ru", "uk"])
    assert more == ByLanguage({"de": "de", "nl": "de", "sw": "sw", "ru": "slavic", "uk": "slavic"})
    assert (
        with_one(None, "a", ["de"]) == ByLanguage({"de": "a"}) and with_one(None, "a", []) is None
    )
    with pytest.raises(UserError, match="two modules are for language 'nl', mine and de"):
        with_one(choice, "mine", ["nl"])
    left, near = without(more, FallbackLanguages(("de", "sw", "ru", "uk"), ("en",)), "slavic")
    assert left == choice and near == FallbackLanguages(("de", "sw"), ("en",))
    assert without(ByLanguage({"de": "a"}), NONE, "a") == (None, NONE)
    with pytest.raises(UserError, match="the composition names 'b'"):
        without(TWO, NONE, "b")
