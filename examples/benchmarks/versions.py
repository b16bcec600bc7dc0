"""Another version of xadapt beside this one: a benchmark run from both checkouts in turns.

    python examples/benchmarks/versions.py --other CHECKOUT step.py --layers 2 --repeats 3

Each run is a process of its own, with the package and the script of its checkout. The results that
a checkout holds are put back afterwards. Compared are the seconds that the script writes.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench import HERE, read, save

HOME = HERE.parent.parent


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--other", type=Path, required=True, help="checkout of the other version")
    options.add_argument("--turns", type=int, default=2)
    options.add_argument("script", help="a benchmark that both have, such as step.py")
    args, given = options.parse_known_args()
    sides = {"other": args.other.resolve(), "this": HOME}
    found: dict[str, dict[str, list[float]]] = {}
    for turn in range(args.turns):
        for side in sorted(sides, reverse=bool(turn % 2)):
            for name, seconds in measured(sides[side], args.script, given).items():
                found.setdefault(name, {}).setdefault(side, []).append(seconds)
    versions = {
        side: subprocess.check_output(
            ["git", "-C", str(folder), "rev-parse", "--short", "HEAD"], text=True
        ).strip()
        for side, folder in sides.items()
    }
    rows = {name: runs for name, runs in found.items() if len(runs) == len(sides)}
    for name, runs in rows.items():
        print(f"{statistics.median(runs['this']) / statistics.median(runs['other']):.3f}  {name}")
    save(f"versions_{Path(args.script).stem}", {"versions": versions, "rows": rows})


def measured(checkout: Path, script: str, given: list[str]) -> dict[str, float]:
    """Run a benchmark of a checkout; its seconds by name."""
    folder = checkout / "examples" / "benchmarks"
    kept = {path: path.read_bytes() for path in (folder / "results").iterdir()}
    env = {**os.environ, "PYTHONPATH": str(checkout)}
    try:
        subprocess.run(
            [sys.executable, str(folder / script), *given], cwd=checkout, env=env, check=True
        )
        return dict(seconds_in(read(folder / "results" / f"{Path(script).stem}.json")))
    finally:
        for path, content in kept.items():
            path.write_bytes(content)


def seconds_in(found: Any, name: str = "") -> Iterator[tuple[str, float]]:
    """The seconds in a result, each by the keys that lead to it or by the way it tells."""
    if isinstance(found, list):
        for row in found:
            yield from seconds_in(row, str(row.get("way", "")) if isinstance(row, dict) else "")
    if not isinstance(found, dict):
        return
    for key, value in found.items():
        if isinstance(value, (int, float)) and "seconds" in f"{name} {key}":
            yield f"{name}, {key}".strip(" ,"), float(value)
        elif isinstance(value, (dict, list)):
            yield from seconds_in(value, f"{name}, {key}".strip(" ,"))


if __name__ == "__main__":
    main()
