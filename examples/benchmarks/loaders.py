"""The lines of a card, run as they are printed, in environments where xadapt is not installed.

    python examples/benchmarks/loaders.py

A LoRA and a bottleneck are trained for some steps on MiniLM, and their folders are put where the
Hub's client keeps what it has fetched. Each environment is a new venv with one library and what it
asks for, from the package index. A fresh process there runs the lines below one heading of
the card, with the id of the module in the place of "FOLDER", without a network. The vectors are
compared with xadapt's in fp32, and with the base's without the module: without an effect, a
difference of zero would say nothing. All environments share one installation of torch, which a
``.pth`` file names; ``--own-torch`` installs it in each.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from bench import MINILM, save

import xadapt
from xadapt.backbones.bases import resolve
from xadapt.config.recipe_file import find_recipe, load_recipe
from xadapt.hub.opening import read_manifest
from xadapt.hub.snippets import TEXTS

TORCH = "torch==2.13.0"
ENVIRONMENTS: dict[str, tuple[list[str], tuple[str, ...]]] = {
    "adapters 1.3": (["adapters>=1.3,<1.4"], ("adapters",)),
    "peft, transformers 4": (["peft>=0.18", "transformers>=4.57,<5"], ("peft", "transformers")),
    "peft, transformers 5": (["peft>=0.18", "transformers>=5,<6"], ("peft", "transformers")),
    "sentence-transformers 5": (
        ["sentence-transformers>=5,<6", "peft>=0.18"],
        ("sentence-transformers",),
    ),
    "sentence-transformers 6": (
        ["sentence-transformers>=6,<7", "peft>=0.18"],
        ("sentence-transformers",),
    ),
}
"""By name: what pip is asked for, and the headings of the card whose lines are run."""
SHOWN = ("torch", "transformers", "adapters", "peft", "sentence-transformers", "huggingface-hub")
MODULES = {
    "LoRA": ("someone/minilm-swh-lora", {}),
    "bottleneck": (
        "someone/minilm-swh-bottleneck",
        {"kind": "bottleneck", "width": 32, "after": "ffn"},
    ),
}
WORKER = """
import importlib.metadata, importlib.util, json, sys
import numpy as np
assert importlib.util.find_spec("xadapt") is None, "xadapt is installed here"
job = json.load(open(sys.argv[1]))
names, found = {}, {}
for name in job["packages"]:
    try:
        found[name] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        pass
try:
    exec(job["code"], names)
    vectors = names["vectors"]
    vectors = vectors.detach().float().cpu().numpy() if hasattr(vectors, "detach") else vectors
    np.save(job["out"], np.asarray(vectors, np.float32))
    json.dump({"versions": found}, open(job["out"] + ".json", "w"))
except Exception as error:
    said = f"{type(error).__name__}: {error}"[:300]
    json.dump({"versions": found, "error": said}, open(job["out"] + ".json", "w"))
"""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--work", type=Path, default=Path("runs/loaders"))
    options.add_argument("--own-torch", action="store_true")
    options.add_argument("--only", action="append", help="only these environments")
    args = options.parse_args()
    args.work = args.work.resolve()
    folders = {name: trained(args.work, name) for name in MODULES}
    cache = args.work / "hub"
    shutil.rmtree(cache, ignore_errors=True)
    base_id = read_manifest(folders["LoRA"]).base.id
    assert base_id is not None
    keep(cache, base_id, Path(resolve(MINILM).location))
    for name, folder in folders.items():
        keep(cache, MODULES[name][0], folder)
    home = {name: vectors_here(folder) for name, folder in folders.items()}
    bare = vectors_here(None)
    rows = []
    for environment in args.only or ENVIRONMENTS:
        python = made(args.work, environment, args.own_torch)
        for name, folder in folders.items():
            card = (folder / "README.md").read_text(encoding="utf-8")
            lines = dict(snippets_in(card))
            for heading in ENVIRONMENTS[environment][1]:
                if heading not in lines:
                    continue
                code = lines[heading].replace('"FOLDER"', f'"{MODULES[name][0]}"')
                got = run(args.work, python, cache, code)
                row: dict[str, Any] = {"environment": environment, "module": name,
                                       "lines": heading, "versions": got["versions"]}  # fmt: skip
                if "error" in got:
                    row |= {"difference": None, "error": got["error"]}
                else:
                    found = got["vectors"]
                    row |= {
                        "difference": float(np.abs(found - home[name]).max()),
                        "effect": float(np.abs(found - bare).max()),
                    }
                rows.append(row)
                print(row, flush=True)
    save("loaders", {"rows": rows, "texts": list(TEXTS), "shared_torch": not args.own_torch})
    if any(row["difference"] is None or row["difference"] > 1e-5 for row in rows):
        sys.exit("a library computes something else, or nothing")


def trained(work: Path, name: str) -> Path:
    """Train a module for some steps, unless it is there from an earlier call."""
    folder = work / "modules" / name
    if not (folder / "xadapt.json").exists():
        recipe = load_recipe(find_recipe("quickstart")).model_dump(mode="json")
        recipe["module"] = MODULES[name][1] or recipe["module"]
        xadapt.train(
            recipe,
            base=MINILM,
            data="cldr",
            lang="sw",
            out=folder,
            settings=["data.train.limit=300", "train.epochs=2"],
            loaders="all",
            licence="apache-2.0",
        )
    return folder


def vectors_here(folder: Path | None) -> Any:
    """Return what xadapt computes of the texts of the card, in fp32."""
    given = [] if folder is None else [folder]
    model = xadapt.load(MINILM, *given, dtype="float32", device="cpu")
    return model.encode(list(TEXTS), None if folder is None else "sw")


def keep(cache: Path, name: str, folder: Path) -> None:
    """Put a folder where the Hub's client looks for what it has fetched."""
    place = cache / "hub" / f"models--{name.replace('/', '--')}"
    commit = "0" * 40
    (place / "refs").mkdir(parents=True)
    (place / "refs" / "main").write_text(commit, encoding="utf-8")
    leave = shutil.ignore_patterns("run", ".xadapt.lock")
    shutil.copytree(folder, place / "snapshots" / commit, ignore=leave)


def made(work: Path, name: str, own_torch: bool) -> Path:
    """Make an environment, unless it is there from an earlier call, and return its Python."""
    folder = work / "environments" / re.sub(r"[^a-z0-9]+", "-", name)
    python = folder / "bin" / "python"
    if (folder / "done").exists():
        return python
    shutil.rmtree(folder, ignore_errors=True)
    print(f"making the environment of {name}", flush=True)
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    wanted = list(ENVIRONMENTS[name][0])
    pip = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    if own_torch:
        wanted.append(TORCH)
    else:
        shared = work / "environments" / "torch"
        if not (shared / "torch").is_dir():
            subprocess.run([*pip, "--target", str(shared), TORCH, "numpy"], check=True)
        site = next(folder.glob("lib/python*/site-packages"))
        (site / "torch.pth").write_text(f"{shared}\n", encoding="utf-8")
    subprocess.run([*pip, *wanted], check=True)
    (folder / "done").touch()
    return python


def run(work: Path, python: Path, cache: Path, code: str) -> dict[str, Any]:
    """Run lines in a fresh process of an environment, without a network."""
    out = work / "vectors.npy"
    for left in (out, Path(f"{out}.json")):
        left.unlink(missing_ok=True)
    job = work / "job.json"
    job.write_text(json.dumps({"code": code, "out": str(out), "packages": SHOWN}), encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {"HF_HOME": str(cache), "HF_HUB_OFFLINE": "1"}
    subprocess.run([str(python), "-c", WORKER, str(job)], env=environment, cwd=work, check=False)
    said = Path(f"{out}.json")
    if not said.exists():
        return {"versions": {}, "error": "the process ended without a word"}
    found = json.loads(said.read_text(encoding="utf-8"))
    return found if "error" in found else {**found, "vectors": np.load(out)}


def snippets_in(card: str) -> Iterator[tuple[str, str]]:
    """Yield the first block of Python code below each heading of a card, with the library."""
    for part in card.split("\n### ")[1:]:
        blocks = re.findall(r"```python\n(.*?)\n```", part, re.DOTALL)
        if blocks:
            yield part.splitlines()[0].split(" (")[0], blocks[0]


if __name__ == "__main__":
    main()
