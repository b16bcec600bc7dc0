from __future__ import annotations

import random

import pytest
import torch
from tiny_models import MASKED_LM, tiny_encoder

from xadapt.backbones.encoder.own_mlm import MaskedPieces, OwnHead
from xadapt.core.errors import UserError
from xadapt.data.records import PlainText
from xadapt.objectives.mlm import MaskedLanguageModelling
from xadapt.pipelines.own_vocabulary import vocabulary_from

RUSSIAN = [PlainText(text, "ru") for text in ("кошка сидит в саду", "собака бежит в парк")] * 4


@pytest.mark.parametrize("family", [f for f in MASKED_LM if f != "deberta-v3"])
def test_rows_of_the_base_give_the_base_s_own_logits(family):
    """With the base's table as its rows, the head is the base's own without its bias."""
    encoder = tiny_encoder(family, mlm=True)
    decoder = encoder._masked_lm.get_output_embeddings()
    head = OwnHead(encoder, lambda: decoder.weight, 0)
    states = torch.randn(3, 5, encoder.width)
    theirs = encoder.mlm_head()(states)
    bias = 0 if decoder.bias is None else decoder.bias
    assert torch.allclose(head(states) + bias, theirs, atol=1e-5)
    assert torch.equal(encoder.mlm_head()(states), theirs)  # the base's own is as it was


def test_an_inverse_acts_before_the_rows():
    encoder = tiny_encoder(mlm=True)
    rows = torch.randn(7, encoder.width)
    states = torch.randn(4, encoder.width)
    plain, doubled = (OwnHead(encoder, lambda: rows, 200, f) for f in (None, lambda s: 2 * s))
    assert torch.allclose(doubled(states), 2 * plain(states), atol=1e-5)


def test_the_loss_by_hand_and_its_gradient_reaches_the_rows_twice():
    encoder = tiny_encoder(mlm=True)
    module = vocabulary_from({"size": 60, "module": {"kind": "none"}}, encoder, RUSSIAN)
    own, first = module.vocabulary, module.first
    masked = MaskedPieces(encoder.tokenizer, own)
    objective = MaskedLanguageModelling(probability=0.5)
    made = objective.views(
        RUSSIAN[:2], random.Random(0), masked, lambda texts: own(texts)["input_ids"]
    )
    assert made["labels"] and all(i >= first for i in made["labels"])
    shown = [i for row in made["text"].rows for i in row]
    assert encoder.tokenizer.mask_token_id in shown
    head = OwnHead(encoder, module.own.wide, first)
    states = torch.randn(2, 12, encoder.width)

    class Text:
        hidden = states

    loss = objective.loss(Text, made["picked"], made["labels"], head)
    for row in range(2):
        mine = [(at, label - first) for (owner, at), label in
                zip(made["picked"], made["labels"], strict=True) if owner == row]  # fmt: skip
        wanted = [-head(states[row, at]).log_softmax(-1)[label] for at, label in mine]
        assert torch.isclose(loss.values[row], torch.stack(wanted).mean(), atol=1e-5)
    loss.total().backward()
    assert (module.own.rows.grad.abs().sum(1) > 0).all()  # every row is a possible answer
    drawn = {masked.draw(random.Random(seed)) for seed in range(400)}
    assert min(drawn) >= first and max(drawn) < first + len(own.pieces) and len(drawn) > 20


def test_a_base_without_the_head_is_refused():
    with pytest.raises(UserError, match="masked-language-model head"):
        OwnHead(tiny_encoder(), lambda: torch.zeros(1, 1), 0)(torch.zeros(1, 32))
