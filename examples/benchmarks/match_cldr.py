"""Sentences about facts of CLDR matched to the graph's rows: random walks, vectors, and the mean.

    python examples/benchmarks/match_cldr.py --data DATA --base mini

A row is an entity in English: its name, and the names of what its relations lead to. The texts are
sentences that frames make of facts, in several languages; the right row is that of the fact's
subject. Facts are those of the graph's test part. EP is trained on names of the training part, so
that it has seen no name of a test entity. Needs `pip install gensim`.
"""

from __future__ import annotations

from typing import Any

from bench import parser, save
from kg_runs import BASES, Kept, Remembering, encoder

import xadapt
from xadapt.data.readers.cldr_graph import Graph, build
from xadapt.data.readers.match_items import Item
from xadapt.data.transforms.verbalise import relations
from xadapt.pipelines.match import match_texts

LANGS = ("en", "de", "es", "fr", "ja", "ru", "sw")
NAMES = ("ar", "de", "es", "fr", "ja", "ru")
"""The languages whose names EP is trained on, as in ``vote_names``; Swahili is not one of them."""
SETTINGS = {"walks": 20, "length": 20, "dim": 100, "window": 5, "epochs": 3, "rate": 0.05}
PART = "test"


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--base", default="mini", choices=list(BASES))
    options.add_argument("--seeds", type=int, default=3)
    args = options.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    base = BASES[args.base]
    graph = build(["en", *(lang for lang in LANGS if lang != "en")])
    rows, kept = rows_of(graph), Kept(args.work / f"match_cldr_{args.base}.json")
    found: dict[str, Any] = {}
    models = {"frozen base": Remembering(encoder(base, {}))}
    for seed in range(args.seeds):
        out = args.work / f"names-ep-{args.base}-{seed}"
        xadapt.train(
            "mlkg_ep", base=base, data="cldr", lang=list(NAMES), out=out, resume=True,
            joint=True, loaders="none", show=False, settings=(f"seed={seed}",),
        )  # fmt: skip
        models[f"EP {seed}"] = Remembering(encoder(base, {"ep": out}))
    for lang in LANGS:
        texts, gold = texts_of(graph, lang)
        given = {"gold": gold, "lang": None}
        for name, model in models.items():
            found[f"{lang} {name}"] = kept.get(
                f"{lang} {name}",
                lambda texts=texts, given=given, model=model, name=name: match_texts(
                    rows,
                    texts,
                    base=model,
                    seed=seed_of(name),
                    **given,
                    **(SETTINGS if name.startswith("EP") else {"walks": 0}),
                ).to_dict(),
            )
        if lang != "en":
            for seed in range(args.seeds):
                found[f"{lang} expanded {seed}"] = kept.get(
                    f"{lang} expanded {seed}",
                    lambda texts=texts, given=given, lang=lang, seed=seed: match_texts(
                        rows, texts, expand_by=f"cldr:{lang},en", base=models[f"EP {seed}"],
                        seed=seed, **SETTINGS, **given,
                    ).to_dict(),
                )  # fmt: skip
    save(
        f"match_cldr_{args.base}",
        {"base": args.base, "seeds": args.seeds, "langs": list(LANGS), "trained": list(NAMES),
         "settings": SETTINGS, "rows": found},
    )  # fmt: skip


def seed_of(name: str) -> int:
    """The seed of a module's name; 0 for the base."""
    return int(name.split()[-1]) if name[-1].isdecimal() else 0


def rows_of(graph: Graph) -> list[Item]:
    """A row for each entity that is the subject of a fact: names in English, by relation."""
    names = graph.labels["en"]
    fields: dict[str, dict[str, list[str]]] = {}
    for fact in graph.triples:
        if fact.head in names and fact.tail in names:
            own = fields.setdefault(fact.head, {})
            own.setdefault(fact.relation.replace("_", " "), []).append(names[fact.tail])
    return [
        Item(head, (("name", names[head]), *((r, ", ".join(t)) for r, t in own.items())))
        for head, own in fields.items()
    ]


def texts_of(graph: Graph, lang: str) -> tuple[list[Item], dict[str, set[str]]]:
    """Sentences of the test facts in a language, and the row of each."""
    texts, gold = [], {}
    named = graph.labels["en"]
    for place, fact in enumerate(graph.facts(PART)):
        if fact.head not in named or fact.tail not in named:
            continue
        for one in relations([fact], graph.labels, lang):
            texts.append(Item(f"t{place}", (("", one.text),)))
            gold[f"t{place}"] = {fact.head}
    return texts, gold


if __name__ == "__main__":
    main()
