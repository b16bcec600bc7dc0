from __future__ import annotations

from pathlib import Path

import pytest
from tiny_commands import Place, good, xadapt

from xadapt.config.recipe_file import recipe_names
from xadapt.core import registry
from xadapt.core.files import read_json


def test_list_shows_what_there_is(tmp_path: Path) -> None:
    done = good("list", "--json", tmp_path / "l.json")
    told = read_json(tmp_path / "l.json")
    assert told["objectives"] == list(registry.names("objectives"))
    assert told["recipes"] == recipe_names()
    assert "sw" in told["languages"] and "XLM-R" in told["families"]
    assert all(name in done.out for name in told if name != "written_by")


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


def test_doctor_shows_both_parts_of_the_cache_and_clears_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    monkeypatch.setenv("XADAPT_CACHE", str(cache))
    place = Place(tmp_path / "place")
    more = ("--set", "module.layers=[3, 4]", "--set", "train.epochs=2")
    good(*place.train(tmp_path / "m", *more))  # leaves vectors and states
    (cache / "mine").write_text("kept")
    done = good("doctor", "--json", tmp_path / "d.json")
    facts = read_json(tmp_path / "d.json")
    assert "torch" in facts and "loader peft" in facts
    assert facts["cached"].keys() == {"frozen vectors", "prefix states"}
    total = 0
    for name, part in facts["cached"].items():
        sizes = [p.stat().st_size for p in Path(part["folder"]).glob("*.safetensors")]
        assert (part["files"], part["bytes"]) == (len(sizes), sum(sizes)) and part["files"] > 0
        assert f"{len(sizes)} files" in facts[f"cache, {name}"] and name in done.out
        total += sum(sizes)
    assert facts["cache"] == f"{cache}, {total / 1e6:.1f} MB"
    good("doctor", "--clear-cache", "--json", tmp_path / "d.json")
    facts = read_json(tmp_path / "d.json")
    assert [part["files"] for part in facts["cached"].values()] == [0, 0]
    assert not list(cache.rglob("*.safetensors")) and (cache / "mine").exists()
