"""Names of the CLDR graph in over 100 languages: one EP module for all, and one a language.

    python examples/benchmarks/entity_modules.py --data DATA --base mini

Some languages are never trained on. Every name of a test entity is looked up among the English
names of all test entities that have a name in the language, and the other way round. A name that
is spelt alike in English is no query. The shuffled control learns names of other entities.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from bench import MINILM, parser, save

import xadapt
from xadapt.data.readers.cldr_graph import languages
from xadapt.data.readers.entity_names import EntityNamesReader
from xadapt.data.records import EntityNames, LabelPair
from xadapt.evaluation.systems import System
from xadapt.inference.adapted_encoder import AdaptedEncoder
from xadapt.tasks.entities import EntityRetrieval, graph_labels, measure_name

NAMES = {"mini": "mini", MINILM: "MiniLM"}
LEAST = 900
"""A language with fewer names is left out."""
HELD = 25
"""Languages that are never trained on."""
OWN = 20
"""Languages with a module of their own."""
LIMIT = 300
"""Names of a language that the module for all learns from."""
WAYS = ("to_pivot", "from_pivot")
FROZEN, ALL, EACH, SHUFFLED = (
    "frozen base", "one module for all", "a module a language", "shuffled names",
)  # fmt: skip


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--base", default="mini")
    options.add_argument("--seeds", type=int, default=3)
    options.add_argument("--own-seeds", type=int, default=1)
    options.add_argument("--controls", type=int, default=1, help="seeds of the shuffled control")
    options.add_argument("--set", action="append", default=[], dest="settings")
    args = options.parse_args()
    base = NAMES[args.base]
    work = args.work / f"entity_modules_{base}"
    work.mkdir(parents=True, exist_ok=True)
    trained, held = split()
    own = trained[:OWN]
    rows = {lang: graph_labels(lang, "en", "test")[0] for lang in (*trained, *held)}
    found = {FROZEN: [score(args, work, rows, "base", {})]}
    seconds: dict[str, float] = {}
    facts = {
        "base": base, "limit": LIMIT, "trained": trained, "held_out": held, "own": own,
        "entities": {lang: len(some) for lang, some in rows.items()}, "recipe": "mlkg_ep",
        "settings": args.settings,
    }  # fmt: skip
    data = {lang: names(lang, LIMIT) for lang in trained}
    for seed in range(args.seeds):
        for name in (ALL, SHUFFLED) if seed < args.controls else (ALL,):
            given = shuffled(data, seed) if name == SHUFFLED else data
            out = work / f"{name.replace(' ', '-')}-{seed}"
            seconds[name] = train(args, given, out, seed, "train.epochs=1")
            found.setdefault(name, []).append(
                score(args, work, rows, out.name, dict.fromkeys(rows, out))
            )
            put(base, found, seconds, facts)
        if seed < args.own_seeds:
            modules = {}
            began = time.monotonic()
            for lang in own:
                modules[lang] = work / f"own-{lang}-{seed}"
                train(args, {lang: names(lang, None)}, modules[lang], seed)
            seconds[EACH] = time.monotonic() - began
            some = {lang: rows[lang] for lang in own}
            found.setdefault(EACH, []).append(score(args, work, some, f"own-{seed}", modules))
            put(base, found, seconds, facts)


def put(base: str, found: dict, seconds: dict, facts: dict) -> None:
    """Keep what is known so far."""
    save(f"entity_modules_{base}", {**facts, "seconds": seconds, "scores": found})


def split() -> tuple[list[str], list[str]]:
    """The languages to train on and those held out, by a hash of their tags; without English."""
    every = sorted(lang for lang, count in languages().items() if count >= LEAST and lang != "en")
    order = sorted(every, key=lambda lang: hashlib.sha256(lang.encode()).hexdigest())
    return order[HELD:], order[:HELD]


def names(lang: str, limit: int | None) -> list[EntityNames]:
    """Names of training entities with their English names, chosen by hash."""
    rows = list(EntityNamesReader().read("cldr", lang))
    if limit is None:
        return rows
    return sorted(rows, key=lambda r: hashlib.sha256(f"{lang}{r.entity}".encode()).hexdigest())[
        :limit
    ]


def shuffled(data: dict[str, list[EntityNames]], seed: int) -> dict[str, list[EntityNames]]:
    """Each name with the other names of another entity of its language."""
    made = {}
    for lang, rows in data.items():
        order = np.random.default_rng(seed).permutation(len(rows))
        turned = np.roll(order, 1)
        other = dict(zip(order.tolist(), turned.tolist(), strict=True))
        made[lang] = [
            replace(row, pivot=rows[other[i]].pivot, others=rows[other[i]].others)
            for i, row in enumerate(rows)
        ]
    return made


def train(args, data: dict[str, list[EntityNames]], out: Path, seed: int, *more: str) -> float:
    """Train a module of the recipe, or find it trained."""
    result = xadapt.train(
        "mlkg_ep", base=args.base, data=data, lang=list(data), out=out, resume=True,
        loaders="none", show=False, joint=len(data) > 1,
        settings=(*args.settings, *more, f"seed={seed}", "data.train.dev=0"),
    )  # fmt: skip
    return result.seconds


def score(
    args, work: Path, rows: dict[str, Sequence[LabelPair]], name: str, modules: dict[str, Path]
) -> dict[str, dict[str, float]]:
    """Hits@1 of each language, in both directions, with the module on both sides."""
    kept = work / f"scores-{name}.json"
    if kept.exists():
        return json.loads(kept.read_text(encoding="utf-8"))
    task, found = EntityRetrieval(), {}
    encoders: dict[Path | None, AdaptedEncoder] = {}
    vectors: dict[tuple, np.ndarray] = {}
    for lang, some in rows.items():
        module = modules.get(lang)
        if module not in encoders:
            encoders = {module: AdaptedEncoder.load(args.base, *([str(module)] if module else []))}
            vectors = {}

        def side(texts, module=module, encoders=encoders, vectors=vectors):
            new = [text for text in dict.fromkeys(texts) if text not in vectors]
            if new:
                made = encoders[module].encode(new, show_progress_bar=False)
                vectors.update(zip(new, np.asarray(made), strict=True))
            return np.stack([vectors[text] for text in texts])

        result = task.evaluate(
            some, {"it": System(side)}, resamples=1, csls=0, control=module is None
        )
        found[lang] = {way: result["it"].scores[measure_name("hits@1", way)].mean for way in WAYS}
        if module is None:
            control = result.rows[-1]
            found[lang] |= {
                f"tfidf {way}": control.scores[measure_name("hits@1", way)].mean for way in WAYS
            }
    kept.write_text(json.dumps(found), encoding="utf-8")
    return found


if __name__ == "__main__":
    main()
