from __future__ import annotations

from pathlib import Path

import pytest
from tiny_commands import good, xadapt

from xadapt import registry
from xadapt.files import read_json
from xadapt.recipe_file import recipe_names


def test_list_shows_what_there_is(tmp_path: Path) -> None:
    done = good("list", "--json", tmp_path / "l.json")
    told = read_json(tmp_path / "l.json")
    assert told["objectives"] == list(registry.names("objectives"))
    assert told["recipes"] == recipe_names()
    assert "sw" in told["languages"] and "XLM-R" in told["families"]
    assert all(name in done.out for name in told)


def test_list_takes_one_kind_and_refuses_others() -> None:
    assert "lora" in good("list", "modules").out
    done = xadapt("list", "modul")
    assert done.code == 2 and "did you mean 'modules'" in done.err


@pytest.mark.parametrize(
    "name", [*registry.names("objectives"), *registry.names("modules"), *recipe_names()]
)
def test_everything_is_explained(name: str) -> None:
    assert f" {name}\n" in good("explain", name).out


def test_explain_shows_options_with_defaults_and_sources() -> None:
    out = good("explain", "translation_ranking").out
    assert "temperature" in out and "0.05" in out and "https://" in out
    done = xadapt("explain", "lorra")
    assert done.code == 2 and "did you mean 'lora'" in done.err


def test_doctor_names_versions_and_clears_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XADAPT_CACHE", str(tmp_path / "cache"))
    piece = tmp_path / "cache" / "vectors" / "a.safetensors"
    piece.parent.mkdir(parents=True)
    piece.write_bytes(b"x" * 2_000_000)
    (tmp_path / "cache" / "mine").write_text("kept")
    good("doctor", "--json", tmp_path / "d.json")
    facts = read_json(tmp_path / "d.json")
    assert facts["cache"].endswith("2.0 MB") and "torch" in facts and "loader peft" in facts
    good("doctor", "--clear-cache")
    assert not piece.exists() and (tmp_path / "cache" / "mine").exists()
