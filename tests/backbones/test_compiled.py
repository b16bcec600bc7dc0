from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from compilers import needs_compiler
from tiny_models import tiny_encoder
from tiny_training import forward, shaken

from xadapt.backbones.compiled import compiled
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.injection.activation import Activation, ActiveAdapter
from xadapt.injection.attachment import model_shape
from xadapt.modules.storage import build

ROWS = [[2, 5, 6, 7, 3], [2, 8, 3]]


def step(encoder: Encoder, adapter: ActiveAdapter) -> list[torch.Tensor]:
    """Vectors and the gradients of a module."""
    tokens, mask = encoder.batch(ROWS)
    vectors = encoder.pool(forward(encoder, tokens, mask, Activation.of(adapter)), mask)
    parameters = list(adapter.module.parameters())
    return [vectors, *torch.autograd.grad(vectors.square().sum(), parameters)]


@needs_compiler
def test_values_and_gradients_are_those_of_the_plain_layers() -> None:
    encoder = tiny_encoder("bert", num_hidden_layers=1)
    module = build("lora", {"sites": ["q", "ffn_in"]}, model_shape(encoder))
    torch.manual_seed(0)
    with torch.no_grad():
        for value in module.parameters():
            value.normal_(std=0.1)
    adapter = ActiveAdapter(encoder, module)
    expected = step(encoder, adapter)
    with compiled(encoder):
        found = step(encoder, adapter)
    assert any(not torch.equal(one, other) for one, other in zip(found, expected, strict=True))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
    assert all(map(torch.equal, step(encoder, adapter), expected))


@needs_compiler
def test_compiled_layers_go_by_the_activation_of_each_forward_also_in_threads() -> None:
    encoder = tiny_encoder("bert", num_hidden_layers=1)
    tokens, mask = encoder.batch(ROWS)
    one, other = (
        ActiveAdapter(encoder, shaken(build("lora", {"sites": ["q"]}, model_shape(encoder)), seed))
        for seed in (1, 2)
    )
    turns = [None, Activation.of(one), Activation.of(other), Activation.by_row([None, one])] * 2

    def run(acts: Activation | None) -> torch.Tensor:
        with torch.no_grad():
            return forward(encoder, tokens, mask, acts)

    expected = [run(acts) for acts in turns]
    with compiled(encoder):
        found = [run(acts) for acts in turns]
        with ThreadPoolExecutor(4) as pool:
            threads = list(pool.map(run, turns * 4))
    for number, states in enumerate([*found, *threads]):
        whole = expected[number % len(turns)]
        torch.testing.assert_close(states, whole, rtol=1e-4, atol=1e-5)


WITHOUT = """
from tiny_models import tiny_encoder
from xadapt.backbones.compiled import compiled
with compiled(tiny_encoder("bert", num_hidden_layers=1)):
    pass
"""


def test_a_machine_without_a_compiler_is_told(tmp_path: Path) -> None:
    """In a process of its own: torch remembers what it found out about compilers."""
    away = {"CXX": "no-such-compiler", "TORCHINDUCTOR_CACHE_DIR": str(tmp_path)}
    around = {**os.environ, **away, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT], env=around, capture_output=True, text=True, check=False
    )
    last = done.stderr.strip().splitlines()[-1]
    assert done.returncode and "UserError: train.compile: torch.compile does not run here" in last
    assert "Install a C++ compiler" in last
