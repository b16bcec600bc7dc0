from __future__ import annotations

import json
from pathlib import Path

import pytest
from local_hub import TOKEN, LocalHub
from tiny_commands import good, xadapt
from tiny_folders import manifest_of, random_module
from tiny_models import tiny_encoder

from xadapt.hub.folder import write_folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("cli") / "sw"
    encoder = tiny_encoder("bert")
    module = random_module(encoder, "lora")
    write_folder(out, module, encoder, manifest_of(encoder, module), verify={})
    return out


def test_publish_then_search(local_hub: LocalHub, folder: Path, tmp_path: Path) -> None:
    done = good("publish", folder, "--repo", "org/sw", "--json", tmp_path / "p.json")
    assert "base_model: someone/tiny-base" in done.out and "xadapt.json" in done.out
    assert done.out.splitlines()[-1].startswith("published org/sw@")
    assert TOKEN not in done.out + done.err
    said = json.loads((tmp_path / "p.json").read_text())
    assert said["repo"] == "org/sw" and said["changed"] and TOKEN not in str(said)
    again = good("publish", folder, "--repo", "org/sw")
    assert "nothing changed" in again.out
    given = ("--base", "someone/tiny-base", "--lang", "swh", "--json", tmp_path / "s.json")
    found = good("search", *given)
    assert "org/sw" in found.out and "exact" in found.out
    assert max(map(len, found.out.splitlines())) <= 80
    [one] = json.loads((tmp_path / "s.json").read_text())["modules"]
    assert one["revision"] == said["revision"] and one["match"] == "exact"
    assert good("search", "--lang", "ja").out.strip() == "no module found"


def test_a_dry_run_asks_nobody(folder: Path, tmp_path: Path) -> None:
    done = good("publish", folder, "--repo", "org/sw", "--dry-run", tmp_path / "out")
    assert "nothing was sent" in done.out
    assert (tmp_path / "out" / "xadapt.json").read_bytes() == (folder / "xadapt.json").read_bytes()
    assert "tiny-sw" not in good("search", "--folder", tmp_path, "--lang", "de").out
    assert "exact" in good("search", "--folder", tmp_path, "--lang", "sw").out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("publish", "{folder}", "--repo", "sw"), "'sw' is no id of a repository"),
        (("publish", "{folder}/none", "--repo", "org/sw"), "no such module folder"),
        (("publish", "{folder}", "--repo", "org/sw"), "can't be asked offline"),
        (("search", "--lang", "sw"), "can't be asked offline"),
        (("search", "--lang", "zz-zz-zz"), "language"),
        (("search", "--folder", "{folder}/none"), "no such folder"),
        (("publish", "{folder}", "--repo", "org/sw", "--dry-run", "{folder}"), "not empty"),
    ],
)
def test_mistakes_are_one_line(
    folder: Path,
    arguments: tuple[str, ...],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from huggingface_hub import constants
    from local_hub import _new_sessions

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    _new_sessions()
    done = xadapt(*(text.replace("{folder}", str(folder)) for text in arguments))
    assert done.code == 2 and said in done.err, done.err
    assert len(done.lines) == 1 and done.lines[0].startswith("xadapt: ") and TOKEN not in done.err
