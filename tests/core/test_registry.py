from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from xadapt.core import registry
from xadapt.core.errors import UserError
from xadapt.modules.lora import LoRA


@pytest.fixture
def strangers(monkeypatch):
    """Entry points of another package: a class, a file, and one that would take our name."""

    def installed(group):
        return [
            EntryPoint("theirs", "xadapt.modules.lora:LoRA", group),
            EntryPoint("their_file", "xadapt.modules.bottleneck", group),
            EntryPoint("lora", "json", group),
        ]

    monkeypatch.setattr(registry, "entry_points", installed)
    registry.names.cache_clear()
    yield
    registry.names.cache_clear()


def test_parts_are_found_by_their_files():
    assert {"lora", "bottleneck"} <= set(registry.names("modules"))
    assert {"translation_ranking", "distillation", "mlm"} <= set(registry.names("objectives"))
    assert "contract" not in registry.names("objectives")
    assert "hooks" not in registry.names("modules")
    assert registry.load("modules", "lora") is LoRA


def test_every_named_part_loads():
    for room in registry.ROOMS:
        assert registry.names(room) == tuple(sorted(registry.names(room)))
        for name in registry.names(room):
            assert registry.load(room, name).__doc__


def test_strangers_are_found_and_cannot_take_a_name_of_ours(strangers):
    assert {"theirs", "their_file", "lora"} <= set(registry.names("modules"))
    assert registry.load("modules", "theirs") is LoRA
    assert registry.load("modules", "their_file").kind == "bottleneck"
    assert registry.load("modules", "lora") is LoRA


def test_the_nearest_name_is_suggested():
    with pytest.raises(UserError, match="unknown module 'lorra'; did you mean 'lora'"):
        registry.load("modules", "lorra")
    with pytest.raises(UserError, match=r"known: .*bottleneck"):
        registry.load("modules", "zzzz")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('"""Read ``.x`` files.\n\nMore."""\n', "Read .x files"),
        ('# a comment\n\n"""Wide\nof."""\n', "Wide"),
        ("r'''Raw.'''", "Raw"),
        ("import os\n", ""),
        ('x = 1\n"""No."""', ""),
        ("", ""),
        ('"""broken', ""),
        ('""""""', ""),
        ("b'bytes'", ""),
        ("f'{1}'", ""),
        ('\ufeff"""A mark."""', ""),
        ("\0", ""),
    ],
)
def test_a_summary_is_the_first_line_of_a_docstring(tmp_path, monkeypatch, text, line) -> None:
    file = tmp_path / "part.py"
    file.write_text(text, encoding="utf-8")
    monkeypatch.setattr(registry, "source", lambda *_: file)
    assert registry.summary("readers", "part") == line


def test_a_part_without_a_file_has_no_summary(monkeypatch) -> None:
    monkeypatch.setattr(registry, "source", lambda *_: None)
    assert registry.summary("readers", "tsv") == ""
