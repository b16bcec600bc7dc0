"""What frozen saves: time and accuracy by where the module sits, and where a step's time goes.

    python examples/benchmarks/engine.py --data DATA

Translation ranking on German pairs and MiniLM, the ranking objective alone. LoRA sits in
all layers or in the upper ones; below them states are computed once and looked up (the prefix
cache), or computed in every step as other libraries do. The share of the machine's matrix rate is
that of the matrix products a run can't do without (forward through all layers it runs, and back
through them), at the rate measured in the same process for products of this size.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Callable

import matplotlib
import torch
from bench import HERE, MINILM, parser, save, split_test, tagged_pairs
from peer_stacks import Clock
from peers import judge_of
from torch.profiler import ProfilerActivity, profile

from xadapt.backbones.encoder.encode import encode
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.config.recipe import TrainSpec
from xadapt.injection.attachment import model_shape
from xadapt.modules.storage import build
from xadapt.objectives.translation_ranking import Part as TranslationRanking
from xadapt.training.loop import Trainer
from xadapt.training.settings import Run
from xadapt.training.tasks import Task

PLANS = {  # name: layers, prefix cache
    "all layers": ("all", True),
    "upper half, computed in every step": ((3, 6), False),
    "upper half, cached below": ((3, 6), True),
    "last layer, computed in every step": ((5, 6), False),
    "last layer, cached below": ((5, 6), True),
}
KINDS = {
    "matrix products": ("aten::addmm", "aten::mm", "aten::bmm", "aten::matmul", "mkldnn"),
    "attention": ("scaled_dot_product",),
    "norms and activations": ("layer_norm", "gelu", "softmax", "tanh"),
}
REST, OUTSIDE = "other kernels", "outside of kernels"
LOOP = sys.modules[Trainer.__module__]


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--rows", type=int, default=3_000)
    options.add_argument("--epochs", type=int, default=3)
    options.add_argument("--batch", type=int, default=32)
    args = options.parse_args()
    rows = tagged_pairs(args.data, "de")
    _, test = split_test(rows)
    seen = {text for pair in test for text in (pair.pivot, pair.text)}
    train = [p for p, tag in rows if tag == "stsb-deepl" and not {p.pivot, p.text} & seen]
    random.Random(0).shuffle(train)
    judge = judge_of(test)
    found = {name: run(args, train[: args.rows], judge, *plan) for name, plan in PLANS.items()}
    for name, row in found.items():
        print(name, {k: v for k, v in row.items() if k != "profile"})
    shape = {"rows": args.rows, "epochs": args.epochs, "batch": args.batch}
    save("engine", {**shape, "plans": found})
    draw({name: row["profile"] for name, row in found.items()})


def run(
    args: argparse.Namespace, train: list, judge: Callable, layers: object, cached: bool
) -> dict:
    """One pass; seconds, accuracy, and the share of the machine's rate."""
    encoder = Encoder.from_pretrained(MINILM)
    module = build("lora", {"layers": layers}, model_shape(encoder))
    keep = LOOP.keep_prefix
    if not cached:
        LOOP.keep_prefix = lambda *_: None
    work = args.work / "engine"
    work.mkdir(parents=True, exist_ok=True)
    spec = TrainSpec(
        batch_size=args.batch, epochs=args.epochs, evaluations=1, checkpoint_seconds=1e9
    )
    task = Task("translation_ranking", TranslationRanking(), train)
    trainer = Trainer(encoder, module, [task], Run(spec, work))
    clock, began = Clock(judge), time.monotonic()

    def score() -> dict[str, float]:
        acts = trainer.active_module.activation()
        clock.mark(lambda texts: encode(encoder, list(texts), rows=acts).numpy())
        return {"score": clock.curve[-1][1]}

    trainer.run.score = score
    profiled = Profiled(trainer)
    trainer.train()
    LOOP.keep_prefix = keep
    seconds = time.monotonic() - began - clock.spent
    ran = encoder.depth - trainer.forward.start
    rate = matrix_rate(encoder)
    first = encoder.model.get_submodule(encoder.family.layers)[0]  # type: ignore[index]
    layer = sum(p.numel() for p in first.parameters())
    back = encoder.depth - (0 if layers == "all" else layers[0])  # type: ignore[index]
    flops = 2 * layer * trainer.forward.tokens * (ran + back)
    inner = trainer.progress.seconds - clock.spent
    return {
        "seconds": seconds,
        "training_seconds": inner,
        "prepare_seconds": trainer.prepare_seconds,
        "accuracy": clock.curve[-1][1],
        "padding": 1 - trainer.forward.tokens / trainer.forward.padded,
        "share_of_rate": flops / inner / rate,
        "rate": rate,
        "profile": profiled.shares,
    }


class Profiled:
    """Shares of the time of some steps in the middle of a run, by kind of work."""

    def __init__(self, trainer: Trainer, first: int = 40, steps: int = 15) -> None:
        self.step, self.first, self.last = trainer._step, first, first + steps
        self.shares: dict[str, float] = {}
        self.number = 0
        trainer._step = self.one  # type: ignore[method-assign]

    def one(self, rates: object) -> dict:
        """A step; the ones in the middle are watched."""
        self.number += 1
        if not self.first <= self.number < self.last:
            return self.step(rates)
        began = time.perf_counter()
        with profile(activities=[ProfilerActivity.CPU]) as watch:
            row = self.step(rates)
        wall, inside = (time.perf_counter() - began) * 1e6, 0.0
        for event in watch.key_averages():
            kind = next(
                (k for k, names in KINDS.items() if any(n in event.key for n in names)), REST
            )
            self.shares[kind] = self.shares.get(kind, 0.0) + event.self_cpu_time_total
            inside += event.self_cpu_time_total
        self.shares[OUTSIDE] = self.shares.get(OUTSIDE, 0.0) + max(0.0, wall - inside)
        return row


def matrix_rate(encoder: Encoder, rows: int = 512, seconds: float = 2.0) -> float:
    """Floating-point operations a second of the base's own linears, in its dtype."""
    x = torch.randn(rows, encoder.width, dtype=encoder.dtype)
    linear = encoder.sites(0, "ffn_in")[0].module
    flops, began = 0, time.perf_counter()
    with torch.no_grad():
        while time.perf_counter() - began < seconds:
            linear(x)
            flops += 2 * rows * linear.weight.numel()  # type: ignore[union-attr,operator]
    return flops / (time.perf_counter() - began)


def draw(shares: dict[str, dict[str, float]]) -> None:
    """One bar a plan, its parts by kind of work, in seconds of the watched steps."""
    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    kinds = [k for k in (*KINDS, REST, OUTSIDE) if any(row.get(k) for row in shares.values())]
    figure, axes = plt.subplots(figsize=(8, 2.6))
    left = [0.0] * len(shares)
    for kind in kinds:
        widths = [row.get(kind, 0.0) / 15e3 for row in shares.values()]
        axes.barh(list(shares), widths, left=left, label=kind)
        left = [a + b for a, b in zip(left, widths, strict=True)]
    axes.invert_yaxis()
    axes.set_xlabel("milliseconds a step, under the profiler")
    axes.legend(frameon=False, fontsize=8)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    figure.tight_layout()
    figure.savefig(HERE / "results" / "engine.svg")


if __name__ == "__main__":
    main()
