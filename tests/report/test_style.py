from __future__ import annotations

import re

import pytest

from xadapt.report.style import DARK, LIGHT, RULES, SERIES, style_sheet, variable


def luminance(colour: str) -> float:
    """Relative luminance of WCAG 2.2."""
    parts = [byte / 255 for byte in bytes.fromhex(colour[1:])]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_the_contrast_formula_on_known_values():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_text_and_drawings_can_be_read(palette):
    for text in ("ink", "soft"):
        assert contrast(palette[text], palette["paper"]) >= 4.5
        assert contrast(palette[text], palette["panel"]) >= 4.5
    assert contrast(palette["wrong"], palette["paper"]) >= 4.5
    for drawn in ("control", *SERIES):
        assert contrast(palette[drawn], palette["paper"]) >= 3


def test_both_palettes_name_the_same_colours_each_once():
    assert LIGHT.keys() == DARK.keys()
    # a drawing's colours are turned into names by value, so two names can't share one
    assert len(set(LIGHT.values())) == len(LIGHT)


def test_every_colour_a_rule_names_exists_in_both_modes():
    known = set(LIGHT)
    assert set(re.findall(r"var\(--([\w-]+)\)", RULES)) <= known
    sheet = style_sheet()
    assert sheet.count("--module:") == 2
    assert "prefers-color-scheme: dark" in sheet
    assert variable("ink") == "var(--ink)"


def test_braces_are_balanced_and_nothing_is_fetched():
    sheet = style_sheet()
    assert sheet.count("{") == sheet.count("}")
    assert "url(" not in sheet
    assert "@import" not in sheet
