"""Small tasks of mteb, with data made here, on an encoder with modules."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tiny_folders import random_module
from tiny_models import MANY, TEXTS, tiny_encoder

from xadapt.core.errors import UserError
from xadapt.inference.adapted_encoder import AdaptedEncoder

pytest.importorskip("mteb")

import mteb
from datasets import Dataset, DatasetDict
from mteb.abstasks import AbsTaskSTS
from mteb.abstasks.task_metadata import TaskMetadata
from mteb.models import EncoderProtocol

from xadapt.integrations.mteb import MtebEncoder, languages_of

LEFT, RIGHT = [*TEXTS, "cat", "paka"], [*TEXTS[1:], TEXTS[0], "dog", "mbwa"]
SCORES = [float(i % 5) for i in range(len(LEFT))]


class TinySTS(AbsTaskSTS):
    """Pairs of texts with made-up scores."""

    min_score, max_score = 0, 5
    metadata = TaskMetadata(
        name="TinySTS",
        description="Pairs of texts with made-up scores.",
        dataset={"path": "someone/tiny", "revision": "1"},
        type="STS",
        category="t2t",
        modalities=["text"],
        eval_splits=["test"],
        eval_langs=["swh-Latn"],
        main_score="cosine_spearman",
        reference=None,
        date=None,
        domains=None,
        task_subtypes=None,
        license=None,
        annotations_creators=None,
        dialect=None,
        sample_creation=None,
        bibtex_citation="",
    )

    def load_data(self, **_: Any) -> None:
        rows = {"sentence1": LEFT, "sentence2": RIGHT, "score": SCORES}
        self.dataset = DatasetDict({"test": Dataset.from_dict(rows)})
        self.data_loaded = True


@pytest.fixture(scope="module")
def model() -> AdaptedEncoder:
    encoder = tiny_encoder()
    modules = {tag: random_module(encoder, "lora", seed=i) for i, tag in enumerate(("de", "sw"))}
    return AdaptedEncoder(encoder, modules)


def test_a_task_runs_with_the_module_of_its_language(model: AdaptedEncoder) -> None:
    own = MtebEncoder(model, "someone/tiny", "1")
    assert isinstance(own, EncoderProtocol)
    result = mteb.evaluate(own, TinySTS(), cache=None, show_progress_bar=False)
    [scores] = result.task_results[0].scores["test"]
    from scipy.stats import spearmanr

    near = model.similarity_pairwise(model.encode(LEFT, "sw"), model.encode(RIGHT, "sw"))
    wanted = spearmanr(SCORES, near.numpy())[0]
    bare = model.similarity_pairwise(model.encode(LEFT, [None] * len(LEFT)),
                                     model.encode(RIGHT, [None] * len(LEFT)))  # fmt: skip
    assert scores["main_score"] == pytest.approx(wanted, abs=1e-6)
    assert abs(wanted - spearmanr(SCORES, bare.numpy())[0]) > 1e-3


def test_the_language_is_that_of_the_subset(model: AdaptedEncoder) -> None:
    known = {
        "en-sw": ["eng-Latn", "swh-Latn"],
        "de-sw": ["deu-Latn", "swh-Latn"],
        "fr": ["fra-Latn"],
    }
    metadata = SimpleNamespace(name="T", hf_subsets_to_langscripts=known)
    assert languages_of(metadata, "en-sw") == ["en-Latn", "swh-Latn"]
    assert languages_of(metadata, "swh_Latn") == ["swh-Latn"]
    assert languages_of(metadata, "default") == []
    own = MtebEncoder(model)
    batches = [{"text": MANY[:4]}, {"text": MANY[4:]}]

    def vectors(encoder: MtebEncoder, subset: str) -> Any:
        return encoder.encode(batches, task_metadata=metadata, hf_split="test", hf_subset=subset)

    np.testing.assert_array_equal(vectors(own, "en-sw"), model.encode(MANY, "sw"))
    np.testing.assert_array_equal(vectors(own, "swh_Latn"), model.encode(MANY, "sw"))
    np.testing.assert_array_equal(vectors(own, "fr"), model.encode(MANY, "fr"))
    with pytest.raises(UserError, match="several languages of the subset 'de-sw'"):
        vectors(own, "de-sw")
    chosen = MtebEncoder(model, language="de")
    np.testing.assert_array_equal(vectors(chosen, "de-sw"), model.encode(MANY, "de"))
