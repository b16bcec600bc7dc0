"""Maps between word vectors trained here: every method, by cosine and by CSLS, over splits.

python examples/benchmarks/embedding_maps.py --data DATA
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import torch
from bench import parser, read, save
from word_vectors import SETTINGS, WORDS, trained

from xadapt.maps.contract import Spaces
from xadapt.maps.dictionary import find, read_dictionary, split
from xadapt.maps.normalising import VECMAP, Normalisation
from xadapt.maps.precision import precision
from xadapt.maps.vector_files import read_vectors
from xadapt.pipelines.map_embeddings import build_method, chooser

METHODS = {
    "Procrustes": ("procrustes", {}),
    "Procrustes + refine": ("refine", {}),
    "RCSLS spectral": ("rcsls", {"model": "spectral"}),
    "RCSLS": ("rcsls", {}),
    "VecMap": ("vecmap", {}),
}
SHUFFLED = "Procrustes, shuffled dictionary"
DEV, TEST = 0.1, 0.3
CHOSEN_AMONG = 5_000


def main() -> None:
    given = parser(__doc__ or "")
    given.add_argument("--langs", default="de,fr")
    given.add_argument("--seeds", type=int, default=3)
    given.add_argument("--max-vocab", type=int, default=10_000)
    options = given.parse_args()
    folder = options.work / "word_vectors"
    texts = {"en": trained(options.data, "en", "de", folder / "en.vec")}
    pairs = {}
    for lang in options.langs.split(","):
        texts[lang] = trained(options.data, lang, "en", folder / f"{lang}.vec")
        runs = [once(options, folder, lang, seed) for seed in range(options.seeds)]
        pairs[f"en-{lang}"] = {
            "dictionary": [run["dictionary"] for run in runs],
            "scores": {
                name: {
                    way: {at: [run["scores"][name][way][at] for run in runs] for at in rates}
                    for way, rates in ways.items()
                }
                for name, ways in runs[0]["scores"].items()
            },
            "seconds": {
                name: [run["seconds"][name] for run in runs] for name in runs[0]["seconds"]
            },
        }
    result = {
        "vectors": {"gensim": SETTINGS, "most_words": WORDS, "texts": texts},
        "max_vocab": options.max_vocab,
        "chosen_among": CHOSEN_AMONG,
        "seeds": options.seeds,
        "held_out": {"dev": DEV, "test": TEST},
        "pairs": pairs,
    }
    save("embedding_maps", result)


def once(options, folder: Path, lang: str, seed: int) -> dict:
    """Fit every method on one split of one dictionary, and measure it; a finished run is read."""
    done = options.work / f"embedding_maps_{lang}_{options.max_vocab}_{seed}.json"
    if done.exists():
        return read(done)
    source, target = (
        read_vectors(folder / f"{one}.vec", options.max_vocab) for one in ("en", lang)
    )
    dictionary = read_dictionary(options.data / "dictionary" / f"en-{lang}.tsv.gz").lowered()
    x, y = (
        Normalisation.fit(torch.from_numpy(side.vectors), VECMAP)[1] for side in (source, target)
    )
    parts = split(dictionary, dev=DEV, test=TEST, seed=seed)
    train, dev, test = (find(part, source, target) for part in (parts.train, parts.dev, parts.test))
    choose = chooser(dev, x, y, first=CHOSEN_AMONG)
    lines: list[str] = []
    spaces = Spaces(x, y, train.positions(), choose, lines.append)
    order = torch.randperm(len(spaces.pairs), generator=torch.Generator().manual_seed(seed))
    mixed = torch.stack([spaces.pairs[:, 0], spaces.pairs[order, 1]], 1)
    fits = {name: (spaces, *own) for name, own in METHODS.items()}
    fits[SHUFFLED] = (Spaces(x, y, mixed), "procrustes", {})
    scores = {"no map": precision(x, y, test)}
    seconds = {}
    for name, (given, method, own) in fits.items():
        began = time.process_time()
        maps = build_method(method, own).fit(given)
        seconds[name] = time.process_time() - began
        scores[name] = precision(maps.map_source(x), maps.map_target(y), test)
        print(lang, seed, name, scores[name], f"{seconds[name]:.0f} s", flush=True)
    result = {
        "dictionary": {
            "pairs": len(dictionary),
            "train": len(train.targets),
            "dev": len(dev.targets),
            "test": test.to_dict(),
        },
        "scores": scores,
        "seconds": seconds,
        "steps": lines,
    }
    done.write_text(json.dumps(result), encoding="utf-8")
    return result


if __name__ == "__main__":
    main()
