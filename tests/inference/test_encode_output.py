"""Everything that people pass to ``encode``, and the form of what they get."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from tiny_folders import random_module
from tiny_models import MANY, TEXTS, tiny_encoder

from xadapt.backbones.encoder.pooling import Pooling
from xadapt.core.errors import UserError
from xadapt.inference.adapted_encoder import AdaptedEncoder

PROMPTS = {"query": "the cat ", "passage": "paka ", "other": ""}


@pytest.fixture(scope="module")
def model() -> AdaptedEncoder:
    encoder = tiny_encoder()
    modules = {tag: random_module(encoder, "lora", seed=i) for i, tag in enumerate(("de", "sw"))}
    return AdaptedEncoder(encoder, modules)


@pytest.fixture(scope="module")
def prompted() -> AdaptedEncoder:
    return AdaptedEncoder(tiny_encoder(pooling=Pooling(prompts=PROMPTS, prompt="the cat ")), {})


def columns() -> list[Any]:
    forms: list[Any] = [tuple(TEXTS), np.array(TEXTS), np.array(TEXTS, dtype=object), iter(TEXTS)]
    for package, make in (
        ("pandas", lambda m: m.Series(TEXTS, index=range(9, 9 + len(TEXTS)))),
        ("polars", lambda m: m.Series("text", list(TEXTS))),
        ("datasets", lambda m: m.Dataset.from_dict({"text": list(TEXTS)})["text"]),
    ):
        try:
            forms.append(make(__import__(package)))
        except ImportError:
            continue
    return forms


@pytest.mark.parametrize("texts", columns(), ids=lambda x: type(x).__module__ + type(x).__name__)
def test_every_list_of_texts(model: AdaptedEncoder, texts: Any) -> None:
    np.testing.assert_array_equal(model.encode(texts, "de"), model.encode(list(TEXTS), "de"))


def test_names_of_the_texts_and_languages(model: AdaptedEncoder) -> None:
    wanted = model.encode(TEXTS, "de")
    for given in ({"sentences": TEXTS}, {"inputs": TEXTS}, {"texts": TEXTS}):
        np.testing.assert_array_equal(model.encode(**given, language="de"), wanted)
    np.testing.assert_array_equal(
        model.encode(TEXTS, language=np.array(["de"] * len(TEXTS))), wanted
    )
    with pytest.raises(UserError, match="texts and inputs are the same"):
        model.encode(TEXTS, "de", inputs=TEXTS)


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["a", None], "text 1 is nothing, not text"),
        (["a", "b", float("nan")], r"text 2 is float nan \(a missing value\)"),
        (["a", 3], "text 1 is int, not text"),
        (np.array([["a"], ["b"]]), "text 0 is ndarray"),
        ([["a", "b"]], "text 0 is list"),
        (None, "nothing is not a list of texts"),
        (3, "int is not a list of texts"),
        (b"abc", "bytes is not a list of texts"),
        ({"a", "b"}, "set is not a list of texts"),
        ({"text": ["a"]}, "dict is not a list of texts. Give one column"),
    ],
)
def test_what_is_no_list_of_texts(model: AdaptedEncoder, texts: Any, said: str) -> None:
    with pytest.raises(UserError, match=said):
        model.encode(texts, "de")


def test_a_table_is_no_list_of_texts(model: AdaptedEncoder) -> None:
    pandas = pytest.importorskip("pandas")
    with pytest.raises(UserError, match="DataFrame is not a list of texts"):
        model.encode(pandas.DataFrame({"text": ["a"]}), "de")
    with pytest.raises(UserError, match="text 1 is"):
        model.encode(pandas.Series(["a", pandas.NA]), "de")


def test_forms_of_the_vectors(model: AdaptedEncoder) -> None:
    wanted = model.encode(MANY, "de")
    tensor = model.encode(MANY, "de", convert_to_tensor=True)
    assert isinstance(tensor, torch.Tensor) and np.array_equal(tensor.numpy(), wanted)
    listed = model.encode(MANY, "de", convert_to_numpy=False)
    assert isinstance(listed, list) and np.array_equal(torch.stack(listed).numpy(), wanted)
    one = model.encode("cat", "de", convert_to_tensor=True)
    assert isinstance(one, torch.Tensor) and one.shape == (32,)
    unit = model.encode(MANY, "de", normalize_embeddings=True)
    np.testing.assert_allclose(
        unit, wanted / np.linalg.norm(wanted, axis=1, keepdims=True), atol=1e-6
    )
    cut = model.encode(MANY, "de", truncate_dim=5)
    np.testing.assert_array_equal(cut, wanted[:, :5])
    both = model.encode(MANY, "de", truncate_dim=5, normalize_embeddings=True)
    np.testing.assert_allclose(both, cut / np.linalg.norm(cut, axis=1, keepdims=True), atol=1e-6)
    assert model.encode(MANY, "de", truncate_dim=99).shape == wanted.shape
    assert model.encode([], "de", truncate_dim=5).shape == (0, 5)
    assert model.encode([], "de", convert_to_tensor=True).shape == (0, 32)
    assert model.encode([], "de", convert_to_numpy=False) == []


@pytest.mark.parametrize("precision", ["int8", "uint8", "binary", "ubinary"])
def test_quantised_as_in_sentence_transformers(model: AdaptedEncoder, precision: str) -> None:
    util = pytest.importorskip("sentence_transformers.util")
    wanted = util.quantize_embeddings(model.encode(MANY, "de"), precision=precision)
    found = model.encode(MANY, "de", precision=precision)
    assert found.dtype == wanted.dtype and np.array_equal(found, wanted)


def test_the_size_of_a_batch_changes_no_vector(model: AdaptedEncoder) -> None:
    tags = [("de", "sw", None)[i % 3] for i in range(len(MANY))]
    wanted, seen = model.encode(MANY, tags), []
    for size in (1, 3, 100):
        seen.clear()
        found = model.encode(MANY, tags, batch_size=size, progress=seen.append)
        assert max(seen) == min(size, len(MANY)) and sum(seen) == len(MANY)
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5 * np.abs(wanted).max())


def test_prompts(prompted: AdaptedEncoder) -> None:
    encoder = tiny_encoder()
    plain = AdaptedEncoder(encoder, {})
    with_prompt = {
        name: plain.encode([f"{text}{one}" for one in TEXTS]) for name, text in PROMPTS.items()
    }
    same = np.testing.assert_array_equal
    same(prompted.encode(TEXTS), with_prompt["query"])
    same(prompted.encode(TEXTS, prompt_name="passage"), with_prompt["passage"])
    same(prompted.encode(TEXTS, prompt="paka "), with_prompt["passage"])
    same(prompted.encode(TEXTS, prompt=""), plain.encode(TEXTS))
    same(prompted.encode_query(TEXTS), with_prompt["query"])
    same(prompted.encode_document(TEXTS), with_prompt["passage"])
    same(prompted.encode_document(TEXTS, prompt_name="other"), plain.encode(TEXTS))
    same(plain.encode_query(TEXTS), plain.encode(TEXTS))
    assert prompted.prompts == PROMPTS and prompted.encoder.pooling.prompt == "the cat "
    with pytest.raises(UserError, match="unknown prompt 'pasage'; did you mean 'passage'"):
        prompted.encode(TEXTS, prompt_name="pasage")
    with pytest.raises(UserError, match="the base has none"):
        plain.encode(TEXTS, prompt_name="query")


def test_a_prompt_that_is_not_pooled() -> None:
    pooling = Pooling(prompts=PROMPTS, prompt="the cat ", include_prompt=False)
    first = AdaptedEncoder(tiny_encoder(pooling=pooling), {})
    second = AdaptedEncoder(tiny_encoder(pooling=replace(pooling, prompt="paka ")), {})
    np.testing.assert_array_equal(first.encode(TEXTS, prompt_name="passage"), second.encode(TEXTS))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"output_value": "token_embeddings"}, "output_value='token_embeddings' is not supported"),
        ({"output_value": None}, "output_value=None is not supported"),
        ({"precision": "int9"}, "did you mean 'int8'"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"batch_size": True}, "batch_size is True"),
        ({"batch_size": 2.5}, "batch_size is 2.5"),
        ({"truncate_dim": -1}, "truncate_dim is -1"),
        ({"device": "nowhere"}, "no device 'nowhere'"),
        ({"device": "meta"}, r"on cpu, and device='meta' is asked for. Move it first"),
        ({"device": ["cpu", "cpu"]}, "one call encodes on one device"),
        ({"language": "sw"}, "languages and language are the same"),
    ],
)
def test_options_that_are_refused(model: AdaptedEncoder, options: dict, said: str) -> None:
    with pytest.raises(UserError, match=said):
        model.encode(TEXTS, "de", **options)


def test_the_device_of_the_encoder_is_accepted(model: AdaptedEncoder) -> None:
    for device in ("cpu", torch.device("cpu"), "auto", None):
        assert model.encode(["cat"], "de", device=device).shape == (1, 32)


def test_a_bar_is_shown_where_it_is_asked_for(
    model: AdaptedEncoder, capsys: pytest.CaptureFixture[str]
) -> None:
    model.encode(TEXTS, "de")
    assert capsys.readouterr().err == ""
    model.encode(TEXTS, "de", show_progress_bar=True)
    assert f"{len(TEXTS)}/{len(TEXTS)}" in capsys.readouterr().err


def test_similarity_of_vectors(model: AdaptedEncoder) -> None:
    a, b = model.encode(TEXTS, "de"), model.encode(TEXTS, "sw", convert_to_tensor=True)
    assert model.similarity_fn_name == "cosine"
    near = model.similarity(a, a)
    assert near.shape == (len(TEXTS),) * 2 and near.diagonal().min() > 1 - 1e-5
    assert torch.allclose(model.similarity(a, b).diagonal(), model.similarity_pairwise(a, b))
    other = model.with_("de")
    other.similarity_fn_name = "dot"
    assert torch.allclose(other.similarity(a, b), torch.from_numpy(a) @ b.T)
    assert model.similarity_fn_name == "cosine"
    with pytest.raises(UserError, match="did you mean 'dot'"):
        other.similarity_fn_name = "dott"


def test_length_dimension_and_device(model: AdaptedEncoder) -> None:
    assert model.get_sentence_embedding_dimension() == model.get_embedding_dimension() == 32
    assert model.max_seq_length == 48 and str(model.device) == "cpu"
    short = model.with_("de")
    short.max_seq_length = 4
    words = "the cat sat on the mat"
    assert not np.allclose(short.encode(words), model.encode(words, "de"))
    assert len(short.encoder.tokenize([words])[0]) == 4
    assert model.max_seq_length == 48 and len(model.encoder.tokenize([words])[0]) > 4
    with pytest.raises(UserError, match="can read 48 tokens"):
        short.max_seq_length = 49
    with pytest.raises(UserError, match="max_seq_length is 0"):
        short.max_seq_length = 0
    wanted = model.encode(TEXTS, "de")
    assert model.to("cpu") is model and np.array_equal(model.encode(TEXTS, "de"), wanted)
    with pytest.raises(UserError, match="no device"):
        model.to("nowhere")


def test_a_language_for_libraries_that_know_none(model: AdaptedEncoder) -> None:
    np.testing.assert_array_equal(model.for_language("sw").encode(TEXTS), model.encode(TEXTS, "sw"))
    np.testing.assert_array_equal(
        model.for_language(None).encode(TEXTS), model.encode(TEXTS, [None] * len(TEXTS))
    )
    with pytest.raises(UserError, match="unknown language tag"):
        model.for_language("nolanguage")


def test_without_a_language_several_modules_are_asked_about(model: AdaptedEncoder) -> None:
    with pytest.raises(UserError, match=r"Give a language for each text \(de, sw\)"):
        model.encode(TEXTS)
