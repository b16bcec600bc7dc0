"""A LoRA alone beside an own vocabulary with a LoRA, on languages that MiniLM can't spell.

    python examples/benchmarks/own_vocabulary.py --data DATA
    python examples/benchmarks/own_vocabulary.py --data DATA --lang hi --pairs 3000 --seeds 3

Training and test pairs are split as in `languages.py`. Both systems have the same pairs, passes,
batches and LoRA. What is finished is kept, and the same command goes on where it stopped.
"""

from __future__ import annotations

from bench import MINILM, limited, parser, read, save, write_pairs, xadapt
from languages import held_out

from xadapt.core.files import read_json, write_json
from xadapt.hub.opening import tensor_path
from xadapt.pipelines.token_counts import count_tokens

SYSTEMS = {
    "LoRA": ("translation_ranking", ("train.epochs=2",)),
    "LoRA, equal size": ("translation_ranking", ("train.epochs=2", "module.rank=256")),
    "vocabulary + LoRA": ("vocabulary_alignment", ()),
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
    args = options.parse_args()
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


def gather(args) -> None:
    """Write what is there as one result."""
    found = sorted((args.work / "own_vocabulary").glob("*/row.json"))
    save("own_vocabulary", {"base": "MiniLM", "rows": [read_json(one) for one in found]})


if __name__ == "__main__":
    main()
