"""A million synthetic entities a side, aligned in bounded memory: time and peak.

    python examples/benchmarks/align_million.py
    python examples/benchmarks/align_million.py --size 100000 --exact

Random unit vectors on disk; the vector of the same entity on the other side is a noisy copy, in
another order. The right entity is known, so that the answers of an index can be judged.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from pathlib import Path

import numpy as np
from bench import save

from xadapt.tasks.kg.alignment import find_matches, mutual
from xadapt.tasks.kg.likeness import ByVectors, Mixed
from xadapt.vectors.assignment import assign_candidates
from xadapt.vectors.search.sides import spans

NOISE = 0.8
"""Length of the noise on a vector of length 1."""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--size", type=int, default=1_000_000)
    options.add_argument("--dim", type=int, default=64)
    options.add_argument("--index", default="faiss:IVF1024,Flat:nprobe=8")
    options.add_argument("--exact", action="store_true", help="search all pairs")
    options.add_argument("--csls", type=int, default=10)
    options.add_argument("--assign", action="store_true", help="also assign among candidates")
    options.add_argument("--work", type=Path, default=Path("runs/benchmarks"))
    given = options.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    order = np.random.default_rng(0).permutation(given.size)
    left, right = made(given, order)
    before = peak()
    began = time.perf_counter()
    mixed = Mixed({"vectors": ByVectors(left, right)}, {"vectors": 1.0})
    index = None if given.exact else given.index
    found = find_matches(mixed, 10, csls=given.csls, index=index, half=True)
    pairs = mutual(found)
    seconds = time.perf_counter() - began
    result = {
        "size": given.size, "dim": given.dim, "index": index, "csls": given.csls,
        "seconds": round(seconds, 1), "peak_bytes": peak(), "peak_bytes_before": before,
        "hits@1": float((found.forward.indices[:, 0] == order).mean()),
        "mutual_pairs": len(pairs),
        "mutual_right": float((order[pairs.left] == pairs.right).mean()),
    }  # fmt: skip
    if given.assign:
        began = time.perf_counter()
        chosen = assign_candidates(found.forward, given.size)
        good = order[chosen.pairs[:, 0]] == chosen.pairs[:, 1]
        result["assignment"] = {
            "seconds": round(time.perf_counter() - began, 1), "pairs": len(good),
            "right": float(good.mean()), "peak_bytes": peak(),
        }  # fmt: skip
    print(json.dumps(result, indent=1))
    name = "align_million" if given.size == 1_000_000 else f"align_{given.size}"
    save(f"{name}{'_exact' if given.exact else ''}", result)


def made(given: argparse.Namespace, order: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both sides on disk, made a part at a time."""
    paths = [given.work / f"align_{given.size}_{side}.npy" for side in ("left", "right")]
    shape = (given.size, given.dim)
    if not all(path.is_file() for path in paths):
        sides = [
            np.lib.format.open_memmap(p, mode="w+", dtype=np.float32, shape=shape) for p in paths
        ]
        for number, (start, stop) in enumerate(spans(given.size, 2**14)):
            draw = np.random.default_rng(number)
            own = unit(draw.normal(size=(stop - start, given.dim)))
            noise = unit(draw.normal(size=own.shape)) * NOISE
            sides[0][start:stop] = own
            sides[1][order[start:stop]] = unit(own + noise)
        del sides
    left, right = (np.load(path, mmap_mode="r") for path in paths)
    return left, right


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def peak() -> int:
    """Most memory that the process has held, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    main()
