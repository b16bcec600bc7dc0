from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from keys import key_pair
from local_hub import LocalHub
from safetensors.torch import load_file, save_file
from tiny_folders import base_and_encoder, manifest_of, random_module, tensor_file
from tiny_models import tiny_folder

import xadapt
from xadapt import integrations
from xadapt.composition.text import parse
from xadapt.core.errors import UserError
from xadapt.heads.head import Head
from xadapt.hub.checks import FAILED, OPEN, PASSED, Verification
from xadapt.hub.composition_file import write_composition
from xadapt.hub.folder import write_folder
from xadapt.hub.hashes import file_hash, tensor_hashes
from xadapt.hub.integrity import manifest_hash
from xadapt.pipelines.verify import verify

MODULES: dict[str, tuple[str, dict[str, Any]]] = {
    "lora": ("lora", {"rank": 2}),
    "bottleneck": ("bottleneck", {"width": 4, "after": "ffn", "invertible": "nice"}),
    "tagger": ("lora", {"rank": 2}),
    "plain": ("lora", {"rank": 2}),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    work = tmp_path_factory.mktemp("made")
    base, encoder = base_and_encoder(work, "bert")
    for name, (kind, options) in MODULES.items():
        module = random_module(encoder, kind, **options)
        head = Head("tagging", ["O", "B-x", "I-x"], encoder.width) if name == "tagger" else None
        own = {"id": "someone/tiny-base", "model_type": "bert"}
        own |= {"fingerprint": encoder.identity.to_dict()}  # type: ignore[dict-item]
        manifest = manifest_of(encoder, module, name=name, base=own, languages=[])
        checks = integrations.compare_loaders(base, module, ("a b", "c"), head, manifest.objectives)
        loaders = "peft" if name == "plain" else None
        more: Any = {"head": head, "loaders": loaders}
        write_folder(work / name, module, encoder, manifest, verify=checks, **more)
    places = {name: work / name for name in ("lora", "bottleneck")}
    write_composition(work / "both", parse("bottleneck + lora"), places)
    return work


def by_name(found: Verification) -> dict[str, str]:
    return {one.name: one.status for one in found}


def told(found: Verification, name: str) -> str:
    return next(one.what for one in found if one.name == name)


@pytest.mark.parametrize("name", MODULES)
def test_every_part_of_a_module_is_verified(made: Path, name: str) -> None:
    found = verify(made / name, base=str(made / "base"))
    assert found.ok, str(found)
    status = by_name(found)
    manifest = json.loads((made / name / "xadapt.json").read_text())
    held = [n for n, one in manifest["loaders"].items() if one["status"] == "verified"]
    usable = [n for n, reason in integrations.usable().items() if reason is None]
    assert {n: status[n] for n in held} == dict.fromkeys(set(held) & set(usable), PASSED)
    assert status["base"] == status["vectors"] == PASSED and status["signature"] == OPEN
    if "adapters" in held:
        assert status["pytorch_adapter.bin by name"] == PASSED
    if name == "lora":
        assert "from the probe vectors" in told(found, "peft")


def test_a_composition_is_verified_module_by_module(made: Path) -> None:
    found = verify(made / "both", base=str(made / "base"))
    assert found.ok, str(found)
    status = by_name(found)
    assert status["modules/lora/vectors"] == status["modules/bottleneck/vectors"] == PASSED
    assert "not in this folder" in told(found, "modules/lora/peft")


def test_a_wrong_base_fails_and_an_absent_one_is_named(made: Path, tmp_path: Path) -> None:
    other = tiny_folder(tmp_path / "other", "bert", seed=9)
    found = verify(made / "lora", base=str(other))
    assert not found.ok and "other values in the same shape" in told(found, "base")
    assert by_name(found)["files"] == PASSED and by_name(found)["peft"] == OPEN
    found = verify(made / "lora")
    assert found.ok and by_name(found)["base"] == OPEN
    assert "not at hand" in told(found, "base") and "--base" in told(found, "base")
    assert "unverified: " in told(found, "peft")
    with pytest.raises(UserError, match="there is no base"):
        verify(made / "lora", base="no such base")


def resealed(folder: Path, name: str, tensors: dict[str, torch.Tensor]) -> None:
    """Change a file of tensors and every hash of it, as a clever stranger would."""
    from safetensors import safe_open

    with safe_open(folder / name, "pt") as opened:
        metadata = opened.metadata()
    save_file(tensors, folder / name, metadata=metadata)
    said = json.loads((folder / "xadapt.json").read_text())
    own = said["integrity"]
    own["files"][name] = file_hash(folder / name).model_dump()
    if name in own["tensors"]:
        own["tensors"][name] = tensor_hashes(tensors)
    own["manifest"] = manifest_hash(said)
    from xadapt.hub.manifest import parse_manifest, save_manifest

    save_manifest(folder, parse_manifest(json.dumps(said).encode()))


def test_vectors_tell_what_hashes_can_not(made: Path, tmp_path: Path) -> None:
    """Tensors and all hashes are changed together, and the probe vectors tell it."""
    folder = shutil.copytree(made / "plain", tmp_path / "plain")
    name = tensor_file(folder).name
    tensors = {key: value.clone() for key, value in load_file(folder / name).items()}
    first = next(key for key in sorted(tensors) if key.endswith("B.weight") or "lora_B" in key)
    tensors[first] += 0.05
    resealed(folder, name, tensors)
    found = verify(folder, base=str(made / "base"))
    status = by_name(found)
    assert status["xadapt.json"] == status["files"] == status["base"] == PASSED
    assert status["vectors"] == FAILED and "from the probe vectors" in told(found, "vectors")
    if integrations.usable()["peft"] is None:
        assert status["peft"] == FAILED


def test_what_is_broken_is_not_run(made: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(made / "lora", tmp_path / "lora")
    (folder / "adapter_config.json").write_text("{}")
    found = verify(folder, base=str(made / "base"))
    assert not found.ok and "nothing of them is run" in told(found, "base")
    assert "peft" not in by_name(found)
    both = shutil.copytree(made / "both", tmp_path / "both")
    tensors = tensor_file(both / "modules/lora")
    tensors.write_bytes(tensors.read_bytes()[:-1])
    found = verify(both, base=str(made / "base"))
    status = by_name(found)
    assert status["modules/lora/base"] == OPEN and status["modules/bottleneck/vectors"] == PASSED


def test_files_alone_are_verified_without_a_base(made: Path) -> None:
    found = verify(made / "lora", files_only=True)
    assert found.ok and "base" not in by_name(found)


def test_a_signature_is_checked_with_the_publisher_s_key(made: Path, tmp_path: Path) -> None:
    private, public = key_pair(tmp_path)
    _, other = key_pair(tmp_path, "other")
    folder = tmp_path / "signed"
    xadapt.publish(made / "lora", "org/x", sign=private, dry_run=folder)
    found = verify(folder, public_key=public, files_only=True)
    assert found.ok and by_name(found)["signature"] == PASSED
    found = verify(folder, files_only=True)
    assert found.ok and "name the publisher's" in told(found, "signature")
    assert by_name(verify(folder, public_key=other, files_only=True))["signature"] == FAILED
    found = verify(made / "lora", public_key=public, files_only=True)
    assert told(found, "signature") == "the folder is not signed" and not found.ok
    own = folder / "model.sig"
    before = own.read_bytes()
    own.write_bytes(before.replace(b'"publicKey":{"hint":', b'"certificate":{"rawBytes":'))
    found = verify(folder, public_key=public, files_only=True)
    assert "made with a certificate, not with this key" in told(found, "signature")
    assert not found.ok and verify(folder, files_only=True).ok
    own.write_bytes(before)
    card = folder / "README.md"
    card.write_text(card.read_text() + "\n")
    found = verify(folder, files_only=True)
    assert {one.name for one in found.failed} == {"README.md", "signature"}
    assert "README.md is not the file that was signed" in told(found, "signature")


def test_a_module_is_fetched_whole_from_the_hub(
    made: Path, local_hub: LocalHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = xadapt.publish(made / "lora", "org/lora")
    found = verify("org/lora", base=str(made / "base"))
    assert found.ok and found.revision == done.revision, str(found)
    assert found.place == "org/lora" and "peft" in by_name(found)
    first = done.revision
    files = local_hub.files("org/lora")
    local_hub.put("org/lora", {**files, "adapter_config.json": b"{}", "extra.bin": b"x"})
    found = verify("org/lora", files_only=True)
    assert {one.name for one in found.failed} == {"adapter_config.json", "other files"}
    assert not any(path.endswith("extra.bin") for _, path in local_hub.requests)
    assert verify(f"org/lora@{first}", files_only=True).ok
    local_hub.refuse("/api/models", 503)  # out of reach: what is in the cache
    found = verify(f"org/lora@{first}", files_only=True)
    assert found.ok and "copy in the cache" in told(found, "Hub")
    with pytest.raises(UserError, match="503"):
        verify("org/none", files_only=True)
    local_hub.refused.clear()
    with pytest.raises(UserError, match="no such repository"):
        verify("org/none", files_only=True)
    local_hub.put("org/base", {"config.json": b"{}"})
    with pytest.raises(UserError, match="no module of xadapt"):
        verify("org/base")


def test_large_files_are_not_fetched(
    made: Path, local_hub: LocalHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    local_hub.put_folder("org/lora", made / "lora")
    before = len(local_hub.requests)
    for name in ("MAX_SMALL", "MAX_TOTAL"):
        with monkeypatch.context() as patch:
            patch.setattr(f"xadapt.hub.fetching.{name}", 10)
            with pytest.raises(UserError, match="MiB are allowed"):
                verify("org/lora")
    assert not any("/resolve/" in path for _, path in local_hub.requests[before:])


def test_archives_and_nothing_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"PK")
    with pytest.raises(UserError, match="an archive is not opened"):
        verify(tmp_path / "a.zip")
    with pytest.raises(UserError, match="no such module folder"):
        verify(tmp_path / "none")


def test_evidence_is_measured_again_where_its_data_is_at_hand(
    place: Any, de: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(de, tmp_path / "de", ignore=shutil.ignore_patterns("run"))
    xadapt.add_evidence("bitext", base=str(place.base), module=folder, data=str(place.test))
    given: dict[str, Any] = {"base": str(place.base)}
    found = verify(folder, **given)
    assert found.ok and "not at hand" in told(found, "evidence")
    found = verify(folder, data=place.test, **given)
    rows = [one for one in found if one.name == "evidence"]
    assert found.ok and len(rows) > 2, str(found)
    assert all(one.status == PASSED or "not measured" in one.what for one in rows)
    file = folder / "evidence.json"
    said = json.loads(file.read_text())
    own = next(one for one in said["measurements"][0]["systems"] if one["role"] == "module")
    for score in own["scores"].values():  # a score that was never measured, with every hash
        score["value"], score["low"], score["high"] = 7.0, 6.5, 7.5
    file.write_text(json.dumps(said, indent=1) + "\n")
    manifest = json.loads((folder / "xadapt.json").read_text())
    manifest["integrity"]["files"]["evidence.json"] = file_hash(file).model_dump()
    manifest["integrity"]["manifest"] = manifest_hash(manifest)
    from xadapt.hub.manifest import parse_manifest, save_manifest

    save_manifest(folder, parse_manifest(json.dumps(manifest).encode()))
    found = verify(folder, data=place.test, **given)
    assert {one.name for one in found.failed} == {"evidence"}
    assert "recorded 7 [6.5, 7.5]" in found.failed[0].what
