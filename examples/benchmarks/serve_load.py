"""Throughput and times of the server under load, beside other ways to serve the same.

    python examples/benchmarks/serve_load.py [--base minilm] [--clients 1 8 64 256]

16 LoRAs of rank 8 with random values; requests of one text of 4 to 24 words. Clients ask again as
soon as they are answered. All servers run at once on one machine, one thread of torch each, and
are asked in turns, in another order each round; a ratio is the median over rounds of a server's
rate to that of the bare base behind the same server in the same round.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import socket
import statistics
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from bench import HERE, MINILM, save
from serve_clients import asked, closed_loop, memory, running, sentences, server, write_modules

from xadapt.backbones.encoder.encoder import Encoder

BASE = "the bare base, same server"
MIXED = "16 modules mixed"
KEYS = ("rate", "p50", "p95", "p99")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", default="minilm")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 64, 256])
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--modules", type=int, default=16)
    parser.add_argument("--processes", type=int, default=8)
    given = parser.parse_args()
    base = MINILM if given.base == "minilm" else given.base
    texts = sentences(200)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        encoder = Encoder.from_pretrained(base, dtype="float32", device="cpu")
        modules = write_modules(folder, encoder, given.modules)
        del encoder
        names = list(modules)
        one = stack.enter_context(server(base, modules, "--dtype", "float32"))
        ways = {
            BASE: ([one["address"]], [(0, asked("base", text)) for text in texts]),
            MIXED: (
                [one["address"]],
                [(0, asked(names[i % len(names)], text)) for i, text in enumerate(texts)],
            ),
        }
        used = {BASE: [one["pid"]], MIXED: [one["pid"]]}
        two = stack.enter_context(server(base, modules, "--dtype", "float32", "--workers", 2))
        ways["16 modules mixed, --workers 2"] = ([two["address"]], ways[MIXED][1])
        used["16 modules mixed, --workers 2"] = two["workers"]
        few = names[: given.processes]
        apart = [
            stack.enter_context(server(base, {name: modules[name]}, "--dtype", "float32"))
            for name in few
        ]
        each = f"{len(few)} modules, a process each"
        ways[each] = (
            [own["address"] for own in apart],
            [(i % len(few), asked(few[i % len(few)], text)) for i, text in enumerate(texts)],
        )
        used[each] = [own["pid"] for own in apart]
        port = free_port()
        command = [sys.executable, str(HERE / "serve_by_hand.py"), base, str(port)]
        process = stack.enter_context(running(command, lambda: open_port(port)))
        hand = "sentence-transformers by hand, the base"
        ways[hand] = ([f"http://127.0.0.1:{port}"], ways[BASE][1])
        used[hand] = [process.pid]
        rows = measured(ways, given)
        for row in rows:
            row["MiB"] = round(sum(map(memory, used[row["way"]])))
    shape = {"base": given.base, "modules": given.modules, "processes": len(few)}
    save("serve_load", {**shape, "rounds": given.rounds, "seconds": given.seconds, "rows": rows})


def measured(ways: dict, given: argparse.Namespace) -> list[dict]:
    rng, found = random.Random(0), {}
    for clients in given.clients:
        for turn in range(given.rounds + 1):
            for way in rng.sample(list(ways), len(ways)):
                seconds = given.seconds if turn else min(1.0, given.seconds)
                own = asyncio.run(closed_loop(*ways[way], clients, seconds))
                if turn:  # the first warms up
                    found.setdefault((way, clients), []).append(own)
    rows = []
    for (way, clients), own in found.items():
        base = found[BASE, clients]
        ratios = [a["rate"] / b["rate"] for a, b in zip(own, base, strict=True)]
        row = {"way": way, "clients": clients, "ratio": round(statistics.median(ratios), 3),
               "ratios": [round(min(ratios), 3), round(max(ratios), 3)]}  # fmt: skip
        row |= {key: round(statistics.median(one[key] for one in own), 2) for key in KEYS}
        rows.append(row)
        print(row, flush=True)
    return rows


def free_port() -> int:
    with socket.socket() as own:
        own.bind(("127.0.0.1", 0))
        return own.getsockname()[1]


def open_port(port: int) -> bool:
    with socket.socket() as own:
        return own.connect_ex(("127.0.0.1", port)) == 0


if __name__ == "__main__":
    main()
