"""A LoRA alone beside an own vocabulary with a LoRA, on languages that MiniLM can't spell.

    python examples/benchmarks/own_vocabulary.py --data DATA
    python examples/benchmarks/own_vocabulary.py --data DATA --lang hi --pairs 3000 --seeds 3

With `--starts`, the rows are measured as they begin, before any training, and nothing is trained.
With `--speed`, the test sentences are encoded by the base, by a trained LoRA and by a trained
vocabulary with a LoRA, in turn in one process. With `--alike`, the training pairs are drawn in
equal numbers from every source; otherwise by hash, so that most are from the largest source.
With `--names`, the pairs are names of languages, territories, scripts and currencies in CLDR, for
languages without other text; 250 are held out:

    python examples/benchmarks/own_vocabulary.py --names --base mini --lang he --lang th --lang ka

Training and test pairs are split as in `languages.py`. All systems have the same pairs, passes and
batches. What is finished is kept, and the same command goes on where it stopped.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
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
from languages import BASES, held_out

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.encoder.own_texts import tokenize_rows
from xadapt.core.files import read_json, write_json
from xadapt.data.readers.cldr_labels import own_labels
from xadapt.data.records import ParallelPair
from xadapt.data.transforms.shuffle import shuffled as shuffle
from xadapt.hub.opening import tensor_path
from xadapt.inference.adapted_encoder import AdaptedEncoder
from xadapt.pipelines.own_vocabulary import vocabulary_from
from xadapt.pipelines.token_counts import count_tokens

STARTS = ("translations", "focus", "pieces")
CONTROL = "translations of shuffled pairs"
ROUNDS = 5
RANKING = "{name: translation_ranking, temperature: .05, directions: forward, negatives: bank}"
HELD = "{name: distillation, side: pivot, share: .25, weight: %d}"


def on_english(weight: int) -> tuple[str, ...]:
    """Settings for a LoRA that acts on English too, a quarter of which is held to its vectors."""
    return "module.acts_on=all", f"objectives=[{RANKING}, {HELD % weight}]"


SYSTEMS = {
    "LoRA": ("translation_ranking", ("train.epochs=2",)),
    "LoRA, equal size": (
        "translation_ranking",
        ("train.epochs=2", "module.rank=118", "module.alpha=944"),
    ),
    "vocabulary + LoRA": ("vocabulary_alignment", ()),
    "vocabulary + LoRA, on English too": ("vocabulary_alignment", on_english(42)),
    "vocabulary + LoRA, on English too, held less": ("vocabulary_alignment", on_english(14)),
    "vocabulary alone": ("vocabulary_alignment", ("module.module={kind: none}",)),
    "vocabulary + LoRA, shuffled pairs": ("vocabulary_alignment", ()),
    "vocabulary of 400 pieces + LoRA": ("vocabulary_alignment", ("module.size=400",)),
    "vocabulary + LoRA, mean of pieces": ("vocabulary_alignment", ("module.start=pieces",)),
    "vocabulary + LoRA, focus": ("vocabulary_alignment", ("module.start=focus",)),
}


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--base", default=MINILM)
    options.add_argument("--pairs", type=int, default=3000)
    options.add_argument("--seeds", type=int, default=1)
    options.add_argument("--alike", action="store_true", help="as many pairs from every source")
    options.add_argument("--names", action="store_true", help="pairs of names in CLDR")
    options.add_argument("--lang", action="append", default=None)
    options.add_argument("--system", action="append", default=None, choices=list(SYSTEMS))
    options.add_argument("--starts", action="store_true", help="measure the rows' beginnings alone")
    options.add_argument("--speed", action="store_true", help="measure forwards of trained modules")
    args = options.parse_args()
    for measure, wanted in ((starts, args.starts), (speed, args.speed)):
        if wanted:
            for lang in args.lang or ["hi", "ru"]:
                measure(args, lang)
                gather(args)
            return
    for seed in range(args.seeds):
        for lang in args.lang or ["hi", "ru"]:
            for system in args.system or ["vocabulary + LoRA", "LoRA"]:
                one(args, lang, system, seed)
                gather(args)


def one(args, lang: str, system: str, seed: int) -> None:
    """Train and judge one system, unless that is done."""
    home = args.work / name_of(args)
    alike = "-alike" if args.alike else ""
    place = home / f"{lang}-{args.pairs}{alike}-{seed}-{system.replace(' ', '_')}"
    if (place / "row.json").exists():
        return
    train, test, source = names_of(lang) if args.names else held_out(args.data, lang)
    if args.alike:
        train = from_all_sources(args.data, lang, train, args.pairs)
    train = limited(train, args.pairs)
    if "shuffled" in system:
        train = shuffle(train, seed=seed)
    place.mkdir(parents=True, exist_ok=True)
    data, held = write_pairs(place / "train.tsv", train), write_pairs(place / "test.tsv", test)
    recipe, settings = SYSTEMS[system]
    settings += ("train.epochs=10",) if args.names else ()
    sets = [part for one in (f"seed={seed}", *settings) for part in ("--set", one)]

    xadapt(
        "train", recipe, "--base", args.base, "--data", data, "--lang", lang, *sets,
        "--out", place / "module", "--json", place / "train.json", "--loaders", "none",
    )  # fmt: skip
    xadapt(
        "evaluate", "bitext", "--base", args.base, "--module", place / "module", "--data", held,
        "--json", place / "test.json",
    )  # fmt: skip
    size = next((int(one.partition("=")[2]) for one in settings if "module.size" in one), 8000)
    spelt = count_tokens([pair.text for pair in train], base=args.base, lang=lang, size=size)
    trained = read(place / "train.json")["modules"][0]
    write_json(
        place / "row.json",
        {
            "lang": lang, "system": system, "seed": seed, "pairs": len(train), "alike": args.alike,
            "test_source": source, "test_rows": len(test),
            "seconds": trained["seconds"], "forward": trained.get("forward_seconds"),
            "bytes": tensor_path(place / "module").stat().st_size,
            "tokens": spelt.to_dict(), "test": read(place / "test.json"),
        },
    )  # fmt: skip


def name_of(args) -> str:
    """The name of the result."""
    return "own_vocabulary_names" if args.names else "own_vocabulary"


def names_of(lang: str) -> tuple[list[ParallelPair], list[ParallelPair], str]:
    """Names of CLDR as pairs, of which 250 are held out."""
    own, english = own_labels()[lang], own_labels()["en"]
    pairs = [ParallelPair(own[one], english[one], lang) for one in own if one in english]
    return *split_test([(pair, "tatoeba") for pair in pairs], 250), "CLDR"


def from_all_sources(
    data: Path, lang: str, pairs: list[ParallelPair], size: int
) -> list[ParallelPair]:
    """As many pairs of every source, by hash; all of a source that has fewer."""
    tags = {(pair.text, pair.pivot): tag.split()[0] for pair, tag in tagged_pairs(data, lang)}
    sources: dict[str, list[ParallelPair]] = {}
    for pair in pairs:
        sources.setdefault(tags[pair.text, pair.pivot], []).append(pair)
    found: list[ParallelPair] = []
    left = sorted(sources.values(), key=len)
    while left:
        found += limited(left[0], (size - len(found)) // len(left))
        left = left[1:]
    return found


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
    words = args.data / "dictionary" / f"en-{lang}.tsv.gz"
    plans += [("dictionary", "dictionary", train)] if words.exists() else []
    for name, start, rows in plans:
        options = {"size": 8000, "start": start, "module": {"kind": "none"}}
        if start == "dictionary":
            options["dictionary"] = str(words)
        made = AdaptedEncoder(encoder, {lang: vocabulary_from(options, encoder, rows)})
        found[name] = ways(made.encode(texts, lang), english)
        changed = max(changed, float(abs(made.encode(pivots) - english).max()))
    place.mkdir(parents=True, exist_ok=True)
    row = {"lang": lang, "pairs": len(train), "test_source": source, "test_rows": len(test)}
    write_json(place / "start.json", {**row, "accuracy": found, "english_changed": changed})


def speed(args, lang: str) -> None:
    """Measure the time and the tokens of the test sentences, unless that is done."""
    home = args.work / "own_vocabulary"
    place = home / f"speed-{lang}-{args.pairs}"
    if (place / "speed.json").exists():
        return
    _, test, _ = held_out(args.data, lang)
    texts = [pair.text for pair in test]
    encoder = Encoder.from_pretrained(args.base, dtype="float32")
    models = {"frozen base": AdaptedEncoder(encoder, {}).with_(None)}
    for system in ("LoRA", "vocabulary + LoRA"):
        folder = home / f"{lang}-{args.pairs}-0-{system.replace(' ', '_')}" / "module"
        if folder.exists():
            models[system] = AdaptedEncoder.load(encoder, str(folder)).for_language(lang)
    seconds: dict[str, list[float]] = {name: [] for name in models}
    for _ in range(ROUNDS):
        for name, model in models.items():
            began = time.perf_counter()
            model.encode(texts, show_progress_bar=False)
            seconds[name].append(time.perf_counter() - began)
    tokens = {
        name: sum(map(len, tokenize_rows(encoder, texts, vocabularies(model, texts)))) / len(texts)
        for name, model in models.items()
    }
    place.mkdir(parents=True, exist_ok=True)
    found = {"lang": lang, "sentences": len(texts), "seconds": seconds, "tokens": tokens}
    write_json(place / "speed.json", found)


def vocabularies(model: AdaptedEncoder, texts: list[str]) -> list:
    """The tokenizer of each text."""
    return model.activations(len(texts)).vocabularies()


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
    home = args.work / name_of(args)
    made = {
        part: [read_json(one) for one in sorted(home.glob(f"*/{name}.json"))]
        for part, name in (("rows", "row"), ("starts", "start"), ("speed", "speed"))
    }
    save(name_of(args), {"base": BASES.get(args.base, "another base"), **made})


if __name__ == "__main__":
    main()
