from __future__ import annotations

import pytest
import torch
from tiny_models import TEXTS, tiny_encoder
from tiny_training import module_for, shaken

from xadapt.backbones.cache.bare import merged_from, require_bare
from xadapt.backbones.cache.frozen_vectors import FrozenVectors
from xadapt.backbones.cache.prefix_states import PrefixStates
from xadapt.core.errors import UserError
from xadapt.inference.adapted_encoder import Adapted
from xadapt.injection.attachment import Attachment
from xadapt.injection.merging import merged


def test_what_acts_below_is_refused_and_what_acts_above_is_not() -> None:
    encoder = tiny_encoder()
    require_bare(encoder)
    upper = Attachment(encoder, shaken(module_for(encoder, rank=2, layers=[2, 4])))
    require_bare(encoder)  # attached, but not active
    with upper.on():
        require_bare(encoder, 2)
        for layer in (3, 4, None):
            with pytest.raises(UserError, match="while a module acts"):
                require_bare(encoder, layer)
    nothing = Attachment(encoder, module_for(encoder, "none", layers="all"))
    with nothing.on():
        require_bare(encoder)


def test_merged_weights_are_seen_by_the_registry_alone() -> None:
    encoder, other = tiny_encoder(), tiny_encoder()
    with merged_from(encoder.model, 1):
        require_bare(encoder, 1)
        require_bare(other)
        with pytest.raises(UserError, match="while a module acts"):
            require_bare(encoder)
    require_bare(encoder)


def test_nothing_is_stored_under_merged_weights(tmp_path) -> None:
    encoder = tiny_encoder()
    keys = [(tuple(row), None) for row in encoder.tokenize(TEXTS)]
    both = Adapted(encoder, {"up": shaken(module_for(encoder, rank=2, layers=[2, 4]))})
    vectors, states = FrozenVectors(encoder, tmp_path), PrefixStates(encoder, 3, tmp_path)
    with both.merged("up"):
        for store in (lambda: vectors.add(TEXTS), lambda: states.add(keys)):
            with pytest.raises(UserError, match="while a module acts"):
                store()
        PrefixStates(encoder, 2, tmp_path).add(keys)
    assert vectors.missing(TEXTS) == len(TEXTS) and not states.has(keys[:1])
    bare = FrozenVectors(tiny_encoder(), None).get(TEXTS)
    assert torch.equal(vectors.get(TEXTS), bare)
    again = PrefixStates(encoder, 2, tmp_path)
    again.add(keys)
    assert again.reused == len(keys)
    assert torch.equal(again.batch(keys)[0], PrefixStates(encoder, 2, None).entering(keys)[0])


def test_a_merge_that_fails_leaves_no_trace() -> None:
    encoder = tiny_encoder()
    with pytest.raises(ZeroDivisionError), merged(encoder, {}, "x"):
        raise ZeroDivisionError
    require_bare(encoder)
