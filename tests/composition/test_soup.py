from __future__ import annotations

import pytest
import torch
from tiny_models import tiny_encoder
from tiny_training import digest, module_for, shaken

from xadapt.composition.soup import soup
from xadapt.composition.text import parse
from xadapt.core.errors import UserError

ENCODER = tiny_encoder()
MODULES = {
    "a": shaken(module_for(ENCODER, "bottleneck", width=4), 1),
    "b": shaken(module_for(ENCODER, "bottleneck", width=4), 2),
    "c": shaken(module_for(ENCODER, "bottleneck", width=5), 3),
    "d": shaken(module_for(ENCODER), 4),
}


def test_parameters_are_the_weighted_mean():
    before = {name: digest(module) for name, module in MODULES.items()}
    made = soup(parse("mix(a:.75, b:.25)"), MODULES)
    a, b = MODULES["a"].state_dict(), MODULES["b"].state_dict()
    for name, value in made.state_dict().items():
        assert torch.allclose(value, 0.75 * a[name] + 0.25 * b[name])
    assert {name: digest(module) for name, module in MODULES.items()} == before
    assert digest(soup(parse("mix(a:1)"), MODULES)) == before["a"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a", "a soup is a mixture"),
        ("a + b", "a soup is a mixture"),
        ("mix((a + b):1)", "a soup is a mixture"),
        ("mix(a:.5, b:.6)", "sum to 1.1"),
        ("mix(a:.5, c:.5)", "different kinds or options"),
        ("mix(a:.5, d:.5)", "different kinds or options"),
    ],
)
def test_what_has_no_mean_is_refused(text, said):
    with pytest.raises(UserError, match=said):
        soup(parse(text), MODULES)
