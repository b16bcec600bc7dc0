from __future__ import annotations

from pathlib import Path

import pytest

from xadapt.composition.values import ByLanguage, Mix, Stack
from xadapt.core.errors import UserError
from xadapt.hub.composition_file import write_composition
from xadapt.inference.locate import locate, short_names


def test_nothing_given_is_the_bare_base() -> None:
    assert locate([]) == locate([], "none") == locate(["a=/no/such"], "none") == (None, {})


def test_each_module_for_the_languages_of_its_manifest(de: Path) -> None:
    assert locate([str(de)]) == (ByLanguage({"de": str(de)}), {str(de): str(de)})
    assert locate([f"x={de}"]) == (ByLanguage({"de": "x"}), {"x": str(de)})


def test_only_what_is_named_is_opened(de: Path) -> None:
    composition, places = locate([f"a={de}", "b=/no/such"], "mix(a:.5)")
    assert composition == Mix({"a": 0.5}) and places == {"a": str(de)}
    with pytest.raises(UserError, match="no such module folder"):
        locate(["b=/no/such"], "b")


def test_saved_compositions_are_opened_up(de: Path, tmp_path: Path) -> None:
    saved = tmp_path / "saved"
    write_composition(saved, Mix({"x": 0.5}), {"x": de})
    inside = str(saved / "modules" / "de")
    assert locate([str(saved)]) == (Mix({inside: 0.5}), {inside: inside})
    composition, places = locate([f"s={saved}", f"d={de}"], "s + d + mix(s:2)")
    half = Mix({inside: 0.5})
    assert composition == Stack(half, "d", Mix({half: 2.0}))
    assert places == {inside: inside, "d": str(de)}


def test_saved_compositions_do_not_multiply(de: Path, tmp_path: Path) -> None:
    saved = tmp_path / "saved"
    write_composition(saved, Stack(*["x"] * 400), {"x": de})
    locate([f"s={saved}"], "s + s")
    with pytest.raises(UserError, match="1200 parts, and 1000 are allowed"):
        locate([f"s={saved}"], "s + s + s")
    with pytest.raises(UserError, match="given by name"):
        locate([f"s={saved}", f"d={de}"], "route(s; d, d)")


def test_short_names_are_each_their_own() -> None:
    assert short_names(["x/de", "sw", "y/de", "a:b"]) == {
        "x/de": "de", "sw": "sw", "y/de": "de~2", "a:b": "a:b"
    }  # fmt: skip
