from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from local_hub import LocalHub
from tiny_folders import manifest_of, random_module
from tiny_models import tiny_encoder

from xadapt.core.errors import UserError
from xadapt.hub import whole_module
from xadapt.hub.folder import write_folder
from xadapt.hub.integrity import manifest_hash
from xadapt.hub.whole_module import _SAFE, fetch_whole


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "sw"
    encoder = tiny_encoder("bert")
    module = random_module(encoder, "lora")
    write_folder(folder, module, encoder, manifest_of(encoder, module), verify={})
    return folder


def names(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def test_what_the_manifest_names_is_fetched_and_nothing_else(
    local_hub: LocalHub, made: Path, tmp_path: Path
) -> None:
    local_hub.put_folder("org/sw", made)
    files = {**local_hub.files("org/sw"), "modeling.py": b"x", "photo.png": b"y"}
    local_hub.put("org/sw", files)
    found = fetch_whole("org/sw", cache=tmp_path / "cache")
    assert names(found.folder) == names(made)
    assert found.others == ("modeling.py", "photo.png") and not found.note
    assert found.revision == local_hub.repositories["org/sw"].branches["main"]
    asked = [path for _, path in local_hub.requests]
    assert not any(path.endswith((".py", ".png")) for path in asked)


def test_no_token_is_needed_for_a_public_one_and_a_private_one_takes_it(
    local_hub: LocalHub, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    local_hub.put_folder("org/sw", made)
    local_hub.repositories["org/sw"].private = True
    with pytest.raises(UserError, match="no such repository"):
        fetch_whole("org/sw", cache=tmp_path / "a", token="hf_wrong")
    assert fetch_whole("org/sw", cache=tmp_path / "b").folder.is_dir()


def test_names_that_climb_or_are_patterns_are_not_fetched(
    local_hub: LocalHub, made: Path, tmp_path: Path
) -> None:
    said: dict[str, Any] = json.loads((made / "xadapt.json").read_text())
    own = said["integrity"]
    for name in ("../evil.txt", "/etc/evil", "*.png", "a/./b", "[ab].txt"):
        own["files"][name] = own["files"]["README.md"]
    own["manifest"] = manifest_hash(said)
    files = {p.relative_to(made).as_posix(): p.read_bytes() for p in made.rglob("*.*")}
    files |= {"xadapt.json": json.dumps(said).encode(), "photo.png": b"y", "a.txt": b"z"}
    local_hub.put("org/sw", files)
    found = fetch_whole("org/sw", cache=tmp_path / "cache")
    assert names(found.folder) == names(made) and set(found.others) == {"photo.png", "a.txt"}


@pytest.mark.parametrize(
    ("name", "good"),
    [
        ("README.md", True),
        ("1_Pooling/config.json", True),
        ("a b+c.txt", True),
        ("..", False),
        ("a/../b", False),
        ("./a", False),
        ("/a", False),
        ("a*", False),
        ("[a]", False),
        ("a?", False),
        ("a\\b", False),
        ("a\nb", False),
        ("x" * 300, False),
    ],
)
def test_which_names_are_fetched(name: str, good: bool) -> None:
    assert bool(_SAFE.fullmatch(name)) == good


def test_too_many_files_are_refused(
    local_hub: LocalHub, made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    local_hub.put_folder("org/sw", made)
    monkeypatch.setattr(whole_module, "MAX_FILES", 3)
    with pytest.raises(UserError, match="files, and 3 are allowed"):
        fetch_whole("org/sw")
