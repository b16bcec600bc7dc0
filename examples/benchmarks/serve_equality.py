"""Vectors of mixed requests held against those of the library.

    python examples/benchmarks/serve_equality.py [--requests 10000] [--dtype float32]

Requests for 16 LoRAs, the bare base and four compositions, in no order, of 1 to 2,000 characters
(their logarithm is uniform), from 32 clients at once. The number is the largest difference of one
value of a vector to `AdaptedEncoder.encode` of the same texts. Relative differences are lengths of
differences of vectors over the length of the vector in float32.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import random
import tempfile
import time
from pathlib import Path

import numpy as np
from bench import MINILM, save
from serve_clients import WORDS, Client, asked, server, vectors, write_modules

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.inference.adapted_encoder import AdaptedEncoder

COMPOSITIONS = ("m0 + m1", "mix(m2:.7, m3:.3)", "m4 + m5 + m6", "mix(m7:.5, m8:.5) + m9")
CLIENTS, MODULES, LONGEST = 32, 16, 2000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", default="minilm")
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16"])
    given = parser.parse_args()
    base = MINILM if given.base == "minilm" else given.base
    with tempfile.TemporaryDirectory() as folder:
        encoder = Encoder.from_pretrained(base, dtype="float32", device="cpu")
        modules = write_modules(Path(folder), encoder, MODULES)
        models = ["base", *modules, *COMPOSITIONS]
        requests = drawn(given.requests, models)
        with server(base, modules, "--dtype", given.dtype) as one:
            began = time.perf_counter()
            found = asyncio.run(answers(one["address"], requests))
            seconds = time.perf_counter() - began
            [counted] = asyncio.run(measures(one["address"], "xadapt_batch_rows_count"))
        home = AdaptedEncoder.open(
            base, "m0", {name: str(place) for name, place in modules.items()}, dtype=given.dtype
        )
        exact = home
        if given.dtype != "float32":
            exact = AdaptedEncoder.open(encoder, "m0", {n: str(p) for n, p in modules.items()})
        worst, apart, spread, largest = {}, {}, 0.0, 0.0
        relative = {"server to library": 0.0, "library to float32": 0.0, "server to float32": 0.0}
        for model in models:
            own = [i for i, (name, _) in enumerate(requests) if name == model]
            texts = [requests[i][1] for i in own]
            wanted = home.with_("none" if model == "base" else model).encode(texts)
            mine = np.concatenate([found[i] for i in own])
            worst[model] = float(np.abs(mine - wanted).max())
            few = texts[:50]
            again = home.with_("none" if model == "base" else model).encode(few, batch_size=1)
            spread = max(spread, float(np.abs(again - wanted[: len(few)]).max()))
            largest = max(largest, float(np.abs(wanted).max()))
            right = exact.with_("none" if model == "base" else model).encode(texts)
            pairs = (mine, wanted), (wanted, right), (mine, right)
            for name, (one, other) in zip(relative, pairs, strict=True):
                sizes = np.linalg.norm(one - other, axis=1) / np.linalg.norm(right, axis=1)
                relative[name] = max(relative[name], float(sizes.max()))
            apart[model] = float(np.abs(wanted - home.with_("none").encode(texts)).max())
            print(model, len(own), worst[model], apart[model], flush=True)
    result = {
        "base": given.base,
        "dtype": given.dtype,
        "requests": len(requests),
        "models": len(models),
        "forwards": int(counted),
        "seconds": round(seconds, 1),
        "largest difference": max(worst.values()),
        "largest difference of the library to itself, one text a forward": spread,
        "largest value": largest,
        "relative": relative,
        "least effect of a module": min(v for name, v in apart.items() if name != "base"),
    }
    print(result)
    save("serve_equality" + ("" if given.dtype == "float32" else f"_{given.dtype}"), result)


def drawn(count: int, models: list[str]) -> list[tuple[str, str]]:
    rng = random.Random(0)
    found = []
    for _ in range(count):
        size = int(math.exp(rng.uniform(0, math.log(LONGEST + 1))))
        text = " ".join(rng.choices(WORDS, k=size // 3 + 1))[: max(1, size)]
        found.append((rng.choice(models), text))
    return found


async def answers(address: str, requests: list[tuple[str, str]]) -> list[np.ndarray]:
    found: list = [None] * len(requests)
    left = iter(range(len(requests)))

    async def one() -> None:
        client = Client(address)
        for i in left:
            status, _, body = await client.ask("POST", "/v1/embeddings", asked(*requests[i]))
            assert status == 200, body
            found[i] = vectors(body)
        client.close()

    await asyncio.gather(*(one() for _ in range(CLIENTS)))
    return found


async def measures(address: str, *names: str) -> list[float]:
    _, _, body = await Client(address).ask("GET", "/metrics")
    lines = dict(line.rsplit(" ", 1) for line in body.decode().splitlines() if line[0] != "#")
    return [float(lines[name]) for name in names]


if __name__ == "__main__":
    main()
