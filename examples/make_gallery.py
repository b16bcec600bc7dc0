"""A family of modules: one for each of 20 languages on one base, with cards and evidence.

    python examples/make_gallery.py --data DATA --out GALLERY --base MINILM
    python examples/make_gallery.py --data DATA --out GALLERY --base mini --pairs 2000

The first run splits all translations once: whole groups of equal sentences are held out over all
languages together, as `examples/mini/collect.py` does, so that mini was pretrained on none of the
test sentences either. Only sources with an open licence are used. Then each language gets a module,
and after them each module its evidence: retrieval on held-out Tatoeba sentences beside the frozen
base, TF-IDF and the module of an unrelated language. The table goes to
`examples/benchmarks/results`, and `xadapt gallery GALLERY/BASE` makes the page.

A run may be stopped at any time: the same command goes on where it stopped. `--at-most` ends it
after some languages. With --quick and without data it makes two small modules of the sentences that
ship, to show that it runs, and keeps nothing.
"""

from __future__ import annotations

import argparse
import gzip
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

HERE = Path(__file__).parent
SAMPLE = HERE.parent / "kg_data" / "tatoeba"
sys.path[:0] = [str(HERE), str(HERE / "benchmarks")]

from bench import MINILM, limited, save, write_pairs  # noqa: E402
from mini.collect import OPEN, split, tagged_pairs  # noqa: E402

import xadapt  # noqa: E402
from xadapt.core.files import read_json, write_json  # noqa: E402
from xadapt.data.records import ParallelPair  # noqa: E402
from xadapt.data.transforms.split import group_pairs  # noqa: E402
from xadapt.hub.card_fields import check_fields  # noqa: E402
from xadapt.hub.evidence import read_evidence  # noqa: E402
from xadapt.hub.opening import open_folder  # noqa: E402

NAMES = {MINILM: "MiniLM", "mini": "mini"}
LANGUAGES = (
    "ar", "cs", "de", "el", "es", "fa", "fi", "fr", "hi", "id",
    "it", "ja", "ko", "pt", "ru", "sw", "tr", "uk", "vi", "zh",
)  # fmt: skip
LONGEST = 160
"""Characters of a sentence that is trained on: the test sentences are short too."""
TEST_ROWS = 500
LICENCE = "cc-by-sa-4.0"  # NTREX asks for the same licence
DATA_IDS = ("Helsinki-NLP/tatoeba_mt",)
"""The largest of the sources, on the Hub."""
DATA_LICENCE = "; ".join(f"{name} {licence}" for name, licence in OPEN.items())


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--data", type=Path)
    options.add_argument("--out", type=Path)
    options.add_argument("--base", default=MINILM)
    options.add_argument("--pairs", type=int, default=3000, help="training pairs of a language")
    options.add_argument("--lang", action="append", help="only these languages")
    options.add_argument("--control", action="append", default=[],
                         help="languages whose shuffled-pairs twin is trained too")  # fmt: skip
    options.add_argument("--at-most", type=int, default=100, help="languages in this call")
    options.add_argument("--quick", action="store_true", help="a few sentences that ship")
    args = options.parse_args()
    if args.base == "MINILM":
        args.base = MINILM
    if args.quick:
        return quick(args)
    if args.data is None or args.out is None:
        options.error("--data and --out are needed, or --quick")
    make(args)


def quick(args: argparse.Namespace) -> None:
    """Make two small modules of the sentences that ship, in a temporary folder."""
    with TemporaryDirectory() as folder:
        data = Path(folder, "data")
        (data / "parallel").mkdir(parents=True)
        for lang in ("de", "es"):
            lines = gzip.decompress((SAMPLE / f"{lang}-train.tsv.gz").read_bytes()).decode()
            text = "".join(f"{line}\ttatoeba\n" for line in lines.splitlines()[:400])
            path = data / "parallel" / f"en-{lang}.tsv.gz"
            path.write_bytes(gzip.compress(text.encode()))
        args.data, args.out, args.base = data, Path(folder, "gallery"), "mini"
        args.lang, args.pairs = ["de", "es"], 150
        make(args)


def make(args: argparse.Namespace) -> None:
    """Do what is left of the family."""
    prepare(args.data, args.out)
    home = args.out / NAMES.get(args.base, "base")
    left, wanted = args.at_most, args.lang or LANGUAGES
    for lang in wanted:
        if left and not (home / lang / "xadapt.json").exists():
            train(args, home, lang)
            left -= 1
    if any(not (home / lang / "xadapt.json").exists() for lang in wanted):
        return  # the module of another language is chosen among all of them
    for lang in wanted:
        if left and not (home / lang / "evidence.json").exists():
            measure(args, home, lang)
            left -= 1
    if all((home / lang / "evidence.json").exists() for lang in LANGUAGES):
        keep(args, home)


def prepare(data: Path, out: Path) -> None:
    """Write training and test pairs of all languages, unless they are there."""
    done = out / "pairs" / "done.json"
    if done.exists():
        return
    parts = split(list(tagged_pairs(data)))
    counts = {}
    for lang in LANGUAGES:
        train = [p for p in parts["train"] if p.lang == lang and is_short(p) and p.origin in OPEN]
        test = chosen([p for p in parts["test"] if p.lang == lang and p.origin in OPEN])
        write_pairs(out / "pairs" / "train" / f"en-{lang}.tsv", train)
        write_pairs(out / "pairs" / "test" / f"tatoeba-en-{lang}.tsv", test)
        tatoeba = sum(pair.origin.startswith("tatoeba") for pair in test)
        counts[lang] = {"train": len(train), "test": len(test), "tatoeba": tatoeba}
    write_json(done, counts)


def is_short(pair: ParallelPair) -> bool:
    """Whether neither side of a pair is long."""
    return max(len(pair.text), len(pair.pivot)) <= LONGEST


def chosen(pairs: list[ParallelPair]) -> list[ParallelPair]:
    """One pair of a group of equal sentences; Tatoeba's pairs, and others where these are few."""
    firsts = [pairs[group[0]] for group in group_pairs(pairs)]
    own = limited([pair for pair in firsts if pair.origin.startswith("tatoeba")], TEST_ROWS)
    others = [pair for pair in firsts if not pair.origin.startswith("tatoeba") and is_short(pair)]
    return own + (limited(others, TEST_ROWS - len(own)) if len(own) < TEST_ROWS else [])


def train(args: argparse.Namespace, home: Path, lang: str) -> None:
    """Train the module of one language, and keep how long it took."""
    began = time.monotonic()
    trained = xadapt.train(
        "translation_ranking",
        base=args.base,
        data=args.out / "pairs" / "train" / f"en-{lang}.tsv",
        lang=lang,
        out=home / lang,
        settings=[f"data.train.limit={args.pairs}", "data.train.dev=100", "train.evaluations=1"],
        controls=lang in args.control,
        licence=LICENCE,
        data_licence=DATA_LICENCE,
        data_ids=DATA_IDS,
        resume=True,
        report=lambda line: print(line, flush=True),
    )
    times = {"training": trained.seconds, "whole": time.monotonic() - began}
    write_json(home / lang / "run" / "gallery.json", times)
    print(f"{lang}: {times}", flush=True)


def measure(args: argparse.Namespace, home: Path, lang: str) -> None:
    """Add the evidence of one module, and keep how long it took."""
    began = time.monotonic()
    xadapt.add_evidence(
        "bitext",
        base=args.base,
        module=home / lang,
        data=str(args.out / "pairs" / "test" / f"tatoeba-en-{lang}.tsv"),
        report=lambda line: print(line, flush=True),
    )
    times = read_json(home / lang / "run" / "gallery.json")
    times["evidence"] = time.monotonic() - began
    write_json(home / lang / "run" / "gallery.json", times)
    print(f"{lang}: {times}", flush=True)


def keep(args: argparse.Namespace, home: Path) -> None:
    """Write the table of all modules into the results."""
    counts = read_json(args.out / "pairs" / "done.json")
    rows = []
    for lang in LANGUAGES:
        manifest, _ = open_folder(home / lang)
        evidence = read_evidence(home / lang, manifest)
        assert evidence is not None
        one = evidence.measurements[-1]
        assert one.overlap is not None and one.overlap.found == 0
        verified = [name for name, own in manifest.loaders.items() if own.status == "verified"]
        files = manifest.integrity.files if manifest.integrity else {}
        fields = check_fields((home / lang / "README.md").read_text(encoding="utf-8"))
        rows.append({
            "lang": lang,
            "rows": one.data.rows,
            "tatoeba": counts[lang]["tatoeba"],
            "trained_on": sum(data.rows for data in manifest.data),
            "bytes": files[manifest.module.file].bytes,
            "folder_bytes": sum(own.bytes for own in files.values()),
            "seconds": read_json(home / lang / "run" / "gallery.json"),
            "loaders": verified,
            "fields": [field.name for field in fields if field.good],
            "systems": [row.model_dump(mode="json", exclude_defaults=True) for row in one.systems],
        })  # fmt: skip
    name = NAMES.get(args.base, "base")
    save(f"gallery_{name}", {"base": name, "pairs": args.pairs, "licence": LICENCE, "rows": rows})


if __name__ == "__main__":
    main()
