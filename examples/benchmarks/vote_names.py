"""Names voted over sources: the authors' scores computed again, and votes over language models.

    python examples/benchmarks/vote_names.py --data DATA --base mini

The files of WikiKGE-10 have no inputs of the authors' translators and web search, so their vote
can't be run again; their scoring can, and so can a vote over the three files of language models.
Thresholds for a language are chosen on the other languages.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from bench import parser, save
from kg_runs import BASES, Kept, Remembering, encoder

import xadapt
from xadapt.data.readers.lines import read_lines
from xadapt.data.readers.name_files import CheckedNames, read_checked, read_names
from xadapt.evaluation.statistics import statistic_difference
from xadapt.pipelines.kg_names import vote_names
from xadapt.tasks.kg.name_votes import CHECK, COVERAGE, FLAGS, count_names, name_scores, vote

LANGS = ("ar", "de", "en", "es", "fr", "ja", "ru")
MODELS = ("gpt-3", "gpt-3.5", "gpt-4")
VOTED = tuple(lang for lang in LANGS if lang != "en")
FILES = {name: f"gpt/{{}}.{name}" for name in MODELS} | {
    f"m-nta.{name}": f"m-nta/with_{name}/{{}}.m-nta" for name in MODELS
}
MERGES = (0.0, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98)
SHOWN = (*COVERAGE, *CHECK, FLAGS)
POOLS = {"es": "dbp5l/es", "fr": "dbp5l/fr", "ja": "dbp5l/ja"}
"""Names that are real and not those that were checked: titles of DBpedia."""
LEAST = (0.8, 0.9, 0.95, 0.99)


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--base", default="mini", choices=list(BASES))
    options.add_argument("--seeds", type=int, default=3)
    args = options.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    data = args.data / "wikikge10"
    kept = Kept(args.work / f"vote_names_{args.base}.json")
    gold = {lang: read_checked(f"{data}/gold/{lang}.jsonl.gz") for lang in LANGS}
    again = kept.get("authors", lambda: authors(data, gold))
    systems = {"frozen base": encoder(BASES[args.base], {})}
    for seed in range(args.seeds):
        out = args.work / f"names-ep-{args.base}-{seed}"
        xadapt.train(
            "mlkg_ep", base=BASES[args.base], data="cldr", lang=list(VOTED), out=out, resume=True,
            joint=True, loaders="none", show=False, settings=(f"seed={seed}",),
        )  # fmt: skip
        systems[f"EP {seed}"] = encoder(BASES[args.base], {"ep": out})
    merged = {
        name: kept.get(f"merged {name}", lambda model=model: merges(data, gold, model))
        for name, model in systems.items()
    }
    found = {
        name: kept.get(f"retrieved {name}", lambda model=model: retrieved(args.data, gold, model))
        for name, model in list(systems.items())[:2]
    }
    save(
        f"vote_names_{args.base}",
        {
            "base": args.base, "seeds": args.seeds, "langs": list(VOTED), "authors": again,
            "votes": kept.get("votes", lambda: votes(data, gold)), "merged": merged,
            "retrieved": found,
        },
    )  # fmt: skip


def authors(data: Path, gold: dict[str, dict[str, CheckedNames]]) -> list[dict[str, Any]]:
    """The authors' result files and our scores of the same files of names."""
    rows = []
    for name, pattern in FILES.items():
        printed = [read_printed(data / f"results/{kind}/{name}.out") for kind in
                   ("coverage", "precision")]  # fmt: skip
        for lang in (lang for lang in LANGS if lang in printed[0]):
            voted = vote({name: read_names(f"{data}/{pattern.format(lang)}.jsonl.gz")}, scored=True)
            counts = count_names(voted, gold[lang], 2 if name.startswith("m-nta") else 1)
            ours = name_scores(counts, resamples=1)
            rows.append(
                {
                    "file": name, "lang": lang,
                    "printed": [*printed[0][lang], *printed[1][lang]],
                    "ours": [f"{100 * ours[key].mean:.1f}" for key in (*COVERAGE, *CHECK)],
                }
            )  # fmt: skip
    return rows


def read_printed(path: Path) -> dict[str, list[str]]:
    """The three scores of each language in a result file, as printed."""
    found: dict[str, list[str]] = {}
    lang = ""
    for _, line in read_lines(str(path)):
        if named := re.search(r"predictions from .*/(\w\w)\.", line):
            lang = named[1]
        if number := re.search(r"- (?:P|R|F1)\s+= ([\d.]+)", line):
            found.setdefault(lang, []).append(number[1])
    return found


def sources(data: Path, lang: str) -> dict[str, str]:
    """The files of the language models."""
    return {name: f"{data}/gpt/{lang}.{name}.jsonl.gz" for name in MODELS}


def votes(data: Path, gold: dict[str, dict[str, CheckedNames]]) -> dict[str, Any]:
    """By votes needed, the scores of the plain vote."""
    found: dict[str, Any] = {}
    for least in (1, 2, 3):
        for lang in VOTED:
            tables = {name: read_names(path) for name, path in sources(data, lang).items()}
            counts = count_names(vote(tables), gold[lang], least, least)
            scores = name_scores(counts, resamples=1000)
            found.setdefault(str(least), {})[lang] = {key: scores[key].to_dict() for key in SHOWN}
    return found


def merges(data: Path, gold: dict[str, dict[str, CheckedNames]], model: Any) -> dict[str, Any]:
    """Votes of spellings that are alike, at the cosine that is best on the other languages."""
    counts: dict[str, dict[float, Any]] = {lang: {} for lang in VOTED}
    for lang in VOTED:
        model_ = Remembering(model)
        for merge in MERGES:
            given = {"base": model_, "merge": merge} if merge else {}
            voted = vote_names(sources(data, lang), lang=lang, **given).voted
            counts[lang][merge] = count_names(voted, gold[lang], 2, 2)
    return chosen(counts, MERGES)


def retrieved(data: Path, gold: dict[str, dict[str, CheckedNames]], model: Any) -> dict[str, Any]:
    """A further source: the nearest title of DBpedia to the name with most votes."""
    counts: dict[str, dict[float, Any]] = {lang: {} for lang in POOLS}
    for lang, pool in POOLS.items():
        model_ = Remembering(model)
        place = f"kg:{data}/kg/{pool}"
        for least in (0.0, *LEAST):
            more = {"pool": place, "base": model_, "least": least} if least else {}
            voted = vote_names(sources(data / "wikikge10", lang), lang=lang, **more).voted
            counts[lang][least] = count_names(voted, gold[lang], 2, 2)
    return chosen(counts, (0.0, *LEAST))


def chosen(counts: dict[str, dict[float, Any]], choices: tuple[float, ...]) -> dict[str, Any]:
    """By language, the choice that is best on the others, its scores, and the gain over none."""
    f1 = {
        lang: {one: coverage_f1(own) for one, own in rows.items()} for lang, rows in counts.items()
    }
    found: dict[str, Any] = {}
    for lang, rows in counts.items():
        others = [other for other in counts if other != lang]
        best = max(choices[1:], key=lambda one: np.mean([f1[other][one] for other in others]))
        columns = [[getattr(rows[one], key) for key in ("covered", "predicted", "right")]
                   for one in (best, 0.0)]  # fmt: skip
        gain = statistic_difference(_f1, columns[0], columns[1])
        scores = name_scores(rows[best], resamples=1000)
        found[lang] = {
            "choice": best, "gain": gain.to_dict(),
            **{key: scores[key].to_dict() for key in SHOWN},
        }  # fmt: skip
    return found


def coverage_f1(counts: Any) -> float:
    """The F1 of coverage."""
    return float(_f1(*(np.asarray(getattr(counts, key))[None] for key in
                       ("covered", "predicted", "right")))[0])  # fmt: skip


def _f1(hit: np.ndarray, own: np.ndarray, right: np.ndarray) -> np.ndarray:
    return 2 * hit.sum(-1) / (own + right).sum(-1)


if __name__ == "__main__":
    main()
