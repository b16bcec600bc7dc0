"""Four objectives in one recipe, against each of them in a run of its own.

    python examples/benchmarks/joint.py --data DATA --work runs

Ranking, representation translation, the dictionary term and masked language modelling train one
module with one pass over the pairs, or four modules with a pass each. Every run has the same steps,
data and kind of module. Seconds of the processor are those of the whole call, from opening the base
to the finished folder. The module is on for Spanish alone. A run that is there is not made again.
"""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from bench import RESULTS, parser, save
from experiments.contract import MINI, Place
from experiments.dict_mlm import predicted, whole
from experiments.shared import parallel_files, retrieval, short_lines, translated_words
from torch import nn

import xadapt
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.encoder.words import tokenize_words
from xadapt.data.readers.dictionary import Dictionary
from xadapt.data.transforms.dictionary_part import dictionary_part
from xadapt.evaluation.systems import System
from xadapt.inference.open_module import open_module
from xadapt.tasks.dictionary import WordTranslation, word_side

LANG, PAIRS, TEXTS, ENTRIES, TEST = "es", 1600, 1600, 3000, 400
RANKING, READING = "translation_ranking", "representation_translation"
DICTIONARY, MASKED = "align_mlm", "mlm"
WORDS = 12
"""Most English words of a training pair."""
URL = "https://arxiv.org/abs/2305.09148"
JOINT, FROZEN = "all four", "frozen base"
OBJECTIVES: dict[str, dict[str, Any]] = {
    RANKING: {"weight": 1.0},
    READING: {"weight": 0.3},
    DICTIONARY: {"weight": 50.0, "centred": True},
    MASKED: {"weight": 1.0},
}
ENTRY = {RANKING: "pairs", READING: "pairs", DICTIONARY: "dictionary", MASKED: "text"}
MEASURES = {RANKING: "sentences", READING: "words in sentences", DICTIONARY: "held-out words",
            MASKED: "masked words"}  # fmt: skip
"""What each objective is for."""
MODULE = {"kind": "embedding_map", "form": "both", "rank": None, "row_rank": 16, "lora_rank": 32,
          "alpha": 64, "tied": False}  # fmt: skip


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--seeds", type=int, default=3)
    args = options.parse_args()
    place = Place(args.data, args.work / "joint", MINI)
    place.work.mkdir(parents=True, exist_ok=True)
    runs = {JOINT: tuple(OBJECTIVES), **{name: (name,) for name in OBJECTIVES}}
    scores: dict[str, list[dict[str, float]]] = {FROZEN: [measured(place, None)]}
    seconds: dict[str, list[dict[str, float]]] = {}
    for seed in range(args.seeds):
        for name, chosen in runs.items():
            out = place.work / f"{name.replace(' ', '-')}-{seed}"
            seconds.setdefault(name, []).append(trained(place, chosen, out, seed))
            scores.setdefault(name, []).append(measured(place, out))
            print(seed, name, seconds[name][-1], scores[name][-1], flush=True)
        found = {"system": JOINT, "base": "mini", "seeds": seed + 1, "about": about()}
        rows = {"scores": scores, "seconds": seconds, "measures": MEASURES}
        save("joint", {**found, **rows})


def trained(place: Place, chosen: Sequence[str], out: Path, seed: int) -> dict[str, float]:
    """Train one module, write the page of its run, and return what the training took."""
    kept = out.with_suffix(".json")
    if not kept.exists():
        files = given(place)
        entries = {ENTRY[name]: files[ENTRY[name]] for name in chosen}
        first = ENTRY[chosen[0]]
        # the entry of the first objective is the one that ``--data`` fills
        data = {"train" if name == first else name: path for name, path in entries.items()}
        began, busy = time.monotonic(), time.process_time()
        result = xadapt.train(
            recipe(chosen, seed), base=place.base, data=data, lang=LANG, out=out, resume=True,
            loaders="none", show=False,
        )  # fmt: skip
        took = {"processor": time.process_time() - busy, "clock": time.monotonic() - began,
                "training": result.seconds, "steps": result.history.steps[-1]["step"]}  # fmt: skip
        result.write_report(out.with_suffix(".html"))
        if len(chosen) > 1 and not seed:
            result.write_report(RESULTS / "joint.html")
        kept.write_text(json.dumps(took), encoding="utf-8")
    return json.loads(kept.read_text(encoding="utf-8"))


def recipe(chosen: Sequence[str], seed: int) -> dict[str, Any]:
    """The recipe of some of the objectives, with as many steps for any of them."""
    first = ENTRY[chosen[0]]
    specs = {
        "pairs": {"reader": "parallel", "dev": 0},
        "text": {"reader": "plain_text", "dev": 0},
        "dictionary": {"reader": "dictionary", "dev": 0, "batch_size": 512, "transforms": [
            {"name": "dictionary_part", "part": "train", "held_out": 0.2}]},
    }  # fmt: skip
    used = [entry for entry in specs if entry in {ENTRY[name] for name in chosen}]
    names = {entry: "train" if entry == first else entry for entry in used}
    objectives = [{"name": name, "data": names[ENTRY[name]], **OBJECTIVES[name]} for name in chosen]
    # a step takes 512 of about 2,400 entries, and 16 of 1,600 pairs or lines
    epochs = 20 if first == "dictionary" else 1
    steps = {"schedule": "cosine", "warmup": 0.1, "batch_size": 16, "learning_rate": 1e-3}
    return {
        "name": "joint",
        "source": {"paper": "DAP, with the dictionary term of ALIGN-MLM", "url": URL},
        "seed": seed,
        "module": MODULE,
        "objectives": objectives,
        "data": {names[entry]: specs[entry] for entry in used},
        "train": {"epochs": epochs, **steps},
    }


def given(place: Place) -> dict[str, Path]:
    """Write pairs, lines and entries, if they are not there yet."""
    files = parallel_files(place, LANG, PAIRS, WORDS)
    text, words = place.work / "lines.txt", place.work / "words.tsv"
    if not words.exists():
        found = islice(short_lines(place.data, LANG), TEXTS)
        text.write_text("".join(f"{line}\n" for line in found), encoding="utf-8")
        packed = (place.data / "dictionary" / f"en-{LANG}.tsv.gz").read_bytes()
        kept = islice(gzip.decompress(packed).decode("utf-8").splitlines(keepends=True), ENTRIES)
        words.write_text("".join(kept), encoding="utf-8")
    return {"pairs": files["train"], "test": files["test"], "text": text, "dictionary": words}


def measured(place: Place, folder: Path | None) -> dict[str, float]:
    """Measure what each objective is for; the module acts on the language alone."""
    files = given(place)
    encoder = Encoder.from_pretrained(place.base, dtype="float32")
    module = None if folder is None else open_module(folder, encoder)[0]
    ways = retrieval(place, folder, files["test"], LANG, both=False)
    return {
        MEASURES[RANKING]: sum(ways.values()) / len(ways),
        MEASURES[READING]: translated_words(place, folder, files["test"], LANG),
        MEASURES[DICTIONARY]: held_out(encoder, module, files["dictionary"]),
        MEASURES[MASKED]: behind_masks(encoder, module, place),
    }


def held_out(encoder: Encoder, module: nn.Module | None, words: Path) -> float:
    """P@1 of words that no entry of training has, by centred word embeddings."""
    entries = list(Dictionary().read(str(words), LANG))
    system = System(word_side(encoder, module), word_side(encoder))
    found = WordTranslation().evaluate(
        dictionary_part(entries, "held_out", 0.2), {"it": system}, control=False, resamples=1,
        pool=[entry.pivot for entry in entries],
    )  # fmt: skip
    return found["it"].scores["P@1 centred"].mean


def behind_masks(encoder: Encoder, module: nn.Module | None, place: Place) -> float:
    """Accuracy of the word in the middle, masked, of lines that nothing was trained on."""
    texts = [
        line.split() for line in islice(short_lines(place.data, LANG), TEXTS, TEXTS + 4 * TEST)
    ]
    rows = tokenize_words(encoder, texts)
    places = [
        (row, row.first[len(words) // 2])
        for row, words in zip(rows, texts, strict=True)
        if whole(row, len(words) // 2)
    ][:TEST]
    with torch.inference_mode():
        scores = predicted(encoder, module, [(row, at) for row, at in places])
    right = [
        int(own.argmax()) == row.ids[at] for own, (row, at) in zip(scores, places, strict=True)
    ]
    return sum(right) / len(right)


def about() -> str:
    """What was trained and measured."""
    weights = ", ".join(f"{name} {own['weight']:g}" for name, own in OBJECTIVES.items())
    return (
        "Spanish on mini, an embedding map with LoRAs of rank 32 in all layers, on for Spanish "
        f"alone; {PAIRS:,} pairs of at most {WORDS} English words, {TEXTS:,} lines, {ENTRIES:,} "
        f"entries; weights {weights}. Sentences: retrieval among 500 Tatoeba pairs, the mean of "
        "both directions. Words in sentences: how often the word of the translation with the "
        "nearest state is the dictionary's. Held-out words: P@1 of centred word embeddings of "
        f"entries that were not trained on. Masked words: accuracy of {TEST} words of one piece."
    )


if __name__ == "__main__":
    main()
