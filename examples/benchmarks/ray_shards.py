"""Shards written by Ray's actors, beside torchrun and one process: bytes, kills and seconds.

    python examples/benchmarks/ray_shards.py [--texts 100000] [--kills 10]

Needs `xadapt[ray]`. All ways read the same file and have one thread a process. A killed run is the
process that started the actors, ended by SIGKILL at a random moment together with its actors, and
then resumed; after the last kill it finishes. The loop is `encode` on texts in memory.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import psutil
from bench import save
from serve_clients import sentences, write_modules

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.inference.adapted_encoder import AdaptedEncoder

BASE, PATIENCE = "mini", 1800


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=100_000, dest="count")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--size", type=int, default=2000, help="texts of a shard")
    given = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        texts = [f"{n} {text}" for n, text in enumerate(sentences(given.count))]
        text = place / "texts.txt"
        text.write_text("".join(f"{one}\n" for one in texts), encoding="utf-8")
        module = write_modules(place, opened(), 1)["m0"]
        seconds = {"loop": loop(module, texts)}
        runs = {
            "one process": [],
            "Ray, 1 worker": ["--executor", "ray", "--workers", "1"],
            "Ray, 2 workers": ["--executor", "ray", "--workers", "2"],
        }
        digests = {}
        for name, more in {**runs, "torchrun, 2 processes": None}.items():
            out = place / name.replace(" ", "-").replace(",", "")
            began = time.monotonic()
            subprocess.run(command(text, module, out, given.size, more), check=True, **QUIET)
            seconds[name] = time.monotonic() - began
            digests[name] = digest(out)
            print(name, round(seconds[name], 1), digests[name][:12], flush=True)
        out = place / "killed"
        line = command(text, module, out, given.size, runs["Ray, 2 workers"])
        kills = killed(line, out, given.kills, -(-given.count // given.size))
        digests["Ray, killed and resumed"] = digest(out)
        save("ray_shards", {
            "base": BASE, "texts": given.count, "size": given.size, "kills": kills,
            "seconds": seconds, "equal": len(set(digests.values())) == 1, "digests": digests,
        })  # fmt: skip


QUIET: dict = {
    "stdout": subprocess.DEVNULL,
    "stderr": None if os.environ.get("SHOW") else subprocess.DEVNULL,
}


def command(text: Path, module: Path, out: Path, size: int, more: list[str] | None) -> list[str]:
    """The command of one way; `more` of None is torchrun's."""
    start = [sys.executable, "-m", "xadapt"]
    if more is None:
        start = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2",
                 "-m", "xadapt"]  # fmt: skip
    given = ["encode", "--base", BASE, "--module", f"m0={module}", "--text", str(text)]
    given += ["--compose", "m0", "--shards", str(out), "--shard-rows", str(size)]
    return [*start, *given, "--dtype", "float32", *(more or [])]


def opened() -> Encoder:
    """The base of all ways."""
    return Encoder.from_pretrained(BASE, dtype="float32", device="cpu")


def loop(module: Path, texts: list[str]) -> float:
    """Seconds of the library's own call on all texts, the model loaded before."""
    model = AdaptedEncoder.open(opened(), "m0", {"m0": str(module)})
    began = time.monotonic()
    model.encode(texts)
    return time.monotonic() - began


def killed(line: list[str], out: Path, kills: int, shards: int) -> int:
    """Kill a run at random moments, resuming it each time; then let it finish.

    A run lives until a number of shards is there that was drawn before, and up to two seconds more.
    """
    rng, resumed = random.Random(0), []
    for wanted in sorted(rng.sample(range(1, shards * 9 // 10), kills)):
        process = subprocess.Popen([*line, *resumed], start_new_session=True, **QUIET)
        resumed = ["--resume"]
        until = time.monotonic() + PATIENCE
        while len(list(out.glob("part-*.npy"))) < wanted and time.monotonic() < until:
            time.sleep(0.05)
        time.sleep(rng.uniform(0, 2))
        if process.poll() is not None:
            raise SystemExit("a run ended before it was killed: give more texts")
        family = psutil.Process(process.pid).children(recursive=True)
        os.killpg(process.pid, signal.SIGKILL)
        for one in family:  # Ray's own processes and the actors
            with suppress(psutil.NoSuchProcess):
                one.kill()
        process.wait()
        psutil.wait_procs(family, 10)
        print("killed with", len(list(out.glob("part-*.npy"))), "shards", flush=True)
    subprocess.run([*line, *resumed], check=True, **QUIET)
    return kills


def digest(folder: Path) -> str:
    """The hash of all vectors of a folder of shards, in order."""
    found = hashlib.sha256()
    for file in sorted(folder.rglob("*.npy")):
        found.update(file.read_bytes())
    return found.hexdigest()


if __name__ == "__main__":
    main()
