"""One module a language on at most 20,000 rows each, with what the base's vocabulary can carry.

    python examples/benchmarks/languages.py --data DATA
    python examples/benchmarks/languages.py --data DATA --base mini --texts TEXTS

With `TEXTS`, which `examples/mini/collect.py` writes, training and test pairs are those of its
`pairs`: mini was pretrained on no sentence of the latter.
"""

from __future__ import annotations

from pathlib import Path

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

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.data.readers.parallel import read_parallel
from xadapt.data.records import ParallelPair
from xadapt.data.transforms.split import group_pairs
from xadapt.hub.opening import tensor_path

BASES = {MINILM: "MiniLM", "mini": "mini"}


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--recipe", default="translation_ranking")
    options.add_argument("--limit", type=int, default=20_000)
    options.add_argument("--base", default=MINILM)
    options.add_argument("--texts", type=Path, help="take the pairs that collect.py split")
    options.add_argument("--lang", action="append", default=None)
    args = options.parse_args()
    rows = []
    told = {"recipe": args.recipe, "base": BASES.get(args.base, "another base")}
    name = f"languages_{told['base']}_{args.recipe}".replace(" ", "_")
    for lang in args.lang or languages_of(args.texts):
        rows.append(one(args, lang))
        save(name, {**told, "rows": rows})


def languages_of(texts: Path | None) -> list[str]:
    """All languages of the split pairs, or six."""
    if texts is None:
        return ["fr", "es", "ru", "sw", "hi", "ja"]
    return [p.stem.removeprefix("en-") for p in sorted((texts / "pairs" / "test").glob("*.tsv"))]


def given(texts: Path, lang: str) -> tuple[list[ParallelPair], list[ParallelPair]]:
    """Training pairs, and at most 500 test pairs of short groups, as `collect.py` split them."""
    parts = ("train", "test")
    train, test = (
        list(read_parallel(texts / "pairs" / part / f"en-{lang}.tsv", lang=lang)) for part in parts
    )
    return train, limited([test[group[0]] for group in group_pairs(test)], 500)


def held_out(data: Path, lang: str) -> tuple[list[ParallelPair], list[ParallelPair], str]:
    """Training and test pairs and where the test is from: Swahili has too few Tatoeba rows."""
    tagged = tagged_pairs(data, lang)
    tatoeba = sum(tag.startswith("tatoeba") for _, tag in tagged)
    source = "tatoeba" if tatoeba >= 1000 else "all sources"
    if source != "tatoeba":
        tagged = [(pair, "tatoeba") for pair, _ in tagged]
    return *split_test(tagged), source


def one(args, lang: str) -> dict:
    """Train and judge one language."""
    if args.texts is None:
        train, test, source = held_out(args.data, lang)
    else:
        (train, test), source = given(args.texts, lang), "all sources"
    train = limited(train, args.limit)
    work = args.work / f"languages_{BASES.get(args.base, 'base')}_{args.recipe}" / lang
    data, held = write_pairs(work / "train.tsv", train), write_pairs(work / "test.tsv", test)
    common = ["--base", args.base]
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
        "bytes": tensor_path(work / "module").stat().st_size,
        **vocabulary(args.base, [pair.text for pair in test]),
        "test": read(work / "test.json"),
    }


def vocabulary(base: str, texts: list[str]) -> dict[str, float]:
    """Shares of unknown and of single-character tokens among the tokens of texts."""
    tokenizer = Encoder.from_pretrained(base).tokenizer
    pieces = [piece for text in texts for piece in tokenizer.tokenize(text)]
    letters = [p for p in pieces if any(c.isalpha() for c in p)]
    single = sum(len(piece.removeprefix("##").removeprefix("▁")) == 1 for piece in letters)
    words = sum(len(text.split()) for text in texts)
    return {
        "unknown": pieces.count(tokenizer.unk_token) / len(pieces),
        "single": single / max(1, len(letters)),
        "tokens_a_word": len(pieces) / words,
    }


if __name__ == "__main__":
    main()
