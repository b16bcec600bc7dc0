"""The folder of a module of an encoder-decoder: loaders, hashes, fingerprint, probe, card."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_seq2seq_training import manifest_of, module_of, shaken, small, small_folder

from xadapt import integrations
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.fingerprint import compare
from xadapt.backbones.seq2seq.seq2seq import Seq2Seq
from xadapt.core.errors import UserError
from xadapt.hub.card_fields import check_fields
from xadapt.hub.folder import write_folder
from xadapt.hub.opening import read_manifest
from xadapt.hub.probe import difference, probe_vectors
from xadapt.hub.seq2seq_lora import load_seq2seq_lora
from xadapt.hub.snippets import snippets
from xadapt.inference.open_module import open_module
from xadapt.injection.activation import Activation, ActiveAdapter

SOURCES, TARGETS = [[5, 9, 12, 1], [7, 1]], [[8, 6, 1], [11, 10, 1]]


def scores(seq2seq: Seq2Seq, module=None) -> torch.Tensor:
    acts = None if module is None else Activation.of(ActiveAdapter(seq2seq, module))
    with torch.no_grad(), seq2seq.active(acts):
        return torch.cat(seq2seq.score(seq2seq.encode(SOURCES), TARGETS))


@pytest.fixture(scope="module", params=["t5", "m2m_100"])
def written(request, tmp_path_factory):
    """A base, a LoRA in all its parts, and the folder of the LoRA."""
    place = tmp_path_factory.mktemp("place")
    small_folder(place / "base", request.param)
    seq2seq = Seq2Seq.from_pretrained(str(place / "base"), dtype="float32", device="cpu")
    module = shaken(module_of(seq2seq, sites=["q", "ffn_in", "cross_v", "decoder_attn_out"]))
    verify = integrations.compare_loaders(
        str(place / "base"), module, ("the cat", "a dog sat on"), None, ["text_to_text"]
    )
    manifest = write_folder(
        place / "module", module, seq2seq, manifest_of(seq2seq, module), verify=verify
    )
    return seq2seq, module, place / "module", manifest


def test_peft_and_transformers_compute_what_xadapt_computes(written):
    _, _, folder, manifest = written
    status = {name: one.status for name, one in manifest.loaders.items()}
    assert status == {
        "adapters": "cannot hold", "peft": "verified", "transformers": "verified",
        "sentence-transformers": "cannot hold",
    }  # fmt: skip
    assert all(manifest.loaders[n].max_difference <= 1e-5 for n in ("peft", "transformers"))
    said = json.loads((folder / "adapter_config.json").read_text())
    assert said["task_type"] == "SEQ_2_SEQ_LM" and said["base_model_name_or_path"] == "org/base"
    assert manifest.module.file == "adapter_model.safetensors"


def test_a_folder_is_opened_again_with_the_same_numbers(written):
    seq2seq, module, folder, _ = written
    opened, manifest = open_module(str(folder), seq2seq)
    assert manifest.backbone == "seq2seq" and not torch.equal(
        scores(seq2seq, opened), scores(seq2seq)
    )
    assert torch.equal(scores(seq2seq, opened), scores(seq2seq, module))
    probe = manifest.probe
    assert difference(probe_vectors(seq2seq, opened, tuple(probe.texts)), probe.values()) <= 1e-5
    shaken(opened, 9)
    assert difference(probe_vectors(seq2seq, opened, tuple(probe.texts)), probe.values()) > 1e-3


def test_the_reader_of_peft_folders_computes_the_same(written):
    seq2seq, module, folder, _ = written
    theirs = load_seq2seq_lora(folder, seq2seq)
    with torch.no_grad(), theirs.on(seq2seq):
        found = torch.cat(seq2seq.score(seq2seq.encode(SOURCES), TARGETS))
    torch.testing.assert_close(found, scores(seq2seq, module), atol=1e-5, rtol=0)


def test_another_base_is_refused_in_one_line(written):
    seq2seq, _, folder, _ = written
    family = seq2seq.model.config.model_type
    other = small(family)
    with torch.no_grad():
        next(other.model.parameters()).add_(0.5)
    with pytest.raises(UserError, match="trained on another base: weights: other values"):
        open_module(str(folder), other)
    more = {"num_decoder_layers": 3} if family == "t5" else {"decoder_layers": 3}
    with pytest.raises(UserError, match="layers: 4 and 5"):
        open_module(str(folder), small(family, **more))


def test_an_encoder_of_the_same_base_refuses_the_module(written, tmp_path):
    seq2seq, _, folder, _ = written
    encoder = Encoder.from_pretrained(seq2seq.source.location, dtype="float32")
    with pytest.raises(
        UserError, match="is for a whole encoder-decoder, and the base is an encoder"
    ):
        open_module(str(folder), encoder)
    assert compare(encoder.identity, seq2seq.identity)


def test_a_changed_tensor_is_found(written, tmp_path):
    import shutil

    seq2seq, _, folder, manifest = written
    copy = shutil.copytree(folder, tmp_path / "copy")
    tensors = load_file(copy / manifest.module.file)
    name = sorted(tensors)[0]
    tensors[name][0, 0] += 1
    save_file(tensors, copy / manifest.module.file, metadata={"format": "pt"})
    with pytest.raises(UserError, match="this is not what was published"):
        open_module(str(copy), seq2seq)


def test_a_bottleneck_is_kept_in_the_own_file(tmp_path):
    seq2seq = small()
    module = shaken(module_of(seq2seq, "bottleneck", width=3, layers=[2, 4]))
    manifest = write_folder(
        tmp_path / "b", module, seq2seq, manifest_of(seq2seq, module), verify={}
    )
    assert manifest.loaders["peft"].status == "cannot hold"
    opened, _ = open_module(str(tmp_path / "b"), seq2seq)
    assert torch.equal(scores(seq2seq, opened), scores(seq2seq, module))
    assert not torch.equal(scores(seq2seq, module), scores(seq2seq))


def test_the_card_has_lines_that_write_texts(written):
    seq2seq, _, folder, manifest = written
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert "frozen encoder-decoder" in text and "vectors" not in text.split("## Files")[0]
    fields = {one.name: one for one in check_fields(text)}
    assert not [one.name for one in fields.values() if one.filled and one.fault]
    for name in ("peft", "transformers"):
        code = snippets(manifest)[name].replace('"org/base"', repr(seq2seq.source.location))
        own: dict[str, object] = {}
        exec(code.replace('"FOLDER"', repr(str(folder))), own)
        assert len(own["texts"]) == 2 and all(isinstance(one, str) for one in own["texts"])
    code = text.split("```python\nimport xadapt")[1].split("```")[0]
    code = code.replace('"org/base"', repr(seq2seq.source.location))
    exec("import xadapt" + code.replace('"FOLDER"', repr(str(folder))), own)
    assert len(own["texts"]) == 2


def test_manifests_of_encoders_stay_as_they_were(written):
    _, _, folder, manifest = written
    assert read_manifest(folder).backbone == "seq2seq"
    plain = manifest.model_copy(update={"backbone": "encoder"})
    assert "backbone" not in plain.model_dump() and "backbone" in manifest.model_dump()
    assert "backbone" not in json.loads(plain.model_dump_json())
