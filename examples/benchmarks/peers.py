"""Time to equal held-out accuracy, and peak memory: xadapt beside stacks people glue together.

    python examples/benchmarks/peers.py --data DATA

All train LoRA of rank 16 on q, k, v and both FFN linears of MiniLM on the same German-English
pairs, one pass, and are judged on the same held-out Tatoeba pairs while the clock stands still.
Each runs in a process of its own, one after the other; its peak is that of resident memory.

xadapt runs the ranking objective alone: the recipe's held pivot rows are not part of this work.
sentence-transformers trains both sides in its own trainer, with in-batch negatives, batches of 64
in bf16 (fp32 took four times as long in a trial on 300 pairs). Plain peft trains the German side
alone against English vectors computed once, the same algorithm as ours, with batches and attention
as the libraries come, and with ours: there what is left is the engine.

    python examples/benchmarks/peers.py --data DATA --large

holds xadapt, which judges each row against the whole bank, against sentence-transformers' loss of
cached gradients on batches of 8,192: two steps in a pass, each pair judged against 8,191 others.
"""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys
from collections.abc import Callable

import numpy as np
from bench import MINILM, parser, save, split_test, tagged_pairs
from peer_stacks import Clock, ours, plain_peft, sentence_transformers

from xadapt.backbones.encoder.encode import encode
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.data.records import ParallelPair
from xadapt.vectors.matching import nearest

RANKING, CACHED = "MultipleNegativesRankingLoss", "CachedMultipleNegativesRankingLoss"
OURS, BIG = "xadapt", "sentence-transformers + peft, bf16, 8,192 pairs a batch"
STACKS: dict[str, Callable] = {
    OURS: lambda train, clock, args: ours(train, clock, args.batch, args.work / "peers"),
    "plain peft, bf16, same algorithm, our batches and attention": (
        lambda train, clock, args: plain_peft(train, clock, args.batch, stock=False)
    ),
    "plain peft, bf16, same algorithm, as the libraries come": (
        lambda train, clock, args: plain_peft(train, clock, args.batch, stock=True)
    ),
    "sentence-transformers + peft, bf16, 64 pairs a batch": (
        lambda train, clock, args: sentence_transformers(train, clock, RANKING, 64)
    ),
    BIG: (lambda train, clock, args: sentence_transformers(train, clock, CACHED, 8192, points=1)),
}


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--batch", type=int, default=16)
    options.add_argument("--rows", type=int, default=None, help="train on this many pairs")
    options.add_argument("--large", action="store_true", help=f"xadapt beside {BIG}")
    options.add_argument("--stack", choices=STACKS, help="run this one alone, and print it")
    args = options.parse_args()
    if args.stack:
        print(json.dumps(measure(args)))
        return
    found = {}
    for name in (OURS, BIG) if args.large else [name for name in STACKS if name != BIG]:
        command = [sys.executable, *sys.argv, "--stack", name]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        found[name] = json.loads(done.stdout.splitlines()[-1])
        print(name, found[name]["curve"][-1], f"{found[name]['peak'] / 2**20:.0f} MiB", flush=True)
    curves = {name: row["curve"] for name, row in found.items()}
    table = summary(curves)
    for name, row in table.items():
        row["peak"] = found[name]["peak"]
    result = {"rows": found[OURS]["rows"], "batch": args.batch, "curves": curves, "table": table}
    save("peers_large" if args.large else "peers", result)


def measure(args) -> dict:
    """One stack: its curve, and the peak of this process in bytes."""
    rows = tagged_pairs(args.data, "de")
    _, test = split_test(rows)
    seen = {p.pivot for p in test} | {p.text for p in test}
    train = [p for p, tag in rows if tag == "stsb-deepl" and not {p.pivot, p.text} & seen]
    random.Random(0).shuffle(train)
    train = train[: args.rows]
    judge = judge_of(test)
    clock = STACKS[args.stack](train, lambda: Clock(judge), args)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"rows": len(train), "curve": clock.curve, "peak": peak}


def judge_of(test: list[ParallelPair]) -> Callable:
    """Accuracy both ways of a way to make vectors of the language side."""
    texts, pivots = [p.text for p in test], [p.pivot for p in test]
    bare = encode(Encoder.from_pretrained(MINILM, dtype="float32"), pivots).numpy()

    def judge(vectors: Callable) -> float:
        own = np.asarray(vectors(texts), dtype=np.float32)
        right = np.arange(len(texts))
        ways = [nearest(own, bare, 1), nearest(bare, own, 1)]
        return float(np.mean([(found.indices[:, 0] == right).mean() for found in ways]))

    return judge


def summary(curves: dict) -> dict:
    """Accuracy and seconds of each, and the seconds in which ours reaches each one's best."""
    table = {}
    for name, curve in curves.items():
        best = max(score for _, score in curve)
        first = next((t for t, score in curve if score >= best - 0.005), curve[-1][0])
        reach = next((t for t, score in curves[OURS] if score >= best - 0.005), None)
        table[name] = {
            "best": best,
            "pass_seconds": curve[-1][0],
            "seconds_to_best": first,
            "xadapt_seconds_to_that": reach,
            "ratio": first / reach if reach else None,
        }
    return table


if __name__ == "__main__":
    main()
