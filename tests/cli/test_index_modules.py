from __future__ import annotations

import json
from pathlib import Path

from local_hub import LocalHub
from tiny_commands import good, xadapt


def test_an_index_is_written_and_searched(de: Path, tmp_path: Path) -> None:
    folder = de.parent
    done = good("index-modules", folder, "--json", tmp_path / "i.json")
    assert done.out.splitlines()[-1] == f"wrote {folder / 'modules.json'}: 1 modules"
    assert json.loads((tmp_path / "i.json").read_text())["modules"] == ["de"]
    found = good("search", "--lang", "deu", "--index", folder / "modules.json")
    assert "exact" in found.out
    assert "no module found" in good("search", "--lang", "ja", "--index", folder).out
    (folder / "modules.json").unlink()
    done = xadapt("search", "--index", folder)
    assert done.code == 2 and len(done.lines) == 1 and "no such file" in done.err
    done = xadapt("index-modules", tmp_path / "none")
    assert done.code == 2 and "no such folder" in done.err


def test_installed_modules_are_listed(de: Path, local_hub: LocalHub, tmp_path: Path) -> None:
    assert good("list", "--installed").out.strip() == "no module is in the Hub's cache"
    good("publish", de, "--repo", "org/de")
    revision = local_hub.repositories["org/de"].branches["main"]
    assert good("list", "--installed").out.startswith("no module")  # it was verified elsewhere
    good("verify", "org/de", "--files-only")
    done = good("list", "--installed", "--json", tmp_path / "l.json")
    assert done.out.startswith(f"org/de@{revision[:12]}")
    assert "  de; lora on " in done.out
    [one] = json.loads((tmp_path / "l.json").read_text())["installed"]
    assert one["revision"] == revision and one["modules"][0]["languages"] == ["de"]
    done = xadapt("list", "recipes", "--installed")
    assert done.code == 2 and "Give one of them" in done.err
