"""Compositions in one batch, held against separate runs of the same library.

    python examples/benchmarks/mixed_rows.py

Modules with random values on mini, in fp32, published once and loaded by xadapt, adapters and peft.
Each library is measured against itself: a mixed batch against separate runs, a mixture or stack
against what it must equal. The number is the largest difference of the states of real tokens; how
far the two modules' states are apart stands above. peft's mixtures come as `linear` and `cat`.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

import adapters
import torch
from adapters import composition as ac
from bench import save
from peft import PeftModel
from transformers import AutoModel

from xadapt.backbones.encoder.encode import token_states
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.composition.text import parse
from xadapt.hub.folder import write_folder
from xadapt.hub.manifest import Manifest, build_manifest
from xadapt.inference.adapted_encoder import AdaptedEncoder
from xadapt.injection.attachment import model_shape
from xadapt.modules.storage import build, options_of

TEXTS = ["Habari za asubuhi, dunia.", "Guten Morgen.", "Das ist ein Haus am See.", "Ndiyo."]
KINDS = {
    "LoRA": ("lora", {"rank": 4, "alpha": 8.0}),
    "bottleneck": ("bottleneck", {"width": 16}),
    "bottleneck, invertible": ("bottleneck", {"width": 16, "after": "ffn", "invertible": "nice"}),
    "bottleneck, parallel": ("bottleneck", {"width": 16, "after": "ffn", "form": "parallel"}),
}
EFFECT = "a and b apart"
CASES = (
    "rows a | b",
    "rows a | base",
    "rows a + t | b + t",
    "mix(a:1, b:0) = a",
    "mix(a:.5, a:.5) = a",
    "a + new = a",
)
Run = Callable[[], float]


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    encoder = Encoder.from_pretrained("mini", dtype="float32")
    rows = []
    for name, (kind, options) in KINDS.items():
        with tempfile.TemporaryDirectory() as folder:
            places = publish(Path(folder), encoder, kind, options)
            libraries = {
                "xadapt": ours(encoder, places),
                "adapters": theirs(encoder, places),
                "peft": loras(encoder, places, "linear") if kind == "lora" else {},
                "peft, cat": loras(encoder, places, "cat") if kind == "lora" else {},
            }
            for case in (EFFECT, *CASES):
                found = {n: attempt(runs.get(case)) for n, runs in libraries.items()}
                rows.append({"modules": name, "composition": case, **found})
                print(rows[-1], flush=True)
    save("mixed_rows", {"rows": rows})


def attempt(run: Run | None) -> float | str | None:
    """The difference, the name of what it raises, or ``None`` where it has no such thing."""
    if run is None:
        return None
    try:
        with torch.no_grad():
            return run()
    except Exception as error:  # what a library raises here is the result
        return type(error).__name__


def publish(folder: Path, encoder: Encoder, kind: str, options: dict) -> dict[str, Path]:
    """Two modules with effect, one without, and a task module, in every library's files."""
    plans = {"a": (kind, options, 1), "b": (kind, options, 2), "new": (kind, options, None),
             "t": ("bottleneck", {"width": 8, "after": "ffn"}, 3)}  # fmt: skip
    for name, (own, chosen, seed) in plans.items():
        module = build(own, chosen, model_shape(encoder))
        if seed is not None:
            generator = torch.Generator().manual_seed(seed)
            with torch.no_grad():
                for value in module.parameters():
                    value.copy_(0.05 * torch.randn(value.shape, generator=generator))
        write_folder(
            folder / name, module, encoder, said(encoder, module, name), verify={}, loaders="all"
        )
    return {name: folder / name for name in plans}


def said(encoder: Encoder, module: torch.nn.Module, name: str) -> Manifest:
    return build_manifest(
        name=name,
        base={"model_type": "xlm-roberta", "fingerprint": encoder.identity.to_dict()},
        module={"kind": module.kind, "options": options_of(module).model_dump(mode="json")},
        objectives=["mlm"], recipe={}, languages=["sw"], max_length=encoder.max_length,
        dtype="float32", created="2026-01-01",
    )  # fmt: skip


def ours(encoder: Encoder, places: dict[str, Path]) -> dict[str, Run]:
    folders = {**places, "copy": places["a"]}
    adapted = AdaptedEncoder.open(
        "mini", "a", {n: str(p) for n, p in folders.items()}, dtype="float32"
    )
    ids = encoder.tokenize(TEXTS)

    def states(*texts: str) -> torch.Tensor:
        """One composition a row, or one for all."""
        chosen = [parse(text) for text in (texts if len(texts) > 1 else texts * len(ids))]
        rows = adapted.activations(len(ids), None, chosen)
        found = dict(_rows(token_states(adapted.encoder, ids, rows=rows)))
        return torch.cat([found[i][: len(ids[i])] for i in range(len(ids))])

    def mixed(one: str, other: str) -> float:
        together = states(one, one, other, other)
        cut = sum(map(len, ids[:2]))
        return gap(together, torch.cat([states(one)[:cut], states(other)[cut:]]))

    return {
        EFFECT: lambda: gap(states("a"), states("b")),
        CASES[0]: lambda: mixed("a", "b"),
        CASES[1]: lambda: mixed("a", "none"),
        CASES[2]: lambda: mixed("a + t", "b + t"),
        CASES[3]: lambda: gap(states("mix(a:1, b:0)"), states("a")),
        CASES[4]: lambda: gap(states("mix(a:.5, copy:.5)"), states("a")),
        CASES[5]: lambda: gap(states("a + new"), states("a")),
    }  # fmt: skip


def _rows(found):
    for chunk, states in found:
        yield from zip(chunk, states, strict=True)


def gap(one: torch.Tensor, other: torch.Tensor) -> float:
    return float((one - other).abs().max())


def theirs(encoder: Encoder, places: dict[str, Path]) -> dict[str, Run]:
    model = AutoModel.from_pretrained(encoder.source.location, add_pooling_layer=False)
    adapters.init(model)
    for name, folder in places.items():
        model.load_adapter(str(folder), load_as=name)
    model.load_adapter(str(places["a"]), load_as="copy")
    model.eval()

    def states(active) -> torch.Tensor:
        model.set_active_adapters(active)
        return real(model, encoder)

    def mixed(active, one, other) -> float:
        cut = sum(map(len, encoder.tokenize(TEXTS)[:2]))
        return gap(states(active), torch.cat([states(one)[:cut], states(other)[cut:]]))

    two = [2, 2]
    return {
        EFFECT: lambda: gap(states("a"), states("b")),
        CASES[0]: lambda: mixed(ac.BatchSplit("a", "b", batch_sizes=two), "a", "b"),
        CASES[1]: lambda: mixed(ac.BatchSplit("a", None, batch_sizes=two), "a", None),
        CASES[2]: lambda: mixed(
            ac.BatchSplit(ac.Stack("a", "t"), ac.Stack("b", "t"), batch_sizes=two),
            ac.Stack("a", "t"),
            ac.Stack("b", "t"),
        ),
        CASES[3]: lambda: gap(states(ac.Average("a", "b", weights=[1.0, 0.0])), states("a")),
        CASES[4]: lambda: gap(states(ac.Average("a", "copy", weights=[0.5, 0.5])), states("a")),
        CASES[5]: lambda: gap(states(ac.Stack("a", "new")), states("a")),
    }


def loras(encoder: Encoder, places: dict[str, Path], way: str) -> dict[str, Run]:
    model = AutoModel.from_pretrained(encoder.source.location, add_pooling_layer=False)
    model = PeftModel.from_pretrained(model, str(places["a"]), adapter_name="a").eval()
    for name in ("b", "new"):
        model.load_adapter(str(places[name]), adapter_name=name)

    def states(names=None, active="a") -> torch.Tensor:
        model.base_model.set_adapter(active)
        return real(model, encoder, **({"adapter_names": names} if names else {}))

    def mixed(one: str, other: str) -> float:
        cut = sum(map(len, encoder.tokenize(TEXTS)[:2]))
        apart = torch.cat([states([one] * 4)[:cut], states([other] * 4)[cut:]])
        return gap(states([one, one, other, other]), apart)

    def weighted(names: list[str], weights: list[float]) -> torch.Tensor:
        model.add_weighted_adapter(names, weights, adapter_name="sum", combination_type=way)
        found = states(active="sum")
        model.delete_adapter("sum")
        return found

    return {
        EFFECT: lambda: gap(states(), states(active="b")),
        CASES[0]: lambda: mixed("a", "b"),
        CASES[1]: lambda: mixed("a", "__base__"),
        CASES[3]: lambda: gap(weighted(["a", "b"], [1.0, 0.0]), states()),
        CASES[4]: lambda: gap(weighted(["a", "a"], [0.5, 0.5]), states()),
        CASES[5]: lambda: gap(states(active=["a", "new"]), states()),
    }


def real(model, encoder: Encoder, **more) -> torch.Tensor:
    """States of real tokens, row after row."""
    tokens, mask = encoder.batch(encoder.tokenize(TEXTS))
    states = model(input_ids=tokens, attention_mask=mask, **more).last_hidden_state
    return states[mask.bool()]


if __name__ == "__main__":
    main()
