from __future__ import annotations

import io
import logging
import random
import traceback
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from keys import key_pair
from local_hub import TOKEN, LocalHub
from tiny_commands import xadapt as command
from tiny_folders import manifest_of, random_module
from tiny_models import tiny_encoder

import xadapt
from xadapt.composition.text import parse
from xadapt.core.errors import UserError
from xadapt.hub.composition_file import write_composition
from xadapt.hub.folder import write_folder
from xadapt.pipelines.verify import verify

REPO = "org/tiny-sw"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("published") / "sw"
    encoder = tiny_encoder("bert")
    module = random_module(encoder, "lora")
    own = manifest_of(encoder, module, parents=["a/parent"], trained_inside=["language + self"])
    write_folder(out, module, encoder, own, verify={})
    return out


def commits(hub: LocalHub) -> int:
    return len([path for _, path in hub.requests if "/commit/" in path])


def test_signed_and_in_a_collection_and_the_same_again_changes_nothing(
    local_hub: LocalHub, folder: Path, tmp_path: Path
) -> None:
    private, public = key_pair(tmp_path)
    lines: list[str] = []
    given: dict[str, Any] = {"sign": private, "collection": "org/Swahili modules"}
    done = xadapt.publish(folder, REPO, report=lines.append, **given)
    assert done.signed and "model.sig" in done.files and "signed" in str(done)
    assert done.parents == ("a/parent", "language + self")
    assert any("downloading it again" in line for line in lines)
    [collection] = local_hub.collections.values()
    assert [item["id"] for item in collection["items"]] == [REPO]
    assert done.collection == collection["slug"]
    found = verify(REPO, public_key=public, files_only=True)
    assert found.ok and not [one for one in found if one.status == "not checked"], str(found)
    again = xadapt.publish(folder, REPO, **given)
    assert again.revision == done.revision and not again.changed
    assert len(collection["items"]) == 1 and len(local_hub.collections) == 1
    unsigned = xadapt.publish(folder, REPO)
    assert unsigned.removed == ("model.sig",) and not unsigned.signed


def test_what_can_not_be_done_is_said_before_anything_is_sent(
    local_hub: LocalHub, folder: Path, tmp_path: Path
) -> None:
    for given, said in (
        ({"collection": "nonsense"}, "--collection"),
        ({"sign": tmp_path / "none.pem"}, "can't read this key"),
    ):
        key_pair(tmp_path)
        with pytest.raises(UserError, match=said):
            xadapt.publish(folder, REPO, **given)  # type: ignore[arg-type]
    assert local_hub.requests == []


def test_a_download_that_breaks_says_what_is_published(
    local_hub: LocalHub, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    local_hub.refuse("/resolve/", 500)
    with pytest.raises(
        UserError, match=r"it is published as [0-9a-f]{12}, but .*verifies it later"
    ):
        xadapt.publish(folder, REPO)
    local_hub.refused.clear()
    again = xadapt.publish(folder, REPO)
    assert not again.changed and verify(REPO, files_only=True).ok


def test_a_hub_that_hands_out_other_bytes_is_noticed(
    local_hub: LocalHub, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hashes that the Hub shows are right, and what it sends is not."""
    from local_hub import _Handler

    real = _Handler._send

    def other(handler: Any, raw: bytes, *more: Any) -> None:
        if "/resolve/" in handler.path and handler.path.endswith(".safetensors"):
            raw = raw[:-1] + bytes([raw[-1] ^ 1])
        real(handler, raw, *more)

    monkeypatch.setattr(_Handler, "_send", other)
    with pytest.raises(UserError, match=r"not what was sent \(adapter_model\.safetensors"):
        xadapt.publish(folder, REPO)


def test_a_collection_that_fails_says_that_the_module_is_published(
    local_hub: LocalHub, folder: Path
) -> None:
    local_hub.refuse("/api/collections", 403)
    with pytest.raises(UserError, match=r"is published, but not in the collection org/All"):
        xadapt.publish(folder, REPO, collection="org/All")
    assert verify(REPO, files_only=True).ok


def test_parents_are_named_in_the_card_of_a_composition(folder: Path, tmp_path: Path) -> None:
    write_composition(tmp_path / "both", parse("sw"), {"sw": folder})
    own = xadapt.publish(tmp_path / "both", REPO, dry_run=tmp_path / "out")
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    row = next(line for line in card.splitlines() if line.startswith("| `sw`"))
    assert "`a/parent`, `language + self`" in row and "`someone/tiny-base`" in row
    assert own.parents == ["a/parent", "language + self"]
    done = command("publish", tmp_path / "both", "--repo", REPO, "--dry-run", tmp_path / "again")
    assert "made from or trained on: a/parent, language + self" in done.out, done.err


def test_cut_at_any_byte_nothing_is_half_published_and_the_next_one_lands(
    local_hub: LocalHub, folder: Path
) -> None:
    """The short form of ``examples/benchmarks/publish_and_verify.py``."""
    local = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.*")}
    xadapt.publish(folder, "org/whole")
    size, rng = local_hub.committed_at[-1], random.Random(8)
    for number in range(5):
        name = f"org/cut-{number}"
        local_hub.uploads.clear()
        local_hub.break_after(rng.randrange(size))
        try:
            xadapt.publish(folder, name)
        except UserError as error:
            assert "\n" not in str(error) and TOKEN not in str(error)
        local_hub.mend()
        there = local_hub.files(name) if name in local_hub.repositories else {}
        there.pop(".gitattributes", None)
        assert there in ({}, local)
        xadapt.publish(folder, name)
        there = local_hub.files(name)
        there.pop(".gitattributes")
        assert there == local and len(local_hub.repositories[name].commits) <= 2


def chain(error: BaseException) -> str:
    """Everything that an error and those behind it say, with their trace."""
    found = "".join(traceback.format_exception(error))
    seen: BaseException | None = error
    while seen is not None:
        found += str(seen) + repr(seen) + repr(seen.args) + repr(getattr(seen, "__notes__", ""))
        seen = seen.__cause__ or seen.__context__
    return found


@pytest.mark.parametrize("path", ["/api/repos", "/commit/", "/preupload/", "/lfs/", "/resolve/"])
@pytest.mark.parametrize("status", [401, 403, 500])
def test_the_token_is_in_no_output_file_or_exception(
    local_hub: LocalHub,
    folder: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    path: str,
    status: int,
) -> None:
    caplog.set_level(logging.DEBUG)
    local_hub.refuse(path, status)
    lines: list[str] = []
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err), pytest.raises(UserError) as raised:
        xadapt.publish(folder, REPO, token=TOKEN, report=lines.append)
    assert "\n" not in str(raised.value)
    done = command("publish", folder, "--repo", REPO, "--json", tmp_path / "p.json")
    assert done.code == 2 and len(done.err.splitlines()[-1]) < 500
    said = [chain(raised.value), lines, out.getvalue(), err.getvalue(), done.out, done.err]
    assert TOKEN not in str([*said, caplog.text])
    for file in tmp_path.rglob("*"):
        assert not file.is_file() or TOKEN.encode() not in file.read_bytes(), file
    assert not any(TOKEN.encode() in body for body in local_hub.bodies)
