"""Serving many LoRAs: what a mixed batch costs over the bare base, and adding or removing one.

    python examples/benchmarks/serving.py [--dtype bfloat16] [--repeats 9] [--layers 12]

An encoder of XLM-R-base's shape with random weights and a small vocabulary, 32 rows of 64 tokens,
16 LoRAs of rank 8 on queries and values, two rows each, in no order. All ways take turns in one
process, in another order each time; a ratio is the median over turns of a way's time to the base's
in the same turn. The same factors are in all three libraries. Exactness is the largest difference
of a mixed batch to runs of one module for all rows, of the same library.
"""

from __future__ import annotations

import argparse
import copy
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import adapters
import torch
from adapters import LoRAConfig
from adapters import composition as ac
from bench import save
from peft import LoraConfig, get_peft_model
from transformers import XLMRobertaConfig, XLMRobertaModel

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.hub.folder import write_folder
from xadapt.hub.manifest import build_manifest
from xadapt.inference.adapted_encoder import AdaptedEncoder
from xadapt.injection.attachment import model_shape
from xadapt.modules.lora import LoRA, LoRAOptions

ROWS, TOKENS, LORAS, LOADED, VOCABULARY = 32, 64, 16, 500, 2000
NAMES = [f"lora{number}" for number in range(LORAS)]
Way = Callable[[], torch.Tensor]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16"])
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--layers", type=int, default=12)
    given = parser.parse_args()
    torch.manual_seed(0)
    model = base(given.layers, getattr(torch, given.dtype))
    owners = [NAMES[row % LORAS] for row in range(ROWS)]
    random.Random(0).shuffle(owners)
    tokens = torch.randint(5, VOCABULARY, (ROWS, TOKENS))
    encoder = Encoder.wrap(copy.deepcopy(model), Words())
    loras = {name: module(encoder, seed) for seed, name in enumerate(NAMES)}
    ways: dict[str, Way] = {}
    exact: list[dict] = []
    for library in (ours, in_peft, in_adapters):
        own, mixed, alone = library(copy.deepcopy(model), encoder, loras, owners, tokens)
        ways |= own
        with torch.inference_mode():
            apart = float((alone(NAMES[0]) - ways["base"]()).abs().max())
        gap = difference(ways[mixed], alone, owners)
        exact.append({"way": mixed, "to separate runs": gap, "a LoRA to the base": apart})
        print(exact[-1], flush=True)
    rows = timed(ways, given.repeats)
    result = {"rows": rows, "difference": exact, "switching": switching(encoder)}
    print(result["switching"])
    shape = {"dtype": given.dtype, "layers": given.layers, "repeats": given.repeats}
    suffix = "" if given.dtype == "float32" else f"_{given.dtype}"
    save(f"serving{suffix}", {**shape, **result})


class Words:
    """No text is read here: a tokenizer for the fingerprint alone."""

    pad_token_id, model_max_length, all_special_ids = 1, TOKENS, ()

    def get_vocab(self) -> dict:
        return {}

    def __call__(self, text: str, **options) -> dict:
        return {"input_ids": []}


def base(layers: int, dtype: torch.dtype) -> XLMRobertaModel:
    """XLM-R-base's shape."""
    config = XLMRobertaConfig(
        vocab_size=VOCABULARY, hidden_size=768, num_hidden_layers=layers, num_attention_heads=12,
        intermediate_size=3072, max_position_embeddings=514, type_vocab_size=1,
    )  # fmt: skip
    return XLMRobertaModel(config, add_pooling_layer=False).to(dtype).eval()


def module(encoder: Encoder, seed: int) -> LoRA:
    """A LoRA with an effect."""
    made = LoRA(LoRAOptions(sites=("q", "v"), rank=8, alpha=16.0), model_shape(encoder), seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for hook in made.hooks():
            hook.fn.B.copy_(0.01 * torch.randn(hook.fn.B.shape, generator=generator))
    return made


def ours(model, encoder, loras, owners, tokens):
    adapted = AdaptedEncoder(encoder, loras)
    mask = torch.ones_like(tokens)
    everything = list(range(ROWS))

    def states(own: Encoder = encoder, acts=None) -> torch.Tensor:
        return own.run(own.embed(tokens, mask, activation=acts), mask, activation=acts)

    def mixed(chosen) -> torch.Tensor:
        return states(acts=adapted.activations(ROWS, None, chosen)(everything))

    held = Encoder.wrap(copy.deepcopy(model), Words())
    block = AdaptedEncoder(held, {NAMES[0]: loras[NAMES[0]]}).merged(NAMES[0])
    one = block.__enter__()  # a server merges once

    def merged(_=block) -> torch.Tensor:  # the block lasts as long as this function
        return states(held, one.activations(ROWS)(everything))

    ways = {
        "base": states,
        "xadapt, 16 in a batch": lambda: mixed(owners),
        "xadapt, one for all rows": lambda: mixed([NAMES[0]] * ROWS),
        "xadapt, one merged": merged,
    }
    return ways, "xadapt, 16 in a batch", lambda name: mixed([name] * ROWS)


def in_peft(model, encoder, loras, owners, tokens):
    config = LoraConfig(r=8, lora_alpha=16, target_modules=["query", "value"])
    model = get_peft_model(model, config, adapter_name=NAMES[0], autocast_adapter_dtype=False)
    for name in NAMES[1:]:
        model.add_adapter(name, config)
    for name, lora in loras.items():
        fill(model, lora, f"lora_A.{name}.weight", f"lora_B.{name}.weight")
    model.eval()

    def alone(name: str) -> torch.Tensor:
        model.set_adapter(name)
        return model(input_ids=tokens).last_hidden_state

    def mixed() -> torch.Tensor:
        return model(input_ids=tokens, adapter_names=owners).last_hidden_state

    return {"peft, 16 in a batch": mixed}, "peft, 16 in a batch", alone


def in_adapters(model, encoder, loras, owners, tokens):
    """Its `BatchSplit` wants each module's rows side by side, so they are brought there."""
    adapters.init(model)
    for name in NAMES:
        model.add_adapter(name, config=LoRAConfig(r=8, alpha=16, attn_matrices=["q", "v"]))
    for name, lora in loras.items():
        fill(model, lora, f"loras.{name}.lora_A", f"loras.{name}.lora_B")
    model.to(encoder.dtype).eval()
    order = sorted(range(ROWS), key=owners.__getitem__)
    back = torch.tensor(order).argsort()
    split = ac.BatchSplit(
        *sorted(NAMES), batch_sizes=[owners.count(name) for name in sorted(NAMES)]
    )

    def alone(name: str) -> torch.Tensor:
        model.set_active_adapters(name)
        return model(input_ids=tokens).last_hidden_state

    def mixed() -> torch.Tensor:
        model.set_active_adapters(split)
        return model(input_ids=tokens[order]).last_hidden_state[back]

    return {"adapters, 16 in a batch": mixed}, "adapters, 16 in a batch", alone


def fill(model, lora: LoRA, down: str, up: str) -> None:
    """Give a library's LoRA our values."""
    found = dict(model.named_parameters())
    for hook in lora.hooks():
        part = f"layer.{hook.layer}.attention.self.{ {'q': 'query', 'v': 'value'}[hook.site] }."
        for ending, value in ((down, hook.fn.A), (up, hook.fn.B)):
            (name,) = [n for n in found if part in n and n.endswith(ending)]
            with torch.no_grad():
                found[name].copy_(value)


@torch.inference_mode()
def difference(mixed: Way, alone: Callable[[str], torch.Tensor], owners: list[str]) -> float:
    """Of the states of all rows, the largest."""
    found, worst = mixed().float(), 0.0
    for name in NAMES:
        rows = [row for row, owner in enumerate(owners) if owner == name]
        worst = max(worst, float((found[rows] - alone(name)[rows].float()).abs().max()))
    return worst


@torch.inference_mode()
def timed(ways: dict[str, Way], repeats: int) -> list[dict]:
    """Seconds of each way and its ratio to the base."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    rng = random.Random(0)
    for turn in range(repeats + 1):
        for name in rng.sample(list(ways), len(ways)):
            began = time.perf_counter()
            ways[name]()
            if turn:  # the first warms up
                seconds[name].append(time.perf_counter() - began)
    rows = []
    for name, own in seconds.items():
        ratios = [a / b for a, b in zip(own, seconds["base"], strict=True)]
        rows.append(
            {
                "way": name,
                "seconds": round(statistics.median(own), 4),
                "least seconds": round(min(own), 4),
                "ratio": round(statistics.median(ratios), 3),
                "ratio of the least": round(min(own) / min(seconds["base"]), 3),
            }
        )
        print(rows[-1], flush=True)
    return rows


def switching(encoder: Encoder) -> dict[str, float]:
    """Milliseconds, medians of 20, on an object with 500 LoRAs."""
    loaded = AdaptedEncoder(encoder, {f"m{n}": module(encoder, n) for n in range(LOADED)}, "m0")
    new = [module(encoder, number) for number in range(20)]
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "new"
        write_folder(place, new[0], encoder, said(encoder, new[0]), verify={})
        tasks = {
            "add": lambda n: loaded.add(f"new{n}", new[n]),
            "remove": lambda n: loaded.remove(f"new{n}"),
            "add from a folder": lambda n: loaded.add(f"new{n}", place),
            "switch": lambda n: loaded.with_(f"m{n}"),
            "switch to a stack": lambda n: loaded.with_(f"m{n} + m{n + 1}"),
        }
        return {
            task: round(1e3 * statistics.median(lasts(run, n) for n in range(20)), 3)
            for task, run in tasks.items()
        }


def lasts(run: Callable[[int], object], number: int) -> float:
    began = time.perf_counter()
    run(number)
    return time.perf_counter() - began


def said(encoder: Encoder, module: LoRA):
    return build_manifest(
        name="new",
        base={"model_type": "xlm-roberta", "fingerprint": encoder.identity.to_dict()},
        module={"kind": "lora", "options": module.options.model_dump(mode="json")},
        objectives=["mlm"], recipe={}, languages=["sw"], max_length=TOKENS,
        dtype="float32", created="2026-01-01",
    )  # fmt: skip


if __name__ == "__main__":
    main()
