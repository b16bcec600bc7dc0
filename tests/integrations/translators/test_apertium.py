"""Apertium as it is installed; CI installs it."""

from __future__ import annotations

import shutil

import pytest

from xadapt.core.errors import UserError
from xadapt.integrations.translators import apertium
from xadapt.integrations.translators.apertium import Apertium

installed = pytest.mark.skipif(
    shutil.which("apertium") is None,
    reason="apertium is not installed: apt-get install apertium apertium-eng-spa",
)


@installed
def test_texts_keep_their_order_and_their_number():
    texts = ["I have two cats.", "", "Hello,\nworld!", "  ", "A house"]
    found = Apertium().translate(texts, "en", "es")
    assert found == ["Tengo dos gatos.", "", "Hola, mundo!", "", "Una casa"]


@installed
def test_markup_stays_where_its_words_go():
    found = Apertium().translate(["I have <b>two</b> <span id=4>white cats</span>."], "en", "es")
    assert found == ['Tengo <b>dos</b> <span id="4">gatos blancos</span>.']


@installed
def test_signs_of_the_formats_come_back_as_they_were():
    text = "3 < 4 & 5 > 2 [1] ^x$ {} \\ / @ 100%"
    assert Apertium().translate([text], "en", "es") == [text]
    assert "&amp;" in Apertium().translate(["cats &amp; dogs"], "en", "es")[0]


@installed
def test_a_text_with_paragraphs_of_its_own_is_one_text():
    texts = ["A house", "<p>A house</p><p>A cat</p>", "two cats"]
    found = Apertium().translate(texts, "en", "es")
    assert [found[0], found[2]] == ["Una casa", "Dos gatos"]
    assert found[1].replace(" ", "") == "<p>Unacasa</p><p>Ungato</p>"


@installed
def test_a_pair_that_is_not_installed_is_named():
    with pytest.raises(UserError, match="no direction from en to sw"):
        Apertium().translate(["a"], "en", "sw")


@installed
def test_a_language_goes_by_its_code_of_two_or_three_letters():
    assert Apertium().direction("eng", "es") == "eng-spa"
    assert Apertium().direction("es", "en-US") == "spa-eng_US"


def test_a_missing_program_is_named(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(UserError, match="not installed") as error:
        apertium.Apertium()
    assert "apertium-eng-spa" in str(error.value)
