from __future__ import annotations

import math

import pytest
import torch
from tiny_models import MASKED_LM, padded, tiny_encoder, tiny_folder, tiny_masked_lm

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.core.errors import UserError


@pytest.mark.parametrize("family", MASKED_LM)
def test_mlm_head_is_the_masked_lm_model(family, tmp_path):
    folder = tiny_folder(tmp_path / "base", family, mlm=True)
    encoder = Encoder.from_pretrained(str(folder), dtype="float32", device="cpu")
    tokens, mask = padded(encoder)
    states = encoder.run(encoder.embed(tokens, mask), mask).requires_grad_()
    logits = encoder.mlm_head()(states)
    expected = tiny_masked_lm(family)(input_ids=tokens, attention_mask=mask)[0]
    assert torch.allclose(logits, expected, atol=1e-5)
    picked = encoder.mlm_head()(states[mask.bool()])
    assert torch.allclose(picked, logits[mask.bool()], atol=1e-5)
    logits.sum().backward()
    assert states.grad.abs().sum() > 0
    in_memory = tiny_encoder(family, mlm=True)
    assert torch.allclose(in_memory.mlm_head()(states), logits, atol=1e-6)


def test_deberta_v3_checkpoints_have_their_head_elsewhere(tmp_path):
    new = {"legacy": False, "tie_word_embeddings": False}
    folder = tiny_folder(tmp_path / "base", "deberta-v3", mlm=True, **new)
    config = (folder / "config.json").read_text()
    config = config.replace('"legacy": false', '"legacy": true')
    config = config.replace('"tie_word_embeddings": false', '"tie_word_embeddings": true')
    (folder / "config.json").write_text(config)
    encoder = Encoder.from_pretrained(str(folder), dtype="float32", device="cpu")
    tokens, mask = padded(encoder)
    states = encoder.run(encoder.embed(tokens, mask), mask)
    around = tiny_masked_lm("deberta-v3", **new)
    expected = around(input_ids=tokens, attention_mask=mask)[0]
    assert torch.allclose(encoder.mlm_head()(states), expected, atol=1e-5)


SENTENCES = {
    "en": "I want to know where you were yesterday.",
    "de": "Ich weiß nicht, was ich dir sagen soll.",
    "fr": "Il ne sait pas où elle est allée.",
    "ru": "Я не знаю, что мне делать.",
    "el": "Δεν ξέρω τι να κάνω.",
    "ar": "لا أعرف ماذا أفعل.",
    "hi": "मैं नहीं जानता कि वह कहाँ है।",
    "ko": "나는 그가 어디에 있는지 모른다.",
    "tr": "Onun nerede olduğunu bilmiyorum.",
    "vi": "Tôi không biết anh ấy ở đâu.",
}


@pytest.fixture(scope="module")
def mini():
    return Encoder.from_pretrained("mini", dtype="float32", device="cpu")


@pytest.mark.parametrize("lang", SENTENCES)
def test_mini_has_learnt_its_languages(mini, lang):
    """Each token hidden in turn: far better guessed than by chance, and better in its order."""
    ids = mini.tokenize([SENTENCES[lang]])[0]
    assert mini.tokenizer.unk_token_id not in ids
    turned = [ids[0], *ids[-2:0:-1], ids[-1]]
    loss = {}
    for name, row in (("right", ids), ("turned", turned)):
        hidden = torch.tensor(row).repeat(len(row) - 2, 1)
        places = torch.arange(len(row) - 2)
        hidden[places, places + 1] = mini.tokenizer.mask_token_id
        mask = torch.ones_like(hidden)
        states = mini.run(mini.embed(hidden, mask), mask)
        logits = mini.mlm_head()(states[places, places + 1])
        loss[name] = float(torch.nn.functional.cross_entropy(logits, torch.tensor(row[1:-1])))
    chance = math.log(len(mini.tokenizer))
    assert loss["right"] < chance - 3 and loss["right"] < loss["turned"]


@pytest.mark.parametrize("family", ["bert", "distilbert", "t5", "m2m100"])
def test_no_head_is_said(family, tmp_path):
    folder = tiny_folder(tmp_path / "base", family)
    encoder = Encoder.from_pretrained(str(folder), dtype="float32", device="cpu")
    with pytest.raises(UserError, match="no masked-language-model head"):
        encoder.mlm_head()
    with pytest.raises(UserError, match="no masked-language-model head"):
        tiny_encoder(family).mlm_head()
