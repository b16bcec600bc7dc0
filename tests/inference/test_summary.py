from __future__ import annotations

from pathlib import Path

from tiny_commands import Place
from tiny_folders import random_module
from tiny_models import tiny_encoder

from xadapt.inference.adapted_encoder import AdaptedEncoder


def test_a_few_lines_name_base_modules_and_composition(place: Place, de: Path) -> None:
    model = AdaptedEncoder.from_pretrained(str(place.base), de, dtype="float32")
    lines = repr(model).splitlines()
    assert lines[0].startswith(f"AdaptedEncoder: {place.base} (float32 on cpu, 32 numbers a vector")
    assert lines[1].split()[:4] == ["de", "lora", "of", "rank"] and lines[1].endswith("  de")
    assert lines[2:] == ["  composition: by_language(de = de)"]
    assert "<td>de</td>" in model._repr_html_()


def test_without_modules() -> None:
    model = AdaptedEncoder(tiny_encoder(), {})
    assert repr(model).splitlines()[1:] == ["  no modules: the bare base encodes every text"]
    assert "no modules" in model._repr_html_()


def test_names_are_escaped_and_many_modules_are_cut() -> None:
    encoder = tiny_encoder()
    module = random_module(encoder, "lora", rank=1)
    model = AdaptedEncoder(encoder, {f"<b>{i}": module for i in range(20)}, "<b>0")
    assert "<b>0" not in model._repr_html_() and "&lt;b&gt;0" in model._repr_html_()
    assert "and 8 more modules" in repr(model) and len(repr(model).splitlines()) == 15
