"""Exports of modules for each task: what other libraries compute, beside xadapt.

    python examples/benchmarks/exports.py --data DATA

Each module is trained for a few steps on real data. It is published and, if it is a LoRA, merged
into its base. Then a fresh process for each library runs the lines of the card as they stand there,
and the lines of the merged folder's README, and keeps the logits of the task. xadapt computes the
logits of the same tokens here, with the module and without it: without an effect of the module a
difference of zero would say nothing. ``--other FOLDER`` names a folder with other versions of
transformers and huggingface_hub (``pip install --target``), for processes with that version.
"""

from __future__ import annotations

import argparse
import gzip
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from bench import MINILM, save
from torch import Tensor

import xadapt
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.task_class import CLASSES
from xadapt.composition.composed import Composed
from xadapt.composition.text import parse
from xadapt.config.recipe_file import find_recipe, load_recipe
from xadapt.heads.head import Head
from xadapt.hub.opening import open_head, read_manifest
from xadapt.inference.open_module import open_module
from xadapt.injection.activation import Activation, ActiveAdapter

CLASS_ROWS = 80
LINES = {
    "mlm": ("mono/de.txt.gz", "mlm.txt", 160),
    "tagging": ("ner/uner_en_ewt_dev.tsv.gz", "tagging.conll", 2000),
    "qa": ("qa/xquad/en.jsonl.gz", "qa.jsonl", 30),
    "sts": ("sts/en_train.tsv.gz", "sts.tsv", 200),
}
SMALL = ("train.epochs=1", "dtype=float32", "data.train.dev=32")
LORA = {"kind": "lora", "sites": ["q", "k", "v", "ffn_in", "ffn_out"], "rank": 8, "alpha": 16}
# name: recipe, base, data, changes
RUNS: tuple[tuple[str, str, str, str, tuple[str, ...]], ...] = (
    ("LoRA", "mlm", "mini", "mlm", ()),
    ("invertible bottleneck", "mad_x_language", "mini", "mlm", ("module.width=64",)),
    ("bottleneck", "ner", "mini", "tagging", ()),
    ("LoRA", "lora_ner", "mini", "tagging", ()),
    ("none", "probe", "mini", "tagging",
     ("data.train.reader=conll", "objectives.0.scheme=bio")),
    ("LoRA", "classification", "mini", "classification", ()),
    ("LoRA", "sts", "mini", "sts", ()),
    ("LoRA", "qa", "mini", "qa", ()),
    ("LoRA", "classification", MINILM, "classification", ()),
    ("LoRA", "sts", MINILM, "sts", ()),
)  # fmt: skip
WORKER = """
import json, sys, torch
for code, out in json.load(open(sys.argv[1])):
    names = {}
    try:
        exec(code, names)
        batch = {name: value for name, value in names["batch"].items()}
        torch.save({"logits": names["logits"], "batch": batch}, out)
    except Exception as error:
        torch.save({"error": f"{type(error).__name__}: {error}"[:200]}, out)
"""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--data", type=Path, required=True)
    options.add_argument("--work", type=Path, default=Path("runs/exports"))
    options.add_argument("--other", type=Path)
    args = options.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    inputs = prepare(args.data, args.work)
    jobs: list[dict[str, Any]] = []
    for number, run in enumerate(RUNS):
        jobs += published(args.work / str(number), run, inputs)
    jobs += fused(args.work / "fusion", inputs)
    versions = {"": None} if args.other is None else {"": None, " (other)": args.other}
    found = {}
    for suffix, other in versions.items():
        for library in dict.fromkeys(job["library"] for job in jobs):
            if other is not None and library == "adapters":
                continue
            own = [job for job in jobs if job["library"] == library]
            found |= in_a_process(own, args.work, suffix, other)
    rows = [row(job, suffix, found) for suffix in versions for job in jobs
            if (job["code"], suffix) in found]  # fmt: skip
    save("exports", {"rows": rows, "versions": read_versions(args.other)})
    if any(not one["difference"] <= 1e-5 for one in rows if one["difference"] is not None):
        sys.exit("a library computes something else")


def prepare(data: Path, work: Path) -> dict[str, Path]:
    """Write the first rows of each source; the classes are the languages of sentences."""
    made = {}
    for name, (source, target, count) in LINES.items():
        made[name] = work / target
        made[name].write_text("".join(islice(lines(data / source), count)), encoding="utf-8")
    whole = zip(*(lines(data / f"mono/{lang}.txt.gz") for lang in ("de", "fr", "sw")), strict=False)
    rows = [f"{text.strip()}\t{lang}\n" for texts in islice(whole, CLASS_ROWS)
            for text, lang in zip(texts, ("de", "fr", "sw"), strict=True)
            if "\t" not in text]  # fmt: skip
    made["classification"] = work / "classification.tsv"
    made["classification"].write_text("".join(rows), encoding="utf-8")
    return made


def lines(path: Path) -> Iterator[str]:
    """Yield the lines of a compressed text."""
    with gzip.open(path, "rt", encoding="utf-8") as opened:
        yield from opened


def published(folder: Path, run: tuple[Any, ...], inputs: dict[str, Path]) -> list[dict[str, Any]]:
    """Train and publish one module; one job for each library that holds it."""
    kind, recipe, base, task, changes = run
    print(kind, recipe, base, flush=True)
    given: dict[str, Any] = {"base": base, "data": str(inputs[task]), "lang": "en"}
    more = [one for one in SMALL if task != "mlm" or "dev" not in one]
    made: Any = recipe
    if recipe == "lora_ner":
        made = {**load_recipe(find_recipe("ner")).model_dump(mode="json"), "module": LORA}
    trained(made, folder, settings=[*more, *changes], loaders="all", **given)
    manifest = read_manifest(folder)
    job = {"module": kind, "task": task, "base": base, "folder": folder}
    text = (folder / "README.md").read_text(encoding="utf-8")
    place = Encoder.from_pretrained(base, dtype="float32", device="cpu").source.location
    jobs = [
        {**job, "library": title, "code": code_for(code, folder, place, manifest.base.id)}
        for title, code in snippets_in(text)
        if title != "xadapt"
    ]
    if manifest.module.kind in ("lora", "none"):
        target = folder.with_name(f"{folder.name}-merged")
        shutil.rmtree(target, ignore_errors=True)
        xadapt.compose(str(folder), base=base, out=target, merged=True)
        code = readme_code(target, task)
        jobs.append({**job, "library": "merged, transformers", "code": code})
    return jobs


def trained(recipe: Any, folder: Path, **given: Any) -> None:
    """Train a module, unless the folder is there from an earlier call."""
    if not (folder / "xadapt.json").exists():
        xadapt.train(recipe, out=folder, **given)


def snippets_in(card: str) -> Iterator[tuple[str, str]]:
    """Yield the first block of Python code below each heading of a card, with the library."""
    for part in card.split("\n### ")[1:]:
        blocks = re.findall(r"```python\n(.*?)\n```", part, re.DOTALL)
        if blocks:
            yield part.splitlines()[0].split(" (")[0], blocks[0]


def code_for(code: str, folder: Path, place: str, base_id: str | None) -> str:
    """Return the lines of a card with the folder and the base of this machine in them."""
    for name, value in (("FOLDER", str(folder)), (base_id or "BASE", place)):
        code = code.replace(f'"{name}"', f'"{value}"')
    return code


INPUTS = {
    "mlm": 'f"Paris is the {tokenizer.mask_token} of France."',
    "tagging": '"Angela Merkel visited Paris in May .".split(), is_split_into_words=True',
    "classification": '["A sentence.", "Noch ein Satz, etwas länger."]',
    "sts": '["A man eats."], ["A person is eating bread."]',
    "qa": '["Who eats?"], ["A man eats bread in the park."]',
}
FORWARD = """
batch = tokenizer({given}, padding=True, return_tensors="pt")
with torch.no_grad():
    output = model.eval()(**batch)
logits = torch.stack([output.start_logits, output.end_logits], -1) if {pairs} else output.logits
"""


def readme_code(target: Path, task: str, place: str | None = None) -> str:
    """Return the lines of a folder's README, and lines that give the logits of its task."""
    [code] = re.findall(
        r"```python\n(.*?)\n```", (target / "README.md").read_text(encoding="utf-8"), re.DOTALL
    )
    code = code.replace('"this folder"', f'"{target}"')
    if place is not None:
        code = re.sub(r'from_pretrained\("[^"]*"\)', f'from_pretrained("{place}")', code)
        code += f'\nfrom transformers import AutoTokenizer\ntokenizer = AutoTokenizer.from_pretrained("{place}")'  # noqa: E501
    return "import torch\n" + code + FORWARD.format(given=INPUTS[task], pairs=task == "qa")


def fused(folder: Path, inputs: dict[str, Path]) -> list[dict[str, Any]]:
    """Train a fusion of two bottlenecks with a head; one job for adapters."""
    print("fusion", flush=True)
    given: dict[str, Any] = {"base": "mini", "data": str(inputs["tagging"]), "lang": "en"}
    for seed, name in enumerate("ab"):
        trained("ner", folder / name, settings=[*SMALL, f"seed={seed}"], **given)
    own = {name: folder / name for name in "abf"}
    within = f"fuse(self; {own['a']}, {own['b']})"
    trained("adapter_fusion", own["f"], compose=within, settings=list(SMALL), **given)
    shutil.rmtree(folder / "setup", ignore_errors=True)
    text = f"fuse({own['f']}; {own['a']}, {own['b']})"
    xadapt.compose(text, base="mini", out=folder / "setup", setup=True)
    place = Encoder.from_pretrained("mini").source.location
    code = readme_code(folder / "setup", "tagging", place)
    return [{"module": "fusion of bottlenecks", "task": "tagging", "base": "mini", "folder": own,
             "library": "adapters", "code": code}]  # fmt: skip


def in_a_process(
    jobs: Iterable[dict[str, Any]], work: Path, suffix: str, other: Path | None
) -> dict[tuple[str, str], dict[str, Any]]:
    """Run the code of jobs in one fresh process, without xadapt in it."""
    import json
    import os

    jobs = list(jobs)
    print(jobs[0]["library"], suffix, len(jobs), flush=True)
    with tempfile.TemporaryDirectory(dir=work) as temporary:
        outs = [Path(temporary, f"{number}.pt") for number in range(len(jobs))]
        listed = Path(temporary, "jobs.json")
        pairs = [(job["code"], str(out)) for job, out in zip(jobs, outs, strict=True)]
        listed.write_text(json.dumps(pairs), encoding="utf-8")
        environment = {**os.environ, "PYTHONPATH": "" if other is None else str(other.resolve())}
        command = [sys.executable, "-c", WORKER, str(listed)]
        subprocess.run(command, env=environment, check=True, stderr=subprocess.DEVNULL)
        return {(job["code"], suffix): torch.load(out, weights_only=False)
                for job, out in zip(jobs, outs, strict=True)}  # fmt: skip


def row(job: dict[str, Any], suffix: str, found: dict[Any, dict[str, Any]]) -> dict[str, Any]:
    """Compare what a library computed with xadapt, and xadapt with the module with the base."""
    got = found[job["code"], suffix]
    shown = {"module": job["module"], "task": job["task"], "base": Path(job["base"]).name,
             "library": job["library"] + suffix}  # fmt: skip
    if "error" in got:
        return {**shown, "difference": None, "effect": None, "error": got["error"]}
    encoder, module, head = loaded(job)
    own = logits(encoder, module, head, got["batch"])
    base = logits(encoder, None, head, got["batch"])
    size = float(own.abs().max().clamp(min=1.0))
    same = float((got["logits"].float() - own).abs().max()) / size
    return {**shown, "difference": same, "effect": float((base - own).abs().max()) / size}


def loaded(job: dict[str, Any]) -> tuple[Encoder, Any, Head | None]:
    """Load the base, the module and the head of a job in xadapt."""
    encoder = Encoder.from_pretrained(job["base"], dtype="float32", device="cpu")
    folder = job["folder"]
    if isinstance(folder, dict):
        parts = {name: open_module(str(where), encoder)[0] for name, where in folder.items()}
        module: Any = Composed(parse("fuse(f; a, b)"), parts)
        folder = folder["f"]
    else:
        module = open_module(str(folder), encoder)[0]
    spec = read_manifest(folder).head
    return encoder, module, None if spec is None else open_head(folder, spec, encoder.width)


def logits(encoder: Encoder, module: Any, head: Head | None, batch: dict[str, Tensor]) -> Tensor:
    """Compute the logits of a task with xadapt: those of the class of transformers."""
    ids, mask = batch["input_ids"], batch["attention_mask"]
    types = batch.get("token_type_ids")
    second = None if types is None else [int(x) for x in mask.sum(1) - types.sum(1)]
    acts = None if module is None else Activation.of(ActiveAdapter(encoder, module))
    with torch.no_grad():
        hidden = encoder.embed(ids, mask, second, activation=acts)
        states = encoder.run(hidden, mask, activation=acts)
        if head is None:
            return encoder.mlm_head(getattr(module, "before_vocabulary", None))(states).float()
        sequence = CLASSES[head.task][0] == CLASSES["classification"][0]
        scores: Tensor = head(states[:, 0] if sequence else states)
        low, high = head.scale or (0.0, 1.0)
        return low + (high - low) * scores


def read_versions(other: Path | None) -> dict[str, str]:
    """Return the versions of the libraries, and of transformers in the other folder."""
    from importlib.metadata import distributions, version

    names = ("transformers", "adapters", "peft")
    found = {name: version(name) for name in names}
    if other is not None:
        own = distributions(path=[str(other)])
        found["other"] = next(d.version for d in own if d.metadata["Name"] == "transformers")
    return found


if __name__ == "__main__":
    main()
