"""Broken module folders end in one line; the benchmark does the same in processes, with limits."""

from __future__ import annotations

import sys
from pathlib import Path

from tiny_commands import good as succeeds
from tiny_commands import xadapt
from tiny_models import tiny_folder

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "benchmarks"))

import malformed_folders as broken

from xadapt.backbones.encoder.encoder import Encoder

COUNT = 40


def test_broken_folders_end_in_one_line(tmp_path: Path) -> None:
    base = str(tiny_folder(tmp_path / "base"))
    encoder = Encoder.from_pretrained(base, dtype="float32", device="cpu")
    good = broken.good_folders(tmp_path / "good", encoder)
    text = broken.prepare(tmp_path / "out")

    def command(one: broken.Malformed) -> list[str]:
        return broken.arguments(one, base, text, tmp_path / "out")

    for kind, name in (("module", "module"), ("head", "module"), ("composition", "composition")):
        succeeds(*command(broken.Malformed("", good[name], kind)))  # unbroken, all is well
    wrong = []
    ways = []
    for one in broken.malformed(good, tmp_path, COUNT, seed=3):
        done = xadapt(*command(one))
        ways.append(one.way)
        fault = broken.faults(done.code, done.err)
        if fault:
            wrong.append(f"{one.way}: {fault}: {done.err[-500:]}")
    assert not wrong, "\n".join(wrong)
    assert len(set(ways)) == COUNT < len(broken.WAYS)
    assert not list((tmp_path / "out").glob("*.npy.*"))


def test_the_same_seed_breaks_the_same_bytes(tmp_path: Path) -> None:
    base = str(tiny_folder(tmp_path / "base"))
    encoder = Encoder.from_pretrained(base, dtype="float32", device="cpu")
    good = broken.good_folders(tmp_path / "good", encoder)

    def bytes_of(seed: int) -> list[bytes]:
        made = broken.malformed(good, tmp_path, 3, seed)
        return [(one.folder / "xadapt.json").read_bytes() for one in made]

    assert bytes_of(1) == bytes_of(1) != bytes_of(2)
