"""Malformed module folders: each ends in one clear line, in little time and memory.

    python examples/benchmarks/malformed_folders.py --count 200 --seed 0

Needs no data. A good folder (a LoRA on mini with a task head, a fingerprint of training texts and
evidence) is copied and broken in a way that the seed chooses; for half of the ways whoever broke it
has written new hashes, so that the parsers are met and not the hashes. Each folder is opened by the
command line in a process of its own, forked from one that has imported the libraries: the times are
those of the command without imports, and the memory is the peak of the whole process.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import struct
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.cli.app import main as command_line
from xadapt.composition.text import parse
from xadapt.data.records import ParallelPair
from xadapt.heads.head import Head
from xadapt.hub.composition_file import write_composition
from xadapt.hub.evidence import EvidenceFile, Measurement, tensors_hash
from xadapt.hub.folder import write_folder
from xadapt.hub.hashes import file_hash
from xadapt.hub.integrity import manifest_hash
from xadapt.hub.manifest import build_manifest
from xadapt.hub.renewing import renew
from xadapt.hub.training_texts import SeenTexts
from xadapt.injection.attachment import model_shape
from xadapt.modules.storage import build, options_of

MANIFEST, TENSORS, HEAD = "xadapt.json", "adapter_model.safetensors", "head.safetensors"
EVIDENCE, FILTER = "evidence.json", "training_texts.safetensors"
SECONDS, GIGABYTE = 1.0, 2**30
ADDRESSES = 4 * GIGABYTE
"""More address space than a process may take; a larger allocation fails."""

Breaking = Callable[[Path, random.Random], None]


@dataclass(frozen=True)
class Malformed:
    """A broken folder.

    Attributes:
        way: How it was broken.
        folder: Where it is.
        kind: ``module``, ``evidence`` or ``composition``: what the command must read.
    """

    way: str
    folder: Path
    kind: str


def good_folders(place: Path, encoder: Encoder) -> dict[str, Path]:
    """Write the good folders: a module with everything, and a composition."""
    made = {}
    for name in ("module", "plain"):
        module = build("lora", {"rank": 4}, model_shape(encoder), seed=1)
        generator = torch.Generator().manual_seed(1)
        with torch.no_grad():
            for value in module.parameters():
                value.copy_(torch.randn(value.shape, generator=generator) * 0.02)
        head = Head("tagging", ["O", "B-name", "I-name"], encoder.width)
        manifest = build_manifest(
            name=name,
            base={
                "id": encoder.hub_id(),
                "model_type": str(encoder.model.config.model_type),
                "fingerprint": encoder.identity.to_dict(),
            },
            module={"kind": "lora", "options": options_of(module).model_dump(mode="json")},
            objectives=["tagging"],
            recipe={},
            languages=["sw"],
            pooling=encoder.pooling.to_dict(),
            max_length=encoder.max_length,
            dtype="float32",
            created="2025-01-31",
        )
        texts = SeenTexts.of([ParallelPair(f"maneno {n}", f"words {n}", "sw") for n in range(50)])
        made[name] = place / name
        more = {"head": head, "texts": texts} if name == "module" else {}
        write_folder(made[name], module, encoder, manifest, verify={}, loaders="peft", **more)
    _with_evidence(made["module"], manifest.base)
    made["composition"] = place / "composition"
    parts = {"a": made["plain"], "b": made["module"]}
    write_composition(made["composition"], parse("mix(a:.5, b:.5)"), parts)
    return made


def _with_evidence(folder: Path, base: Any) -> None:
    from xadapt.hub.opening import read_manifest

    manifest = read_manifest(folder)
    one = Measurement.model_validate({
        "task": "tagging",
        "data": {"name": "t", "sha256": "0" * 64, "rows": 3, "unit": "sentences"},
        "base": base.model_dump(), "resamples": 10, "seed": 0, "command": "xadapt evaluate",
        "created": "2025-01-31",
        "systems": [{"system": "module", "role": "module",
                     "scores": {"F1": {"value": 0.5, "low": 0.4, "high": 0.6}}}],
    })  # fmt: skip
    content = EvidenceFile(tensors=tensors_hash(folder, manifest)).with_measurement(one)
    renew(folder, {EVIDENCE: content.model_dump_json().encode()})


def malformed(good: dict[str, Path], place: Path, count: int, seed: int) -> Iterator[Malformed]:
    """Yield broken folders, one after another in the same place.

    Args:
        good: The good folders.
        place: Where the broken ones are made.
        count: How many.
        seed: Seed of all choices.
    """
    rng = random.Random(seed)
    ways = list(WAYS) if count >= len(WAYS) else rng.sample(sorted(WAYS), count)
    for number in range(count):
        name = ways[number % len(ways)]
        kind, sealed, breaking = WAYS[name]
        folder = place / f"broken-{number}"
        shutil.copytree(good["composition" if kind == "composition" else "module"], folder)
        breaking(folder, rng)
        if sealed:
            reseal(folder)
        yield Malformed(name, folder, kind)
        shutil.rmtree(folder)


def reseal(folder: Path) -> None:
    """Write new hashes of all files, as whoever changed them on purpose would."""
    file = folder / MANIFEST
    said = json.loads(file.read_text(encoding="utf-8"))
    hashes = said.get("integrity")
    if not isinstance(hashes, dict):
        return
    for name in list(hashes.get("files", {})):
        path = folder / name
        if path.is_file() and path.stat().st_size < 2**28 and not path.is_symlink():
            hashes["files"][name] = file_hash(path).model_dump()
    for name in list(hashes.get("tensors", {})):
        hashes["tensors"][name] = {}
    try:
        hashes["manifest"] = manifest_hash(said)
    except (ValueError, RecursionError):
        return
    file.write_text(json.dumps(said), encoding="utf-8")


def _changed(file: Path, change: Callable[[dict[str, Any]], None]) -> None:
    said = json.loads(file.read_text(encoding="utf-8"))
    change(said)
    file.write_text(json.dumps(said), encoding="utf-8")


def _header(file: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the header of a safetensors file, and leave the data as they are."""
    raw = file.read_bytes()
    length = struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8 : 8 + length])
    change(header)
    text = json.dumps(header).encode()
    file.write_bytes(struct.pack("<Q", len(text)) + text + raw[8 + length :])


def _first(header: dict[str, Any]) -> dict[str, Any]:
    return next(value for name, value in header.items() if name != "__metadata__")


# --- ways to break a file -----------------------------------------------------------------------


def cut(name: str) -> Breaking:
    """End a file at a random byte."""

    def breaking(folder: Path, rng: random.Random) -> None:
        raw = (folder / name).read_bytes()
        (folder / name).write_bytes(raw[: rng.randrange(len(raw))])

    return breaking


def noise(name: str) -> Breaking:
    """Put random bytes in the place of a file."""

    def breaking(folder: Path, rng: random.Random) -> None:
        (folder / name).write_bytes(rng.randbytes(rng.randrange(1, 5000)))

    return breaking


def text(name: str, *contents: bytes) -> Breaking:
    """Put one of some contents in the place of a file."""

    def breaking(folder: Path, rng: random.Random) -> None:
        (folder / name).write_bytes(rng.choice(contents))

    return breaking


def without(name: str, *keys: str) -> Breaking:
    """Take a required field out of a JSON file."""

    def breaking(folder: Path, rng: random.Random) -> None:
        _changed(folder / name, lambda said: said.pop(rng.choice(keys)))

    return breaking


WRONG = (None, -1, 1e308, "\u0000", "x" * 10_000, [[[[]]]], {"a": {"b": 1}}, True)


def retyped(name: str, *keys: str) -> Breaking:
    """Give a field of a JSON file a value of a wrong kind."""

    def breaking(folder: Path, rng: random.Random) -> None:
        key = rng.choice(keys)
        _changed(folder / name, lambda said: said.update({key: rng.choice(WRONG[4:7])}))

    return breaking


def field(name: str, path: str, *values: Any) -> Breaking:
    """Set a field inside a JSON file to one of some values."""

    def breaking(folder: Path, rng: random.Random) -> None:
        def change(said: Any) -> None:
            *outer, last = path.split(".")
            for step in outer:
                said = said[int(step)] if step.isdigit() else said[step]
            said[last] = rng.choice(values)

        _changed(folder / name, change)

    return breaking


def header(name: str, change: Callable[[dict[str, Any], random.Random], None]) -> Breaking:
    """Change the header of a safetensors file."""
    return lambda folder, rng: _header(folder / name, lambda head: change(head, rng))


def shape(head: dict[str, Any], rng: random.Random) -> None:
    """Say that a tensor is larger than the file."""
    _first(head)["shape"] = [rng.choice((2**40, 2**62, 10**6)), 2**20]


def offsets(head: dict[str, Any], rng: random.Random) -> None:
    """Say that a tensor lies elsewhere."""
    _first(head)["data_offsets"] = rng.choice(([0, 2**50], [5, 3], [-4, 4], [0, 1]))


def dtype(head: dict[str, Any], rng: random.Random) -> None:
    """Give a tensor a dtype that there is not, or that does not fit its bytes."""
    _first(head)["dtype"] = rng.choice(("F8", "", "F64", "I64", "BOOL"))


def many(head: dict[str, Any], rng: random.Random) -> None:
    """Name a million tensors of no bytes."""
    for number in range(rng.choice((30_000, 60_000))):
        head[f"t{number}"] = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}


def long_header(name: str) -> Breaking:
    """Say that the header has some exabytes."""

    def breaking(folder: Path, rng: random.Random) -> None:
        raw = (folder / name).read_bytes()
        length = rng.choice((2**63 - 1, 2**40, len(raw) * 2, 2**64 - 1))
        (folder / name).write_bytes(struct.pack("<Q", length) + raw[8:])

    return breaking


def tensors(name: str, change: Callable[[dict[str, Any], random.Random], None]) -> Breaking:
    """Change the tensors of a file."""

    def breaking(folder: Path, rng: random.Random) -> None:
        from safetensors import safe_open

        held = load_file(folder / name)
        with safe_open(folder / name, "pt") as opened:
            metadata = opened.metadata()
        change(held, rng)
        save_file({k: v.contiguous() for k, v in held.items()}, folder / name, metadata)

    return breaking


def one_fewer(held: dict[str, Any], rng: random.Random) -> None:
    """Leave a tensor out."""
    del held[rng.choice(sorted(held))]


def one_more(held: dict[str, Any], rng: random.Random) -> None:
    """Add a tensor."""
    held["more"] = torch.zeros(3)


def not_finite(held: dict[str, Any], rng: random.Random) -> None:
    """Put a value that is no number into a tensor."""
    held[rng.choice(sorted(held))].flatten()[0] = rng.choice((float("nan"), float("inf")))


def turned(held: dict[str, Any], rng: random.Random) -> None:
    """Turn a matrix on its side."""
    name = rng.choice(
        [n for n in sorted(held) if held[n].ndim == 2 and held[n].shape[0] != held[n].shape[1]]
    )
    held[name] = held[name].T


def whole_numbers(held: dict[str, Any], rng: random.Random) -> None:
    """Store a tensor as integers."""
    name = rng.choice(sorted(held))
    held[name] = held[name].to(torch.int32)


def missing(name: str) -> Breaking:
    """Take a file away."""
    return lambda folder, rng: (folder / name).unlink()


def link(name: str) -> Breaking:
    """Put a link out of the folder, or to itself, in the place of a file."""

    def breaking(folder: Path, rng: random.Random) -> None:
        target = folder.parent / "elsewhere"
        shutil.copyfile(folder / name, target)
        (folder / name).unlink()
        (folder / name).symlink_to(rng.choice((target, Path("/dev/zero"), folder / name)))

    return breaking


def other_kind(name: str) -> Breaking:
    """Put a folder or a pipe in the place of a file."""

    def breaking(folder: Path, rng: random.Random) -> None:
        (folder / name).unlink()
        if rng.random() < 0.5:
            (folder / name).mkdir()
        else:
            os.mkfifo(folder / name)

    return breaking


def enormous(name: str) -> Breaking:
    """Make a file of many gigabytes, all of them holes."""

    def breaking(folder: Path, rng: random.Random) -> None:
        with (folder / name).open("r+b") as stream:
            stream.truncate(rng.choice((2**33 + 5, 2**36)))

    return breaking


DEEP = b"[" * 200_000
TWICE = b'{"schema_version": 2, "schema_version": 2}'
REQUIRED = ("name", "base", "module", "objectives", "recipe", "languages", "max_length", "dtype",
            "created", "integrity")  # fmt: skip
NAMES = ("../elsewhere", "/etc/passwd", "module.safetensors", "adapter_model.bin", "a\x00b", "")
HUGE = (10**9, 10**18, -1, 2**63)
MODULES = "modules/plain/"

# name of the way: what reads it, whether new hashes are written, how it is broken
WAYS: dict[str, tuple[str, bool, Breaking]] = {
    "manifest cut": ("module", False, cut(MANIFEST)),
    "manifest of noise": ("module", False, noise(MANIFEST)),
    "manifest that is no object": ("module", False, text(
        MANIFEST, b"", b"null", b"[]", b"3", b'"a"', b"\xff\xfe", b"{", DEEP, TWICE, b"NaN",
        b'{"a":' * 50_000)),
    "manifest without a field": ("module", True, without(MANIFEST, *REQUIRED)),
    "manifest with a field of another kind": ("module", True, retyped(MANIFEST, *REQUIRED[:-1])),
    "manifest with one more field": ("module", True, field(MANIFEST, "more", 1, {"a": 2})),
    "manifest with an edited score": ("module", False, field(MANIFEST, "licence", "mit", "gpl")),
    "file name that leaves the folder": ("module", True, field(MANIFEST, "module.file", *NAMES)),
    "kind that there is not": ("module", True, field(
        MANIFEST, "module.kind", "pickle", "../lora", "", "os.system", "lora\n")),
    "options that are too large": ("module", True, field(MANIFEST, "module.options.rank", *HUGE)),
    "layers that there are not": ("module", True, field(
        MANIFEST, "module.options.layers", [10**9], list(range(3000)), [-1], "none")),
    "names that fit nothing": ("module", True, field(
        MANIFEST, "module.names", {"*": "*"}, {"layers.*.q.A": "(a+)+$"}, {"a": "b"},
        {f"n{n}": "*" for n in range(2000)})),
    "labels of another head": ("head", True, field(
        MANIFEST, "head.labels", [], ["O"], ["O", "B-name", "I-name", "B-x"], ["x"] * 20_000)),
    "fingerprint that is none": ("module", True, field(
        MANIFEST, "base.fingerprint", {}, {"id": 3}, {"weights_exact": [[]]})),
    "hashes that are none": ("module", False, field(
        MANIFEST, "integrity.files", {"../a": {}}, {"a": {"bytes": -1}}, [], {"x": 3})),
    "tensors cut": ("module", False, cut(TENSORS)),
    "tensors cut, with new hashes": ("module", True, cut(TENSORS)),
    "tensors of noise": ("module", True, noise(TENSORS)),
    "tensors that are absent": ("module", False, missing(TENSORS)),
    "tensors of no bytes": ("module", True, text(TENSORS, b"", b"\0" * 8, b"PK\3\4", b"\x80\4.")),
    "header of exabytes": ("module", True, long_header(TENSORS)),
    "shape beyond the file": ("module", True, header(TENSORS, shape)),
    "offsets elsewhere": ("module", True, header(TENSORS, offsets)),
    "dtype that does not fit": ("module", True, header(TENSORS, dtype)),
    "many tensors": ("module", True, header(TENSORS, many)),
    "one tensor fewer": ("module", True, tensors(TENSORS, one_fewer)),
    "one tensor more": ("module", True, tensors(TENSORS, one_more)),
    "values that are not finite": ("module", True, tensors(TENSORS, not_finite)),
    "matrix on its side": ("module", True, tensors(TENSORS, turned)),
    "whole numbers": ("module", True, tensors(TENSORS, whole_numbers)),
    "tensors through a link": ("module", True, link(TENSORS)),
    "manifest through a link": ("module", False, link(MANIFEST)),
    "tensors that are no file": ("module", False, other_kind(TENSORS)),
    "manifest that is no file": ("module", False, other_kind(MANIFEST)),
    "tensors of gigabytes": ("module", False, enormous(TENSORS)),
    "manifest of gigabytes": ("module", False, enormous(MANIFEST)),
    "head cut": ("head", True, cut(HEAD)),
    "head of noise": ("head", True, noise(HEAD)),
    "head with a shape beyond the file": ("head", True, header(HEAD, shape)),
    "head that is absent": ("head", False, missing(HEAD)),
    "evidence cut": ("evidence", True, cut(EVIDENCE)),
    "evidence of noise": ("evidence", True, noise(EVIDENCE)),
    "evidence that is no object": ("evidence", True, text(
        EVIDENCE, b"", b"null", b"[]", DEEP, TWICE, b'{"measurements": []}')),
    "evidence without a field": ("evidence", True, without(EVIDENCE, "tensors")),
    "evidence of other tensors": ("evidence", True, field(EVIDENCE, "tensors", "0" * 64, "", 3)),
    "evidence with a score that is none": ("evidence", True, field(
        EVIDENCE, "measurements.0.systems.0.scores.F1", {}, 3, {"value": "x"}, None)),
    "evidence with a role that there is not": ("evidence", True, field(
        EVIDENCE, "measurements.0.systems.0.role", "winner", "", None)),
    "evidence of gigabytes": ("evidence", False, enormous(EVIDENCE)),
    "evidence through a link": ("evidence", True, link(EVIDENCE)),
    "training texts cut": ("texts", True, cut(FILTER)),
    "training texts of noise": ("texts", True, noise(FILTER)),
    "training texts with another shape": ("texts", True, header(FILTER, shape)),
    "training texts of gigabytes": ("texts", False, enormous(FILTER)),
    "composition cut": ("composition", False, cut("composition.json")),
    "composition of noise": ("composition", False, noise("composition.json")),
    "composition that is none": ("composition", False, field(
        "composition.json", "composition", "", "mix(", "a + ../b", "/etc + a", "(" * 5000,
        "mix(a:" + "9" * 500 + ", b:1)", "z")),
    "composition without its module": ("composition", False, missing(MODULES + MANIFEST)),
    "composition with a module cut": ("composition", False, cut(MODULES + TENSORS)),
    "composition through a link": ("composition", False, link(MODULES + MANIFEST)),
}  # fmt: skip


def arguments(one: Malformed, base: str, text_file: Path, out: Path) -> list[str]:
    """Return the command that reads what is broken."""
    if one.kind == "evidence":
        return ["gallery", str(one.folder), "--out", str(out / "page.html")]
    if one.kind == "texts":
        return ["evaluate", "tagging", "--base", base, "--module", str(one.folder),
                "--data", str(out / "words.conll"), "--evidence"]  # fmt: skip
    if one.kind == "head":
        return ["evaluate", "tagging", "--base", base, "--module", str(one.folder),
                "--data", str(out / "words.conll")]  # fmt: skip
    return ["encode", "--base", base, "--module", str(one.folder), "--lang", "sw",
            "--text", str(text_file), "--out", str(out / "v.npy"), "--force"]  # fmt: skip


def faults(code: int, said: str) -> str:
    """Return what is wrong with how a command ended; empty if it ended as it should."""
    lines = said.splitlines()
    if code != 2:
        return f"exit code {code}"
    if len(lines) != 1:
        return f"{len(lines)} lines"
    if "Traceback" in said or "Error:" in said or "inside xadapt" in said:
        return "the line of a fault inside"
    return "" if len(said) <= 600 else f"a line of {len(said)} characters"


def prepare(out: Path) -> Path:
    """Write the texts that the commands read."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "texts.txt").write_text("habari\n", encoding="utf-8")
    (out / "words.conll").write_text("Nairobi\tB-name\nni\tO\n\n", encoding="utf-8")
    return out / "texts.txt"


def main() -> None:
    from bench import save

    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--count", type=int, default=200)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--base", default="mini")
    options.add_argument("--work", type=Path, default=Path("runs/malformed_folders"))
    args = options.parse_args()
    shutil.rmtree(args.work, ignore_errors=True)
    text_file = prepare(args.work / "out")
    encoder = Encoder.from_pretrained(args.base, dtype="float32", device="cpu")
    good = good_folders(args.work / "good", encoder)
    os.environ["HF_HUB_OFFLINE"] = "1"
    rows: dict[str, dict[str, Any]] = {}
    wrong = 0
    for one in malformed(good, args.work, args.count, args.seed):
        command = arguments(one, args.base, text_file, args.work / "out")
        code, said, seconds, peak = in_a_process(command, args.work / "out")
        fault = faults(code, said)
        fault = fault or ("" if seconds <= SECONDS else f"{seconds:.2f} s")
        fault = fault or ("" if peak <= GIGABYTE else f"{peak / GIGABYTE:.2f} GB")
        if fault:
            wrong += 1
            print(f"{one.way}: {fault}: {said[-700:]}", flush=True)
        row = rows.setdefault(one.way, {"way": one.way, "folders": 0, "one line": 0,
                                        "seconds": 0.0, "megabytes": 0.0, "said": ""})  # fmt: skip
        row["folders"] += 1
        row["one line"] += not fault
        row["seconds"] = max(row["seconds"], round(seconds, 3))
        row["megabytes"] = max(row["megabytes"], round(peak / 2**20))
        row["said"] = said.strip().replace(str(one.folder), "FOLDER")[:200]
    save("malformed_folders", {"count": args.count, "seed": args.seed, "base": args.base,
                               "wrong": wrong, "rows": list(rows.values())})  # fmt: skip
    if wrong:
        sys.exit(f"{wrong} of {args.count} folders did not end in one line")


def in_a_process(command: list[str], out: Path) -> tuple[int, str, float, int]:
    """Run the command line in a fork: exit code, standard error, seconds, peak memory in bytes."""
    said = out / "stderr.txt"
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        stream = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(stream, 2)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + ADDRESSES, now + ADDRESSES))
        sys.argv = ["xadapt", *command]
        code = 1
        try:
            command_line()
        except SystemExit as end:
            code = int(end.code or 0)
        finally:
            sys.stderr.flush()
            os._exit(code)
    _, status, used = os.wait4(child, 0)
    seconds = time.monotonic() - began
    text_ = said.read_text(encoding="utf-8", errors="replace")
    return os.waitstatus_to_exitcode(status), text_, seconds, used.ru_maxrss * 1024


if __name__ == "__main__":
    main()
