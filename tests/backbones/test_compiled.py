from __future__ import annotations

import pytest
import torch
from tiny_models import tiny_encoder

from xadapt.attach import Attachment, geometry
from xadapt.backbones.compiled import compiled
from xadapt.backbones.encoder import Encoder
from xadapt.errors import UserError
from xadapt.store import build

ROWS = [[2, 5, 6, 7, 3], [2, 8, 3]]


def step(encoder: Encoder, attachment: Attachment) -> list[torch.Tensor]:
    """Vectors and the gradients of a module."""
    tokens, mask = encoder.batch(ROWS)
    with attachment.on():
        vectors = encoder.pool(encoder.run(encoder.embed(tokens, mask), mask), mask)
    parameters = list(attachment.module.parameters())
    return [vectors, *torch.autograd.grad(vectors.square().sum(), parameters)]


def test_values_and_gradients_are_those_of_the_plain_layers() -> None:
    encoder = tiny_encoder("bert", num_hidden_layers=1)
    module = build("lora", {"sites": ["q", "ffn_in"]}, geometry(encoder))
    torch.manual_seed(0)
    with torch.no_grad():
        for value in module.parameters():
            value.normal_(std=0.1)
    attachment = Attachment(encoder, module)
    expected = step(encoder, attachment)
    with compiled(encoder):
        found = step(encoder, attachment)
    assert any(not torch.equal(one, other) for one, other in zip(found, expected, strict=True))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
    assert all(map(torch.equal, step(encoder, attachment), expected))


def test_a_machine_without_a_compiler_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch._inductor.config.cpp, "cxx", ("no-such-compiler",))
    torch._dynamo.reset()
    with (
        torch._inductor.config.patch(force_disable_caches=True),
        pytest.raises(UserError, match="does not run here"),
        compiled(tiny_encoder("bert", num_hidden_layers=1)),
    ):
        pass
