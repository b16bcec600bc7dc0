import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_folders import TEXTS, base_and_encoder, manifest_of, random_module
from tiny_training import hooks_do_nothing

from xadapt.core.errors import UserError
from xadapt.hub.folder import write_folder
from xadapt.integrations import verify

pytest.importorskip("peft")


def test_every_importable_library_is_called_and_agrees(tmp_path):
    base, encoder = base_and_encoder(tmp_path, "xlmr")
    module = random_module(encoder, "lora", rank=3, alpha=7)
    callbacks = verify.callbacks(encoder, module, base, TEXTS)
    assert {"peft", "transformers"} <= callbacks.keys()
    made = manifest_of(encoder, module)
    manifest = write_folder(
        tmp_path / "out", module, encoder, made, verify=callbacks, loaders="all"
    )
    for name in callbacks.keys() - {verify.MERGED}:
        loader = manifest.loaders[name]
        assert loader.status == "verified", (name, loader.reason)
        assert loader.max_difference < 1e-5
        assert loader.version


def test_a_file_that_went_wrong_is_found(tmp_path):
    """The comparison catches a changed tensor, so a broken layout can't be called verified."""
    base, encoder = base_and_encoder(tmp_path, "bert")
    module = random_module(encoder, "lora", rank=3, alpha=7)
    write_folder(
        tmp_path / "out", module, encoder, manifest_of(encoder, module), verify={}, loaders="all"
    )
    file = tmp_path / "out/adapter_model.safetensors"
    tensors = load_file(file)
    key = next(k for k in tensors if "lora_B" in k)
    tensors[key] = tensors[key] + 0.05
    save_file(tensors, file)
    callbacks = verify.callbacks(encoder, module, base, TEXTS)
    assert callbacks["peft"](tmp_path / "out") > 1e-4
    assert callbacks["transformers"](tmp_path / "out") > 1e-4


def test_the_encoder_is_left_without_hooks(tmp_path):
    base, encoder = base_and_encoder(tmp_path, "bert")
    verify.callbacks(encoder, random_module(encoder, "lora"), base, TEXTS)
    assert hooks_do_nothing(encoder)


def test_another_dtype_is_refused(tmp_path):
    base, encoder = base_and_encoder(tmp_path, "bert")
    encoder.model.to(torch.bfloat16)
    with pytest.raises(UserError, match="float32"):
        verify.callbacks(encoder, random_module(encoder, "lora"), base, TEXTS)


def test_other_libraries_are_quiet_and_get_their_voice_back(tmp_path, capfd):
    import logging

    base, encoder = base_and_encoder(tmp_path, "bert")
    module = random_module(encoder, "lora")
    callbacks = verify.callbacks(encoder, module, base, TEXTS)
    manifest = manifest_of(encoder, module)
    capfd.readouterr()
    write_folder(tmp_path / "out", module, encoder, manifest, verify=callbacks, loaders="all")
    assert capfd.readouterr() == ("", "")
    assert logging.root.manager.disable == 0
