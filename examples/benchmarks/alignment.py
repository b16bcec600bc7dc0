"""The main table: a shipped recipe on all German-English pairs, judged on Tatoeba.

    python examples/benchmarks/alignment.py --data DATA --recipe translation_ranking

Holds out 500 groups of equal sentences among the Tatoeba rows before training.
"""

from __future__ import annotations

from bench import (
    MINILM,
    limited,
    parser,
    read,
    save,
    split_test,
    tagged_pairs,
    write_pairs,
    xadapt,
)

from xadapt.hub.opening import tensor_path


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--recipe", default="translation_ranking")
    options.add_argument("--lang", default="de")
    options.add_argument("--limit", type=int, default=None)
    options.add_argument("--controls", action="store_true")
    options.add_argument("--name", default="")
    options.add_argument("--set", action="append", default=[])
    args = options.parse_args()
    train, test = split_test(tagged_pairs(args.data, args.lang))
    train = limited(train, args.limit)
    label = f"alignment_{args.lang}_{args.recipe}{args.name}"
    work = args.work / label
    data = write_pairs(work / "train.tsv", train)
    held = write_pairs(work / "test.tsv", test)
    common = ["--base", MINILM]
    changes = [part for change in args.set for part in ("--set", change)]
    twin = ["--controls"] if args.controls else []
    xadapt(
        "train", args.recipe, *common, "--data", data, "--lang", args.lang,
        "--out", work / "module", "--json", work / "train.json", *changes, *twin,
    )  # fmt: skip
    xadapt(
        "evaluate", "bitext", *common, "--module", work / "module", "--data", held,
        "--controls", "--json", work / "test.json",
    )  # fmt: skip
    trained = read(work / "train.json")["modules"][0]
    result = {
        "recipe": args.recipe,
        "changes": args.set,
        "lang": args.lang,
        "rows_given": len(train),
        "train": {k: v for k, v in trained.items() if k != "manifest"},
        "module": trained["manifest"]["module"],
        "loaders": {k: v["status"] for k, v in trained["manifest"]["loaders"].items()},
        "bytes": tensor_path(work / "module").stat().st_size,
        "test": read(work / "test.json"),
    }
    save(label, result)


if __name__ == "__main__":
    main()
