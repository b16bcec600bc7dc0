"""A server on loopback in a thread of this process, around a tiny base with random modules."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import torch
from tiny_folders import base_and_encoder, manifest_of, random_module
from tiny_heads import published

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.hub.folder import write_folder
from xadapt.serving.door import Door
from xadapt.serving.server import Server, address_of, first_modules, listen, load_door, serving
from xadapt.serving.settings import Settings
from xadapt.serving.shared_table import SharedTable

MODULES = {"de": ("lora", 1), "sw": ("bottleneck", 2), "fr": ("lora", 3)}
HEADS = ("classification", "multi_label", "pair_classification", "tagging")


@dataclass
class Shop:
    """A tiny base on disk and folders of modules for it."""

    base: str
    encoder: Encoder
    folders: dict[str, Path]

    def given(self, *names: str) -> tuple[str, ...]:
        """Modules as the command line takes them."""
        return tuple(f"{name}={self.folders[name]}" for name in names)


def write_module(
    path: Path, encoder: Encoder, kind: str, seed: int, language: str, **changes: Any
) -> Path:
    """A folder of a random module for a language."""
    options = {"rank": 2} if kind == "lora" else {"width": 4}
    module = random_module(encoder, kind, seed=seed, **options)
    with torch.no_grad():  # larger values make noise of 1e-7 one of 1e-4, in the library too
        for value in module.parameters():
            value.mul_(0.3)
    base = {"model_type": "bert", "fingerprint": encoder.identity.to_dict()}
    made = manifest_of(encoder, module, base=base, languages=[language], **changes)
    write_folder(path, module, encoder, made, verify={})
    return path


def make_shop(folder: Path, family: str = "bert") -> Shop:
    """A base, three modules for languages, and one with each kind of head."""
    base, encoder = base_and_encoder(folder, family)
    found = {
        name: write_module(folder / name, encoder, kind, seed, name)
        for name, (kind, seed) in MODULES.items()
    }
    for seed, task in enumerate(HEADS):
        found[task] = published(folder / task, encoder, task, seed=seed + 10)
    return Shop(base, encoder, found)


@dataclass
class Running:
    """A server that runs."""

    url: str
    door: Door
    server: Server
    client: httpx.Client

    def post(self, path: str, body: Any, **more: Any) -> httpx.Response:
        """Send JSON."""
        return self.client.post(path, json=body, **more)

    def vectors(self, model: str, given: Any, **more: Any) -> list[list[float]]:
        """Ask for vectors, and for success."""
        answer = self.post("/v1/embeddings", {"model": model, "input": given, **more})
        assert answer.status_code == 200, answer.text
        return [row["embedding"] for row in answer.json()["data"]]


@contextmanager
def running(settings: Settings) -> Iterator[Running]:
    """Serve inside the block."""
    shared = SharedTable()
    first_modules(settings, shared)
    door = load_door(settings, shared)
    own = listen(settings)
    started, servers = threading.Event(), []

    def ready(server: Server) -> None:
        servers.append(server)
        started.set()

    thread = threading.Thread(target=lambda: asyncio.run(serving(door, [own], ready)), daemon=True)
    thread.start()
    assert started.wait(30)
    url = address_of(own)
    with httpx.Client(base_url=url, timeout=30, trust_env=False) as client:
        try:
            yield Running(url, door, servers[0], client)
        finally:
            servers[0].should_exit = True
            thread.join(30)
            own.close()
    assert not thread.is_alive()


def settings_for(shop: Shop, *names: str, **more: Any) -> Settings:
    """Settings on a free port of loopback."""
    given = {"port": 0, "dtype": "float32", "device": "cpu", "max_wait_ms": 1.0, **more}
    return Settings(base=shop.base, modules=shop.given(*names), **given)
