"""Peak memory of training on a base of XLM-R-large's size, with random weights.

    python examples/benchmarks/memory.py --data DATA

A LoRA on q, k, v and both FFN linears of all 24 layers; sentences of 32 tokens. Rows: translation
ranking against a bank of frozen vectors, with as many negatives as told, the pivot side frozen; and
the same with both sides through the module, whose negatives are those of its batch, with and
without the gradient cache. Each row is a process of its own; what is told is its peak of resident
memory, beside the bytes of the base's weights. DATA is not read: memory does not depend on it.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from bench import MINILM, parser, save
from transformers import XLMRobertaConfig, XLMRobertaModel

from xadapt.backbones.cache.frozen_vectors import FrozenVectors
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.core.distributed import DistributedContext
from xadapt.functional.losses import info_nce
from xadapt.injection.attachment import model_shape
from xadapt.modules.storage import build
from xadapt.objectives.contract import EncodeView
from xadapt.training.active_module import ActiveModule
from xadapt.training.forward import Forward, Request

SITES = ["q", "k", "v", "ffn_in", "ffn_out"]
LARGE = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16,
         "intermediate_size": 4096, "vocab_size": 250_002, "max_position_embeddings": 514,
         "type_vocab_size": 1, "pad_token_id": 1}  # fmt: skip
TOKENS, STEPS = 32, 2
PLANS = {  # name: rows of the batch, negatives of the bank, both sides, gradient cache
    "one side, bank of 32,768": (32, 32_768, False, False),
    "one side, bank of 32,768, gradient cache": (32, 32_768, False, True),
    "both sides, 64 pairs": (64, 0, True, False),
    "both sides, 64 pairs, gradient cache": (64, 0, True, True),
    "both sides, 128 pairs, gradient cache": (128, 0, True, True),
}


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--plan", choices=PLANS, help=argparse.SUPPRESS)
    options.add_argument("--layers", type=int, default=24)
    args = options.parse_args()
    if args.plan:
        print(json.dumps(measure(args.plan, args.layers)))
        return
    rows = {}
    for plan in PLANS:
        command = [*sys.argv[:1], "--data", str(args.data), "--plan", plan]
        command += ["--layers", str(args.layers)]
        done = subprocess.run(
            [sys.executable, *command], check=True, capture_output=True, text=True
        )
        rows[plan] = json.loads(done.stdout.splitlines()[-1])
        print(plan, rows[plan])
    save("memory", {"layers": args.layers, "tokens": TOKENS, "rows": rows})


def large(layers: int) -> Encoder:
    """A random encoder in bf16, with a tokenizer that is not used."""
    torch.set_default_dtype(torch.bfloat16)
    config = XLMRobertaConfig(**{**LARGE, "num_hidden_layers": layers})
    model = XLMRobertaModel(config, add_pooling_layer=False).eval()
    torch.set_default_dtype(torch.float32)
    return Encoder.wrap(model, Encoder.from_pretrained(MINILM).tokenizer)


def measure(plan: str, layers: int) -> dict:
    """A step of training, and one more for the optimizer's state; the peak of the process."""
    batch, negatives, both, cached = PLANS[plan]
    torch.manual_seed(0)
    encoder = large(layers)
    module = build("lora", {"sites": SITES, "rank": 16}, model_shape(encoder))
    with tempfile.TemporaryDirectory() as folder:
        frozen = FrozenVectors(encoder, Path(folder))
        run = Forward(
            encoder,
            ActiveModule(encoder, module),
            frozen,
            DistributedContext(cpu=True),
            1024,
            grad_cache=cached,
        )
        bank = torch.randn(negatives, encoder.width, dtype=torch.bfloat16)
        weights = sum(p.numel() * p.element_size() for p in encoder.model.parameters())
        optimizer = torch.optim.AdamW(module.parameters())
        before, began = peak(), time.monotonic()
        for _ in range(STEPS):
            views = [rows(batch)] + ([rows(batch)] if both else [])
            found = run([Request(view, True) for view in views])
            pool = found[1] if both else bank
            loss = info_nce(found[0], pool, torch.arange(batch), 0.05).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return {
        "peak": peak(), "before": before, "weights": weights,
        "seconds": time.monotonic() - began,
    }  # fmt: skip


def rows(count: int) -> EncodeView:
    """Random rows of token ids."""
    return EncodeView(torch.randint(5, 250_000, (count, TOKENS)).tolist())


def peak() -> int:
    """Bytes of resident memory at most so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    main()
