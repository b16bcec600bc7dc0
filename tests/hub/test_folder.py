import json

import pytest
import torch
from safetensors.torch import load_file
from tiny_folders import manifest_of, random_module
from tiny_models import tiny_encoder

from xadapt.core.errors import UserError
from xadapt.hub.folder import _no_paths, write_folder
from xadapt.hub.opening import open_folder, read_manifest

OWN = {"xadapt.json", "README.md"}
MODULE = {"module.safetensors"}
ADAPTERS = {"adapter.safetensors", "pytorch_adapter.bin"}
BIN = {"pytorch_adapter.bin"}
PEFT = {"adapter_model.safetensors"}
SENTENCE = {
    "modules.json",
    "1_Pooling/config.json",
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
}
CONFIG = {"adapter_config.json"}
REFUSAL = {"modules.json"}  # adapters' settings alone are no settings of peft


def zero(folder):
    return 0.0


def write(path, kind="lora", verify=None, family="bert", manifest=None, loaders="all", **options):
    encoder = tiny_encoder(family)
    module = random_module(encoder, kind, **options)
    manifest = manifest or {}
    made = manifest_of(encoder, module, **manifest)
    return write_folder(path, module, encoder, made, verify=verify or {}, loaders=loaders)


def files(folder):
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def status(manifest):
    return {name: loader.status for name, loader in manifest.loaders.items()}


@pytest.mark.parametrize(
    ("kind", "options", "held"),
    [
        ("lora", {}, ADAPTERS | PEFT | SENTENCE | CONFIG),
        ("lora", {"sites": ("q", "attn_out")}, PEFT | SENTENCE | CONFIG),
        ("bottleneck", {}, ADAPTERS | CONFIG | REFUSAL),
        ("bottleneck", {"form": "parallel", "after": "ffn"}, ADAPTERS | CONFIG | REFUSAL),
    ],
)
def test_the_folder_has_the_files_of_exactly_those_that_can_hold_it(tmp_path, kind, options, held):
    manifest = write(tmp_path / "out", kind, **options)
    assert files(tmp_path / "out") == OWN | held
    assert read_manifest(tmp_path / "out") == manifest
    assert set(status(manifest).values()) <= {"unverified", "cannot hold"}


def test_nothing_is_left_where_no_library_can_hold_it(tmp_path):
    write(tmp_path / "out", "bottleneck", family="modernbert")
    assert files(tmp_path / "out") == OWN | MODULE


@pytest.mark.parametrize(
    ("kind", "loaders", "held", "tensors"),
    [
        ("lora", None, BIN | PEFT | SENTENCE | CONFIG, "adapter_model.safetensors"),
        ("lora", "none", MODULE, "module.safetensors"),
        ("lora", "peft", PEFT | CONFIG, "adapter_model.safetensors"),
        ("lora", ["transformers"], PEFT | CONFIG, "adapter_model.safetensors"),
        ("lora", "adapters", ADAPTERS | CONFIG | REFUSAL, "adapter.safetensors"),
        ("lora", "adapters,peft", ADAPTERS | PEFT | CONFIG, "adapter_model.safetensors"),
        ("bottleneck", None, ADAPTERS | CONFIG | REFUSAL, "adapter.safetensors"),
        ("bottleneck", "peft", MODULE, "module.safetensors"),
    ],
)
def test_only_what_is_asked_for_is_written_and_tensors_once(tmp_path, kind, loaders, held, tensors):
    encoder = tiny_encoder("bert")
    module = random_module(encoder, kind)
    made = manifest_of(encoder, module)
    out = tmp_path / "out"
    manifest = write_folder(out, module, encoder, made, verify={}, loaders=loaders)
    assert files(out) == OWN | held
    assert manifest.module.file == tensors
    read, found = open_folder(out)
    assert read == manifest and found.keys() == module.state_dict().keys()
    assert all(torch.equal(found[key], value) for key, value in module.state_dict().items())
    left = {n for n, loader in manifest.loaders.items() if loader.status == "left out"}
    assert left.isdisjoint(n for n, loader in manifest.loaders.items() if loader.written)


def test_a_file_of_another_library_with_other_tensors_is_not_shared(tmp_path):
    """ModernBERT computes q, k and v in one linear: peft's file holds zeros around each."""
    manifest = write(tmp_path / "out", family="modernbert", loaders="peft", sites=("q", "v"))
    assert manifest.module.file == "module.safetensors"
    assert files(tmp_path / "out") == OWN | MODULE | PEFT | CONFIG


def test_all_files_have_the_modes_of_new_files(tmp_path):
    write(tmp_path / "out", manifest={"licence": "MIT"})
    (tmp_path / "new").touch()
    wanted = (tmp_path / "new").stat().st_mode
    assert {p.stat().st_mode for p in (tmp_path / "out").rglob("*") if p.is_file()} == {wanted}


def test_every_file_has_its_hash(tmp_path):
    manifest = write(tmp_path / "out")
    assert set(manifest.integrity.files) == files(tmp_path / "out") - {"xadapt.json"}


def test_without_a_hub_id_sentence_transformers_is_not_claimed(tmp_path):
    base = {"id": None, "model_type": "bert", "fingerprint": {"id": "sha256:1"}}
    manifest = write(tmp_path / "out", manifest={"base": base})
    assert files(tmp_path / "out") == OWN | ADAPTERS | PEFT | CONFIG
    assert manifest.loaders["sentence-transformers"].status == "no base id"
    settings = json.loads((tmp_path / "out/adapter_config.json").read_text())
    assert settings["base_model_name_or_path"] is None


def test_what_was_tried_is_recorded(tmp_path):
    manifest = write(tmp_path / "out", verify={"peft": lambda folder: 3e-7, "adapters": zero})
    peft = manifest.loaders["peft"]
    assert (peft.status, peft.max_difference) == ("verified", 3e-7)
    assert status(manifest)["sentence-transformers"] == "unverified"


@pytest.mark.parametrize("difference", [2e-5, float("nan"), float("inf")])
def test_a_wrong_loader_loses_its_files_and_what_stands_on_them(tmp_path, difference):
    seen = []

    def adapters(folder):
        seen.append(json.loads((folder / "adapter_config.json").read_text()))
        return 0.0

    verify = {"adapters": adapters, "peft": lambda folder: difference, "transformers": zero}
    manifest = write(tmp_path / "out", verify=verify)
    assert files(tmp_path / "out") == OWN | ADAPTERS | CONFIG | REFUSAL
    assert open_folder(tmp_path / "out")[0].module.file == "adapter.safetensors"
    assert not (tmp_path / "out/1_Pooling").exists()
    assert status(manifest) == {
        "adapters": "verified",
        "peft": "cannot hold",
        "transformers": "cannot hold",
        "sentence-transformers": "cannot hold",
    }
    assert "differ" in manifest.loaders["peft"].reason
    # adapters was tried on the folder as it stands in the end, not only on the fuller one.
    assert "peft_type" not in seen[-1]
    assert "peft_type" in seen[0]


def test_a_loader_that_raises_is_named_without_local_paths(tmp_path):
    def broken(folder):
        raise OSError(f"no file in {folder}/x and\nnone in '/home/me/base'")

    manifest = write(tmp_path / "out", verify={"adapters": broken})
    reason = manifest.loaders["adapters"].reason
    assert reason.startswith("OSError: no file in PATH and none in 'PATH'")
    assert files(tmp_path / "out") == OWN | PEFT | SENTENCE | CONFIG
    text = "".join(p.read_text() for p in (tmp_path / "out").glob("*.json"))
    assert str(tmp_path) not in text
    assert "/home" not in text


def test_a_wrong_sentence_transformers_leaves_peft_alone(tmp_path):
    manifest = write(tmp_path / "out", verify={"sentence-transformers": lambda folder: 1.0})
    assert files(tmp_path / "out") == OWN | ADAPTERS | PEFT | CONFIG
    assert status(manifest)["peft"] == "unverified"


def test_an_interrupted_write_leaves_nothing(tmp_path):
    def interrupt(folder):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "out", verify={"peft": interrupt})
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_holds_something_is_not_written_over(tmp_path):
    write(tmp_path / "out")
    with pytest.raises(UserError, match="not empty"):
        write(tmp_path / "out", "bottleneck")
    assert read_manifest(tmp_path / "out").module.kind == "lora"


def test_replace_leaves_no_file_of_the_old_one(tmp_path):
    write(tmp_path / "out")
    encoder = tiny_encoder("bert")
    module = random_module(encoder, "bottleneck")
    manifest = manifest_of(encoder, module)
    write_folder(
        tmp_path / "out", module, encoder, manifest, verify={}, replace=True, loaders="all"
    )
    assert files(tmp_path / "out") == OWN | ADAPTERS | CONFIG | REFUSAL
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_the_manifest_speaks_of_the_module_that_was_written(tmp_path):
    stale = {"module": {"kind": "lora", "options": {"rank": 99}}}
    manifest = write(tmp_path / "out", manifest=stale, rank=3)
    assert manifest.module.options["rank"] == 3
    assert open_folder(tmp_path / "out")[0] == manifest


def test_both_files_of_adapters_hold_the_same(tmp_path):
    write(tmp_path / "out", "bottleneck")
    safe = load_file(tmp_path / "out/adapter.safetensors")
    pickled = torch.load(tmp_path / "out/pytorch_adapter.bin", weights_only=True)
    assert safe.keys() == pickled.keys()
    assert all(torch.equal(safe[key], pickled[key]) for key in safe)


def test_a_base_without_an_id_is_another_reason_than_a_module_that_can_not_be_held(tmp_path):
    encoder = tiny_encoder("bert")
    for kind, expected in (("lora", "no base id"), ("bottleneck", "cannot hold")):
        module = random_module(encoder, kind)
        made = manifest_of(encoder, module)
        made = made.model_copy(update={"base": made.base.model_copy(update={"id": None})})
        manifest = write_folder(tmp_path / kind, module, encoder, made, verify={})
        found = manifest.loaders["sentence-transformers"]
        assert found.status == expected and not found.written
        assert ("--base-id ORG/NAME" in str(found.reason)) == (kind == "lora")
        assert read_manifest(tmp_path / kind) == manifest
        text = (tmp_path / kind / "README.md").read_text()
        assert ("--base-id ORG/NAME" in text) == (kind == "lora")
    assert files(tmp_path / "lora") == OWN | BIN | PEFT | CONFIG


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("no file /home/me/x.bin here", "no file PATH here"),
        (r"no file 'C:\Users\me\x.bin' here", "no file 'PATH' here"),
        (r"D:/models/x: broken, \\host\share\x", "PATH: broken, PATH"),
    ],
)
def test_a_reason_names_no_path_of_this_machine(text, shown):
    assert _no_paths(text) == shown
