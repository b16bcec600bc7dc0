from __future__ import annotations

import torch
from tiny_models import padded, tiny_encoder
from tiny_training import forward, module_for, shaken
from torch import nn

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.injection.activation import Activation, ActiveAdapter


def hooks(model: nn.Module) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())


def test_a_site_gets_one_hook_however_many_adapters_and_encoders_there_are() -> None:
    encoder = tiny_encoder("deberta-v3")
    kinds = [{"rank": 2}, {"kind": "bottleneck", "width": 4, "form": "parallel", "after": "ffn"}]
    for options in kinds:
        ActiveAdapter(encoder, module_for(encoder, **options))
    count = hooks(encoder.model)
    again = Encoder.wrap(encoder.model, encoder.tokenizer)
    for options in kinds * 3:
        ActiveAdapter(again, module_for(again, **options))
    assert hooks(encoder.model) == count > 0


def test_hooks_are_installed_where_an_adapter_acts_alone() -> None:
    encoder = tiny_encoder()
    ActiveAdapter(encoder, module_for(encoder, sites=["v"], layers=[1, 2]))
    own = [name for name, m in encoder.model.named_modules() if m._forward_hooks]
    assert own == [encoder.sites(1, "v")[0].path]


def test_a_model_called_from_outside_a_forward_of_ours_is_plain() -> None:
    """Nobody's activation is left for those who call the transformers model themselves."""
    encoder = tiny_encoder()
    tokens, mask = padded(encoder)
    plain = encoder.model(input_ids=tokens, attention_mask=mask)[0]
    acts = Activation.of(ActiveAdapter(encoder, shaken(module_for(encoder))))
    on = forward(encoder, tokens, mask, acts)
    assert torch.equal(encoder.model(input_ids=tokens, attention_mask=mask)[0], plain)
    assert (on - plain).abs().max() > 1e-3


def test_a_module_that_is_let_go_is_freed_though_its_hooks_stay() -> None:
    import gc
    import weakref

    encoder = tiny_encoder()
    module = module_for(encoder)
    adapter = ActiveAdapter(encoder, module)
    seen = weakref.ref(module), weakref.ref(adapter)
    del module, adapter
    gc.collect()
    assert [one() for one in seen] == [None, None] and hooks(encoder.model) > 0
