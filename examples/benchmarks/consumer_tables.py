"""The tables of RESULTS.md on names, concepts of mentions, and texts with their rows."""

from __future__ import annotations

from typing import Any

from objectives_tables import spread
from tables import table


def percent(score: dict) -> str:
    """A score in per cent, as the authors of WikiKGE-10 print it."""
    return f"{100 * score['mean']:.1f}"


def names(result: dict) -> str:
    """Scores of the authors' files, votes by language, and what a module changes."""
    own = result["authors"]
    equal = sum(row["ours"] == row["printed"] for row in own)
    systems = list(dict.fromkeys(row["file"] for row in own))
    langs = list(dict.fromkeys(row["lang"] for row in own))
    first = [[name, *(_cell(own, name, lang) for lang in langs)] for name in systems]
    said = (
        f"{equal} of {len(own)} files of names have all six scores of the authors' result files, "
        "to the digit: P, R and F1 of coverage and of the check. F1 of both:\n\n"
    )
    votes = []
    for least, rows in result["votes"].items():
        cells = [f"{percent(r['coverage F1'])} / {percent(r['check F1'])}" for r in rows.values()]
        both = [
            sum(r[key]["mean"] for r in rows.values()) / len(rows)
            for key in ("coverage F1", "check F1", "right flags")
        ]
        votes.append([f"{least} or more votes", *cells, " / ".join(f"{100 * b:.1f}" for b in both)])
    for kind in ("merged", "retrieved"):
        for name, rows in result[kind].items():
            cells = [_gain(rows.get(lang)) for lang in result["langs"]]
            votes.append([f"{kind}, {name}: change", *cells, ""])
    head = ["coverage / check", *result["langs"], "mean, and right flags"]
    return (
        said
        + table(["", *langs], first)
        + "\nThree files of language models, a vote each:\n\n"
        + table(head, votes)
        + "\nThe change is that of coverage F1, in points with its 95 % interval, against 2 votes. "
        "Merged: names of one entity that are alike share their votes. Retrieved: the title of "
        "DBpedia nearest to the name with most votes is one more source; there are titles in es, "
        f"fr and ja here. Base {result['base']}; EP is trained on names of CLDR; the least cosine "
        "is chosen on the other languages.\n"
    )


def _cell(rows: list[dict], name: str, lang: str) -> str:
    for row in rows:
        if (row["file"], row["lang"]) == (name, lang):
            return f"{row['ours'][2]} / {row['ours'][5]}"
    return ""


def _gain(row: dict | None) -> str:
    if row is None:
        return ""
    gain = row["gain"]
    return f"{100 * gain['mean']:+.1f} [{100 * gain['low']:+.1f}, {100 * gain['high']:+.1f}]"


def linked(result: dict) -> str:
    """R@1 and R@5 by language: spelling, base, module, both, and a re-ranker."""
    by_system: dict[str, list[dict]] = {}
    for key, row in result["rows"].items():
        if key.startswith("none, "):
            continue
        for name, own in _systems(row).items():
            label = _label(key, name)
            if label:
                by_system.setdefault(label, []).append(own)
    langs = list(next(iter(by_system.values()))[0])
    rows = [
        [name, *(_both([run[lang] for run in runs]) for lang in langs)]
        for name, runs in by_system.items()
    ]
    first = next(iter(result["rows"].values()))
    counts = ", ".join(f"{k} {v['mentions']}" for k, v in first["by_language"].items())
    return (
        table(["R@1 / R@5", *(f"{x}, never" if x in result["never"] else x for x in langs)], rows)
        + f"\nNames among the English names of {first['concepts']:,} concepts; mentions: {counts}. "
        f"EP: {result['seeds']} seeds, means, trained on {result['training_names']:,} names of "
        f'other concepts in each of {", ".join(result["trained"])}; "never" are languages without '
        f"a training name. Base {result['base']}. Intervals are in the JSON.{_reranker(result)}\n"
    )


def _label(key: str, system: str) -> str:
    """The line of the table that a system of a run is in; empty for none."""
    if key.startswith("re-ranked"):
        weight = key.partition(", ")[2]
        own = f", distance weighed {weight}, one seed" if weight else ""
        return f"EP + TF-IDF, re-ranked{own}" if system == "reranked" else ""
    kind = "EP" if key.startswith("EP ") else key
    if system == "spelling":
        return "TF-IDF" if kind == "frozen base" else ""
    return f"{kind} + TF-IDF" if system == "ensemble" else kind


def _reranker(result: dict) -> str:
    """What the table doesn't show of a re-ranker: its gain, and answers of no concept."""
    if "gains" not in result:
        return ""
    gains = "; ".join(f"{k} {signed(v)}" for k, v in result["gains"].items())
    chosen = [row["chosen"]["rerank_weight"] for row in _runs(result, "re-ranked")]
    none = {name: _runs(result, f"none, {name}") for name in ("EP", "re-ranked")}
    coverage = none["EP"][0]["coverage"]
    answers = {
        name: spread([run["answers"]["mean"] for run in runs]) for name, runs in none.items()
    }
    return (
        f" The re-ranker reads {result['read']} candidates. It learns from those of at most "
        f"{result['judged']:,} further names in each language (no German ones are left), and its "
        f"weight is chosen on at most {result['dev']} others in each: "
        f"{', '.join(f'{w:g}' for w in chosen)}. Its gain in R@1, paired over mentions, means over "
        f"seeds: {gains}. If a fifth of the concepts has no English name ({coverage:.0%} of the "
        f"mentions have one), right answers, with none among them, are {answers['EP']} without and "
        f"{answers['re-ranked']} with it; both thresholds are chosen on the same names."
    )


def _runs(result: dict, kind: str) -> list[dict]:
    """The runs of one kind, a seed each."""
    names = [f"{kind} {seed}" for seed in range(result["seeds"])]
    return [result["rows"][name] for name in names if name in result["rows"]]


def signed(gain: dict) -> str:
    """A difference with its 95 % interval."""
    return f"{gain['mean']:+.3f} [{gain['low']:+.3f}, {gain['high']:+.3f}]"


def short_linked(result: dict) -> str:
    """R@1 of a re-ranker beside its candidates and spelling, for the table of systems."""
    if "gains" not in result:
        return "not measured here"
    runs = _runs(result, "re-ranked")
    shown = {
        name: spread([run["scores"][system]["R@1"]["mean"] for run in runs])
        for name, system in (("re-ranked", "reranked"), ("EP + TF-IDF", "ensemble"))
    }
    spelt = runs[0]["scores"]["spelling"]["R@1"]["mean"]
    return (
        f"{result['base']}, concepts of names, R@1: re-ranked {shown['re-ranked']}, candidates "
        f"{shown['EP + TF-IDF']} (gain {signed(result['gains']['all'])}), TF-IDF {spelt:.3f}"
    )


def _systems(row: dict) -> dict[str, dict[str, dict]]:
    found: dict[str, dict[str, dict]] = {}
    every = {"all": {"scores": row["scores"]}, **row["by_language"]}
    for lang, own in every.items():
        for name, scores in own["scores"].items():
            found.setdefault(name, {})[lang] = scores
    return found


def _both(runs: list[dict]) -> str:
    means = [sum(run[m]["mean"] for run in runs) / len(runs) for m in ("R@1", "R@5")]
    return " / ".join(f"{mean:.3f}" for mean in means)


def matched_cldr(result: dict) -> str:
    """MRR and P@1 of sentences matched to the rows of CLDR, by language."""
    systems: dict[str, dict[str, list[dict]]] = {}
    for key, run in result["rows"].items():
        lang, kind = key.split(" ", 1)
        kind = kind.rstrip("0123456789 ")
        for name, own in run["scores"].items():
            label = {
                "tf-idf": "tf-idf" if kind == "frozen base" else "",
                "walks": {"EP": "walks", "expanded": "walks, names of the graph joined"}.get(kind),
                "vectors": {"frozen base": "frozen base", "EP": "EP"}.get(kind),
                "mean": {
                    "EP": "mean of walks and EP",
                    "expanded": "mean of joined walks and EP",
                }.get(kind),
            }[name]
            if label:
                systems.setdefault(label, {}).setdefault(lang, []).append(own)
    order = sorted(systems, key=lambda name: ("mean" in name, "joined" in name))
    rows = [
        [name, *(_cldr(systems[name].get(lang, [])) for lang in result["langs"])] for name in order
    ]
    first = next(iter(result["rows"].values()))
    told = ", ".join(f"{key} {value}" for key, value in result["settings"].items())
    counts = ", ".join(
        f"{lang} {result['rows'][f'{lang} frozen base']['measured']}" for lang in result["langs"]
    )
    return (
        table(["MRR / P@1 / P@5", *result["langs"]], rows)
        + f"\nTexts: sentences made of the test facts, by language {counts}; {first['rows']:,} "
        f"rows in English. {told}. Base {result['base']}; EP is trained on names of the training "
        f"part in {', '.join(result['trained'])}; {result['seeds']} seeds, means. P@5 counts one "
        "right row among five, so it is at most 0.2.\n"
    )


def _cldr(runs: list[dict]) -> str:
    if not runs:
        return ""
    means = (sum(run[m]["mean"] for run in runs) / len(runs) for m in ("MRR", "P@1", "P@5"))
    return " / ".join(f"{mean:.3f}" for mean in means)


def speed(result: dict) -> str:
    """Times and memory of candidates and walks, as ratios to faiss and gensim alone."""
    found, exact, walks = result["candidates"], result["search"], result["walks"]
    flat = found["faiss"]["seconds"]
    most = found["mentions"][-1]
    rows = [
        [
            f"candidates by {name}", f"{1000 * found[name]['seconds'] / most:.2f} ms a mention",
            f"{found[name]['seconds'] / flat:.1f} of a flat faiss index",
            " and ".join(f"{mib:,}" for mib in found[name]["mib"]),
        ]
        for name in ("spelling", "vectors", "both")
    ]  # fmt: skip
    rows.append([
        "exact search of alignments", f"{exact['seconds']:.1f} s for {exact['asked']:,}",
        f"{exact['seconds'] / exact['faiss']:.2f} of a flat faiss index", f"{exact['mib']:,}",
    ])  # fmt: skip
    one, two = (walks["seconds"][n] for n in ("1", "2"))
    per = walks["walks"] * walks["length"] / 1e6
    rows.append(["random walks", f"{one / per:.2f} s a million nodes",
                 f"{one / walks['gensim']:.3f} of gensim's pass over them", ""])  # fmt: skip
    rows.append(["walks in two threads", f"{two / per:.2f} s a million nodes",
                 f"{two / one:.2f} of one thread", ""])  # fmt: skip
    both = f"{walks['ours'] / walks['gensim']:.2f} of gensim on a list of walks"
    rows.append(["walks and skip-gram", f"{walks['ours']:.1f} s", both, ""])
    asked = " and ".join(map(str, found["mentions"]))
    return (
        table(["", "time", "ratio", "MiB"], rows)
        + f"\n{result['names']:,} names, vectors of {result['dim']} numbers, the best "
        f"{result['top']}. MiB: the highest memory while {asked} mentions are looked up, "
        f"beyond the index. The search finds {exact['equal']:.4%} of the "
        f"neighbours that faiss finds. Walks: {walks['walks']:,} of {walks['length']} nodes on a "
        f"graph of {walks['nodes']:,}; both numbers of threads give "
        f"{'the same walks' if walks['equal'] else 'different walks'}.\n"
    )


def matched(result: dict) -> str:
    """MRR, P@1, P@5 and hits@5 of each view and of their mean, over seeds."""
    runs: list[dict[str, Any]] = list(result["rows"].values())
    rows = []
    for name in runs[0]["systems"]:
        cells = [name]
        for measure in ("MRR", "P@1", "P@5", "hits@5"):
            cells.append(spread([run["scores"][name][measure]["mean"] for run in runs]))
        rows.append(cells)
    first = runs[0]
    told = ", ".join(f"{key} {value}" for key, value in result["settings"].items())
    return (
        table(["", "MRR", "P@1", "P@5", "hits@5"], rows)
        + f"\n{first['measured']:,} tweets, {first['rows']:,} claims; {first['nodes']:,} nodes and "
        f"{first['edges']:,} edges; {told}. Base {result['base']}, without a module; "
        f"{result['seeds']} seeds of walks and skip-gram, ± is the deviation over them.\n"
    )


def judged(result: dict) -> str:
    """Accuracy of the first candidate, of each choice of voters, and of the best possible one."""
    rows = []
    for name, runs in result["rows"].items():
        by_system: dict[str, list[dict]] = {}
        for key, run in runs.items():
            by_system.setdefault(key.rpartition(" ")[0], []).append(run)
        some = next(iter(by_system.values()))
        for label, system in (("first candidate", "first candidate"),
                              (f"recall@{result['k']}", "best possible")):  # fmt: skip
            rows.append([name, label, _accuracy(some, system), "", "", ""])
        alone = {"cross-encoder alone": "cross-encoder"}
        crossed = next(own for key, own in by_system.items() if "cross-encoder" in key)
        for label, system in alone.items():
            rows.append([name, label, *_against(crossed, system), ""])
        for key, own in by_system.items():
            answered = spread([1 - run["abstained"] / run["entities"] for run in own])
            rows.append([name, key, *_against(own, "vote"), answered])
            rows.append([name, f"{key}; else the first", *_against(own, "vote, else first"), ""])
    head = ["candidates of", "", "right", "only it / only the first", "p of each seed", "answered"]
    return (
        table(head, rows)
        + f"\n{result['sources']} entities of test links with {result['k']} candidates among all "
        f"entities of the other graph, {result['seeds']} seeds of the modules, the structure and "
        f"the cross-encoder; base {result['base']}. A vote needs more than half of the voters; to "
        "abstain counts as an error. p is of McNemar's exact test against the first candidate. "
        f"Cross-encoders learn from the candidates of {result['taught']:,} training and dev links, "
        "where the right one is among them; nothing is added to the candidates. The base reads "
        "hardly any Japanese.\n"
    )


def _accuracy(runs: list[dict], system: str) -> str:
    return spread([run["scores"][system]["accuracy"]["mean"] for run in runs])


def _against(runs: list[dict], system: str) -> list[str]:
    tests = [run["scores"][system]["mcnemar"] for run in runs]
    both = ", ".join(f"{one['only_ours']} / {one['only_theirs']}" for one in tests)
    return [_accuracy(runs, system), both, ", ".join(f"{one['p']:.3f}" for one in tests)]


def fused(result: dict) -> str:
    """Hits@1 of each system while more of one modality is missing, and the least lead."""
    rows = []
    least: list[tuple[float, str]] = []
    for kind in ("text", "structure"):
        for level in result["levels"]:
            first = f"{kind if level else 'text'} {level}"
            runs = [result["rows"][f"{first} {seed}"] for seed in range(result["seeds"])]
            singles = [name for name in runs[0] if name.endswith((" alone", " alone, mapped"))]
            gaps = [run["fused"] - max(run[name] for name in singles) for run in runs]
            gap = sum(gaps) / len(gaps)
            least.append((gap, f"{level} % of {kind}"))
            cells = [
                spread([run[name] for run in runs]) if name in runs[0] else ""
                for name in ("text alone", "structure alone", "concatenation", "weighted sum",
                             "fused", "fused, mean", "fused, vae")
            ]  # fmt: skip
            rows.append([f"{level} % of {kind}", *cells, f"{100 * gap:+.1f}"])
    head = ["missing", "text", "structure", "concatenation", "weighted sum", "fused",
            "with the mean", "with guesses (VAE)", "fused - best alone"]  # fmt: skip
    worst = min(least)
    return (
        table(head, rows)
        + f"\nHits@1 of {result['queries']:,} test entities among {result['pool']:,}; "
        f"{result['seeds']} seeds of module, structure and what is missing, ± is the deviation "
        f"over them. {result['links']['train']:,} training and {result['links']['dev']:,} dev "
        "links. Vectors are missing on both sides, before anything is learnt. The last column is "
        "in points, against the best modality alone of each seed; the least is "
        f"{100 * worst[0]:+.1f} ({worst[1]}). The data have neither attributes nor images.\n"
        f"\n![](results/modalities_{result['set']}_{result['base']}.svg)\n"
    )
