"""Word embeddings without a layer: the bare table, and what modules at the table add."""

from __future__ import annotations

import pytest
import torch
from tiny_models import padded, tiny_encoder
from tiny_training import module_for, shaken

from xadapt.core.errors import UserError
from xadapt.injection.activation import Activation, ActiveAdapter
from xadapt.injection.attachment import embedding_table
from xadapt.injection.word_embeddings import word_embeddings


@pytest.mark.parametrize("family", ["bert", "deberta-v3", "t5", "m2m100", "modernbert"])
def test_they_are_the_tables_rows_and_the_modules_difference(family):
    encoder = tiny_encoder(family)
    tokens, mask = padded(encoder)
    bare = word_embeddings(encoder, tokens, mask)
    assert torch.equal(bare, embedding_table(encoder)(tokens))
    module = shaken(module_for(encoder, "embedding_map", rank=2))
    acts = Activation.of(ActiveAdapter(encoder, module))
    found = word_embeddings(encoder, tokens, mask, acts)
    assert torch.allclose(found, bare + module.words.shared(bare), atol=1e-6)
    assert torch.equal(word_embeddings(encoder, tokens, mask), bare)


def test_an_activation_of_another_base_is_refused():
    encoder, other = tiny_encoder("bert"), tiny_encoder("bert", seed=1)
    acts = Activation.of(ActiveAdapter(other, module_for(other, "embedding_map", rank=2)))
    with pytest.raises(UserError, match="another base"):
        word_embeddings(encoder, *padded(encoder), acts)
