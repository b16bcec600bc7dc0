"""What a module gains from 200, 1,000 and 3,000 pairs of one language.

    python examples/benchmarks/how_many_pairs.py --data DATA --lang de

Test pairs are 500 Tatoeba pairs that no training sentence equals. The smaller sets are parts of the
larger ones, and part of each is held out for development, as `xadapt train` does.
"""

from __future__ import annotations

from bench import MINILM, limited, parser, read, save, split_test, tagged_pairs, write_pairs, xadapt

SIZES = [200, 1000, 3000]
BASES = {MINILM: "MiniLM", "mini": "mini"}


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--lang", default="de")
    options.add_argument("--base", default=MINILM)
    options.add_argument("--recipe", default="translation_ranking")
    options.add_argument("--size", type=int, action="append", help="instead of these numbers")
    args = options.parse_args()
    train, test = split_test(tagged_pairs(args.data, args.lang))
    base = BASES.get(args.base, "another base")
    work = args.work / f"how_many_pairs_{base}_{args.lang}"
    held = write_pairs(work / "test.tsv", test)
    told = {"lang": args.lang, "base": base, "recipe": args.recipe}
    rows = []
    for size in args.size or SIZES:
        data = write_pairs(work / f"train_{size}.tsv", limited(train, size))
        module, common = work / f"module_{size}", ("--base", args.base)
        xadapt(
            "train", args.recipe, *common, "--data", data, "--lang", args.lang,
            "--out", module, "--resume",
        )  # fmt: skip
        xadapt(
            "evaluate", "bitext", *common, "--module", module, "--data", held,
            "--json", work / "test.json",
        )  # fmt: skip
        rows.append({"pairs": size, "test": read(work / "test.json")})
        save(f"how_many_pairs_{base}_{args.lang}", {**told, "rows": rows})


if __name__ == "__main__":
    main()
