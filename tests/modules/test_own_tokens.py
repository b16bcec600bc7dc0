import pytest
import torch
from tiny_models import VOCAB, tiny_encoder
from tiny_training import digest, forward, shaken

from xadapt.composition.composed import Composed
from xadapt.composition.text import parse
from xadapt.composition.values import Stack
from xadapt.core.errors import UserError
from xadapt.injection.activation import Activation, ActiveAdapter
from xadapt.injection.attachment import model_shape
from xadapt.modules.hooks import hooks_of
from xadapt.modules.own_tokens import tokens_of
from xadapt.modules.storage import build, load_module, save_module

INNER = {
    "lora": {"kind": "lora", "rank": 2},
    "bottleneck": {"kind": "bottleneck", "width": 4},
    "mixture_of_loras": {"kind": "mixture_of_loras", "experts": 2, "rank": 2},
    "none": {"kind": "none"},
}


def made(encoder, inner="lora", **options):
    given = {"module": INNER[inner], **options}
    return build("own_tokens", given, model_shape(encoder))


@pytest.mark.parametrize("family", ["bert", "xlmr", "deberta-v3", "modernbert", "t5"])
def test_an_own_token_has_its_own_vector_and_the_base_stays(family):
    encoder = tiny_encoder(family)
    module, before = made(encoder, "none", count=2), digest(encoder.model)
    acts = Activation.of(ActiveAdapter(encoder, module))
    tokens, mask = encoder.batch([[5, VOCAB, 7], [5, VOCAB + 1, 7]])
    first, second = forward(encoder, tokens, mask, acts)
    assert (first - second).abs().max() > 1e-4
    forward(encoder, tokens, mask, acts).square().sum().backward()
    grad = module.tokens.rows.grad
    assert grad.abs().sum(1).min() > 0 and digest(encoder.model) == before
    assert all(p.grad is None for p in encoder.model.parameters())


def test_the_vector_of_a_known_word_gives_the_state_of_that_word():
    encoder = tiny_encoder()
    module = made(encoder, "none")
    table = encoder.model.get_input_embeddings()
    with torch.no_grad():
        module.tokens.rows[0] = table.weight[9]
    acts = Activation.of(ActiveAdapter(encoder, module))
    own, known = ([5, token, 7] for token in (VOCAB, 9))
    tokens, mask = encoder.batch([own])
    plain, _ = encoder.batch([known])
    found = forward(encoder, tokens, mask, acts)
    assert torch.allclose(found, forward(encoder, plain, mask), atol=1e-6)


@pytest.mark.parametrize("inner", INNER)
def test_every_inner_kind_is_saved_and_loaded(tmp_path, inner):
    encoder = tiny_encoder()
    module = shaken(made(encoder, inner))
    save_module(tmp_path / "m.safetensors", module)
    again = load_module(tmp_path / "m.safetensors", model_shape(encoder))
    assert digest(again) == digest(module) and again.options == module.options
    tokens, mask = encoder.batch([[5, VOCAB, 7], [3, 4, 5]])
    one, other = (
        forward(encoder, tokens, mask, Activation.of(ActiveAdapter(encoder, m)))
        for m in (module, again)
    )
    assert torch.equal(one, other)


def test_without_its_ids_it_is_the_inner_module():
    encoder = tiny_encoder()
    module = shaken(made(encoder))
    tokens, mask = encoder.batch([[5, 6, 7], [3, 4]])
    one, other = (
        forward(encoder, tokens, mask, Activation.of(ActiveAdapter(encoder, m)))
        for m in (module, module.inner)
    )
    assert torch.equal(one, other)


def test_losses_and_maps_of_the_inner_module_are_passed_on():
    encoder = tiny_encoder()
    routed = build(
        "own_tokens",
        {"module": {**INNER["mixture_of_loras"], "balance": 1.0}},
        model_shape(encoder),
    )
    routed.watch()
    tokens, mask = encoder.batch([[5, VOCAB, 7]])
    forward(encoder, tokens, mask, Activation.of(ActiveAdapter(encoder, routed)))
    assert routed.penalties()
    invertible = {"kind": "bottleneck", "width": 4, "invertible": "nice"}
    assert build(
        "own_tokens", {"module": invertible}, model_shape(encoder)
    ).before_vocabulary is not None  # fmt: skip


def test_tokens_are_counted_and_can_be_stacked_but_not_mixed():
    encoder = tiny_encoder()
    module, lora = made(encoder, count=3), made(encoder).inner
    assert tokens_of(hooks_of(module)) == 3 and tokens_of(hooks_of(lora)) == 0
    both = {"a": module, "b": lora}
    assert tokens_of(Composed(Stack("a", "b"), both).hooks()) == 3
    with pytest.raises(ValueError, match="new tokens can't be part of a mixture"):
        Composed(parse("mix(a:.5, b:.5)"), both)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"module": {"kind": "own_tokens"}}, "kind of another module"),
        ({"module": {}}, "kind of another module"),
        ({"module": {"kind": "lorra"}}, "lorra"),
        ({"module": {"kind": "lora", "rank": 0}}, "rank"),
        ({"count": 0}, "count"),
        ({"layers": [0, 1]}, "inner module"),
    ],
)
def test_wrong_options_are_one_line(options, said):
    with pytest.raises(UserError, match=said):
        build("own_tokens", options, model_shape(tiny_encoder()))
