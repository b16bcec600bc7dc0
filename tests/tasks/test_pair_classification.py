from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_folders import base_and_encoder
from tiny_heads import published
from tiny_models import tiny_folder
from tiny_training import labelled_pairs
from tokenizers import processors
from transformers import AutoModel

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.encoder.pairs import tokenize_pairs
from xadapt.core.errors import UserError
from xadapt.heads.head import Head
from xadapt.tasks import PairClassifier
from xadapt.tasks.classification import MAJORITY
from xadapt.tasks.pair_classification import Part, probabilities

ROWS = labelled_pairs(24, seed=3)
PAIRS = [(row.text, row.text_pair) for row in ROWS]


def with_types(encoder: Encoder) -> None:
    """Give the tokenizer segment ids, as BERT's has."""
    own = encoder.tokenizer
    ids = [(token, own.convert_tokens_to_ids(token)) for token in ("<s>", "</s>")]
    own.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> $B:1 </s>:1", special_tokens=ids
    )
    own.model_input_names = ["input_ids", "token_type_ids", "attention_mask"]


@pytest.mark.parametrize("family", ["bert", "xlmr"])
def test_a_pair_is_encoded_as_transformers_encodes_it(tmp_path: Path, family: str) -> None:
    """Token types too; a pair past the length loses tokens of its longer text."""
    base, encoder = base_and_encoder(tmp_path, family)
    if family == "bert":
        with_types(encoder)
    encoder.max_length = 12
    pairs = [*PAIRS, ("katze " * 40, "hund park"), ("hund", "park " * 40)]
    first, second = [left for left, _ in pairs], [right for _, right in pairs]
    batch = encoder.tokenizer(
        first,
        second,
        truncation="longest_first",
        max_length=12,
        padding=True,
        return_tensors="pt",
    )
    assert ("token_type_ids" in batch) == (family == "bert")
    made = tokenize_pairs(encoder, first, second)
    both = zip(batch["input_ids"], batch["attention_mask"], strict=True)
    own = [row[mask.bool()].tolist() for row, mask in both]
    assert [list(pair.ids) for pair in made] == own
    assert max(len(pair.ids) for pair in made) == 12
    torch.manual_seed(0)
    head = Head("pair_classification", ["x", "y", "z"], encoder.width)
    model = AutoModel.from_pretrained(base, dtype=torch.float32).eval()
    with torch.no_grad():
        states = model(**batch).last_hidden_state
        wanted = head(states[:, 0]).softmax(1).numpy()
    assert np.allclose(probabilities(encoder, head, pairs), wanted, atol=1e-5)


def test_the_order_of_a_pair_matters_and_each_row_is_alone(tmp_path: Path) -> None:
    base = str(tiny_folder(tmp_path / "base"))
    encoder = Encoder.from_pretrained(base, dtype="float32")
    published(tmp_path / "m", encoder, "pair_classification", 2)
    classifier = PairClassifier.load(base, tmp_path / "m", dtype="float32")
    found = classifier.scores(PAIRS)
    assert found.shape == (24, 3) and np.allclose(found.sum(1), 1, atol=1e-5)
    assert classifier.classify(PAIRS) == ["xyz"[i] for i in found.argmax(1)]
    assert np.allclose(classifier.scores(PAIRS[:1]), found[:1], atol=1e-5)
    assert np.abs(classifier.scores([(b, a) for a, b in PAIRS]) - found).max() > 1e-4
    with pytest.raises(UserError, match="pair 0 is text"):
        classifier.classify(["one text"])  # type: ignore[list-item]


def test_scores_by_hand() -> None:
    rows = ROWS[:4]
    found = [row.label for row in rows]
    result = Part.evaluate(rows, {"m": ["?", *found[1:]]}, resamples=20)
    assert result.task == "pair_classification" and result.unit == "labelled pairs"
    assert result["m"].scores["accuracy"].mean == 3 / 4
    assert MAJORITY in result
