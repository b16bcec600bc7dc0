"""Bases that are written with a module's vocabulary in place of their own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import transformers
from safetensors.torch import load_file
from tiny_folders import base_and_encoder
from tiny_models import MASKED_LM, VOCAB
from tiny_training import shaken

from xadapt.backbones.encoder.encode import encode
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.core.errors import UserError
from xadapt.data.records import ParallelPair
from xadapt.hub import own_table
from xadapt.hub.merged import write_merged
from xadapt.hub.own_table import without_vocabulary
from xadapt.inference.adapted_encoder import AdaptedEncoder
from xadapt.integrations import compare_loaders
from xadapt.pipelines.own_vocabulary import vocabulary_from

HINDI = ["बिल्ली चटाई पर बैठी है", "कुत्ता बगीचे में है", "बिल्ली और कुत्ता"]
LORA = {"kind": "lora", "rank": 2, "alpha": 2}


def made(encoder, inner=LORA, **options):
    rows = [ParallelPair(text, "the cat sat on the mat", "hi") for text in HINDI * 4]
    own = vocabulary_from({"size": 60, "module": inner, **options}, encoder, rows)
    return shaken(own, 1, 0.1)


@pytest.mark.parametrize("family", MASKED_LM)
def test_the_written_base_is_the_base_with_the_module(tmp_path: Path, family: str) -> None:
    base, encoder = base_and_encoder(tmp_path, family)
    module = made(encoder, rank=6 if family == "bert" else None)
    inner, own = without_vocabulary({"hi": module})
    assert own is module
    check = compare_loaders(base, module, ["A text.", *HINDI])["merged"]
    write_merged(tmp_path / "m", encoder, inner["hi"], "", difference=check, vocabulary=own)
    plain = Encoder.from_pretrained(str(tmp_path / "m"), dtype="float32")
    texts = [*HINDI, "", "☃", "the cat"]
    wanted = AdaptedEncoder(encoder, {"hi": module}).encode(texts, "hi")
    found = encode(plain, texts).numpy()
    assert abs(found - wanted).max() < 1e-5 * max(1.0, abs(wanted).max())
    assert abs(found - encode(encoder, texts).numpy()).max() > 1e-2
    rows = plain.model.get_input_embeddings().num_embeddings
    assert rows == len(module.vocabulary.ids) < VOCAB


def test_special_tokens_keep_their_vectors_and_the_language_model_head_is_left_out(tmp_path):
    _, encoder = base_and_encoder(tmp_path, "bert", mlm=True)
    module = made(encoder, {"kind": "none"})
    inner, own = without_vocabulary({"hi": module})
    write_merged(tmp_path / "m", encoder, inner["hi"], "", vocabulary=own)
    held = load_file(tmp_path / "m" / "model.safetensors")
    assert not [n for n, value in held.items() if value.dim() and value.shape[0] == VOCAB]
    table = held["bert.embeddings.word_embeddings.weight"]
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "m")
    old = encoder.model.get_input_embeddings().weight
    for name in ("pad", "unk", "cls", "sep", "mask"):
        own_id, base_id = (getattr(t, f"{name}_token_id") for t in (tokenizer, encoder.tokenizer))
        assert torch.equal(table[own_id], old[base_id]), name
    settings = json.loads((tmp_path / "m" / "config.json").read_text())
    assert settings["vocab_size"] == len(table)
    assert settings["pad_token_id"] == tokenizer.pad_token_id
    said = json.loads((tmp_path / "m" / "tokenizer_config.json").read_text())
    assert said["tokenizer_class"] == "PreTrainedTokenizerFast"


def test_what_can_t_be_written_is_one_line_and_leaves_nothing(tmp_path):
    _, encoder = base_and_encoder(tmp_path, "roberta")
    module = made(encoder)
    inner, right = module.inner, module.ids.clone()
    module.ids[:2] = right[:2].flip(0)
    with pytest.raises(UserError, match="padding token") as fault:
        write_merged(tmp_path / "m", encoder, inner, "", vocabulary=module)
    assert "\n" not in str(fault.value) and not (tmp_path / "m").exists()
    module.ids.copy_(right)
    with pytest.raises(UserError, match="computes something else"):
        write_merged(
            tmp_path / "m", encoder, inner, "", vocabulary=module, difference=lambda _: 1.0
        )
    assert not (tmp_path / "m").exists()
    _, encoder = base_and_encoder(tmp_path / "t5", "t5")
    assert own_table.refuses(encoder, made(encoder)) == "the base's decoder has the same table"


def test_a_damaged_folder_is_noticed(tmp_path):
    base, encoder = base_and_encoder(tmp_path, "bert")
    module = made(encoder)
    check = compare_loaders(base, module, HINDI)["merged"]
    write_merged(tmp_path / "m", encoder, module.inner, "", vocabulary=module)
    assert check(tmp_path / "m") < 1e-5
    other = made(encoder)
    with torch.no_grad():
        other.own.rows.mul_(-1)
    write_merged(tmp_path / "o", encoder, module.inner, "", vocabulary=other)
    assert check(tmp_path / "o") > 1e-3
