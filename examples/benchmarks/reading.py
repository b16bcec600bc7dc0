"""Reading large files: processor time as a ratio to a loop that does nothing, and memory.

python examples/benchmarks/reading.py

The inputs are made in a temporary folder with seed 0 and removed afterwards: a TSV file, and a TMX
memory. Every measurement is a process of its own, so that its peak of memory is its own (Linux
alone). A reader is run twice: once the pairs are thrown away as they come, once they are kept in a
list.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

SEED = 0
WORDS = [
    "the", "a", "house", "river", "stands", "near", "mountain", "tomorrow", "nobody", "key",
    "child", "school", "football", "long", "letter", "brother", "old", "Haus", "Fluß", "morgen",
    "niemand", "Schlüssel", "Kinder", "Schule", "spielen", "schreiben", "Brücke", "Äpfel",
]  # fmt: skip


def sentence(rng: random.Random) -> str:
    return " ".join(rng.choices(WORDS, k=rng.randint(4, 14)))


def write_tsv(path: Path, lines: int) -> None:
    rng = random.Random(SEED)
    with path.open("w", encoding="utf-8") as file:
        for number in range(lines):
            file.write(f"{sentence(rng)}\t{sentence(rng)} {number}\n")


def write_tmx(path: Path, size: int) -> int:
    rng = random.Random(SEED)
    units = 0
    with path.open("w", encoding="utf-8") as file:
        file.write('<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE tmx SYSTEM "tmx14.dtd">\n')
        written = file.write('<tmx version="1.4"><header srclang="en"/><body>\n')
        while written < size:
            units += 1
            sides = (("en", sentence(rng)), ("de", f"{sentence(rng)} {units}"))
            tuvs = "".join(
                f'      <tuv xml:lang="{lang}"><seg>{text}</seg></tuv>\n' for lang, text in sides
            )
            written += file.write(f'    <tu tuid="{units}">\n{tuvs}    </tu>\n')
        file.write("</body></tmx>\n")
    return units


def bare_lines(path: str) -> None:
    with open(path, encoding="utf-8") as file:  # noqa: PTH123
        for _ in file:
            pass


def split_lines(path: str) -> None:
    with open(path, encoding="utf-8") as file:  # noqa: PTH123
        deque((line.rstrip("\n").split("\t") for line in file), maxlen=0)


def bare_iterparse(path: str) -> None:
    from lxml import etree

    for _, unit in etree.iterparse(path, tag="tu", load_dtd=False, no_network=True):
        unit.clear()
        while unit.getprevious() is not None:
            del unit.getparent()[0]


def iterparse_texts(path: str) -> None:
    from lxml import etree

    lang = "{http://www.w3.org/XML/1998/namespace}lang"
    for _, unit in etree.iterparse(path, tag="tu", load_dtd=False, no_network=True):
        [(variant.get(lang), variant.findtext("seg")) for variant in unit.iter("tuv")]
        unit.clear()
        while unit.getprevious() is not None:
            del unit.getparent()[0]


def pairs(path: str) -> None:
    from xadapt.data.readers.parallel import read_parallel

    deque(read_parallel(path, lang="de"), maxlen=0)


def kept_pairs(path: str) -> list[object]:
    from xadapt.data.readers.parallel import read_parallel

    return list(read_parallel(path, lang="de"))


def warm_up() -> None:
    """Import what reading imports, whatever is measured, so that memory is counted from there."""
    from xadapt.data.readers.parallel import read_parallel

    with tempfile.TemporaryDirectory() as folder:
        for write, name in ((write_tsv, "a.tsv"), (write_tmx, "a.tmx")):
            write(Path(folder) / name, 100)
            deque(read_parallel(Path(folder) / name, lang="de"), maxlen=0)


STEPS: dict[str, Callable[[str], object]] = {
    step.__name__: step
    for step in (
        bare_lines, split_lines, bare_iterparse, iterparse_texts, pairs, kept_pairs,
    )
}  # fmt: skip
OF_KIND = {
    "tsv": ("bare_lines", "split_lines", "pairs", "kept_pairs"),
    "tmx": ("bare_iterparse", "iterparse_texts", "pairs", "kept_pairs"),
}


def one(step: str, path: str) -> None:
    """Run one step in this process, and print its processor time and peak of memory."""
    warm_up()
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here
    before = memory("VmRSS")
    cpu = time.process_time()
    result = STEPS[step](path)
    cpu = time.process_time() - cpu
    added = memory("VmHWM") - before
    assert step != "kept_pairs" or result
    print(json.dumps({"cpu": cpu, "added_mib": added, "before_mib": before}))


def memory(name: str) -> float:
    """A line of this process's status, in MiB."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(name))


def measure(step: str, path: Path) -> dict[str, float]:
    command = [sys.executable, __file__, "--one", step, str(path)]
    made = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    return dict(json.loads(made.stdout.splitlines()[-1]))


def rows_of(kind: str, path: Path, rounds: int) -> list[dict[str, object]]:
    """Measure the steps of a kind in turn, and take the median of the rounds."""
    runs: dict[str, list[dict[str, float]]] = {step: [] for step in OF_KIND[kind]}
    for _ in range(rounds):
        for step, done in runs.items():
            done.append(measure(step, path))
    rows = []
    for step, done in runs.items():
        bare = runs[OF_KIND[kind][0]]
        ratios = [a["cpu"] / b["cpu"] for a, b in zip(done, bare, strict=True)]
        rows.append({
            "step": step,
            "cpu_seconds": statistics.median(run["cpu"] for run in done),
            "ratio": statistics.median(ratios),
            "ratios": ratios,
            "added_mib": max(run["added_mib"] for run in done),
            "before_mib": max(run["before_mib"] for run in done),
        })  # fmt: skip
    return rows


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--lines", type=int, default=2_000_000)
    options.add_argument("--tmx-mib", type=int, default=300)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.one:
        one(*given.one)
        return
    from bench import save

    result: dict[str, object] = {"seed": SEED, "rounds": given.rounds, "files": []}
    with tempfile.TemporaryDirectory() as folder:
        for kind in ("tsv", "tmx"):
            path = Path(folder) / f"data.{kind}"
            if kind == "tsv":
                write_tsv(path, given.lines)
                records = given.lines
            else:
                records = write_tmx(path, given.tmx_mib << 20)
            rows = rows_of(kind, path, given.rounds)
            entry = {
                "kind": kind,
                "records": records,
                "mib": path.stat().st_size / 2**20,
                "rows": rows,
            }
            result["files"].append(entry)  # type: ignore[attr-defined]
            path.unlink()
    save("reading", result)


if __name__ == "__main__":
    main()
