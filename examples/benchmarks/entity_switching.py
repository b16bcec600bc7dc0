"""EntityCS beside masked language modelling: masked entities that training never saw.

    python examples/benchmarks/entity_switching.py --data DATA

English sentences with names of entities of DBP-5L and CLDR are code-switched into Spanish and
French. A third of the entities are held out: no training sentence, switched or not, has one. The
test masks entities in real sentences of the two languages, which no module was trained on. All
systems take the same number of steps of the same size.
"""

from __future__ import annotations

import gzip
import hashlib
import itertools
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from bench import parser, save
from objectives import gain

import xadapt
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.data.graphs.opening import open_graph, open_links
from xadapt.data.readers.name_tables import read_name_table
from xadapt.data.records import LinkedSentence, PlainText
from xadapt.data.transforms.code_switch import CodeSwitch
from xadapt.data.transforms.link_entities import LinkEntities
from xadapt.data.transforms.protocol import Services
from xadapt.inference.open_module import open_module
from xadapt.tasks.masked_entity import SEEN, UNSEEN, MaskedEntity, keys, predict

LANGS = ("es", "fr")
NOTE = re.compile(r"\s*\([^)]*\)$")
MONO = ("mono", "mono2", "mono3")
ROWS, WORDS, TEST = 6144, 24, 600
"""Training sentences of each system, most words of a sentence, test sentences of a language."""
COMMON = 0.003
"""An entity whose name is in more sentences than this share is a common word, and left out."""
SYSTEM, PLAIN, SWITCHED = "PEP_MS + MLM on switched text", "MLM on English", "MLM on switched text"
WHOLE = "WEP on switched text"
FROZEN = "frozen base"


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--base", default="mini")
    options.add_argument("--seeds", type=int, default=3)
    options.add_argument("--only", action="append", help="systems, if not three of the four")
    args = options.parse_args()
    table = names(args.data)
    english = linked(args.data, "en", table)
    real = {lang: linked(args.data, lang, table) for lang in LANGS}
    common = frequent(english, *real.values())
    english = [row for row in without(english, common) if row.mentions]
    train = [row for row in english if not any(held(entity) for *_, entity in row.mentions)]
    switched = CodeSwitch(names="", languages=LANGS).apply(train, services("en", table))
    given = {
        PLAIN: ("mlm", plain(chosen(train)), ()),
        SWITCHED: ("mlm", plain(chosen(switched)), ()),
        SYSTEM: ("entity_cs", chosen(switched), ()),
        WHOLE: ("entity_cs", chosen(switched), ('objectives=[{"name": "wep"}]',)),
    }
    seen = keys(train)
    tests = {
        lang: chosen([r for r in without(real[lang], common) if r.mentions], TEST, unseen=True)
        for lang in LANGS
    }  # fmt: skip
    work = args.work / "entity_switching"
    work.mkdir(parents=True, exist_ok=True)
    encoder = Encoder.from_pretrained(args.base)
    scores = {FROZEN: [measure(encoder, tests, seen, None)]}
    seconds: dict[str, float] = {}
    for seed in range(args.seeds):
        for name, (recipe, rows, settings) in given.items():
            if name not in (args.only or (PLAIN, SWITCHED, SYSTEM)):
                continue
            out = work / f"{name.replace(' ', '-')}-{seed}"
            data = by_language(rows)
            result = xadapt.train(
                recipe, base=args.base, data=data, joint=len(data) > 1, out=out, resume=True,
                show=False, loaders="none", settings=(*settings, *EQUAL, f"seed={seed}"),
            )  # fmt: skip
            seconds[name] = result.seconds
            found = measure(encoder, tests, seen, out)
            print(seed, name, {k: round(v, 4) for k, v in found.items()}, flush=True)
            scores.setdefault(name, []).append(found)
        keep(args, scores, seconds, seed + 1, train, switched, tests, seen)


EQUAL = (
    "train.batch_size=32", "train.epochs=1", "train.learning_rate=1e-3", "train.schedule=linear",
    "train.warmup=0.1", "data.train.options={}", "data.train.transforms=[]", "data.train.dev=0",
)  # fmt: skip


def names(data: Path) -> dict[str, dict[str, tuple[str, ...]]]:
    """Names by language of entities that have one in English and one in another language.

    An entity is its English name, so that an entity of both graphs is one.
    """
    source = f"kg:{data / 'kg' / 'dbp5l'}"
    graph = open_graph(source)
    graph = graph.joined(open_links(source).pairs)
    tables = [
        {lang: {e: tuple(NOTE.sub("", n) for n in names[e]) for e in names}
         for lang, names in graph.labels.items()},
        read_name_table("cldr:all"),
    ]  # fmt: skip
    found: dict[str, dict[str, tuple[str, ...]]] = {lang: {} for lang in ("en", *LANGS)}
    for table in tables:
        for entity, own in table["en"].items():
            others = {lang: table[lang][entity] for lang in LANGS if entity in table[lang]}
            if others and own[0] not in found["en"]:
                found["en"][own[0]] = own[:1]
                for lang, some in others.items():
                    found[lang][own[0]] = some[:1]
    return found


def services(lang: str, table: dict) -> Services:
    """Services with these names."""
    return Services(lang, callables={"names": lambda _: table})


def lines(data: Path, lang: str) -> Iterator[str]:
    """The short sentences of a language."""
    known: set[str] = set()
    for folder in MONO:
        path = data / folder / f"{lang}.txt.gz"
        if not path.exists():
            continue
        for line in gzip.decompress(path.read_bytes()).decode().splitlines():
            text = line.strip()
            if 4 <= len(text.split()) <= WORDS and text not in known:
                known.add(text)
                yield text


def linked(data: Path, lang: str, table: dict) -> list[LinkedSentence]:
    """Sentences of a language with the names of entities, one source after the other."""
    texts = [PlainText(text, lang) for text in itertools.islice(lines(data, lang), 80_000)]
    return LinkEntities(names="").apply(texts, services(lang, table))


def frequent(*languages: list[LinkedSentence]) -> set[str]:
    """Entities whose name is so frequent in a language that it is no name."""
    found: set[str] = set()
    for rows in languages:
        counts = Counter(entity for row in rows for *_, entity in row.mentions)
        found |= {entity for entity, count in counts.items() if count > COMMON * 80_000}
    return found


def without(rows: list[LinkedSentence], entities: set[str]) -> list[LinkedSentence]:
    """The sentences without the mentions of some entities."""
    return [
        LinkedSentence(r.text, tuple(m for m in r.mentions if m[2] not in entities), r.lang)
        for r in rows
    ]


def held(entity: str) -> bool:
    """Whether an entity is held out, by a hash of its name."""
    return int(hashlib.sha256(entity.encode()).hexdigest(), 16) % 3 == 0


def chosen(rows: list[LinkedSentence], size: int = ROWS, unseen: bool = False) -> list:
    """Some sentences by hash; of test sentences those with held-out entities alone, in names that
    differ from the English ones."""
    if unseen:
        rows = [
            LinkedSentence(r.text, tuple(m for m in r.mentions if r.text[m[0] : m[1]] != m[2]),
                           r.lang) for r in rows
        ]  # fmt: skip
        rows = [row for row in rows if any(held(entity) for *_, entity in row.mentions)]
    return sorted(rows, key=lambda r: hashlib.sha256(r.text.encode()).hexdigest())[:size]


def by_language(rows: list) -> dict[str, list]:
    """Records by their language."""
    langs = sorted({row.lang for row in rows})
    return {lang: [row for row in rows if row.lang == lang] for lang in langs}


def plain(rows: list[LinkedSentence]) -> list[PlainText]:
    """The texts alone."""
    return [PlainText(row.text, row.lang) for row in rows]


def measure(encoder: Encoder, tests: dict, seen: set[str], module: Path | None) -> dict[str, float]:
    """Accuracy of masked entity tokens in each language, of seen and of unseen entities."""
    own = None if module is None else open_module(str(module), encoder)[0]
    found = {}
    for lang, rows in tests.items():
        result = MaskedEntity().evaluate(
            rows, {"it": predict(encoder, rows, own)}, resamples=1, seen=seen
        )
        scores = result["it"].scores
        for part in (UNSEEN, SEEN):
            found[f"{lang}, {part}"] = scores[f"token accuracy, {part}"].mean
    found["mean, never seen"] = float(np.mean([found[f"{lang}, {UNSEEN}"] for lang in LANGS]))
    return found


def keep(args, scores, seconds, seeds, train, switched, tests, seen) -> None:
    """Keep what is known so far, with gains over the frozen base and over plain MLM by seed."""
    gains = {}
    for name in (SYSTEM, WHOLE, SWITCHED):
        for other in (FROZEN, PLAIN, SWITCHED):
            if name != other and name in scores and other in scores:
                pairs = ([one[k] for one in scores[s]] for s in (name, other) for k in MAIN)
                gains[f"{name} over {other}"] = gain(*pairs)
    entities = {m[2] for row in train for m in row.mentions}
    facts = {
        "base": args.base, "seeds": seeds, "steps": ROWS // 32, "languages": list(LANGS),
        "english": len(train), "switched": len(switched), "entities": len(entities),
        "test": {lang: {"sentences": len(rows), "unseen": sum(m[2] not in seen for r in rows
                        for m in r.mentions)} for lang, rows in tests.items()},
    }  # fmt: skip
    save("entity_switching", {**facts, "scores": scores, "gains": gains, "seconds": seconds})


MAIN = ("mean, never seen",)

if __name__ == "__main__":
    main()
