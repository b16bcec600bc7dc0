from __future__ import annotations

import pytest

from xadapt.core.errors import UserError
from xadapt.languages.match import find_same


@pytest.mark.parametrize(
    ("tag", "same"),
    [
        *[("swh", "sw"), ("sw", "sw"), ("zh-Hans", "zh"), ("cmn", "zh"), ("zh-Hant", "zh-Hant")],
        *[("pt-BR", "pt"), ("nb", "no"), ("sr-Cyrl", "sr"), ("deu", "de"), ("arb", "ar")],
    ],
)
def test_same_language_is_found(tag, same):
    assert find_same(tag, ["zh-Hant", "ar", "de", "no", "pt", "sr", "sw", "zh"]) == same


@pytest.mark.parametrize("tag", ["pt-PT", "sr-Latn", "fr", "nn", "arz", "sw-CD"])
def test_another_variety_is_not(tag):
    assert find_same(tag, ["ar", "no", "pt", "sr", "sw"]) is None


def test_an_equal_tag_goes_first():
    assert find_same("zh-Hans", ["zh", "zh-Hans"]) == "zh-Hans"


def test_no_tag_at_all():
    with pytest.raises(UserError):
        find_same("klingonese", ["en"])


def test_what_is_no_tag_among_the_known_ones_is_passed_over():
    assert find_same("sw", ["x", "my module", "swh"]) == "swh"
    assert find_same("fr", ["x", "my module"]) is None
