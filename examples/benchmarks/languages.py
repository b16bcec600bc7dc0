"""Six languages on at most 20,000 rows each, with what the base's vocabulary can carry.

python examples/benchmarks/languages.py --data DATA
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

from xadapt.backbones.encoder import Encoder

LANGUAGES = ("fr", "es", "ru", "sw", "hi", "ja")


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--recipe", default="translation_ranking")
    options.add_argument("--limit", type=int, default=20_000)
    options.add_argument("--lang", action="append", default=None)
    args = options.parse_args()
    rows = []
    for lang in args.lang or LANGUAGES:
        rows.append(one(args, lang))
        save(f"languages_{args.recipe}", {"recipe": args.recipe, "rows": rows})


def one(args, lang: str) -> dict:
    """Train and judge one language. Swahili has too few Tatoeba rows: its test is of all rows."""
    tagged = tagged_pairs(args.data, lang)
    tatoeba = sum(tag.startswith("tatoeba") for _, tag in tagged)
    source = "tatoeba" if tatoeba >= 1000 else "all sources"
    if source != "tatoeba":
        tagged = [(pair, "tatoeba") for pair, _ in tagged]
    train, test = split_test(tagged)
    train = limited(train, args.limit)
    work = args.work / f"languages_{args.recipe}" / lang
    data, held = write_pairs(work / "train.tsv", train), write_pairs(work / "test.tsv", test)
    common = ["--base", MINILM]
    xadapt(
        "train", args.recipe, *common, "--data", data, "--lang", lang,
        "--out", work / "module", "--json", work / "train.json",
    )  # fmt: skip
    xadapt(
        "evaluate", "bitext", *common, "--module", work / "module", "--data", held,
        "--controls", "--json", work / "test.json",
    )  # fmt: skip
    trained = read(work / "train.json")["modules"][0]
    return {
        "lang": lang,
        "test_source": source,
        "train_rows": len(train),
        "seconds": trained["seconds"],
        "prepare_seconds": trained["prepare_seconds"],
        "padding": trained["padding"],
        "bytes": (work / "module" / "module.safetensors").stat().st_size,
        **vocabulary([pair.text for pair in test]),
        "test": read(work / "test.json"),
    }


def vocabulary(texts: list[str]) -> dict[str, float]:
    """Shares of unknown and of single-character tokens among the tokens of texts."""
    tokenizer = Encoder.from_pretrained(MINILM).tokenizer
    pieces = [piece for text in texts for piece in tokenizer.tokenize(text)]
    letters = [p for p in pieces if any(c.isalpha() for c in p)]
    single = sum(len(piece.removeprefix("##")) == 1 for piece in letters)
    words = sum(len(text.split()) for text in texts)
    return {
        "unknown": pieces.count(tokenizer.unk_token) / len(pieces),
        "single": single / max(1, len(letters)),
        "tokens_a_word": len(pieces) / words,
    }


if __name__ == "__main__":
    main()
