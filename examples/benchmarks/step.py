"""A training step on XLM-R-base's shape: xadapt beside peft and adapters, each in its best dtype.

    python examples/benchmarks/step.py

64 rows of 64 tokens, LoRA of rank 16 on q, k, v and both FFN linears of all layers, random weights.
A step is forward, backward and AdamW. All take turns in one process, in another order each time;
what is told is the median. Peers run as they come (attention of their own choice) and with plain
products in attention, in fp32, in bf16 and under bf16 autocast. The floor is the time of the matrix
products that no full-depth step can do without, forward and back through the frozen linears, at
the rate measured in this process.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack

import torch
from bench import MINILM, save
from engine import matrix_rate
from transformers import XLMRobertaConfig, XLMRobertaModel

from xadapt.backbones.compiled import compiled
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.injection.activation import Activation, ActiveAdapter
from xadapt.injection.attachment import model_shape
from xadapt.modules.storage import build

ROWS, TOKENS = 64, 64
SITES = r".*\.(query|key|value|intermediate\.dense)|.*layer\.\d+\.output\.dense"
Step = Callable[[], None]
STAY = ExitStack()  # compiled for as long as the process lasts


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--layers", type=int, default=12)
    options.add_argument("--repeats", type=int, default=4)
    args = options.parse_args()
    torch.manual_seed(0)
    tokens = torch.randint(5, 2000, (ROWS, TOKENS))
    steps: dict[str, Step] = {
        "xadapt, bf16": ours(args.layers, tokens, torch.bfloat16),
        "xadapt, bf16, compiled": ours(args.layers, tokens, torch.bfloat16, compile=True),
        "xadapt, fp32": ours(args.layers, tokens, torch.float32),
    }
    for attention in ("sdpa", "eager"):
        for dtype, autocast in (("bf16", False), ("bf16", True), ("fp32", False)):
            if attention == "eager" and dtype == "fp32":
                continue
            name = f"{dtype}{' autocast' if autocast else ''}, {attention}"
            for library, make in (("peft", in_peft), ("adapters", in_adapters)):
                steps[f"{library}, {name}"] = make(args.layers, tokens, dtype, autocast, attention)
    times = measure(steps, args.repeats)
    floor, rate = least(args.layers)
    shape = {"layers": args.layers, "rows": ROWS, "tokens": TOKENS, "repeats": args.repeats}
    save("step", {**shape, "rate": rate, "floor": floor, "seconds": times})
    for name, seconds in sorted(times.items(), key=lambda pair: pair[1]):
        print(f"{seconds:7.2f} s  {name}")
    print(f"{floor:7.2f} s  floor")


def measure(steps: dict[str, Step], repeats: int) -> dict[str, float]:
    """Median seconds of each after one step that does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    order = list(steps)
    for turn in range(repeats + 1):
        random.Random(turn).shuffle(order)
        for name in order:
            began = time.perf_counter()
            steps[name]()
            if turn:
                seconds[name].append(time.perf_counter() - began)
    return {name: statistics.median(some) for name, some in seconds.items()}


def base(layers: int, dtype: torch.dtype, attention: str) -> XLMRobertaModel:
    """XLM-R-base with a small vocabulary and random weights."""
    config = XLMRobertaConfig(
        num_hidden_layers=layers, vocab_size=2000, max_position_embeddings=514,
        type_vocab_size=1, pad_token_id=1, attn_implementation=attention,
        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
    )  # fmt: skip
    torch.manual_seed(0)
    return XLMRobertaModel(config, add_pooling_layer=False).to(dtype)


def stepper(forward: Callable[[], torch.Tensor], parameters: list) -> Step:
    """A step on the mean of squared outputs."""
    optimizer = torch.optim.AdamW(parameters, fused=True)

    def step() -> None:
        loss = forward().float().square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def ours(layers: int, tokens: torch.Tensor, dtype: torch.dtype, compile: bool = False) -> Step:
    """As xadapt trains: bf16 on a CPU without the fused attention, whose backward is slow there."""
    model = base(layers, dtype, "eager" if dtype == torch.bfloat16 else "sdpa")
    encoder = Encoder.wrap(model, Encoder.from_pretrained(MINILM).tokenizer)
    module = build("lora", {}, model_shape(encoder))
    acts, rows = Activation.of(ActiveAdapter(encoder, module)), tokens.tolist()
    STAY.enter_context(compiled(encoder, compile))

    def forward() -> torch.Tensor:
        ids, mask = encoder.batch(rows)
        return encoder.run(encoder.embed(ids, mask, activation=acts), mask, activation=acts)

    return stepper(forward, list(module.parameters()))


def in_peft(layers: int, tokens: torch.Tensor, dtype: str, autocast: bool, attention: str) -> Step:
    """peft's LoRA; its factors are fp32 under autocast, else of the base's dtype."""
    from peft import LoraConfig, get_peft_model

    kind = torch.bfloat16 if dtype == "bf16" else torch.float32
    config = LoraConfig(r=16, lora_alpha=32, target_modules=SITES, lora_dropout=0.0)
    model = get_peft_model(base(layers, kind, attention), config, autocast_adapter_dtype=autocast)
    return stepper(calling(model, tokens, autocast), trained(model))


def in_adapters(
    layers: int, tokens: torch.Tensor, dtype: str, autocast: bool, attention: str
) -> Step:
    """The LoRA of adapters; under autocast base and factors are fp32."""
    import adapters
    from adapters import LoRAConfig

    kind = torch.bfloat16 if dtype == "bf16" and not autocast else torch.float32
    model = base(layers, torch.float32, attention)
    adapters.init(model)
    config = LoRAConfig(
        r=16, alpha=32, attn_matrices=["q", "k", "v"], intermediate_lora=True, output_lora=True
    )
    model.add_adapter("own", config=config)
    model.train_adapter("own")
    return stepper(calling(model.to(kind), tokens, autocast), trained(model))


def calling(model, tokens: torch.Tensor, autocast: bool) -> Callable[[], torch.Tensor]:
    """A forward of a transformers model."""
    mask = torch.ones_like(tokens)

    def forward() -> torch.Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            return model(input_ids=tokens, attention_mask=mask).last_hidden_state

    return forward


def trained(model) -> list:
    """Its parameters that learn."""
    return [p for p in model.parameters() if p.requires_grad]


def least(layers: int) -> tuple[float, float]:
    """Seconds of the frozen linears' products, forward and back, and the rate they assume."""
    model = base(1, torch.bfloat16, "eager")
    encoder = Encoder.wrap(model, Encoder.from_pretrained(MINILM).tokenizer)
    rate = matrix_rate(encoder, rows=ROWS * TOKENS)
    layer = sum(p.numel() for p in model.encoder.layer[0].parameters() if p.dim() == 2)
    return 2 * 2 * layer * layers * ROWS * TOKENS / rate, rate


if __name__ == "__main__":
    main()
