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
