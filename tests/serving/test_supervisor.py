"""Several workers as processes of their own: killed ones come back, changes hold in all of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from tiny_commands import light, xadapt

pytest.importorskip("fastapi")

from tiny_server import Shop, make_shop

KEY = {"authorization": "Bearer admin"}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return make_shop(tmp_path_factory.mktemp("shop"))


@contextmanager
def served(folder: Path, shop: Shop, *more: Any) -> Iterator[tuple[subprocess.Popen, dict]]:
    """The command line as a process, with what it wrote when it was ready."""
    said = folder / "said.json"
    given = ("serve", "--base", shop.base, "--port", 0, "--json", said, "--dtype", "float32")
    modules = [word for one in shop.given("de", "sw") for word in ("--module", one)]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "ADMIN": "admin"}
    process = subprocess.Popen(
        light(*given, *modules, *more), env=env, stderr=subprocess.PIPE, text=True
    )
    try:
        until = time.monotonic() + 60
        while not said.exists() and process.poll() is None and time.monotonic() < until:
            time.sleep(0.05)
        assert process.poll() is None, process.stderr.read()
        yield process, json.loads(said.read_text(encoding="utf-8"))
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(30)
        process.stderr.close()


def ask(url: str, model: str = "de") -> int:
    try:
        body = {"model": model, "input": "paka"}
        return httpx.post(
            f"{url}/v1/embeddings", json=body, trust_env=False, timeout=30
        ).status_code
    except httpx.TransportError:
        return 0


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2][:3]
    except (ProcessLookupError, FileNotFoundError):
        return False


@pytest.mark.skipif(os.name != "posix", reason="workers need Linux or macOS")
def test_workers_are_killed_and_changed_and_ended(shop: Shop, tmp_path: Path) -> None:
    more = ("--workers", 2, "--admin-key-env", "ADMIN")
    with served(tmp_path, shop, *more) as (process, said):
        url, (first, second) = said["address"], said["workers"]
        assert [ask(url) for _ in range(6)] == [200] * 6
        os.kill(first, signal.SIGKILL)
        codes = [ask(url) for _ in range(20)]
        assert codes.count(200) >= 19  # at most the request that it held is lost
        body = {"name": "es", "source": str(shop.folders["fr"])}
        added = httpx.post(f"{url}/v1/modules", json=body, headers=KEY, trust_env=False, timeout=30)
        assert added.status_code == 201, added.text
        assert [ask(url, "es") for _ in range(20)] == [200] * 20  # whichever worker answers
        until = time.monotonic() + 60
        while time.monotonic() < until:
            text = httpx.get(f"{url}/metrics", trust_env=False, timeout=30).text
            if 'xadapt_requests_total{route="/v1/embeddings",status="200"}' in text:
                break
        os.kill(second, signal.SIGKILL)  # the one that added it, or its fellow
        until = time.monotonic() + 60
        while ask(url, "es") != 200 and time.monotonic() < until:
            time.sleep(0.1)
        assert ask(url, "es") == 200  # the new workers know it too
        gone = httpx.delete(f"{url}/v1/modules/es", headers=KEY, trust_env=False, timeout=30)
        assert gone.status_code == 200
        assert [ask(url, "es") for _ in range(20)] == [404] * 20
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        assert "another one starts" in process.stderr.read()


def test_the_end_of_the_supervisor_is_that_of_the_workers(shop: Shop, tmp_path: Path) -> None:
    with served(tmp_path, shop, "--workers", 2) as (process, said):
        process.kill()
        until = time.monotonic() + 30
        while any(map(alive, said["workers"])) and time.monotonic() < until:
            time.sleep(0.05)
        assert not any(map(alive, said["workers"]))


def test_one_process_ends_by_sigterm_with_0(shop: Shop, tmp_path: Path) -> None:
    with served(tmp_path, shop) as (process, said):
        assert said["workers"] == [process.pid] and ask(said["address"]) == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        assert "serves" in process.stderr.read()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--module", "nothing"), "no such module folder"),
        (("--compose", "x=nothing"), "nothing"),
        (("--compose", "nothing"), "NAME=COMPOSITION"),
        (("--default-model", "nothing"), "does not exist"),
        (("--api-key-env", "NOT_SET_ANYWHERE"), "NOT_SET_ANYWHERE"),
        (("--port", "99999"), "no port"),
        (("--host", "256.1.1.1"), "can't listen"),
        (("--min-confidence", "2"), "confidence"),
        (("--workers", "2", "--module", "nothing"), "no such module folder"),
    ],
)
def test_mistakes_are_one_line(shop: Shop, more, said) -> None:
    done = xadapt("serve", "--base", shop.base, "--port", 0, *more)
    assert done.code == 2 and said in done.err and "Traceback" not in done.err
    assert len([line for line in done.lines if line.startswith("xadapt:")]) == 1


def test_a_mistake_that_only_a_worker_sees(shop: Shop) -> None:
    done = xadapt("serve", "--base", shop.base, "--port", 0, "--workers", 2, "--compose", "x=none1")
    assert done.code == 2 and "a worker could not start" in done.err
