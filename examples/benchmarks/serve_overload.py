"""Memory of the server under more load than it can take, and after it.

    python examples/benchmarks/serve_overload.py [--seconds 60] [--crowd 500]

A few clients that ask again as soon as they are answered, then a crowd of them, then the few again,
then the crowd again: with a bound, the second crowd needs no more memory than the first. Requests
are texts of 4 to 24 words for 16 LoRAs, the bare base and two compositions.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
from pathlib import Path

from bench import MINILM, save
from serve_clients import asked, closed_loop, memory, sentences, server, write_modules

from xadapt.backbones.encoder.encoder import Encoder

MODULES, FEW = 16, 32


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", default="minilm")
    parser.add_argument("--seconds", type=float, default=60, help="of each crowd")
    parser.add_argument("--crowd", type=int, default=500)
    given = parser.parse_args()
    base = MINILM if given.base == "minilm" else given.base
    phases = ((FEW, 0.5), (given.crowd, 1), (FEW, 0.5), (given.crowd, 1), (FEW, 0.5))
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        encoder = Encoder.from_pretrained(base, dtype="float32", device="cpu")
        modules = write_modules(Path(folder), encoder, MODULES)
        models = ["base", *modules, "m0 + m1", "mix(m2:.7, m3:.3)"]
        bodies = [
            (0, asked(models[i % len(models)], text)) for i, text in enumerate(sentences(2000))
        ]
        with server(base, modules, "--dtype", "float32") as one:
            asyncio.run(closed_loop([one["address"]], bodies, FEW, 3))
            for clients, share in phases:
                row = asyncio.run(phase(one, bodies, clients, share * given.seconds))
                print(row, flush=True)
                rows.append(row)
    save("serve_overload", {"base": given.base, "seconds": given.seconds, "rows": rows})


async def phase(one: dict, bodies: list, clients: int, seconds: float) -> dict:
    seen: list[float] = []

    async def watch() -> None:
        while True:
            seen.append(memory(one["pid"]))
            await asyncio.sleep(0.25)

    task = asyncio.create_task(watch())
    said = await closed_loop([one["address"]], bodies, clients, seconds)
    task.cancel()
    half = seen[len(seen) // 2 :]
    return {
        "clients": clients,
        **{name: round(value, 1) for name, value in said.items()},
        "MiB": round(statistics.median(half)),
        "largest MiB": round(max(seen)),
    }


if __name__ == "__main__":
    main()
