"""Fused forwards: what each text sees, its positions and mask, and the base's number of layers."""

from __future__ import annotations

import pytest
import torch
from tiny_models import FAMILIES, tiny_encoder

from xadapt.backbones.encoder.encode import forward
from xadapt.backbones.encoder.fused import fused_states
from xadapt.core.errors import UserError

TEXTS = ["die katze sitzt auf", "hund", "die matte läuft"]
OTHERS = ["the cat sat on the mat", "a dog runs in the park", "mat"]


def states(encoder, ids, beside, fused, **more):
    found = [None] * len(ids)
    with torch.inference_mode():
        for chunk, each in fused_states(encoder, ids, beside, fused, **more):
            for i, own in zip(chunk, each, strict=True):
                found[i] = own[: len(ids[i])]
    return found


def alone(encoder, ids):
    with torch.inference_mode():
        return [forward(encoder, [row])[0][0] for row in ids]


def near(left, right, atol=1e-5):
    return all(torch.allclose(a, b, atol=atol) for a, b in zip(left, right, strict=True))


@pytest.fixture(scope="module")
def bert():
    return tiny_encoder("bert")


def test_without_fused_layers_a_text_is_read_alone(bert):
    ids, beside = bert.tokenize(TEXTS), bert.tokenize(OTHERS)
    for local in (0, 1, bert.depth):
        assert near(states(bert, ids, beside, (local, local)), alone(bert, ids))


def test_a_text_with_itself_is_the_text_alone(bert):
    """Equal keys twice leave attention as it is, and positions begin anew in the second text."""
    ids = bert.tokenize(TEXTS)
    assert near(states(bert, ids, ids, (0, bert.depth)), alone(bert, ids))
    # Segments of another length whose positions went on would differ here.
    assert near(states(bert, ids, ids, (1, 2)), alone(bert, ids))


@pytest.mark.parametrize("family", FAMILIES)
def test_padding_changes_nothing(family):
    encoder = tiny_encoder(family)
    ids, beside = encoder.tokenize(TEXTS), encoder.tokenize(OTHERS)
    batch = states(encoder, ids, beside, (1, 2))
    single = [states(encoder, [a], [b], (1, 2))[0] for a, b in zip(ids, beside, strict=True)]
    assert near(batch, single, 1e-4)


def test_each_layer_range_is_what_the_layers_do_by_hand(bert):
    ids, beside = bert.tokenize(TEXTS[:1]), bert.tokenize(OTHERS[:1])
    with torch.inference_mode():
        sides = []
        for rows in (ids, beside):
            tokens, mask = bert.batch(rows)
            sides.append(bert.run(bert.embed(tokens, mask), mask, 0, 1))
        length = len(ids[0])
        both = torch.cat(sides, 1)
        both = bert.run(both, torch.ones(both.shape[:2], dtype=torch.long), 1, 2)[:, :length]
        last = bert.run(both, torch.ones(1, length, dtype=torch.long), 2, bert.depth)
    assert near(states(bert, ids, beside, (1, 2)), [last[0]])
    assert not near(states(bert, ids, beside, (1, 2)), alone(bert, ids), 1e-3)


def test_the_mask_of_each_text_is_its_own_after_the_fused_layers(bert):
    """In the last layers a text does not see the other one's tokens, nor padding."""
    ids, beside = bert.tokenize(TEXTS[1:2]), bert.tokenize(OTHERS[1:2])
    short = states(bert, ids, beside, (0, 0))[0]
    assert torch.allclose(short, states(bert, ids, bert.tokenize(["mat"]), (0, 0))[0], atol=1e-6)


def test_more_layers_than_the_base_has_are_refused(bert):
    ids = bert.tokenize(TEXTS)
    with pytest.raises(UserError, match=rf"the base has {bert.depth}"):
        states(bert, ids, ids, (1, bert.depth + 1))
