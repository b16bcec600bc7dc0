from __future__ import annotations

from pathlib import Path

import pytest
from tiny_commands import Place, good

from xadapt.core.files import read_json


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
