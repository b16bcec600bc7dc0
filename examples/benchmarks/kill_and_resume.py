"""Kill a training at random moments, resume each time: the module must be the uninterrupted one.

    python examples/benchmarks/kill_and_resume.py --kills 50

Trains on the built-in graph; needs no data.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from bench import MINILM, save

from xadapt.hub.opening import tensor_path


def command(out: Path, resume: bool) -> list[str]:
    line = [sys.executable, "-c", "from xadapt.cli.app import main; main()"]
    line += ["train", "quickstart", "--base", MINILM, "--data", "cldr", "--lang", "sw"]
    line += ["--out", str(out), "--set", "train.epochs=2", "--set", "train.checkpoint_seconds=0.5"]
    return [*line, "--resume"] if resume else line


def digest(out: Path) -> str:
    return hashlib.sha256(tensor_path(out).read_bytes()).hexdigest()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--kills", type=int, default=50)
    options.add_argument("--work", type=Path, default=Path("runs/kills"))
    args = options.parse_args()
    shutil.rmtree(args.work, ignore_errors=True)
    args.work.mkdir(parents=True)
    whole, cut = args.work / "whole", args.work / "cut"
    began = time.monotonic()
    subprocess.run(command(whole, False), check=True, stderr=subprocess.DEVNULL)
    seconds = time.monotonic() - began
    rng, kills, finishes, equal = random.Random(0), 0, 0, 0
    while kills < args.kills:
        shutil.rmtree(cut, ignore_errors=True)
        done = False
        while not done:
            resume = (cut / "run").exists()
            process = subprocess.Popen(
                command(cut, resume), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
            )
            wait = rng.uniform(0.2, 0.7) * seconds if kills < args.kills else None
            try:
                code = process.wait(wait)
                done = code == 0
                if not done:
                    sys.exit(f"the resumed run failed with {code}")
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.wait()
                kills += 1
        finishes += 1
        equal += digest(cut) == digest(whole)
        print(f"{kills} kills, {finishes} finished runs, {equal} equal", flush=True)
    save("kill_and_resume", {"kills": kills, "finished": finishes, "equal": equal})
    if equal != finishes:
        sys.exit("a resumed run differs from the uninterrupted one")


if __name__ == "__main__":
    main()
