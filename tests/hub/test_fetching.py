"""Modules fetched from a Hub on this machine, by the real huggingface_hub."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from local_hub import LocalHub
from local_hub import _new_sessions as new_sessions
from tiny_folders import tensor_file

from xadapt.core.errors import UserError
from xadapt.hub import fetching
from xadapt.hub.opening import open_folder


@pytest.fixture
def repo(local_hub: LocalHub, de: Path) -> str:
    local_hub.put_folder("org/de", de)
    return "org/de"


def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    new_sessions()


def test_only_what_xadapt_reads_is_fetched(local_hub: LocalHub, repo: str, de: Path) -> None:
    there = {p.relative_to(de).as_posix() for p in de.rglob("*") if p.is_file()}
    assert "adapter_config.json" in there and any(name.startswith("run/") for name in there)
    folder = Path(fetching.module_folder(repo))
    found = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert found == {"xadapt.json", tensor_file(de).name, "README.md"}
    assert open_folder(folder)[0] == open_folder(de)[0]
    assert not any(path.endswith((".bin", ".py")) for _, path in local_hub.requests)


def test_a_revision_is_that_one(local_hub: LocalHub, repo: str, de: Path) -> None:
    first = local_hub.repositories[repo].branches["main"]
    files = local_hub.files(repo)
    local_hub.put(repo, {**files, "README.md": b"other"})
    assert (Path(fetching.module_folder(repo)) / "README.md").read_bytes() == b"other"
    old = Path(fetching.module_folder(f"hf:{repo}@{first}"))
    assert old.name == first and (old / "README.md").read_bytes() == files["README.md"]
    with pytest.raises(UserError, match="no revision 'v9'"):
        fetching.module_folder(f"{repo}@v9")


def test_offline_the_copy_in_the_cache_is_used(
    repo: str, local_hub: LocalHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = fetching.module_folder(repo)
    offline(monkeypatch)
    before = len(local_hub.requests)
    assert fetching.module_folder(repo) == folder and fetching.is_module(repo)
    with pytest.raises(UserError, match=r"no such module folder.*HF_HUB_OFFLINE.*no copy"):
        fetching.module_folder("org/other")
    assert not fetching.is_module("org/other") and len(local_hub.requests) == before
    tensor_file(folder).unlink()
    with pytest.raises(UserError, match="not whole"):
        fetching.module_folder(repo)


def test_a_broken_hub_gives_one_line_or_the_copy(repo: str, local_hub: LocalHub) -> None:
    local_hub.refuse("/api/models/org/", 500)
    with pytest.raises(UserError, match="the Hub can't be asked") as error:
        fetching.module_folder(repo)
    assert "\n" not in str(error.value)
    local_hub.refused.clear()
    folder = fetching.module_folder(repo)
    local_hub.refuse("/api/models/org/", 500)
    assert fetching.module_folder(repo) == folder


def test_a_folder_that_exists_wins(
    repo: str, local_hub: LocalHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "org" / "de").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    before = len(local_hub.requests)
    assert fetching.module_folder(repo) == repo and not fetching.is_module(repo)
    assert len(local_hub.requests) == before


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("sw", r"^sw: there is no such module folder\. Name one"),
        ("/no/such", r"^/no/such: there is no such module folder\. Name one"),
        ("a/b/c", r"^a/b/c: there is no such module folder\. Name one"),
        ("../x", r"^\.\./x: there is no such module folder\. Name one"),
        ("runs/sww", r"^runs/sww: there is no such module folder, and the Hub has no model"),
    ],
)
def test_what_is_nowhere_is_one_line(local_hub: LocalHub, given: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        fetching.module_folder(given)


def test_another_repository_is_no_module(local_hub: LocalHub) -> None:
    local_hub.put("org/base", {"config.json": b"{}", "model.safetensors": b"x"})
    assert not fetching.is_module("org/base")
    with pytest.raises(UserError, match=r"no module of xadapt: it has no xadapt\.json"):
        fetching.module_folder("org/base")


def test_a_file_that_is_too_large_is_not_fetched(
    repo: str, local_hub: LocalHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MAX_SMALL", "MAX_TENSORS", "MAX_TOTAL"):
        with monkeypatch.context() as patch:
            patch.setattr(fetching, name, 1)
            with pytest.raises(UserError, match="MiB are allowed"):
                fetching.module_folder(repo)
    assert not any("/resolve/" in path for _, path in local_hub.requests)


def test_names_that_climb_are_not_fetched() -> None:
    sizes = dict.fromkeys(
        ["xadapt.json", "../xadapt.json", "modules/../xadapt.json", "modules/a/module.safetensors",
         "controls/shuffled.safetensors", "controls/x.bin", "model.py", "head.safetensors",
         "modules/a/b/module.safetensors", "composition.json", "encoder.json"], 1
    )  # fmt: skip
    assert sorted(fetching.wanted_of(sizes, "x")) == [
        "composition.json", "controls/shuffled.safetensors", "encoder.json", "head.safetensors",
        "modules/a/module.safetensors", "xadapt.json",
    ]  # fmt: skip


def test_the_token_is_in_no_message(local_hub: LocalHub, monkeypatch: pytest.MonkeyPatch) -> None:
    local_hub.refuse("/api/models/org/", 403)
    with pytest.raises(UserError) as error:
        fetching.module_folder("org/secret")
    assert os.environ["HF_TOKEN"] not in str(error.value)
