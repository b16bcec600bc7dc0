"""Change single bytes of published folders: each is noticed, or nothing computed changes a bit.

    python examples/benchmarks/byte_flips.py --flips 10000

Needs no data. The folders hold random modules with all files there can be: a LoRA with a task head
and a control, a bottleneck with an invertible map, and a composition of both. A file is drawn,
then one of its bytes, then its new value.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import torch
from bench import MINILM, save
from torch import Tensor, nn

from xadapt.backbones.encoder.encode import encode
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.composition.text import parse
from xadapt.core.errors import UserError
from xadapt.heads.head import Head
from xadapt.hub.composition_file import open_composition, write_composition
from xadapt.hub.folder import SHUFFLED, write_folder
from xadapt.hub.integrity import IntegrityNotice
from xadapt.hub.manifest import Manifest, build_manifest
from xadapt.hub.opening import open_control, open_head, read_manifest
from xadapt.inference.adapted_encoder import AdaptedEncoder
from xadapt.injection.activation import Activation, ActiveAdapter
from xadapt.injection.attachment import model_shape
from xadapt.modules.storage import build, options_of

TEXTS = ["A short one.", "A sentence of some more words, to fill the batch."]
MODULES: dict[str, tuple[str, dict[str, Any]]] = {
    "lora": ("lora", {"rank": 8, "alpha": 16}),
    "bottleneck": ("bottleneck", {"width": 16, "after": "ffn", "invertible": "nice"}),
}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--flips", type=int, default=10_000)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--work", type=Path, default=Path("runs/byte_flips"))
    args = options.parse_args()
    shutil.rmtree(args.work, ignore_errors=True)
    encoder = Encoder.from_pretrained(MINILM, dtype="float32", device="cpu")
    folders = written(args.work, encoder)
    whole = {name: computed(folder, encoder) for name, folder in folders.items()}
    files = [(name, file) for name, folder in folders.items() for file in below(folder)]
    rng = random.Random(args.seed)
    outcomes: dict[str, Counter[str]] = {}
    for number in range(args.flips):
        name, file = files[number % len(files)]
        raw = file.read_bytes()
        at = rng.randrange(len(raw))
        file.write_bytes(raw[:at] + bytes([raw[at] ^ rng.randrange(1, 256)]) + raw[at + 1 :])
        outcome = judged(folders[name], encoder, whole[name])
        file.write_bytes(raw)
        shown = f"{name}/{file.relative_to(folders[name]).as_posix()}"
        outcomes.setdefault(shown, Counter())[outcome] += 1
        if outcome == "changed":
            print(f"byte {at} of {file}: not noticed", flush=True)
        if (number + 1) % 1000 == 0:
            print(number + 1, dict(sum(outcomes.values(), Counter())), flush=True)
    total = sum(outcomes.values(), Counter())
    rows = [{"file": file, **found} for file, found in sorted(outcomes.items())]
    save("byte_flips", {"flips": args.flips, "total": dict(total), "files": rows})
    if total["changed"]:
        sys.exit("a flipped byte was not noticed, and something else was computed")


def judged(folder: Path, encoder: Encoder, whole: list[Tensor]) -> str:
    """``refused``, ``notice`` or ``same``, where all is bit for bit as it was; else ``changed``."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", IntegrityNotice)
        try:
            found = computed(folder, encoder)
        except UserError:
            return "refused"
    if len(found) != len(whole) or not all(map(torch.equal, found, whole)):
        return "changed"
    return "notice" if any(w.category is IntegrityNotice for w in caught) else "same"


def computed(folder: Path, encoder: Encoder) -> list[Tensor]:
    """What a folder computes of two texts: vectors, scores of its head, vectors of its control."""
    adapted = AdaptedEncoder.load(encoder, str(folder), compose=f'"{folder}"')
    found = [torch.from_numpy(adapted.encode(TEXTS))]
    if open_composition(folder) is not None:
        return found
    spec = read_manifest(folder).head
    if spec is not None:
        with torch.no_grad():
            found.append(open_head(folder, spec, encoder.width)(found[0]))
    control = open_control(folder, SHUFFLED, model_shape(encoder))
    if control is not None:
        rows = Activation.of(ActiveAdapter(encoder, control))
        found.append(encode(encoder, TEXTS, rows=rows))
    return found


def written(work: Path, encoder: Encoder) -> dict[str, Path]:
    """The folders, by name."""
    for name, (kind, options) in MODULES.items():
        module, control = (
            shaken(build(kind, options, model_shape(encoder)), seed) for seed in (1, 2)
        )
        first = name == "lora"
        torch.manual_seed(0)
        head = Head("tagging", ["O", "B-name", "I-name"], encoder.width) if first else None
        write_folder(
            work / name,
            module,
            encoder,
            manifest(name, module, encoder),
            verify={},
            head=head,
            controls={SHUFFLED: control} if first else {},
        )
    write_composition(
        work / "composition",
        parse("bottleneck + mix(lora:.5)"),
        {name: work / name for name in MODULES},
    )
    return {name: work / name for name in (*MODULES, "composition")}


def shaken(module: nn.Module, seed: int) -> nn.Module:
    """The module with small random values everywhere."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for value in module.parameters():
            value.copy_(torch.randn(value.shape, generator=generator) * 0.02)
    return module


def manifest(name: str, module: nn.Module, encoder: Encoder) -> Manifest:
    """What training would say of a module."""
    return build_manifest(
        name=name,
        base={
            "id": "sentence-transformers/all-MiniLM-L6-v2",
            "model_type": "bert",
            "fingerprint": encoder.identity.to_dict(),
        },
        module={"kind": module.kind, "options": options_of(module).model_dump(mode="json")},
        objectives=["tagging"],
        recipe={},
        languages=["sw"],
        pooling=encoder.pooling.to_dict(),
        max_length=encoder.max_length,
        dtype="float32",
        created="2025-01-31",
    )


def below(folder: Path) -> list[Path]:
    """Every file of a folder."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


if __name__ == "__main__":
    main()
