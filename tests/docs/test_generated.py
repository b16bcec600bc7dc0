"""The pages that are made when the site is built have everything there is."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType

import pytest
from docs.pages import ROOT

import xadapt
from xadapt.config.recipe_file import recipe_names

pytest.importorskip("mkdocs")


def loaded(path: str) -> ModuleType:
    """A file of the documentation or of the benchmarks, imported by its path."""
    file = ROOT / path
    spec = importlib.util.spec_from_file_location(f"_{file.stem}", file)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_public_name_is_on_the_page_of_python() -> None:
    text = loaded("docs/generated.py").python()
    for name in set(xadapt.__all__) - {"__version__"}:
        assert f"::: xadapt.{name}\n" in text
    for name in ("tagging.Tagger", "records.ParallelPair", "values.Mix", "errors.UserError"):
        assert f"{name}\n" in text


def test_every_command_has_its_options_and_hidden_ones_are_left_out() -> None:
    text = loaded("docs/generated.py").command_line()
    for command in ("train", "encode", "compose", "evaluate bitext", "evaluate tagging"):
        assert f"## `xadapt {command}`\n" in text
    assert "| `--select-on` |" in text and "--choose-by" not in text
    assert "| `RECIPE` |" in text


def test_every_recipe_has_its_paper_and_its_yaml() -> None:
    page = loaded("docs/generated.py")
    text = page.recipes()
    for name in recipe_names():
        assert f"## `{name}`\n" in text
    part = text[text.index("## `translation_ranking`") :]
    assert "https://arxiv.org/abs/2305.09148" in part and "mBERT: 36.9 / 37.2" in part
    assert "  temperature: 0.05" in part


def test_a_long_command_is_broken_before_options() -> None:
    wrapped = loaded("docs/generated.py")._wrapped("xadapt train a --base B --out C", 16)
    assert wrapped == "xadapt train a \\\n    --base B \\\n    --out C"


def test_figures_are_those_that_the_script_draws() -> None:
    drawn = loaded("docs/figures/draw.py").FIGURES
    for name, draw in drawn.items():
        kept = (ROOT / "docs" / "figures" / f"{name}.svg").read_text(encoding="utf-8")
        assert kept == draw().svg(), "run python docs/figures/draw.py"


def test_the_tables_quoted_are_those_of_the_results(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "examples" / "benchmarks")
    systems = loaded("examples/benchmarks/systems.py")
    assert systems.systems() in (ROOT / "README.md").read_text(encoding="utf-8")
    assert all(f"| `{name}` |" in systems.systems() for name in systems.recipes())
    for name in ("bench", "tables"):
        sys.modules.pop(name, None)
