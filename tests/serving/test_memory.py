"""What the server keeps: nothing of requests that are over, and a bounded number of all else."""

from __future__ import annotations

import gc
import random
import threading
import time
import types
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from weakref import ref

import httpx
import pytest
import torch
from tiny_models import TEXTS

pytest.importorskip("fastapi")

from tiny_server import Running, Shop, make_shop, running, settings_for, write_module

from xadapt.core.memory import give_back
from xadapt.inference.composed_rows import KEPT
from xadapt.serving import engine as engines
from xadapt.serving.batching import WINDOW, Job
from xadapt.serving.door import MAX_VARIANTS
from xadapt.serving.model_table import MAX_RESOLVED
from xadapt.serving.rows import Pooled, Texts

ADMIN = {"authorization": "Bearer secret-admin"}
WORDS = " ".join(TEXTS).split()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return make_shop(tmp_path_factory.mktemp("shop"))


@contextmanager
def serving(shop: Shop, *names: str, **more: Any) -> Iterator[Running]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TINY_ADMIN", "secret-admin")
        with running(settings_for(shop, *names, admin_key_env="TINY_ADMIN", **more)) as server:
            yield server


class Held:
    """Keeps the engine from its next forward until it is released."""

    def __init__(self, server: Running) -> None:
        self.engine, self._run = server.door.engine, server.door.engine._run
        self._free, self._there = threading.Event(), threading.Event()
        self.engine._run = self._wait

    def _wait(self, rows: Any) -> None:
        self._there.set()
        assert self._free.wait(20)
        self._run(rows)

    def until(self, items: int) -> None:
        """Wait until so many texts are in the queue."""
        assert self._there.wait(10)
        until(lambda: self.engine.items == items)

    def release(self) -> None:
        self._free.set()


def until(true: Any) -> None:
    end = time.monotonic() + 10
    while not true():
        assert time.monotonic() < end
        time.sleep(0.005)


def entries(*roots: Any) -> dict[str, int]:
    """Count the entries of all containers that objects of this package reach, by their places."""
    counts: dict[str, int] = {}
    seen: set[int] = set()
    left = [(root, type(root).__name__) for root in roots]
    while left:
        one, place = left.pop()
        plain = (str, bytes, int, float, bool, type, types.FunctionType, types.ModuleType)
        if id(one) in seen or isinstance(one, (*plain, torch.nn.Module, torch.Tensor)):
            continue
        seen.add(id(one))
        if isinstance(one, Mapping):
            counts[place] = counts.get(place, 0) + len(one)
            left += [(value, f"{place}[]") for value in one.values()]
        elif isinstance(one, (list, tuple, set, frozenset, deque)):
            counts[place] = counts.get(place, 0) + len(one)
            left += [(value, f"{place}[]") for value in one]
        elif type(one).__module__.startswith("xadapt"):
            left += [(value, f"{place}.{name}") for name, value in vars(one).items()]
    return counts


def crowd(server: Running, seed: int) -> dict[int, int]:
    """Send requests of all sorts at once; return how many had which status."""
    rng = random.Random(seed)
    bodies: list[Any] = []
    for number in range(150):
        texts = [
            " ".join(rng.choices(WORDS, k=rng.randint(1, 9))) + f" {seed} {number}"
            for _ in range(rng.choice([1, 1, 2, 5]))
        ]
        model = rng.choice(["base", "de", "sw", "auto", "de + sw", "mix(de:.7, fr:.3)"])
        if model == "auto":  # what a model is for each language is remembered, for every language
            texts = list(TEXTS)
        bodies.append({"model": model, "input": texts})
    bodies += [{"model": "nothing", "input": "x"}, {"input": 3}, {"model": "de", "input": []}] * 5
    statuses: dict[int, int] = {}

    def ask(body: Any) -> None:
        timeout = 0.02 if body.get("model") == "sw" else 30  # some leave before they are answered
        try:
            found = server.post("/v1/embeddings", body, timeout=timeout).status_code
        except httpx.TimeoutException:
            found = 0
        statuses[found] = statuses.get(found, 0) + 1

    with ThreadPoolExecutor(24) as threads:
        list(threads.map(ask, bodies))
    engine = server.door.engine
    until(lambda: engine.items == 0)
    server.vectors("base", "x")  # whoever left is forgotten before the next answer
    until(lambda: not (engine._jobs or engine._new or server.door._futures))
    return statuses


def test_nothing_is_kept_of_requests_that_are_over(shop: Shop) -> None:
    with serving(shop, "de", "sw", "fr", max_queue=40) as server:
        roots = (server.door,)
        crowd(server, 0)
        crowd(server, 1)  # every bounded cache has now what these requests put there
        before = entries(*roots)
        found = crowd(server, 2)
        assert {200, 400, 404, 429} <= set(found), "there was no crowd"
        assert entries(*roots) == before
        engine = server.door.engine
        assert (engine.items, engine._bytes, len(server.door._futures)) == (0, 0, 0)


def test_the_count_sees_a_cache_that_grows(shop: Shop) -> None:
    with serving(shop, "de") as server:
        before = entries(server.door)
        server.door.engine.composed.seen = {"Door": ["a text"]}  # type: ignore[attr-defined]
        after = entries(server.door)
    assert sum(after.values()) == sum(before.values()) + 2


def test_a_removed_module_is_freed_with_the_last_request_that_waits_for_it(
    shop: Shop, tmp_path: Path
) -> None:
    folder = write_module(tmp_path / "es", shop.encoder, "lora", 21, "es")
    with serving(shop, "de") as server, ThreadPoolExecutor(3) as threads:
        body = {"name": "es", "source": str(folder)}
        assert server.post("/v1/modules", body, headers=ADMIN).status_code == 201
        [module] = server.door.table.served["es"].modules.values()
        gone = ref(module)
        del module
        held = Held(server)
        first = threads.submit(server.vectors, "de", "holds the engine")
        held.until(1)
        later = [threads.submit(server.vectors, name, "waits") for name in ("es", "es + de")]
        held.until(3)
        assert server.client.delete("/v1/modules/es", headers=ADMIN).json()["deleted"]
        held.release()
        assert len(first.result()) == 1
        assert [len(one.result()) for one in later] == [1, 1]
        server.vectors("de", "the next request")

        def freed() -> bool:
            gc.collect()
            return gone() is None

        until(freed)
        kept = [str(own) for own in server.door.engine.composed._kept]
        assert not any("es@" in own for own in kept)


def test_texts_that_wait_are_bounded_in_bytes(shop: Shop, monkeypatch) -> None:
    monkeypatch.setattr(engines, "MAX_BYTES", 1000)
    with serving(shop, "de") as server, ThreadPoolExecutor(2) as threads:
        held = Held(server)
        first = threads.submit(server.vectors, "de", "x" * 700)
        held.until(1)
        answer = server.post("/v1/embeddings", {"model": "de", "input": "y" * 300})
        assert answer.status_code == 429 and "retry-after" in answer.headers
        small = threads.submit(server.vectors, "de", "y")
        held.until(2)
        held.release()
        assert len(first.result()) == len(small.result()) == 1
        assert server.door.engine._bytes == 0


def test_a_request_beyond_the_window_is_not_tokenized_yet(shop: Shop) -> None:
    with serving(shop, "de") as server, ThreadPoolExecutor(1) as threads:
        held, engine, most = Held(server), server.door.engine, []
        first = threads.submit(server.vectors, "base", "holds the engine")
        held.until(1)
        jobs = [Job(Texts(Pooled(shop.encoder), ["waits"], shop.encoder)) for _ in range(900)]
        for job in jobs:
            engine.submit(job)
        run = engine._run

        def counted(rows: Any) -> None:
            most.append(len(rows) + sum(len(job.ready) for job in engine._jobs))
            run(rows)

        engine._run = counted  # type: ignore[method-assign]
        held.release()
        assert first.result()
        until(lambda: engine.items == 0)
        assert all(job.complete for job in jobs) and max(most) <= WINDOW < len(jobs)


def test_freed_memory_is_given_back_once_after_forwards(shop: Shop, monkeypatch) -> None:
    times: list[bool] = []
    monkeypatch.setattr(engines, "TIDY_SECONDS", 0.05)
    monkeypatch.setattr(engines, "give_back", lambda: times.append(give_back()))
    with serving(shop, "de") as server:
        assert not times  # nothing was computed
        for turn in range(3):
            server.vectors("de", "x")
            until(lambda turn=turn: len(times) > turn)
        seen = len(times)
        time.sleep(0.2)
        assert len(times) == seen  # an idle server has nothing to give


def test_what_is_remembered_of_models_is_bounded(shop: Shop) -> None:
    with serving(shop, "de", "fr") as server:
        table, door = server.door.table, server.door
        for number in range(MAX_RESOLVED + 50):
            target = table.resolve(f"mix(de:.5, fr:{number + 1}.5)")
            if number < KEPT + 20:
                door.engine.composed.make(target.composition, target.modules)
        assert len(table._resolved) == MAX_RESOLVED
        assert len(door.engine.composed._kept) <= KEPT
        assert len(door._variants) <= MAX_VARIANTS
