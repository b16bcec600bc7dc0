"""A LoRA alone beside an own vocabulary with a LoRA, on languages that MiniLM can't spell.

    python examples/benchmarks/own_vocabulary.py --data DATA
    python examples/benchmarks/own_vocabulary.py --data DATA --lang hi --pairs 3000 --seeds 3

With `--starts`, the rows are measured as they begin, before any training, and nothing is trained.
Training and test pairs are split as in `languages.py`. Both systems have the same pairs, passes,
batches and LoRA. What is finished is kept, and the same command goes on where it stopped.
"""

from __future__ import annotations

import numpy as np
from bench import MINILM, limited, parser, read, save, write_pairs, xadapt
from languages import held_out

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.core.files import read_json, write_json
from xadapt.data.transforms.shuffle import shuffled as shuffle
from xadapt.hub.opening import tensor_path
from xadapt.inference.adapted_encoder import AdaptedEncoder
from xadapt.pipelines.own_vocabulary import vocabulary_from
from xadapt.pipelines.token_counts import count_tokens

STARTS = ("translations", "focus", "pieces")
CONTROL = "translations of shuffled pairs"
SYSTEMS = {
    "LoRA": ("translation_ranking", ("train.epochs=2",)),
    "LoRA, equal size": ("translation_ranking", ("train.epochs=2", "module.rank=256")),
    "vocabulary + LoRA": ("vocabulary_alignment", ()),
    "vocabulary alone": ("vocabulary_alignment", ("module.module={kind: none}",)),
    "vocabulary + LoRA, mean of pieces": ("vocabulary_alignment", ("module.start=pieces",)),
    "vocabulary + LoRA, focus": ("vocabulary_alignment", ("module.start=focus",)),
}


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--base", default=MINILM)
    options.add_argument("--pairs", type=int, default=3000)
    options.add_argument("--seeds", type=int, default=1)
    options.add_argument("--lang", action="append", default=None)
    options.add_argument("--system", action="append", default=None, choices=list(SYSTEMS))
    options.add_argument("--starts", action="store_true", help="measure the rows' beginnings alone")
    args = options.parse_args()
    if args.starts:
        for lang in args.lang or ["hi", "ru"]:
            starts(args, lang)
            gather(args)
        return
    for seed in range(args.seeds):
        for lang in args.lang or ["hi", "ru"]:
            for system in args.system or ["vocabulary + LoRA", "LoRA"]:
                one(args, lang, system, seed)
                gather(args)


def one(args, lang: str, system: str, seed: int) -> None:
    """Train and judge one system, unless that is done."""
    home = args.work / "own_vocabulary"
    place = home / f"{lang}-{args.pairs}-{seed}-{system.replace(' ', '_')}"
    if (place / "row.json").exists():
        return
    train, test, source = held_out(args.data, lang)
    train = limited(train, args.pairs)
    place.mkdir(parents=True, exist_ok=True)
    data, held = write_pairs(place / "train.tsv", train), write_pairs(place / "test.tsv", test)
    recipe, settings = SYSTEMS[system]
    sets = [part for one in (f"seed={seed}", *settings) for part in ("--set", one)]

    xadapt(
        "train", recipe, "--base", args.base, "--data", data, "--lang", lang, *sets,
        "--out", place / "module", "--json", place / "train.json", "--loaders", "none",
    )  # fmt: skip
    xadapt(
        "evaluate", "bitext", "--base", args.base, "--module", place / "module", "--data", held,
        "--json", place / "test.json",
    )  # fmt: skip
    spelt = count_tokens([pair.text for pair in train], base=args.base, lang=lang)
    trained = read(place / "train.json")["modules"][0]
    write_json(
        place / "row.json",
        {
            "lang": lang, "system": system, "seed": seed, "pairs": len(train),
            "test_source": source, "test_rows": len(test),
            "seconds": trained["seconds"], "forward": trained.get("forward_seconds"),
            "bytes": tensor_path(place / "module").stat().st_size,
            "tokens": spelt.to_dict(), "test": read(place / "test.json"),
        },
    )  # fmt: skip


def starts(args, lang: str) -> None:
    """Measure the base and each beginning of the rows, without training, unless that is done."""
    place = args.work / "own_vocabulary" / f"starts-{lang}-{args.pairs}"
    if (place / "start.json").exists():
        return
    train, test, source = held_out(args.data, lang)
    train = limited(train, args.pairs)
    encoder = Encoder.from_pretrained(args.base, dtype="float32")
    texts, pivots = ([getattr(pair, side) for pair in test] for side in ("text", "pivot"))
    bare = AdaptedEncoder(encoder, {})
    english = bare.encode(pivots)
    shuffled = shuffle(train, seed=0)
    found = {"frozen base": ways(bare.encode(texts), english)}
    changed = 0.0
    plans = [*((name, name, train) for name in STARTS), (CONTROL, "translations", shuffled)]
    for name, start, rows in plans:
        options = {"size": 8000, "start": start, "module": {"kind": "none"}}
        made = AdaptedEncoder(encoder, {lang: vocabulary_from(options, encoder, rows)})
        found[name] = ways(made.encode(texts, lang), english)
        changed = max(changed, float(abs(made.encode(pivots, lang) - english).max()))
    place.mkdir(parents=True, exist_ok=True)
    row = {"lang": lang, "pairs": len(train), "test_source": source, "test_rows": len(test)}
    write_json(place / "start.json", {**row, "accuracy": found, "english_changed": changed})


def ways(texts, english) -> dict[str, float]:
    """Share of texts whose translation is nearest by cosine, and the other way round."""
    one, other = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (texts, english))
    near, right = one @ other.T, np.arange(len(texts))
    return {
        "to_pivot": float((near.argmax(1) == right).mean()),
        "from_pivot": float((near.argmax(0) == right).mean()),
    }


def gather(args) -> None:
    """Write what is there as one result."""
    home = args.work / "own_vocabulary"
    rows, begun = (sorted(home.glob(f"*/{name}.json")) for name in ("row", "start"))
    made = {"rows": [read_json(one) for one in rows], "starts": [read_json(one) for one in begun]}
    save("own_vocabulary", {"base": "MiniLM", **made})


if __name__ == "__main__":
    main()
