"""The server under steady load while modules come and go and some clients misbehave.

    python examples/benchmarks/serve_soak.py [--minutes 20] [--load .8]

Requests arrive at random times at a share of the rate that the server was measured to hold just
before. One in a hundred is malformed, one in a hundred is cancelled while it waits, and every five
seconds a module is added or removed. Each answer's vectors are compared with the library's.
Memory is compared between the end of the first tenth of the time and the last tenth.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
from bench import MINILM, save
from serve_clients import (
    Client,
    asked,
    closed_loop,
    memory,
    sentences,
    server,
    vectors,
    write_modules,
)

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.inference.adapted_encoder import AdaptedEncoder

MODULES, COMING, EVERY = 16, 4, 5.0
MALFORMED = (b"{", b"[]", b'{"model": "m0"}', b'{"model": "m0", "input": 7}', b"\xff\xfe",
             b'{"model": "nothing", "input": "x"}')  # fmt: skip
WRONG = 1e-4
MOST_OPEN = 500


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", default="minilm")
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--load", type=float, default=0.8)
    given = parser.parse_args()
    base = MINILM if given.base == "minilm" else given.base
    with tempfile.TemporaryDirectory() as folder:
        encoder = Encoder.from_pretrained(base, dtype="float32", device="cpu")
        every = write_modules(Path(folder), encoder, MODULES + COMING)
        home = AdaptedEncoder.open(
            encoder, "m0", {name: str(place) for name, place in every.items()}
        )
        texts = sentences(100)
        models = ["base", *every, "m0 + m1", "mix(m2:.7, m3:.3)"]
        right = {
            model: home.with_("none" if model == "base" else model).encode(texts)
            for model in models
        }
        staying = dict(list(every.items())[:MODULES])
        more = ("--dtype", "float32", "--admin-key-env", "BENCHMARK_ADMIN_KEY")
        with server(base, staying, *more) as one:
            bodies = [(0, asked(f"m{i % MODULES}", text)) for i, text in enumerate(texts)]
            asyncio.run(closed_loop([one["address"]], bodies, 32, 5))
            rate = asyncio.run(closed_loop([one["address"]], bodies, 32, 10))["rate"]
            job = Soak(one, every, models, texts, right, rate * given.load)
            result = asyncio.run(job.run(60 * given.minutes))
    print(result)
    save("serve_soak", {"base": given.base, "minutes": given.minutes, "load": given.load,
                        "capacity": round(rate, 1), **result})  # fmt: skip


class Soak:
    def __init__(self, one, every, models, texts, right, rate: float) -> None:
        self.one, self.every, self.models, self.texts = one, every, models, texts
        self.right, self.rate = right, rate
        self.statuses: Counter[str] = Counter()
        self.times: list[float] = []
        self.worst, self.wrong = 0.0, 0
        self.there: set[str] = set()
        self.memory: list[tuple[float, float]] = []
        self.changes = 0
        self.idle: list[Client] = []

    async def run(self, seconds: float) -> dict:
        rng = random.Random(0)
        began = time.monotonic()
        self.until = began + seconds
        watch = asyncio.create_task(self.watch())
        change = asyncio.create_task(self.change())
        tasks: set[asyncio.Task] = set()
        following = began
        while time.monotonic() < self.until:
            following += rng.expovariate(self.rate)
            await asyncio.sleep(max(0.0, following - time.monotonic()))
            if len(tasks) < MOST_OPEN:
                task = asyncio.create_task(self.request(rng.random(), rng.randrange(10**9)))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
            else:
                self.statuses["not sent"] += 1
        await asyncio.gather(*tasks)
        await asyncio.gather(watch, change)
        early = [mib for at, mib in self.memory if 0.08 * seconds < at - began < 0.12 * seconds]
        late = [mib for at, mib in self.memory if at - began > 0.9 * seconds]
        low, mid, high = np.percentile(np.array(self.times) * 1000, [50, 95, 99])
        return {
            "statuses": dict(sorted(self.statuses.items())),
            "requests": sum(self.statuses.values()),
            "changes of modules": self.changes,
            "largest difference": self.worst,
            "wrong vectors": self.wrong,
            "MiB early": round(statistics.median(early), 1),
            "MiB late": round(statistics.median(late), 1),
            "growth": round(statistics.median(late) / statistics.median(early) - 1, 4),
            "p50": round(low, 1),
            "p95": round(mid, 1),
            "p99": round(high, 1),
        }

    async def request(self, kind: float, seed: int) -> None:
        rng = random.Random(seed)
        client = self.idle.pop() if self.idle else Client(self.one["address"])
        model, row = rng.choice(self.models), rng.randrange(len(self.texts))
        coming = int(model[1:]) >= MODULES if model[1:].isdigit() else False
        body = asked(model, self.texts[row])
        if kind < 0.01:
            body = rng.choice(MALFORMED)
        began = time.monotonic()
        try:
            await client.send("POST", "/v1/embeddings", body)
            if kind > 0.99:
                await asyncio.sleep(rng.uniform(0, 0.02))
                client.close()
                self.statuses["cancelled"] += 1
                return
            status, _, found = await client.answer()
        except (OSError, asyncio.IncompleteReadError) as error:
            self.statuses[f"connection: {type(error).__name__}"] += 1
            client.close()
            return
        self.idle.append(client)
        if kind < 0.01:
            self.statuses[f"malformed: {status}"] += 1
            return
        if coming and status == 404:  # it is removed at the moment
            self.statuses["404, removed"] += 1
            return
        self.statuses[str(status)] += 1
        if status == 200:
            self.times.append(time.monotonic() - began)
            apart = float(np.abs(vectors(found)[0] - self.right[model][row]).max())
            self.worst = max(self.worst, apart)
            self.wrong += apart > WRONG

    async def change(self) -> None:
        client, rng = Client(self.one["address"]), random.Random(1)
        names = list(self.every)[MODULES:]
        while time.monotonic() < self.until:
            name = rng.choice(names)
            if name in self.there:
                status, _, _ = await client.ask("DELETE", f"/v1/modules/{name}", key="admin")
                self.there.discard(name)
            else:
                body = f'{{"name": "{name}", "source": "{self.every[name]}"}}'.encode()
                status, _, _ = await client.ask("POST", "/v1/modules", body, "admin")
                self.there.add(name)
            self.statuses[f"change: {status}"] += 1
            self.changes += 1
            await asyncio.sleep(EVERY)

    async def watch(self) -> None:
        while time.monotonic() < self.until:
            self.memory.append((time.monotonic(), memory(self.one["pid"])))
            await asyncio.sleep(1)


if __name__ == "__main__":
    main()
