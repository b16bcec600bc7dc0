"""Top-10 search held against the bare matrix product.

    python examples/benchmarks/search.py [--size 100000] [--repeats 3]
    python examples/benchmarks/search.py --million [--float32] [--memory 1024]

Random unit vectors of 384 numbers. The first form measures everything in one process, one after
the other, repeated; medians count. "bare" is the product alone, tile by tile into one buffer of the
size the search uses; "stock" is the product and `torch.topk` of whole rows, a block of rows at a
time. The second form searches memory-mapped sets both ways once, and tells time and memory.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from bench import RESULTS, read, save

from xadapt.vectors.search.nearest import both_ways, one_way
from xadapt.vectors.search.sides import spans
from xadapt.vectors.search.sweep import TILE, Options

DIM, K = 384, 10
HALF = Options(half=True)
BARE = {torch.float32: "bare fp32", torch.bfloat16: "bare bf16"}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--size", type=int, help="vectors a side (100,000; 1,000,000)")
    options.add_argument("--repeats", type=int, default=3)
    options.add_argument("--million", action="store_true", help="sets on disk, one search")
    options.add_argument("--float32", action="store_true", help="with --million: no bfloat16")
    options.add_argument("--memory", type=int, default=1024, help="with --million: MiB at a time")
    options.add_argument("--work", type=Path, default=Path("runs/benchmarks"))
    given = options.parse_args()
    name = "million" if given.million else "tiles"
    found = on_disk(given) if given.million else against_the_product(given)
    place = RESULTS / "search.json"
    old = read(place) if place.is_file() else {}
    kept = {key: old[key] for key in ("tiles", "million") if key in old}
    line = "python examples/benchmarks/search.py " + " ".join(sys.argv[1:])
    save("search", {**kept, name: {"command": line.strip(), **found}})
    print(json.dumps(found, indent=1))


def against_the_product(given: argparse.Namespace) -> dict:
    """Every case in turn, `repeats` times."""
    size = given.size or 100_000
    left, right = (vectors(size, seed) for seed in (0, 1))
    cases = {
        BARE[torch.float32]: lambda: bare(left, right, torch.float32),
        "stock fp32": lambda: stock(left, right, torch.float32),
        "one way fp32": lambda: one_way(left, right, K),
        "both ways fp32": lambda: both_ways(left, right, K),
        "csls both ways fp32": lambda: both_ways(left, right, K, csls=K),
        BARE[torch.bfloat16]: lambda: bare(left, right, torch.bfloat16),
        "stock bf16": lambda: stock(left, right, torch.bfloat16),
        "one way bf16": lambda: one_way(left, right, K, options=HALF),
        "both ways bf16": lambda: both_ways(left, right, K, options=HALF),
        "csls both ways bf16": lambda: both_ways(left, right, K, csls=K, options=HALF),
    }  # fmt: skip
    small = left[:2000], right[:2000]
    for half in (Options(), HALF):  # the first call of a kind is slower
        both_ways(*small, K, options=half)
    seconds: dict[str, list[float]] = {name: [] for name in cases}
    for repeat in range(given.repeats):
        for name, run in cases.items():
            seconds[name].append(timed(run))
            print(repeat, name, f"{seconds[name][-1]:.1f} s", file=sys.stderr, flush=True)
    return {
        "size": size, "dim": DIM, "k": K, "repeats": given.repeats,
        "peak_bytes": peak(), "rows": [row(name, seconds) for name in cases],
        **agreement(left[:2000], right),
    }  # fmt: skip


def row(name: str, seconds: dict[str, list[float]]) -> dict:
    """Median, spread, and the median as a multiple of each bare product's."""
    median = statistics.median(seconds[name])
    return {
        "case": name, "seconds": round(median, 2),
        "fastest": round(min(seconds[name]), 2), "slowest": round(max(seconds[name]), 2),
        **{f"times {b}": round(median / statistics.median(seconds[b]), 3) for b in BARE.values()},
    }  # fmt: skip


def agreement(left: torch.Tensor, right: torch.Tensor) -> dict:
    """Is the answer of bfloat16 that of float32, and how often has stock the same neighbours?"""
    exact, halved = one_way(left, right, K), one_way(left, right, K, options=HALF)
    same = {
        name: sum(set(a) == set(b) for a, b in zip(exact.indices.tolist(), rows, strict=True))
        for name, rows in (
            ("stock fp32", stock(left, right, torch.float32).tolist()),
            ("stock bf16", stock(left, right, torch.bfloat16).tolist()),
        )
    }
    alike = (exact.indices == halved.indices).all() and (exact.scores == halved.scores).all()
    return {"asked": len(left), "bf16_equals_fp32": bool(alike), "same_ten_as": same}


def bare(left: torch.Tensor, right: torch.Tensor, dtype: torch.dtype) -> None:
    left, right = left.to(dtype), right.to(dtype)
    buffer = torch.empty(TILE[0] * TILE[1], dtype=dtype)
    for a, b in spans(len(left), TILE[0]):
        for c, d in spans(len(right), TILE[1]):
            tile = buffer[: (b - a) * (d - c)].view(b - a, d - c)
            torch.mm(left[a:b], right[c:d].T, out=tile)


def stock(left: torch.Tensor, right: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    left, right = left.to(dtype), right.to(dtype)
    rows = max(1, 2**24 // len(right))
    return torch.cat([(part @ right.T).topk(K, dim=1).indices for part in left.split(rows)])


def timed(run: Callable[[], object]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def vectors(size: int, seed: int) -> torch.Tensor:
    made = torch.randn(size, DIM, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.normalize(made, dim=1)


def on_disk(given: argparse.Namespace) -> dict:
    """One search both ways of two sets that are never in memory whole."""
    size = given.size or 1_000_000
    given.work.mkdir(parents=True, exist_ok=True)
    before = peak()
    sets = [mapped(given.work / f"search_{size}_{seed}.npy", size, seed) for seed in (2, 3)]
    began = time.perf_counter()
    last = [began]

    def told(done: int, total: int) -> None:
        now = time.perf_counter()
        if now - last[0] > 60 or done == total:
            last[0] = now
            left = (now - began) / done * (total - done)
            print(f"{done} of {total} tiles, {left:.0f} s left", file=sys.stderr, flush=True)

    options = Options(half=not given.float32, memory=given.memory * 2**20, told=told)
    forward, backward = both_ways(*sets, K, options=options)
    return {
        "size": size, "dim": DIM, "k": K, "half": options.half, "memory": options.memory,
        "seconds": round(time.perf_counter() - began, 1), "peak_bytes": peak(),
        "peak_bytes_before": before, "answer_bytes": sum(a.nbytes for a in (*forward, *backward)),
    }  # fmt: skip


def mapped(path: Path, size: int, seed: int) -> np.ndarray:
    """Vectors on disk, made a part at a time."""
    made = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(size, DIM))
    for number, (start, stop) in enumerate(spans(size, 2**14)):
        made[start:stop] = vectors(stop - start, seed * 10_000 + number).numpy()
    made.flush()
    del made
    return np.load(path, mmap_mode="r")


def peak() -> int:
    """Most memory the process has held, in bytes; pages of mapped files that were read count."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


if __name__ == "__main__":
    main()
