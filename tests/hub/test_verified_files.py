from __future__ import annotations

import io
import json
import os
import pickle
import random
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_folders import manifest_of, random_module, without_hashes
from tiny_models import tiny_encoder

from xadapt.composition.text import parse
from xadapt.core.errors import UserError
from xadapt.heads.head import Head
from xadapt.hub import verified_files
from xadapt.hub.checks import FAILED, PASSED
from xadapt.hub.composition_file import write_composition
from xadapt.hub.encoder_file import write_encoder_file
from xadapt.hub.folder import write_folder
from xadapt.hub.hashes import file_hash
from xadapt.hub.integrity import resealed
from xadapt.hub.manifest import save_manifest
from xadapt.hub.opening import manifest_content, read_manifest
from xadapt.hub.verified_files import files_of, modules_of, verify_files


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LoRA with a head, a bottleneck, and a composition of both."""
    work = tmp_path_factory.mktemp("made")
    encoder = tiny_encoder("bert")
    lora, bottleneck = random_module(encoder, "lora"), random_module(encoder, "bottleneck")
    twin = random_module(encoder, "lora", seed=1)
    head = Head("tagging", ["O", "B-x", "I-x"], encoder.width)
    own = manifest_of(encoder, lora, name="lora")
    more: Any = {"head": head, "controls": {"shuffled": twin}}
    write_folder(work / "lora", lora, encoder, own, verify={}, loaders="all", **more)
    own = manifest_of(encoder, bottleneck, name="bottleneck")
    write_folder(work / "bottleneck", bottleneck, encoder, own, verify={})
    write_encoder_file(work / "bottleneck", "a/b", "sha256:0")
    places = {name: work / name for name in ("lora", "bottleneck")}
    write_composition(work / "both", parse("lora + bottleneck"), places)
    return work


@pytest.fixture
def copy(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made / "lora", tmp_path / "copy")


def failed(folder: Path, *others: str) -> dict[str, str]:
    return {one.name: one.what for one in verify_files(folder, others) if one.status == FAILED}


def every(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def reseal(folder: Path, *names: str) -> None:
    """Write the manifest anew with the hashes of changed files, as who changed them could."""
    manifest = read_manifest(folder)
    hashes = {name: file_hash(folder / name) for name in names}
    save_manifest(folder, resealed(manifest, manifest_content(folder), hashes))


def test_whole_folders_pass(made: Path) -> None:
    for name in ("lora", "bottleneck", "both"):
        found = verify_files(made / name)
        assert found and all(one.status == PASSED for one in found), [*map(str, found)]
    names = [one.name for one in verify_files(made / "lora")]
    assert {"xadapt.json", "files", "pytorch_adapter.bin", "pytorch_model_head.bin"} < set(names)
    assert "encoder.json" in [one.name for one in verify_files(made / "bottleneck")]
    assert set(modules_of(made / "both")) == {"modules/lora/", "modules/bottleneck/"}
    there = {path.relative_to(made / "lora").as_posix() for path in every(made / "lora")}
    assert set(files_of(made / "lora")) == there
    there = {path.relative_to(made / "both").as_posix() for path in every(made / "both")}
    assert set(files_of(made / "both")) == there


def test_a_changed_byte_of_any_file_is_noticed_by_the_name_of_the_file(
    made: Path, tmp_path: Path
) -> None:
    """The short form of ``examples/benchmarks/publish_and_verify.py``."""
    rng = random.Random(5)
    for name in ("lora", "bottleneck", "both"):
        folder = shutil.copytree(made / name, tmp_path / name)
        for path in every(folder):
            raw, shown = path.read_bytes(), path.relative_to(folder).as_posix()
            for at in [0, len(raw) - 1, *(rng.randrange(len(raw)) for _ in range(4))]:
                path.write_bytes(
                    raw[:at] + bytes([raw[at] ^ rng.randrange(1, 256)]) + raw[at + 1 :]
                )
                found = failed(folder)
                assert shown in found or any(shown in what for what in found.values()), (shown, at)
            path.write_bytes(raw)
        assert failed(folder) == {}


def test_one_fault_hides_no_other(made: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(made / "both", tmp_path / "both")
    (folder / "modules/lora/xadapt.json").write_text("{")
    tensors = next((folder / "modules/bottleneck").glob("*.safetensors"))
    tensors.write_bytes(tensors.read_bytes()[:-1])
    (folder / "README.md").unlink()
    found = failed(folder)
    assert {
        "modules/lora/xadapt.json",
        f"modules/bottleneck/{tensors.name}",
        "README.md",
    } <= found.keys()
    (folder / "composition.json").write_text("[]")
    assert "composition.json" in failed(folder)


def test_a_file_that_is_absent_or_a_tensor_that_changed_is_named(copy: Path) -> None:
    (copy / "adapter_config.json").unlink()
    file = copy / "adapter.safetensors"
    tensors = load_file(file)
    first = sorted(tensors)[0]
    save_file({**tensors, first: -tensors[first]}, file)
    found = failed(copy)
    assert found["adapter_config.json"] == "it is absent"
    assert found["adapter.safetensors"].startswith("its hash is another")
    assert first in found["pytorch_adapter.bin"]  # compared tensor for tensor


def test_a_pickle_with_other_tensors_fails_though_its_hash_is_right(
    made: Path, tmp_path: Path
) -> None:
    for name, folder in (("named", made / "bottleneck"), ("values", made / "lora")):
        place = shutil.copytree(folder, tmp_path / name)
        if name == "values":  # adapters' own safetensors are not always there
            manifest = read_manifest(place)
            (place / "adapter.safetensors").unlink()
            hashes = manifest.integrity
            assert hashes is not None
            left = {n: h for n, h in hashes.files.items() if n != "adapter.safetensors"}
            smaller = manifest.model_copy(
                update={"integrity": hashes.model_copy(update={"files": left})}
            )
            save_manifest(place, smaller)
            from xadapt.hub.integrity import manifest_hash

            own = manifest_hash(manifest_content(place))
            sealed = hashes.model_copy(update={"files": left, "manifest": own})
            save_manifest(place, smaller.model_copy(update={"integrity": sealed}))
            assert failed(place) == {}
        tensors = torch.load(place / "pytorch_adapter.bin", weights_only=True)
        first = sorted(tensors)[0]
        tensors[first][..., 0] += 1e-6
        torch.save(tensors, place / "pytorch_adapter.bin")
        reseal(place, "pytorch_adapter.bin")
        assert first in (found := failed(place))["pytorch_adapter.bin"] or name == "values"
        assert found.keys() - {"encoder.json"} == {"pytorch_adapter.bin"}


class Harm:
    """What a pickle would run."""

    def __reduce__(self) -> Any:
        return os.system, ("touch harm",)


@pytest.mark.parametrize("plain", [True, False])
def test_a_pickle_is_never_run(copy: Path, monkeypatch: pytest.MonkeyPatch, plain: bool) -> None:
    monkeypatch.chdir(copy.parent)
    file = copy / "pytorch_adapter.bin"
    if plain:
        file.write_bytes(pickle.dumps(Harm()))
    else:
        raw = io.BytesIO()
        with zipfile.ZipFile(raw, "w") as archive:
            archive.writestr("archive/data.pkl", pickle.dumps(Harm(), protocol=2))
            archive.writestr("archive/version", "3\n")
        file.write_bytes(raw.getvalue())
    reseal(copy, file.name)
    found = failed(copy)
    assert found.keys() == {file.name} and not (copy.parent / "harm").exists()
    file.unlink()
    pickled = copy / "training_args.bin"
    pickled.write_bytes(pickle.dumps(Harm()))
    assert "training_args.bin" in failed(copy)["other files"]


@pytest.mark.parametrize(
    ("name", "harmful"),
    [
        ("adapter_model.bin", True),
        ("modeling.py", True),
        ("more/module.safetensors", True),
        ("weights.zip", True),
        ("weights.tar.gz", True),
        ("tokenizer.json", True),
        ("photo.png", False),
        ("notes.txt", False),
        ("LICENSE", False),
    ],
)
def test_files_that_nothing_vouches_for(copy: Path, name: str, harmful: bool) -> None:
    assert ("other files" in failed(copy, name)) == harmful  # on the Hub, not fetched
    (copy / name).parent.mkdir(exist_ok=True)
    (copy / name).write_bytes(b"x")
    found = failed(copy)
    assert found.keys() == ({"other files"} if harmful else set())
    if harmful:
        assert name in found["other files"]
    else:
        [told] = [one for one in verify_files(copy) if one.name == "other files"]
        assert name in told.what


def test_what_a_run_and_git_leave_is_no_part_of_it(copy: Path) -> None:
    for name in ("run/metrics.jsonl", ".git/config.json", ".cache/huggingface/x.json"):
        (copy / name).parent.mkdir(parents=True)
        (copy / name).write_text("{}")
    (copy / ".gitattributes").write_text("")
    assert failed(copy) == {}


def test_links_out_of_the_folder_are_not_followed(copy: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    moved = shutil.move(copy / "adapter_config.json", secret / "adapter_config.json")
    (copy / "adapter_config.json").symlink_to(moved)
    assert "link that leaves" in failed(copy)["adapter_config.json"]
    shutil.move(moved, tmp_path / "kept")
    (copy / "adapter_config.json").unlink()
    shutil.move(tmp_path / "kept", copy / "adapter_config.json")
    (copy / "photo.png").symlink_to(secret)
    assert "photo.png" in failed(copy)["other files"] or "link" in failed(copy)["other files"]


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "a/../../x", "..\\x", "a\x00b"])
def test_names_that_climb_are_refused(copy: Path, name: str) -> None:
    (copy.parent / "secret").write_text("x")
    said = json.loads((copy / "xadapt.json").read_text())
    said["integrity"]["files"][name] = said["integrity"]["files"]["README.md"]
    (copy / "xadapt.json").write_text(json.dumps(said, indent=2, ensure_ascii=False) + "\n")
    found = failed(copy)
    assert "its content is not" in found["xadapt.json"]
    reseal_all(copy, said)
    found = failed(copy)
    assert found.keys() == {name} and found[name] != "x"


def reseal_all(folder: Path, said: dict[str, Any]) -> None:
    from xadapt.hub.integrity import manifest_hash

    said["integrity"]["manifest"] = manifest_hash(said)
    (folder / "xadapt.json").write_text(
        json.dumps(said, indent=2, ensure_ascii=False).replace("e-0", "e-") + "\n"
    )


def test_archives_and_missing_folders_are_one_line(tmp_path: Path, copy: Path) -> None:
    archive = shutil.make_archive(str(tmp_path / "module"), "zip", copy)
    with pytest.raises(UserError, match="an archive is not opened"):
        verify_files(archive)
    with pytest.raises(UserError, match="no such module folder"):
        verify_files(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    assert "no file xadapt.json" in failed(tmp_path / "empty")["xadapt.json"]


def test_a_folder_without_hashes_fails(copy: Path) -> None:
    without_hashes(copy)
    assert "before xadapt kept hashes" in failed(copy)["xadapt.json"]


def test_many_files_are_refused(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verified_files, "MOST_FILES", 5)
    assert failed(copy) == {"other files": "the folder holds more than 5 files"}


def test_a_large_header_takes_no_memory(copy: Path) -> None:
    """A safetensors file that says to have a terabyte of header is refused before it is read."""
    file = copy / "adapter.safetensors"
    file.write_bytes((2**40).to_bytes(8, "little") + b"{}")
    reseal(copy, file.name)
    assert "pytorch_adapter.bin" in failed(copy)
