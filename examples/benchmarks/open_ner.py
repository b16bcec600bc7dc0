"""Open NER: spans of labels that the training lacks, asked for by English and by native names.

    python examples/benchmarks/open_ner.py --data DATA

Trained on WikiANN (en, de, es, ru), UNER (pt, zh, hr, sk) and CrossNER (English, five domains) at
once; labels have several texts, also in other languages. The label location and nine types of
CrossNER are taken out of the training; some labels near to them stay, such as country. The tests
are the validation parts: places beside persons and organisations in seven languages, and the
domains of CrossNER with all their types. The threshold of a language is chosen on the other
languages, with their labels; that of CrossNER on the other languages than English. As a control,
the labels of all spans of the training are dealt out anew. A module that is there already is not
trained again.

Mantra is not among the data: its shared rows have concept identifiers, and no semantic groups.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bench import parser, read, save
from objectives import gain
from transfer import short

import xadapt
from xadapt.core import registry
from xadapt.core.text_key import normal_key
from xadapt.data.records import TaggedSentence
from xadapt.functional.open_spans import without_overlap
from xadapt.tasks.open_ner import renamed
from xadapt.tasks.span_labeller import Scored, SpanLabeller, best_threshold

TOGETHER, APART = "labels before the sentence", "labels apart"
SHUFFLED = "labels apart, shuffled in the training"
WIKIANN, UNER = ("de", "es", "ru"), ("pt", "zh", "hr", "sk")
DOMAINS = ("ai", "literature", "music", "politics", "science")
NATIVE = {
    "de": ("Person", "Organisation", "Ort"),
    "es": ("persona", "organización", "lugar"),
    "ru": ("человек", "организация", "место"),
    "pt": ("pessoa", "organização", "lugar"),
    "zh": ("人物", "組織", "地點"),
    "hr": ("osoba", "organizacija", "mjesto"),
    "sk": ("osoba", "organizácia", "miesto"),
}
ENGLISH = ("person", "organization", "location")
CODES = dict(zip(("PER", "ORG", "LOC"), ENGLISH, strict=True))
WORDS = {
    "academicjournal": "academic journal", "astronomicalobject": "astronomical object",
    "chemicalcompound": "chemical compound", "chemicalelement": "chemical element",
    "literarygenre": "literary genre", "misc": "", "musicalartist": "musical artist",
    "musicalinstrument": "musical instrument", "musicgenre": "music genre",
    "organisation": "organization", "politicalparty": "political party",
    "programlang": "programming language",
}  # fmt: skip
"""Labels of CrossNER as texts; miscellaneous ones are left out."""
UNSEEN = ("location", "university", "political party", "song", "book", "chemical element", "event",
          "researcher", "algorithm", "academic journal")  # fmt: skip
SYNONYMS = [
    ["person", "PER", "human being", *dict.fromkeys(own[0] for own in NATIVE.values())],
    ["organization", "ORG", "company or institution",
     *dict.fromkeys(own[1] for own in NATIVE.values())],
]  # fmt: skip
RELATED = [
    ["person", "politician", "writer", "musical artist", "scientist"],
    ["organization", "band", "conference", "magazine"],
    ["product", "programming language"], ["protein", "enzyme", "chemical compound"],
    ["poem", "album"], ["field", "discipline", "task"],
]  # fmt: skip


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--base", default="mini")
    options.add_argument("--seeds", type=int, default=3)
    options.add_argument("--sentences", type=int, default=60, help="of a language in the training")
    options.add_argument("--domain", type=int, default=250, help="of a domain in the training")
    options.add_argument("--epochs", type=int, default=2)
    options.add_argument("--hidden", type=int, default=192, help="features of the head")
    options.add_argument("--dev", type=int, default=60, help="sentences of the training held out")
    options.add_argument("--together", action="store_true", help="also labels before the sentence")
    options.add_argument("--test", type=int, default=80, help="sentences of a test")
    args = options.parse_args()
    work = args.work / f"open_ner_{short(args.base)}"
    work.mkdir(parents=True, exist_ok=True)
    tests = {lang: general(args, lang, "test") for lang in NATIVE}
    domains = {name: crossner(args, name, "dev")[: args.test] for name in DOMAINS}
    held = {normal_key(" ".join(r.words)) for rows in [*tests.values(), *domains.values()]
            for r in rows[: args.test * 3 // 2]}  # fmt: skip
    rows = training(args, held)
    scores: dict[str, list[dict]] = {}
    for seed in range(args.seeds):
        for name in (APART, SHUFFLED, *([TOGETHER] if args.together else [])):
            kept = work / f"{name.replace(' ', '-').replace(',', '')}-{seed}"
            said = kept.with_suffix(".json")
            if not said.exists():
                train(args, kept, dealt(rows, seed) if name == SHUFFLED else rows, name, seed)
                said.write_text(json.dumps(judge(args, kept, tests, domains)), encoding="utf-8")
            scores.setdefault(name, []).append(read(said))
            print(seed, name, scores[name][-1], flush=True)
        save(f"open_ner_{short(args.base)}", {
            "base": short(args.base), "languages": list(NATIVE), "seeds": seed + 1,
            "rows": len(rows), "epochs": args.epochs, "hidden": args.hidden, "test": args.test,
            "unseen": list(UNSEEN), "system": APART, "control": SHUFFLED,
            "systems": summed(scores),
        })  # fmt: skip


def general(args: argparse.Namespace, lang: str, part: str) -> list[TaggedSentence]:
    """Sentences with persons, organisations and places, which have their English names."""
    folder, name = ("wikiann", "val") if lang in (*WIKIANN, "en") else ("uner", "dev")
    name = name if part == "test" else "train"
    path = args.data / "ner" / folder / f"{lang}_{name}.tsv.gz"
    rows = registry.load("readers", "conll")().read(str(path), lang)
    return [row for row in renamed(list(rows), CODES) if len(row.words) <= 50]


def crossner(args: argparse.Namespace, domain: str, part: str) -> list[TaggedSentence]:
    """Sentences of a domain of CrossNER; labels are texts, miscellaneous spans are left out."""
    path = args.data / "ner" / "crossner" / f"{domain}_{part}.tsv.gz"
    rows = registry.load("readers", "conll")().read(str(path), "en")
    named = [renamed([row], WORDS)[0] for row in rows if len(row.words) <= 50]
    return [replace(row, spans=tuple(s for s in row.spans if s[2])) for row in named]


def training(args: argparse.Namespace, held: set[str]) -> list[TaggedSentence]:
    """The sentences of all sources, without the tests and without spans of unseen types."""
    sources = [general(args, lang, "train") for lang in ("en", *NATIVE)]
    made = [row for rows in sources for row in spread(rows)[: args.sentences]]
    for domain in DOMAINS:
        every = crossner(args, domain, "train") + crossner(args, domain, "dev")[args.test :]
        made += every[: args.domain]
    kept = [row for row in made if normal_key(" ".join(row.words)) not in held]
    return [replace(r, spans=tuple(s for s in r.spans if s[2] not in UNSEEN)) for r in kept]


def spread(rows: Sequence[TaggedSentence]) -> list[TaggedSentence]:
    """Sentences with a person or an organisation, in an order that is fixed."""
    some = [row for row in rows if any(span[2] not in UNSEEN for span in row.spans)]
    return random.Random(0).sample(some, len(some))


def dealt(rows: Sequence[TaggedSentence], seed: int) -> list[TaggedSentence]:
    """Rows whose labels are those of all rows, dealt out anew."""
    labels = [name for row in rows for *_, name in row.spans]
    random.Random(seed).shuffle(labels)
    left = iter(labels)
    return [replace(row, spans=tuple((a, b, next(left)) for a, b, _ in row.spans)) for row in rows]


def train(
    args: argparse.Namespace, out: Path, rows: Sequence[TaggedSentence], name: str, seed: int
) -> None:
    """Train one module, or go on."""
    xadapt.train(
        "span_labeller",
        data=[replace(row, lang="mul") for row in rows],  # one module for all languages
        base=args.base,
        lang="mul",
        out=out,
        resume=True,
        loaders="none",
        settings=(
            f"seed={seed}",
            f"objectives.0.synonyms={json.dumps(SYNONYMS, ensure_ascii=False)}",
            f"objectives.0.related={json.dumps(RELATED)}",
            f"objectives.0.apart={str(name != TOGETHER).lower()}",
            f"objectives.0.hidden={args.hidden}",
            f"data.train.dev={args.dev}",
            "train.evaluations=1",
            f"train.epochs={args.epochs}",
        ),
    )


def judge(
    args: argparse.Namespace,
    module: Path,
    tests: dict[str, list[TaggedSentence]],
    domains: dict[str, list[TaggedSentence]],
) -> dict:
    """F1 of the unseen and the seen types, by language and way of naming, and of the domains."""
    labeller = SpanLabeller.load(args.base, module)
    found: dict[str, dict[str, dict[str, float]]] = {}
    scored: dict[str, dict[str, tuple[list[TaggedSentence], list[Scored]]]] = {}
    for way in ("English", "native"):
        for lang, rows in tests.items():
            names = NATIVE[lang] if way == "native" else ENGLISH
            own = renamed(
                rows[: args.test + args.test // 2], dict(zip(ENGLISH, names, strict=True))
            )
            made = labeller.probabilities([row.words for row in own], list(names))
            scored.setdefault(way, {})[lang] = own, made
    size = args.test
    for way, every in scored.items():
        for lang, (rows, made) in every.items():
            rest = [(r[size:], s[size:]) for other, (r, s) in every.items() if other != lang]
            names = NATIVE[lang] if way == "native" else ENGLISH
            least = best_threshold([x for _, s in rest for x in s], [x for r, _ in rest for x in r])
            row = f1(rows[:size], made[:size], least, names[2:], names[:2])
            found.setdefault(way, {})[lang] = row
    every = scored["English"]
    rest = [(r[size:], s[size:]) for r, s in every.values()]
    least = best_threshold([x for _, s in rest for x in s], [x for r, _ in rest for x in r])
    for domain, rows in domains.items():
        labels = sorted({name for row in rows for *_, name in row.spans})
        made = labeller.probabilities([row.words for row in rows], labels)
        unseen = [name for name in labels if name in UNSEEN]
        seen = [name for name in labels if name not in UNSEEN]
        found.setdefault("CrossNER", {})[domain] = f1(rows, made, least, unseen, seen)
    return found


def f1(
    rows: Sequence[TaggedSentence],
    scored: Sequence[Scored],
    least: float,
    unseen: Sequence[str],
    seen: Sequence[str],
) -> dict[str, float]:
    """Micro F1 of exact spans with an unseen and with a seen label."""
    answers = [without_overlap(own, least) for own in scored]
    made = {"threshold": least}
    for kind, names in (("unseen", {*unseen}), ("seen", {*seen})):
        hits = total = 0
        for row, answer in zip(rows, answers, strict=True):
            gold = {span for span in row.spans if span[2] in names}
            given = {span for span in answer if span[2] in names}
            hits, total = hits + 2 * len(gold & given), total + len(gold) + len(given)
        made[kind] = hits / total
    return made


def summed(scores: dict[str, list[dict]]) -> dict[str, dict]:
    """By system: the mean of each measure by seed, and the gains, paired by seed."""
    means = {
        name: {
            f"{kind}, {way}": [
                sum(row[kind] for row in own[way].values()) / len(own[way]) for own in every
            ]
            for way in ("English", "native", "CrossNER")
            for kind in ("unseen", "seen")
        }
        for name, every in scores.items()
    }
    made: dict[str, dict] = {}
    for name, own in means.items():
        made[name] = {"seeds": own, "rows": scores[name]}
        made[name]["native_over_english"] = gain(own["unseen, native"], own["unseen, English"])
        if SHUFFLED in means and name != SHUFFLED:
            other = {k: v[: len(own[k])] for k, v in means[SHUFFLED].items()}
            made[name]["over_control"] = {k: gain(v, other[k]) for k, v in own.items()}
    return made


if __name__ == "__main__":
    main()
