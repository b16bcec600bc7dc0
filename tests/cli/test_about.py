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
    "name", [*(n for room in registry.ROOMS for n in registry.names(room)), *recipe_names()]
)
def test_everything_is_explained(name: str) -> None:
    assert f" {name}\n" in good("explain", name).out


def test_explain_shows_options_with_defaults_and_sources() -> None:
    out = good("explain", "translation_ranking").out
    assert "temperature" in out and "0.05" in out and "https://" in out
    done = xadapt("explain", "lorra")
    assert done.code == 2 and "did you mean 'lora'" in done.err


def test_doctor_shows_the_cache_and_clears_it_and_what_earlier_versions_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    monkeypatch.setenv("XADAPT_CACHE", str(cache))
    place = Place(tmp_path / "place")
    more = ("--set", "module.layers=[3, 4]", "--set", "train.epochs=2")
    good(*place.train(tmp_path / "m", *more))  # leaves vectors and states
    good("doctor", "--json", tmp_path / "d.json")
    assert read_json(tmp_path / "d.json")["cached"].keys() == {"activations"}
    for old in ("vectors", "prefix"):
        (cache / old).mkdir()
        (cache / old / "0f.safetensors").write_bytes(b"abc")
    (cache / "mine").write_text("kept")
    done = good("doctor", "--json", tmp_path / "d.json")
    facts = read_json(tmp_path / "d.json")
    assert "torch" in facts and "loader peft" in facts
    assert len(facts["cached"]) == 3 and "old vectors" in done.out
    total = 0
    for name, part in facts["cached"].items():
        sizes = [p.stat().st_size for p in Path(part["folder"]).rglob("*.safetensors")]
        assert (part["files"], part["bytes"]) == (len(sizes), sum(sizes)) and part["files"] > 0
        assert f"{len(sizes)} files" in facts[f"cache, {name}"]
        total += sum(sizes)
    assert facts["cached"]["activations"]["files"] > 1
    assert facts["cache"] == f"{cache}, {total / 1e6:.1f} MB"
    good("doctor", "--clear-cache", "--json", tmp_path / "d.json")
    facts = read_json(tmp_path / "d.json")
    assert [(name, part["files"]) for name, part in facts["cached"].items()] == [("activations", 0)]
    assert not list(cache.rglob("*.safetensors")) and (cache / "mine").exists()
