from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_models import FAMILIES, tiny_folder
from transformers.utils import logging as noise

from xadapt.backbones import loading, quantized
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.core.errors import UserError


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    return tiny_folder(tmp_path_factory.mktemp("base") / "base", "bert")


@pytest.fixture
def folder(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "base")


def refused(folder, match):
    with pytest.raises(UserError, match=match) as caught:
        Encoder.from_pretrained(str(folder), dtype="float32", device="cpu")
    assert "\n" not in str(caught.value)
    assert str(folder) in str(caught.value)


def change(folder, **values):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **values}))


def test_names_of_dtypes_and_devices(monkeypatch):
    cpu = torch.device("cpu")
    assert loading.choose_dtype("float32", cpu) == torch.float32
    assert loading.choose_dtype("bfloat16", cpu) == torch.bfloat16
    for fast, dtype in ((True, torch.bfloat16), (False, torch.float32)):
        monkeypatch.setattr(loading, "_fast_bfloat16", lambda device, fast=fast: fast)
        assert loading.choose_dtype("auto", cpu) == dtype
    for name in quantized.NAMES:  # of what is not quantised
        assert loading.choose_dtype(name, cpu) == torch.float32
    with pytest.raises(UserError, match=r"float16.*int8, nf4"):
        loading.choose_dtype("float16", cpu)
    for name in ("tpu9", "", "cuda:99"):
        with pytest.raises(UserError, match="no device"):
            loading.choose_device(name)
    assert loading.choose_device("cpu") == cpu
    assert loading.choose_device("auto").type in ("cpu", "cuda", "mps")


@pytest.mark.parametrize("name", quantized.NAMES)
def test_without_bitsandbytes_the_extra_is_named(folder, name, monkeypatch):
    monkeypatch.setattr(quantized.importlib.util, "find_spec", lambda package: None)
    quantized._prove.cache_clear()
    with pytest.raises(UserError, match=r"bitsandbytes.*xadapt\[quantized\]") as caught:
        Encoder.from_pretrained(str(folder), dtype=name, device="cpu")
    assert "\n" not in str(caught.value)


def test_pickled_weights_are_refused(folder):
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    refused(folder, "no weights")
    torch.save(weights, folder / "pytorch_model.bin")
    refused(folder, "pickled.*save_pretrained")


def test_missing_weights_are_refused_not_drawn_at_random(folder):
    weights = load_file(folder / "model.safetensors")
    lost = weights.pop("encoder.layer.2.output.dense.bias")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    refused(folder, r"lacks 1 weights .*layer\.2\.output\.dense\.bias")
    weights["encoder.layer.2.output.dense.bias"] = torch.cat([lost, lost])
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    refused(folder, "")


def test_broken_folders(folder):
    change(folder, model_type="gpt2")
    refused(folder, "'gpt2'.*not supported")
    change(folder, model_type="no_such_thing")
    refused(folder, "config.json can't be read")
    (folder / "config.json").write_text("{")
    refused(folder, "config.json can't be read")
    (folder / "config.json").unlink()
    refused(folder, "config.json")


def test_broken_weights_and_tokenizer(folder):
    whole = (folder / "model.safetensors").read_bytes()
    for bad in (whole[:100], b"\xff" * 64, b""):
        (folder / "model.safetensors").write_bytes(bad)
        refused(folder, "weights")
    (folder / "model.safetensors").write_bytes(whole)
    (folder / "tokenizer.json").write_text('{"version": 3}')
    refused(folder, "tokenizer can't be loaded")


def test_remote_code_never_runs(folder, tmp_path):
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass C: pass\n")
    change(folder, model_type="own", auto_map={"AutoConfig": "evil.C", "AutoModel": "evil.C"})
    refused(folder, "")
    assert not (tmp_path / "ran").exists()


def test_config_switches_change_nothing(saved, folder):
    change(
        folder,
        output_hidden_states=True,
        output_attentions=True,
        chunk_size_feed_forward=2,
        _attn_implementation="eager",
    )
    a, b = (Encoder.from_pretrained(str(f), dtype="float32", device="cpu") for f in (saved, folder))
    assert a.model.config._attn_implementation == b.model.config._attn_implementation == "sdpa"
    assert b.model.config.chunk_size_feed_forward == 0
    tokens, mask = a.batch(a.tokenize(["the cat", "a dog runs in the park"]))
    assert torch.equal(a.run(a.embed(tokens, mask), mask), b.run(b.embed(tokens, mask), mask))


@pytest.mark.parametrize("family", FAMILIES)
def test_attention_is_sdpa_where_the_family_has_it(family, tmp_path):
    folder = tiny_folder(tmp_path / "base", family)
    model = Encoder.from_pretrained(str(folder), dtype="float32", device="cpu").model
    expected = "sdpa" if type(model)._supports_sdpa else "eager"
    assert model.config._attn_implementation == expected
    if family in ("bert", "roberta", "xlmr", "distilbert", "modernbert", "m2m100"):
        assert expected == "sdpa"
    assert getattr(model, "pooler", None) is None


def test_loading_is_quiet_and_leaves_the_settings(folder, capfd):
    level = noise.get_verbosity()
    bar = noise.is_progress_bar_enabled()
    Encoder.from_pretrained(str(folder), dtype="float32", device="cpu")
    assert (noise.get_verbosity(), noise.is_progress_bar_enabled()) == (level, bar)
    assert "".join(capfd.readouterr()) == ""


SCRIPT = """
import sys
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.core.errors import UserError
for base in sys.argv[1:]:
    try:
        encoder = Encoder.from_pretrained(base, dtype="float32", device="cpu")
        print(encoder.source.kind, encoder.hub_id(), encoder.pooling.modes, encoder.pooling.source)
    except UserError as error:
        print("refused", error)
"""


def test_hub_ids_offline(saved, tmp_path):
    """A cached Hub id loads offline, pooling files and all; one that is not gets one clear line."""
    commit = "0" * 40
    for name in ("plain", "pooled"):
        cache = tmp_path / "hub" / f"models--org--{name}"
        shutil.copytree(saved, cache / "snapshots" / commit)
        (cache / "refs").mkdir()
        (cache / "refs" / "main").write_text(commit)
    pooled = tmp_path / "hub" / "models--org--pooled" / "snapshots" / commit
    (pooled / "1_Pooling").mkdir()
    (pooled / "1_Pooling" / "config.json").write_text('{"pooling_mode": "cls"}')
    (pooled / "modules.json").write_text(
        json.dumps([{"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}])
    )
    settings = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path), "OMP_NUM_THREADS": "1"}
    settings["HF_HUB_CACHE"] = str(tmp_path / "hub")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, "org/plain", "org/pooled", "org/absent", "org/plain@v2"],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    lines = done.stdout.splitlines()
    assert lines[0] == "hub org/plain ('mean',) default"
    assert lines[1] == "hub org/pooled ('cls',) sentence-transformers"
    for line, base in zip(lines[2:], ("org/absent", "org/plain@v2"), strict=True):
        assert line.startswith(f"refused {base}: the base is not on this machine")
        assert "Go online once" in line
    assert "Traceback" not in done.stderr
    assert "can't tell whether it has modules.json" in done.stderr
