from __future__ import annotations

import pytest
import torch
from tiny_loras import modules
from tiny_models import FAMILIES, padded, tiny_encoder
from tiny_training import digest, forward

from xadapt.composition.composed import Composed
from xadapt.composition.values import Mix, Stack
from xadapt.core.errors import UserError
from xadapt.injection.attachment import Attachment, place
from xadapt.injection.merging import merged, merged_in
from xadapt.modules.sums import terms_of


def updates(encoder, whole):
    terms = terms_of(whole.effects())
    return {e.place: (place(encoder, e), terms[e.place]) for e in whole.effects()}


@pytest.mark.parametrize("family", FAMILIES)
def test_merged_is_unmerged_and_leaves_the_base_bitwise(family: str) -> None:
    encoder = tiny_encoder(family)
    tokens, mask = padded(encoder)
    whole = Composed(Stack("b", Mix({"a": 0.5, "c": -1.0})), modules(encoder, 0.05))
    attachment = Attachment(encoder, whole)
    before, values = digest(encoder.model), dict(encoder.model.named_parameters())
    print_ = encoder.fingerprint
    with torch.no_grad():
        with attachment.on():
            wanted = forward(encoder, tokens, mask)
        attachment.remove()
        plain = forward(encoder, tokens, mask)
        with merged(encoder, updates(encoder, whole), "it"):
            found = forward(encoder, tokens, mask)
            assert merged_in(encoder) == "it" and encoder.fingerprint == print_
            inside = dict(encoder.model.named_parameters())
        assert torch.equal(forward(encoder, tokens, mask), plain)
    real = mask.bool()
    size = max(1.0, float(wanted[real].abs().max()))
    assert (found - wanted)[real].abs().max() <= 1e-5 * size
    assert (found - plain)[real].abs().max() > 1e-2
    assert merged_in(encoder) is None and digest(encoder.model) == before
    after = dict(encoder.model.named_parameters())
    assert all(after[name] is value for name, value in values.items())
    touched = {site.path for site, _ in updates(encoder, whole).values()}
    for name, value in inside.items():
        assert (value is values[name]) == (name.removesuffix(".weight") not in touched)


def test_an_error_inside_restores_and_merging_twice_is_refused() -> None:
    encoder = tiny_encoder("bert")
    before = digest(encoder.model)
    parts = updates(encoder, Composed("a", modules(encoder)))
    with pytest.raises(RuntimeError), merged(encoder, parts, "a"):
        assert digest(encoder.model) != before
        again = merged(encoder, parts, "b")
        with pytest.raises(UserError, match="merged into this base already"), again:
            pass
        raise RuntimeError
    assert digest(encoder.model) == before and merged_in(encoder) is None


def test_the_fingerprint_of_a_base_in_memory_is_that_of_its_own_weights() -> None:
    wanted = tiny_encoder("bert").fingerprint
    encoder = tiny_encoder("bert")
    with merged(encoder, updates(encoder, Composed("a", modules(encoder))), "a"):
        assert encoder.fingerprint == wanted
    assert encoder.fingerprint == wanted
