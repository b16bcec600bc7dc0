from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from tiny_models import TEXTS, WIDTH, tiny_folder

from xadapt.backbones.bases import resolve
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.encoder.pooling import Pooling
from xadapt.backbones.encoder.sbert_files import read
from xadapt.core.errors import UserError

ST = "sentence_transformers.models"


def put(folder, name, value):
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(value if isinstance(value, str) else json.dumps(value))


def steps(*kinds):
    paths = {
        "Transformer": "",
        "Pooling": "1_Pooling",
        "Dense": "2_Dense",
        "Normalize": "3_Normalize",
    }
    rows = [
        {"idx": i, "name": str(i), "path": paths.get(k, f"{i}_{k}"), "type": f"{ST}.{k}"}
        for i, k in enumerate(kinds)
    ]
    return rows


def dense_files(folder, activation="torch.nn.modules.activation.Tanh", **more):
    put(
        folder,
        "2_Dense/config.json",
        {"in_features": WIDTH, "out_features": 8, "bias": True, "activation_function": activation}
        | more,
    )
    torch.manual_seed(5)
    save_file(
        {"linear.weight": torch.randn(8, WIDTH), "linear.bias": torch.randn(8)},
        folder / "2_Dense/model.safetensors",
    )


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    return tiny_folder(tmp_path_factory.mktemp("base") / "base", "xlmr")


@pytest.fixture
def folder(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "base")


def vectors(folder, texts=TEXTS):
    encoder = Encoder.from_pretrained(str(folder), dtype="float32", device="cpu")
    tokens, mask = encoder.batch(encoder.tokenize(texts))
    return encoder.pool(encoder.run(encoder.embed(tokens, mask), mask), mask).numpy()


PIPELINES = {
    "mean": ({"pooling_mode": "mean"}, False, False),
    "cls, normalised": ({"pooling_mode": "cls"}, False, True),
    "max": ({"pooling_mode": "max"}, False, False),
    "two, dense": ({"pooling_mode": ("mean", "cls")}, True, True),
    "mean, dense": ({"pooling_mode": "mean"}, True, False),
    "last": ({"pooling_mode": "lasttoken"}, False, True),
    "weighted, prompt left out": (
        {"pooling_mode": "weightedmean", "include_prompt": False},
        False,
        True,
    ),
    "mean, prompt left out": ({"pooling_mode": "mean", "include_prompt": False}, False, True),
}


@pytest.mark.parametrize("prompted", [False, True])
@pytest.mark.parametrize("name", PIPELINES)
def test_same_vectors_as_sentence_transformers(name, prompted, saved, tmp_path):
    library = pytest.importorskip("sentence_transformers")
    models = pytest.importorskip("sentence_transformers.models")
    pooling, dense, normalise = PIPELINES[name]
    torch.manual_seed(0)
    encoder = models.Transformer(str(saved))
    modules = [encoder, models.Pooling(WIDTH, **pooling)]
    if dense:
        size = modules[1].pooling_output_dimension
        modules.append(models.Dense(size, 8, activation_function=torch.nn.GELU()))
    if normalise:
        modules.append(models.Normalize())
    prompts = {"prompts": {"query": "query: "}, "default_prompt_name": "query"} if prompted else {}
    peer = library.SentenceTransformer(modules=modules, device="cpu", **prompts)
    peer.save(str(tmp_path / "st"))
    expected = peer.encode(list(TEXTS))
    got = vectors(tmp_path / "st")
    assert got.shape == expected.shape
    assert np.abs(got - expected).max() < 1e-5
    plain = vectors(saved)
    if name != "mean" or prompted:
        assert plain.shape != got.shape or np.abs(plain - got).max() > 1e-3


def test_older_layout_as_sentence_transformers_reads_it(folder):
    library = pytest.importorskip("sentence_transformers")
    put(folder, "modules.json", steps("Transformer", "Pooling", "Dense", "Normalize"))
    put(
        folder,
        "1_Pooling/config.json",
        {
            "word_embedding_dimension": WIDTH,
            "pooling_mode_cls_token": True,
            "pooling_mode_mean_tokens": False,
            "pooling_mode_max_tokens": False,
            "pooling_mode_mean_sqrt_len_tokens": False,
        },
    )
    dense_files(folder)
    put(folder, "sentence_bert_config.json", {"max_seq_length": 9, "do_lower_case": True})
    put(
        folder,
        "config_sentence_transformers.json",
        {"prompts": {"q": "one: ", "d": ""}, "default_prompt_name": "q"},
    )
    texts = [*TEXTS, "The CAT", "  spaces  "]
    expected = library.SentenceTransformer(str(folder), device="cpu").encode(texts)
    assert np.abs(vectors(folder, texts) - expected).max() < 1e-5


def test_what_is_read(folder):
    assert read(resolve(str(folder))) == Pooling()
    put(folder, "modules.json", steps("Transformer", "Pooling", "Dense", "Normalize"))
    put(
        folder,
        "1_Pooling/config.json",
        {"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": True},
    )
    put(folder, "sentence_bert_config.json", {"max_seq_length": 9, "do_lower_case": True})
    dense_files(folder)
    got = read(resolve(str(folder)))
    assert got.modes == ("cls", "mean")
    assert (got.max_length, got.lower, got.normalise) == (9, True, True)
    assert (got.dense[0].in_features, got.dense[0].out_features) == (WIDTH, 8)
    assert (got.prompt, got.source) == ("", "sentence-transformers")
    put(
        folder,
        "config_sentence_transformers.json",
        {"prompts": {"a": "b "}, "default_prompt_name": None},
    )
    assert (read(resolve(str(folder))).prompt, dict(read(resolve(str(folder))).prompts)) == (
        "",
        {"a": "b "},
    )


def test_other_dense_weights_are_another_pooling(folder):
    put(folder, "modules.json", steps("Transformer", "Dense"))
    dense_files(folder)
    before = read(resolve(str(folder)))
    save_file({"linear.weight": torch.ones(8, WIDTH)}, folder / "2_Dense/model.safetensors")
    assert read(resolve(str(folder))) != before


BROKEN = {
    "not JSON": ("modules.json", "{"),
    "no list": ("modules.json", {}),
    "no type": ("modules.json", [{"path": ""}]),
    "unknown step": ("modules.json", steps("Transformer", "Pooling", "LSTM")),
    "step after the norm": ("modules.json", steps("Transformer", "Normalize", "Dense")),
    "path out": ("modules.json", [{"path": "../x", "type": f"{ST}.Pooling"}]),
    "absolute path": ("modules.json", [{"path": "/etc", "type": f"{ST}.Pooling"}]),
    "encoder elsewhere": ("modules.json", [{"path": "0_Transformer", "type": f"{ST}.Transformer"}]),
    "no pooling file": ("modules.json", [{"path": "9_Pooling", "type": f"{ST}.Pooling"}]),
    "unknown pooling": ("1_Pooling/config.json", {"pooling_mode": "median"}),
    "unknown activation": ("2_Dense/config.json", {"activation_function": "os.system"}),
    "residual": (
        "2_Dense/config.json",
        {"use_residual": True, "in_features": 4, "out_features": 4},
    ),
    "over tokens": ("2_Dense/config.json", {"module_input_name": "token_embeddings"}),
    "huge": ("2_Dense/config.json", {"in_features": 10**12, "out_features": 10**12}),
    "negative": ("2_Dense/config.json", {"in_features": -1, "out_features": 8}),
    "length": ("sentence_bert_config.json", {"max_seq_length": "long"}),
    "prompt": ("config_sentence_transformers.json", {"default_prompt_name": "q"}),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_files_are_refused(case, folder):
    put(folder, "modules.json", steps("Transformer", "Pooling", "Dense", "Normalize"))
    put(folder, "1_Pooling/config.json", {"pooling_mode": "mean"})
    dense_files(folder)
    read(resolve(str(folder)))
    put(folder, *BROKEN[case])
    with pytest.raises(UserError) as caught:
        read(resolve(str(folder)))
    assert "\n" not in str(caught.value)


def test_dense_weights_that_do_not_fit(folder):
    put(folder, "modules.json", steps("Transformer", "Pooling", "Dense"))
    put(folder, "1_Pooling/config.json", {"pooling_mode": "mean"})
    dense_files(folder, out_features=9)
    with pytest.raises(UserError, match="don't fit"):
        vectors(folder)
    (folder / "2_Dense/model.safetensors").write_bytes(b"\xff" * 40)
    with pytest.raises(UserError, match="don't fit"):
        vectors(folder)
    (folder / "2_Dense/model.safetensors").rename(folder / "2_Dense/pytorch_model.bin")
    with pytest.raises(UserError, match=r"no model\.safetensors"):
        vectors(folder)
