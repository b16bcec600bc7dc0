"""A SentenceTransformer with the same vectors, and evaluators of sentence-transformers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr
from tiny_folders import base_and_encoder, random_module
from tiny_models import MANY, TEXTS, tiny_encoder
from tiny_training import module_for, shaken

from xadapt.core.errors import UserError
from xadapt.data.records import ParallelPair
from xadapt.inference.adapted_encoder import AdaptedEncoder
from xadapt.pipelines.own_vocabulary import vocabulary_from

pytest.importorskip("sentence_transformers")

from sentence_transformers import SentenceTransformer

HINDI = ["बिल्ली चटाई पर बैठी है", "कुत्ता बगीचे में है", "बिल्ली और कुत्ता"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> AdaptedEncoder:
    _, encoder = base_and_encoder(tmp_path_factory.mktemp("base"), "bert")
    kinds = {
        "de": ("lora", {"rank": 2, "alpha": 2}),
        "sw": ("lora", {"rank": 3, "alpha": 3}),
        "fr": ("bottleneck", {}),
    }
    modules = {
        tag: random_module(encoder, kind, seed=i, **options)
        for i, (tag, (kind, options)) in enumerate(kinds.items())
    }
    return AdaptedEncoder(encoder, modules)


@pytest.mark.parametrize("text", ["none", "de", "de + sw", "mix(de:.5, sw:-.25) + de"])
def test_its_vectors_are_ours(model: AdaptedEncoder, text: str, tmp_path: Path) -> None:
    one = model.with_(text)
    found = one.to_sentence_transformer()
    assert isinstance(found, SentenceTransformer) and found.max_seq_length == one.max_seq_length
    wanted = one.encode(MANY)
    limit = 1e-5 * max(1.0, np.abs(wanted).max())
    np.testing.assert_allclose(found.encode(MANY), wanted, rtol=0, atol=limit)
    if text == "de":
        found.save_pretrained(str(tmp_path / "st"))
        again = SentenceTransformer(str(tmp_path / "st"), device="cpu")
        np.testing.assert_allclose(again.encode(MANY), wanted, rtol=0, atol=limit)


def test_a_language_chooses_the_module(model: AdaptedEncoder) -> None:
    found = model.to_sentence_transformer("sw").encode(MANY)
    wanted = model.encode(MANY, "sw")
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5 * max(1.0, np.abs(wanted).max()))
    assert np.abs(wanted - model.encode(MANY, "de")).max() > 1e-3
    with pytest.raises(UserError, match="Give a language"):
        model.to_sentence_transformer()


@pytest.mark.parametrize("family", ["bert", "xlmr", "modernbert"])
@pytest.mark.parametrize("text", ["hi", "bare", "hi + lora", "lora + bare"])
def test_a_vocabulary_is_its_tokenizer_and_its_table(tmp_path, family: str, text: str) -> None:
    _, encoder = base_and_encoder(tmp_path, family)
    rows = [ParallelPair(hindi, "the cat sat on the mat", "hi") for hindi in HINDI * 4]
    inner = {"hi": {"kind": "lora", "rank": 2}, "bare": {"kind": "none"}}
    modules = {
        name: shaken(vocabulary_from({"size": 60, "module": kind}, encoder, rows), 1, 0.1)
        for name, kind in inner.items()
    }
    modules["lora"] = shaken(module_for(encoder), 2, 0.05)
    model = AdaptedEncoder(encoder, modules).with_(text)
    texts = [*HINDI, "", "☃", "the cat", " ".join(HINDI * 40)]
    found = model.to_sentence_transformer()
    wanted = model.encode(texts, "hi")
    limit = 1e-5 * max(1.0, np.abs(wanted).max())
    np.testing.assert_allclose(found.encode(texts), wanted, rtol=0, atol=limit)
    assert np.abs(wanted - model.with_(None).encode(texts)).max() > 1e-2
    found.save_pretrained(str(tmp_path / "st"))
    again = SentenceTransformer(str(tmp_path / "st"), device="cpu")
    np.testing.assert_allclose(again.encode(texts), wanted, rtol=0, atol=limit)


def test_a_vocabulary_that_it_cannot_hold_is_refused(tmp_path: Path) -> None:
    _, encoder = base_and_encoder(tmp_path, "bert")
    rows = [ParallelPair(hindi, "the cat", "hi") for hindi in HINDI]
    options = {"size": 60, "module": {"kind": "bottleneck", "width": 4}}
    model = AdaptedEncoder(encoder, {"hi": vocabulary_from(options, encoder, rows)})
    with pytest.raises(UserError, match=r"no module of kind 'bottleneck' \(hi\)"):
        model.to_sentence_transformer()
    _, encoder = base_and_encoder(tmp_path / "t5", "t5")
    model = AdaptedEncoder(encoder, {"hi": vocabulary_from({"size": 60}, encoder, rows)})
    with pytest.raises(UserError, match="decoder has the same table"):
        model.to_sentence_transformer()


def test_what_it_cannot_hold_is_refused_with_the_reason(model: AdaptedEncoder) -> None:
    with pytest.raises(UserError, match=r"no module of kind 'bottleneck' \(fr\)"):
        model.to_sentence_transformer("fr")
    with pytest.raises(UserError, match="no routing or fusion over rows"):
        model.with_("route(arrow; de, sw)").to_sentence_transformer()
    memory = AdaptedEncoder(tiny_encoder(), {})
    with pytest.raises(UserError, match="only in memory"):
        memory.to_sentence_transformer()


def test_its_evaluators_take_our_encoder(model: AdaptedEncoder) -> None:
    from sentence_transformers.evaluation import (
        EmbeddingSimilarityEvaluator,
        InformationRetrievalEvaluator,
        TranslationEvaluator,
    )

    left, right = list(TEXTS), [*TEXTS[1:], TEXTS[0]]
    scores = [float(i) for i in range(len(left))]
    own = model.for_language("sw")
    found = EmbeddingSimilarityEvaluator(left, right, scores, write_csv=False)(own)
    near = model.similarity_pairwise(model.encode(left, "sw"), model.encode(right, "sw"))
    assert found["spearman_cosine"] == pytest.approx(spearmanr(scores, near.numpy())[0], abs=1e-6)
    assert TranslationEvaluator(left, left)(own)["mean_accuracy"] == 1.0
    named = {str(i): text for i, text in enumerate(left)}
    search = InformationRetrievalEvaluator(named, named, {i: {i} for i in named}, write_csv=False)
    assert search(own)["cosine_accuracy@1"] == 1.0
    names = [one["evaluator"] for one in own.evaluations]
    assert names == ["EmbeddingSimilarityEvaluator", "TranslationEvaluator",
                     "InformationRetrievalEvaluator"]  # fmt: skip
    assert own.evaluations[1]["mean_accuracy"] == 1.0 and not model.evaluations
