"""What the benchmarks of the server share: modules, the server as a process, and small clients.

The client speaks HTTP over asyncio's streams and does nothing else, so that it takes little of the
machine that it shares with the server. All traffic stays on loopback.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.hub.folder import write_folder
from xadapt.hub.manifest import build_manifest
from xadapt.injection.attachment import model_shape
from xadapt.modules.lora import LoRA, LoRAOptions

ADMIN = "BENCHMARK_ADMIN_KEY"
WORDS = [
    "the",
    "cat",
    "sat",
    "on",
    "a",
    "mat",
    "near",
    "the",
    "old",
    "river",
    "while",
    "children",
    "played",
    "and",
    "somebody",
    "read",
    "the",
    "news",
    "about",
    "weather",
    "markets",
    "music",
    "and",
    "the",
    "long",
    "way",
    "home",
    "das",
    "haus",
    "am",
    "see",
    "ist",
    "klein",
    "aber",
    "schön",
    "und",
    "wir",
    "gehen",
    "morgen",
    "mit",
    "den",
    "kindern",
    "in",
    "den",
    "wald",
    "habari",
    "za",
    "asubuhi",
    "mtoto",
    "anasoma",
    "kitabu",
    "kizuri",
]


def write_modules(folder: Path, encoder: Encoder, count: int, rank: int = 8) -> dict[str, Path]:
    """Folders of LoRAs with random values that have an effect, each for no language."""
    found = {}
    for seed in range(count):
        options = LoRAOptions(sites=("q", "v"), rank=rank, alpha=2.0 * rank)
        module = LoRA(options, model_shape(encoder), seed)
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for hook in module.hooks():
                hook.fn.B.copy_(0.005 * torch.randn(hook.fn.B.shape, generator=generator))
        name = f"m{seed}"
        said = build_manifest(
            name=name,
            base={"model_type": encoder.model.config.model_type,
                  "fingerprint": encoder.identity.to_dict()},
            module={"kind": "lora", "options": module.options.model_dump(mode="json")},
            objectives=["mlm"], recipe={}, languages=[], max_length=encoder.max_length,
            dtype="float32", created="2026-01-01",
        )  # fmt: skip
        write_folder(folder / name, module, encoder, said, verify={})
        found[name] = folder / name
    return found


@contextmanager
def server(base: str, modules: dict[str, Path], *more: Any) -> Iterator[dict[str, Any]]:
    """``xadapt serve`` as a process, and what it says when it is ready."""
    with tempfile.TemporaryDirectory() as folder:
        said = Path(folder) / "said.json"
        given = ["serve", "--base", base, "--port", 0, "--json", said, "--device", "cpu", *more]
        for name, place in modules.items():
            given += ["--module", f"{name}={place}"]
        command = [sys.executable, "-m", "xadapt", *map(str, given)]
        with running(command, lambda: said.exists() and bool(said.read_text())) as process:
            yield {**json.loads(said.read_text()), "pid": process.pid}


@contextmanager
def running(command: Sequence[str], ready, **more: Any) -> Iterator[subprocess.Popen]:
    """A process that is ended after the block."""
    process = subprocess.Popen(command, env={**os.environ, ADMIN: "admin"}, **more)
    try:
        until = time.monotonic() + 180
        while not ready():
            if process.poll() is not None or time.monotonic() > until:
                raise SystemExit(f"the server did not start: {' '.join(command)}")
            time.sleep(0.05)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def sentences(count: int, seed: int = 0, least: int = 4, most: int = 24) -> list[str]:
    """Texts of a few words."""
    rng = random.Random(seed)
    return [" ".join(rng.choices(WORDS, k=rng.randint(least, most))) for _ in range(count)]


class Client:
    """One connection that stays open."""

    def __init__(self, address: str) -> None:
        host, _, port = address.removeprefix("http://").partition(":")
        self.host, self.port = host, int(port)
        self.reader: asyncio.StreamReader | None = None
        self.writer: asyncio.StreamWriter | None = None

    async def send(self, method: str, path: str, body: bytes = b"", key: str = "") -> None:
        """Send one request; a connection is opened if there is none or the server ended it."""
        if self.reader is not None and self.reader.at_eof():
            self.close()
        if self.writer is None or self.writer.is_closing():
            self.reader, self.writer = await asyncio.open_connection(self.host, self.port)
        head = f"{method} {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n"
        head += "content-type: application/json\r\n"
        head += f"authorization: Bearer {key}\r\n" if key else ""
        self.writer.write(f"{head}\r\n".encode() + body)
        await self.writer.drain()

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        """Read one answer."""
        assert self.reader is not None
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in head[1:])}
        body = await self.reader.readexactly(int(headers.get("content-length", 0)))
        if headers.get("connection") == "close":
            self.close()
        return int(head[0].split()[1]), headers, body

    async def ask(self, method: str, path: str, body: bytes = b"", key: str = ""):
        """Send one request and read its answer."""
        await self.send(method, path, body, key)
        return await self.answer()

    def close(self) -> None:
        """Close the connection."""
        if self.writer is not None:
            self.writer.close()
        self.writer = None


def asked(model: str, texts: str | list[str]) -> bytes:
    """The body of a request for vectors in base64."""
    return json.dumps({"model": model, "input": texts, "encoding_format": "base64"}).encode()


def vectors(body: bytes) -> np.ndarray:
    """The vectors of an answer, ``(texts, dim)``."""
    rows = json.loads(body)["data"]
    return np.stack([np.frombuffer(base64.b64decode(r["embedding"]), "<f4") for r in rows])


async def closed_loop(
    addresses: Sequence[str], bodies: Sequence[tuple[int, bytes]], clients: int, seconds: float,
    path: str = "/v1/embeddings",
) -> dict[str, float]:  # fmt: skip
    """Clients that each ask again as soon as they are answered; requests a second and times.

    Args:
        addresses: The servers.
        bodies: Requests, each with the number of its server.
        clients: Number of clients.
        seconds: How long.
        path: The route.
    """
    times: list[float] = []
    wrong: list[int] = []
    until = time.perf_counter() + seconds

    async def one(number: int) -> None:
        rng = random.Random(number)
        own = [Client(address) for address in addresses]
        while time.perf_counter() < until:
            place, body = rng.choice(bodies)
            began = time.perf_counter()
            status, _, _ = await own[place].ask("POST", path, body)
            times.append(time.perf_counter() - began)
            if status != 200:
                wrong.append(status)
        for client in own:
            client.close()

    began = time.perf_counter()
    await asyncio.gather(*(one(number) for number in range(clients)))
    passed = time.perf_counter() - began
    if wrong:
        raise SystemExit(f"{len(wrong)} answers were not 200: {sorted(set(wrong))}")
    low, mid, high = np.percentile(np.array(times) * 1000, [50, 95, 99])
    return {"rate": len(times) / passed, "p50": low, "p95": mid, "p99": high}


def memory(pid: int) -> float:
    """Resident memory of a process in MiB."""
    import psutil

    return psutil.Process(pid).memory_info().rss / 2**20
