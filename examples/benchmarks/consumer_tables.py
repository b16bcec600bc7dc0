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
        kind = "EP" if key.startswith("EP ") else key
        for name, own in _systems(row).items():
            if name == "spelling" and kind != "frozen base":
                continue
            if kind.startswith("re-ranked") and name != "reranked":
                continue
            label = "TF-IDF" if name == "spelling" else kind
            label += " + TF-IDF" if name == "ensemble" else ""
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
        f"a training name. Base {result['base']}. Intervals are in the JSON.\n"
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
