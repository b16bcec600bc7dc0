from __future__ import annotations

import pytest
import torch
from tiny_models import FAMILIES, MASKED_LM, padded, tiny_encoder, tiny_folder
from tiny_training import forward, module_for, shaken

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.composition.composed import Composed
from xadapt.composition.values import Stack
from xadapt.core.errors import UserError
from xadapt.injection.activation import Activation, ActiveAdapter

FORMS = ("nice", "glow")


def made(encoder, form="nice", seed=0, width=None):
    """A module that only maps the embeddings."""
    options = {"width": 4, "activation": "relu", "invertible": form, "invertible_width": width}
    module = module_for(encoder, "bottleneck", **options)
    shaken(module.invertible, seed, 0.2)
    return module


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("width", [None, 5])
def test_the_inverse_undoes_it(form, width):
    module = made(tiny_encoder(), form, width=width)
    x = 3 * torch.randn(2, 7, 32, generator=torch.Generator().manual_seed(0))
    y = x + module.invertible(x)
    assert (y - x).abs().amax(-1).min() > 1e-2
    assert torch.allclose(module.before_vocabulary(y), x, atol=1e-4)
    assert torch.allclose(module.invertible.through(module.invertible.inverse(x)), x, atol=1e-4)


def test_by_hand():
    """Halves of one feature, networks of one unit: numbers to follow on paper."""
    encoder = tiny_encoder()
    for form, expected in (("nice", [1 + 2 * 3, 3 - 7.0]), ("glow", None)):
        module = made(encoder, form)
        module.invertible.halves = (1, 1)
        for net, weight in ((module.invertible.F, 2.0), (module.invertible.G, -1.0)):
            net[0] = torch.nn.Linear(1, 1)
            net[2] = torch.nn.Linear(1, 1 if form == "nice" else 2)
            with torch.no_grad():
                net[0].weight.fill_(1.0)
                net[2].weight.fill_(weight)
                for linear in (net[0], net[2]):
                    linear.bias.zero_()
        found = module.invertible.through(torch.tensor([1.0, 3.0]))
        if expected is None:
            factor = lambda s: torch.exp(10 / torch.pi * torch.atan(torch.tensor(s / 5)))  # noqa: E731
            first = factor(6.0) * 1 + 6
            expected = [first, factor(-first.item()) * 3 - first]
        assert torch.allclose(found, torch.tensor(expected), atol=1e-4)


def test_the_additive_form_is_that_of_adapters():
    blocks = pytest.importorskip("adapters.methods.modeling")
    module = made(tiny_encoder(), "nice")
    twin = blocks.NICECouplingBlock([[32]], non_linearity="relu", reduction_factor=2)
    twin.load_state_dict(module.invertible.state_dict())
    x = torch.randn(2, 5, 32, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(module.invertible.through(x), twin(x), atol=1e-6)
    assert torch.allclose(module.invertible.inverse(x), twin(x, rev=True), atol=1e-6)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("form", FORMS)
def test_each_row_has_its_own_map(family, form):
    """Where adapters gives every row of a batch the first language's."""
    encoder = tiny_encoder(family)
    tokens, mask = padded(encoder)
    plain = forward(encoder, tokens, mask)
    one = ActiveAdapter(encoder, made(encoder, form, 0))
    two = ActiveAdapter(encoder, made(encoder, form, 1))
    assert torch.equal(forward(encoder, tokens, mask), plain)
    assert one.first_layer == -1
    first = forward(encoder, tokens, mask, Activation.of(one))
    second = forward(encoder, tokens, mask, Activation.of(two))
    mixed = forward(encoder, tokens, mask, Activation.several([(one, [0, 2]), (two, [1])]))
    assert torch.allclose(mixed[[0, 2]], first[[0, 2]], atol=1e-5)
    assert torch.allclose(mixed[1], second[1], atol=1e-5)
    assert torch.allclose(mixed[3:], plain[3:], atol=1e-5)
    assert (first - second).abs().amax((1, 2)).min() > 1e-3


def test_at_birth_it_changes_nothing():
    encoder = tiny_encoder()
    tokens, mask = padded(encoder)
    for form in FORMS:
        module = module_for(encoder, "bottleneck", width=4, invertible=form)
        acts = Activation.of(ActiveAdapter(encoder, module))
        born = forward(encoder, tokens, mask, acts)
        assert torch.allclose(born, forward(encoder, tokens, mask, acts))
        assert torch.allclose(born, forward(encoder, tokens, mask), atol=1e-6)


@pytest.mark.parametrize("family", MASKED_LM)
def test_the_language_model_head_undoes_it(family, tmp_path):
    """The map goes on what enters the layers and off what is compared with the vocabulary."""
    folder = tiny_folder(tmp_path / "base", family, mlm=True)
    encoder = Encoder.from_pretrained(str(folder), dtype="float32", device="cpu")
    module = made(encoder)
    tokens, mask = padded(encoder)
    states = forward(encoder, tokens, mask)
    head = encoder.mlm_head()
    vocabulary = encoder._masked_lm.get_output_embeddings()
    seen = []
    hook = vocabulary.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    expected_before = head(states)
    hook.remove()
    changed = encoder.mlm_head(module.before_vocabulary)(states)
    expected = vocabulary(module.invertible.inverse(seen[0])).reshape(expected_before.shape)
    assert torch.allclose(changed, expected, atol=1e-5)
    assert not torch.allclose(changed, expected_before, atol=1e-3)
    assert torch.equal(head(states), expected_before) and not vocabulary._forward_pre_hooks
    stacked = Composed(Stack("a", "b"), {"a": module, "b": made(encoder, seed=2)})
    undone = stacked.before_vocabulary(seen[0])
    again = stacked.named["b"].invertible.through(stacked.named["a"].invertible.through(undone))
    assert torch.allclose(again, seen[0], atol=1e-4)


def test_a_head_that_compares_with_no_layer_is_told_of():
    encoder = tiny_encoder("deberta-v3", mlm=True)
    encoder._masked_lm.get_output_embeddings = lambda: None
    with pytest.raises(UserError, match="can't undo"):
        encoder.mlm_head(lambda states: states)(torch.zeros(1, 2, encoder.width))
