from __future__ import annotations

from pathlib import Path

import pytest
from tiny_commands import good, xadapt

from xadapt.cli.listing import KINDS, SLOW
from xadapt.config.recipe_file import recipe_names
from xadapt.core import registry
from xadapt.core.files import read_json


def test_list_shows_what_there_is_with_a_line_each(tmp_path: Path) -> None:
    done = good("list", "--json", tmp_path / "l.json")
    told = read_json(tmp_path / "l.json")
    assert told["objectives"] == list(registry.names("objectives"))
    assert told["recipes"] == recipe_names()
    assert "sw" in told["languages"] and "XLM-R" in told["families"]
    lines = [line.split(maxsplit=1) for line in done.out.splitlines() if line.startswith("  ")]
    shown = dict(line for line in lines if len(line) == 2)
    for kind in KINDS:
        assert kind in done.out
        assert shown.keys() >= set(told[kind]), kind  # none without a description
        assert told["descriptions"][kind].keys() == set(told[kind])


def test_what_takes_seconds_is_listed_by_name_alone() -> None:
    out = good("list").out
    assert "xadapt list languages" in out and "Swahili" not in out
    for kind in SLOW:
        assert len(good("list", kind).out.splitlines()) > 100
    assert "sw " in good("list", "languages").out


def test_a_terminal_has_one_line_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "70")
    lines = good("list", "recipes").out.strip().splitlines()
    assert len(lines) == 1 + len(recipe_names()) and "…" in lines[1]


def test_list_takes_one_kind_and_refuses_others() -> None:
    assert "lora" in good("list", "modules").out
    done = xadapt("list", "modul")
    assert done.code == 2 and "did you mean 'modules'" in done.err
