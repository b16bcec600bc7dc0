from __future__ import annotations

from tiny_commands import good, xadapt


def test_help_shows_an_expression() -> None:
    assert "mix(a:.7" in good("compose", "--help").out


def test_a_missing_option_is_one_line() -> None:
    done = xadapt("compose", "a + b", "--base", "x")
    assert done.code == 2 and len(done.lines) == 1 and "--out" in done.err
