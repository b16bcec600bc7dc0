from __future__ import annotations

import warnings

import numpy as np
import pytest
from tiny_commands import Place, good

from xadapt.inference.adapted_encoder import AdaptedEncoder
from xadapt.inference.fallback_language import (
    FallbackLanguages,
    FallbackLanguageWarning,
    fallback_languages,
)

TEXTS = ["die katze", "the dog sat", "paka"]


@pytest.fixture(scope="module")
def loaded(place: Place, tmp_path_factory: pytest.TempPathFactory) -> AdaptedEncoder:
    folder = tmp_path_factory.mktemp("m") / "de"
    good(*place.train(folder))
    return AdaptedEncoder.load(str(place.base), str(folder), dtype="float32")


def test_a_near_language_goes_through_its_relatives_module(loaded: AdaptedEncoder) -> None:
    with pytest.warns(
        FallbackLanguageWarning, match="no module is for nl: that for de, its relative"
    ):
        found = loaded.encode(TEXTS, ["nl"] * 3)
    np.testing.assert_array_equal(found, loaded.encode(TEXTS, ["de"] * 3))


def test_what_is_aligned_to_and_what_is_not_related_stays_the_base(loaded: AdaptedEncoder) -> None:
    base = loaded.encode(TEXTS, [None] * 3)
    with pytest.warns(FallbackLanguageWarning, match="no module is for fr: none stands in"):
        found = loaded.encode(TEXTS, ["en", "fr", "en"])
    np.testing.assert_array_equal(found, base)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loaded.encode(TEXTS, ["de", None, "deu"])
        np.testing.assert_array_equal(loaded.encode(TEXTS, "en"), base)
        loaded.encode(TEXTS)


def test_a_composition_says_all_itself(loaded: AdaptedEncoder) -> None:
    """Only the choice by manifests has stand-ins: what is written is meant."""
    (name,) = loaded.modules
    written = loaded.with_(f"by_language(de = {name})")
    with pytest.warns(FallbackLanguageWarning, match="none stands in"):
        found = written.encode(TEXTS, ["nl"] * 3)
    np.testing.assert_array_equal(found, loaded.encode(TEXTS, [None] * 3))


def test_notices_are_one_a_language(loaded: AdaptedEncoder) -> None:
    assert loaded.notices(["de", None]) == []
    assert loaded.notices(["nl", "fr", "nl"]) == [
        "no module is for nl: that for de, its relative, stands in",
        "no module is for fr: none stands in",
    ]
    assert (
        FallbackLanguages().of("nl") is None and fallback_languages("a", []) == FallbackLanguages()
    )
