"""What the server does when things break, and whether others are served meanwhile.

    python examples/benchmarks/serve_faults.py

Each fault is made for real against a server with two workers on loopback; a healthy client asks all
the while, and its worst time and its failures stand beside. All loops are bounded.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import resource
import shutil
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

from bench import save
from serve_clients import Client, asked, memory, server, write_modules

from xadapt.backbones.encoder.encoder import Encoder

CONNECTIONS, BODY = 10_000, 100 << 20
Fault = Callable[[], Awaitable[str]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", default="mini")
    given = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        encoder = Encoder.from_pretrained(given.base, dtype="float32", device="cpu")
        modules = write_modules(place, encoder, 4)
        corrupted = Path(shutil.copytree(modules["m3"], place / "corrupted"))
        spoil(corrupted)
        other = elsewhere(place)
        more = ("--dtype", "float32", "--workers", 2, "--admin-key-env", "BENCHMARK_ADMIN_KEY")
        serving = {name: modules[name] for name in ("m0", "m1")}
        with server(given.base, serving, *more) as one:
            faults = Faults(one, corrupted, other)
            rows = asyncio.run(faults.run())
    save("serve_faults", {"base": given.base, "rows": rows})


def spoil(folder: Path) -> None:
    """Change one byte of the tensors."""
    file = max(folder.glob("*.safetensors"), key=lambda one: one.stat().st_size)
    raw = bytearray(file.read_bytes())
    raw[-1] ^= 1
    file.write_bytes(raw)


def elsewhere(folder: Path) -> Path:
    """A module that names another base."""
    from transformers import AutoTokenizer, BertConfig, BertModel

    config = BertConfig(vocab_size=30522, hidden_size=32, num_hidden_layers=2,
                        num_attention_heads=2, intermediate_size=64)  # fmt: skip
    from bench import MINILM

    from xadapt.backbones.bases import resolve

    tokenizer = AutoTokenizer.from_pretrained(resolve(MINILM).location)
    encoder = Encoder.wrap(BertModel(config, add_pooling_layer=False), tokenizer)
    return write_modules(folder / "elsewhere", encoder, 1)["m0"]


class Faults:
    def __init__(self, one: dict, corrupted: Path, other: Path) -> None:
        self.one, self.corrupted, self.other = one, corrupted, other
        self.address = one["address"]

    async def run(self) -> list[dict]:
        rows = []
        for name, fault in (
            ("kill -9 of a worker", self.kill),
            ("a module of another base", lambda: self.add(self.other)),
            ("a corrupted module", lambda: self.add(self.corrupted)),
            ("a body of 100 MB", self.large),
            ("100 clients that send headers slowly", lambda: self.slow(b"POST / HTTP/1.1\r\n")),
            (
                "100 clients that send bodies slowly",
                lambda: self.slow(b"POST /embed HTTP/1.1\r\ncontent-length: 9999\r\n\r\n{"),
            ),
            ("10,000 connections", self.many),
        ):
            rows.append({"fault": name, **await self.beside(fault)})
            print(rows[-1], flush=True)
        return rows

    async def beside(self, fault: Fault) -> dict:
        """Make a fault while a healthy client asks."""
        times: list[float] = []
        failures: Counter[str] = Counter()
        over = asyncio.Event()

        async def healthy() -> None:
            while not over.is_set():
                client, began = Client(self.address), time.monotonic()
                try:
                    body = asked("m0", "hello")
                    async with asyncio.timeout(60):
                        status, _, _ = await client.ask("POST", "/v1/embeddings", body)
                    if status != 200:
                        failures[str(status)] += 1
                except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
                    failures[type(error).__name__] += 1
                times.append(time.monotonic() - began)
                client.close()
                await asyncio.sleep(0.02)

        task = asyncio.create_task(healthy())
        await asyncio.sleep(0.5)
        seen = await fault()
        await asyncio.sleep(0.5)
        over.set()
        await task
        return {"seen": seen, "healthy": len(times), "failed": dict(failures),
                "worst ms": round(1000 * max(times))}  # fmt: skip

    async def kill(self) -> str:
        began = time.monotonic()
        os.kill(self.one["workers"][0], signal.SIGKILL)
        while time.monotonic() - began < 60:
            if self.has_new_worker():
                return f"another worker is there after {time.monotonic() - began:.0f} s"
            await asyncio.sleep(0.2)
        return "no other worker came"

    def has_new_worker(self) -> bool:
        """Whether the supervisor has a worker that holds the base and was not there before."""
        import psutil

        old = self.one["workers"]
        for child in psutil.Process(self.one["pid"]).children():
            with contextlib.suppress(psutil.Error):
                if child.pid not in old and memory(child.pid) > 0.8 * memory(old[1]):
                    return True
        return False

    async def add(self, source: Path) -> str:
        body = json.dumps({"name": "new", "source": str(source)}).encode()
        status, _, said = await Client(self.address).ask("POST", "/v1/modules", body, "admin")
        return f"{status} {json.loads(said)['error']['code']}"

    async def large(self) -> str:
        client = Client(self.address)
        try:
            await client.send("POST", "/v1/embeddings", b"x" * BODY)
            status, _, said = await client.answer()
            return f"{status} {json.loads(said)['error']['code']}"
        except (OSError, asyncio.IncompleteReadError) as error:
            return f"connection: {type(error).__name__}"

    async def slow(self, head: bytes) -> str:
        """Clients that send one byte a second until they are told to leave."""
        seen: Counter[str] = Counter()
        host, _, port = self.address.removeprefix("http://").partition(":")

        async def one() -> None:
            reader, writer = await asyncio.open_connection(host, int(port))
            began = time.monotonic()
            try:
                writer.write(head)
                while time.monotonic() - began < 60 and not reader.at_eof():
                    writer.write(b"x")
                    await writer.drain()
                    try:
                        async with asyncio.timeout(1):
                            found = await reader.read(100)
                        seen[found.decode("latin-1").split(" ")[1] if found else "closed"] += 1
                        break
                    except TimeoutError:
                        continue
            except OSError:
                seen["closed"] += 1
            writer.close()

        began = time.monotonic()
        await asyncio.gather(*(one() for _ in range(100)))
        passed = time.monotonic() - began
        return f"{', '.join(f'{n} x {what}' for what, n in seen.items())} after {passed:.0f} s"

    async def many(self) -> str:
        seen: Counter[str] = Counter()
        host, _, port = self.address.removeprefix("http://").partition(":")
        limit = asyncio.Semaphore(500)
        held = []

        async def one() -> None:
            async with limit:
                try:
                    async with asyncio.timeout(30):
                        held.append(await asyncio.open_connection(host, int(port)))
                except (OSError, TimeoutError) as error:
                    seen[type(error).__name__] += 1

        await asyncio.gather(*(one() for _ in range(CONNECTIONS)))
        await asyncio.sleep(1)
        for reader, _ in held:
            try:
                async with asyncio.timeout(0.001):
                    found = await reader.read(100)
                seen[found.decode("latin-1").split(" ")[1] if found else "closed"] += 1
            except TimeoutError:
                seen["open"] += 1
            except OSError:
                seen["closed"] += 1
        for _, writer in held:
            writer.close()
        return ", ".join(f"{n:,} x {what}" for what, n in sorted(seen.items()))


if __name__ == "__main__":
    main()
