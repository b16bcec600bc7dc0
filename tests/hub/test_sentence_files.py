import json

import pytest
import torch
from tiny_folders import TEXTS, base_and_encoder, manifest_of, own_states, random_module
from torch import nn

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.encoder.pooling import Dense, Pooling
from xadapt.hub.folder import write_folder
from xadapt.hub.sentence_files import refuses, write_sentence_files

POOLINGS = {
    "mean": Pooling(),
    "cls normalised": Pooling(modes=("cls",), normalise=True),
    "max and mean": Pooling(modes=("max", "mean")),
    "mean and max": Pooling(modes=("mean", "max")),
    "prompt": Pooling(prompt="query: ", prompts={"query": "query: ", "passage": "passage: "}),
    "lower": Pooling(lower=True),
}


def write(tmp_path, pooling, dense=None):
    (tmp_path / "f").mkdir()
    state = dense.state_dict() if dense else {}
    names = write_sentence_files(
        tmp_path / "f", pooling, base="a/b", width=32, max_length=40, dense=state
    )
    return tmp_path / "f", names


def test_every_named_file_is_there_and_no_other(tmp_path):
    layer = Dense("2_Dense", 32, 16, True, "Tanh", "0" * 64)
    dense = nn.Sequential(nn.Linear(32, 16), nn.Tanh())
    folder, names = write(tmp_path, Pooling(dense=(layer,), normalise=True), dense)
    found = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
    assert found == set(names)
    steps = json.loads((folder / "modules.json").read_text())
    assert [s["path"] for s in steps] == ["", "1_Pooling", "2_Dense", "3_Normalize"]


@pytest.mark.parametrize("name", POOLINGS)
def test_sentence_transformers_opens_the_folder_and_gives_our_vectors(tmp_path, name):
    pytest.importorskip("sentence_transformers")
    pytest.importorskip("peft")
    from xadapt.integrations.sentence_transformers import vectors

    pooling = POOLINGS[name]
    base, loaded = base_and_encoder(tmp_path, "bert")
    encoder = Encoder.wrap(loaded.model, loaded.tokenizer, pooling=pooling)
    texts = (*TEXTS, "The CAT Sat")
    module = random_module(encoder, "lora")
    write_folder(tmp_path / "out", module, encoder, manifest_of(encoder, module), verify={})
    _, mask, states = own_states(encoder, [module], texts)
    theirs = vectors(tmp_path / "out", base, texts)
    torch.testing.assert_close(theirs, encoder.pool(states, mask), rtol=1e-5, atol=1e-5)


def test_a_dense_head_goes_along(tmp_path):
    pytest.importorskip("sentence_transformers")
    pytest.importorskip("peft")
    from xadapt.integrations.sentence_transformers import vectors

    layer = Dense("2_Dense", 32, 16, True, "Tanh", "0" * 64)
    base, encoder = base_and_encoder(tmp_path, "bert")
    encoder.pooling = Pooling(modes=("cls",), dense=(layer,), normalise=True)
    encoder.dense = nn.Sequential(nn.Linear(32, 16), nn.Tanh()).requires_grad_(False)
    module = random_module(encoder, "lora")
    write_folder(tmp_path / "out", module, encoder, manifest_of(encoder, module), verify={})
    _, mask, states = own_states(encoder, [module])
    theirs = vectors(tmp_path / "out", base, TEXTS)
    assert theirs.shape == (3, 16)
    torch.testing.assert_close(theirs, encoder.pool(states, mask), rtol=1e-5, atol=1e-5)


def test_no_folder_for_a_base_it_could_not_name():
    assert refuses("bert") is None
    assert refuses("t5")
