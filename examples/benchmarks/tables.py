"""The tables of RESULTS.md on alignment, languages and rows; one function a kind."""

from __future__ import annotations

import statistics
from collections.abc import Iterable

SYSTEMS = (
    ("frozen base", "frozen base"),
    ("tf-idf", "TF-IDF"),
    ("shuffled-pairs twin, both sides", "shuffled-pairs control"),  # of version 0.1
    ("shuffled-pairs control, both sides", "shuffled-pairs control"),
    ("module, language side only", "language side only"),
    ("module, both sides", "both sides"),
)

MODES = ("module, language side only", "module, both sides")


def table(head: list[str], rows: Iterable[list[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(row) + " |" for row in lines) + "\n"


def scores(test: dict) -> dict[str, dict]:
    """The rows of an evaluation by system."""
    return {row["system"]: row for row in test["rows"]}


def ways(row: dict) -> str:
    """``to pivot / from pivot`` with three digits."""
    found = row["accuracy"]
    return f"{found['to_pivot']['mean']:.3f} / {found['from_pivot']['mean']:.3f}"


def intervals(row: dict) -> str:
    """The two 95 % intervals."""
    both = (row["accuracy"][way] for way in ("to_pivot", "from_pivot"))
    return " / ".join(f"{i['low']:.3f}-{i['high']:.3f}" for i in both)


def alignment(result: dict) -> str:
    """The table of one recipe on one language."""
    train, test = result["train"], scores(result["test"])
    rows = [
        [label, ways(test[name]), intervals(test[name]), kept(test[name])]
        for name, label in SYSTEMS
        if name in test
    ]
    changes = f" with {', '.join(result['changes'])}" if result["changes"] else ""
    return (
        table(["", "xx to en / en to xx", "95 %", "cos(en on, en off)"], rows)
        + f"\n{result['recipe']}{changes}, {result['lang']}: "
        f"{result['rows_given']:,} pairs given; {'; '.join(train['notes'])}. {cost(train)}; "
        f"{result['bytes'] / 1e6:.2f} MB. Loaders: "
        + ", ".join(f"{name} {status}" for name, status in result["loaders"].items())
        + ".\n"
    )


def cost(train: dict) -> str:
    """What the training took."""
    return (
        f"Trained in {train['seconds']:.0f} s, {train['forwards']:.1f} times one frozen forward "
        f"over the texts ({train['forward_seconds']:.0f} s); {train['prepare_seconds']:.0f} s more "
        f"for the frozen side (0 s once cached); padding {train['padding']:.1%}"
    )


def kept(row: dict) -> str:
    """cos(en on, en off) where it says something."""
    shown = row["pivot_kept"] is not None and "both" in row["system"]
    return f"{row['pivot_kept']:.3f}" if shown else ""


def languages(result: dict) -> str:
    """One line a language."""
    rows = []
    for row in result["rows"]:
        test = scores(row["test"])
        rows.append(
            [
                row["lang"],
                f"{row['train_rows']:,}",
                ways(test["frozen base"]),
                ways(test["tf-idf"]),
                ways(test["module, language side only"]),
                ways(test["module, both sides"]),
                f"{test['module, both sides']['pivot_kept']:.3f}",
                f"{row['seconds']:.0f}",
                f"{row['bytes'] / 1e6:.2f}",
                f"{row['unknown']:.1%}",
                f"{row['single']:.0%}",
                f"{row['tokens_a_word']:.1f}",
                row["test_source"],
            ]
        )
    head = [
        "", "pairs", "frozen base", "TF-IDF", "language side only", "both sides", "cos", "train s",
        "module MB", "unknown tokens", "single letters", "tokens a word", "test",
    ]  # fmt: skip
    changes = result.get("changes")
    told = f"\nWith {', '.join(changes)}: the recipe as it was then.\n" if changes else ""
    return table(head, rows) + told


def own_language(result: dict) -> str:
    """Variants of one base on questions and answers of one language."""
    rows = []
    for row in result["rows"]:
        seeds = ", ".join(f"{value:.3f}" for value in row.get("seeds", ()))
        inside = f"{row['low']:.3f}-{row['high']:.3f}" if "low" in row else ""
        gains = [
            f"{g['mean']:+.3f} ({g['low']:+.3f} to {g['high']:+.3f})" if g else ""
            for g in (row.get("over_base"), row.get("over_pairs"))
        ]
        rows.append([row["base"], row["variant"], f"{row['ndcg']:.3f}", inside, seeds, *gains])
    head = ["base", "variant", "nDCG@10", "95 %", "each seed", "over the base", "over pairs"]
    said = (
        f"{result['train']} questions to train on, {result['test']} to test on, each looked up "
        f"among {result['pool']} sentences; no article is in both parts. {result['epochs']} "
        f"epochs, module in layers {result['layers']}; nDCG is the mean over {result['seeds']} "
        "seeds of each query, with intervals over queries. The teacher is the English MiniLM, "
        f"which teaches by the English side of {result['translations']:,} translations: no "
        "German teacher was at hand."
    )
    return f"{table(head, rows)}\n{said}\n"


def languages_short(result: dict) -> str:
    """What the table of languages comes to."""
    gains = []
    for row in result["rows"]:
        test = scores(row["test"])
        base = test["frozen base"]["accuracy"]
        gains += [
            [test[name]["accuracy"][way]["mean"] - base[way]["mean"] for name in MODES]
            for way in ("to_pivot", "from_pivot")
        ]
    up = sum(min(both) > 0 for both in gains)
    one, both = (statistics.median(column) for column in zip(*gains, strict=True))
    return (
        f"In {len(result['rows'])} languages and both directions, {up} of {len(gains)} accuracies "
        f"lie above the frozen base's in both modes; median gain {one:+.3f} on the language side "
        f"only, {both:+.3f} active on both.\n"
    )


def how_many_pairs(result: dict, whole: dict | None = None) -> str:
    """One line a number of pairs, below the base and TF-IDF; ``whole`` is a run on all of them."""
    test = scores((whole or result["rows"][0])["test"])
    rows = [
        [label, ways(test[name]), intervals(test[name])]
        for name, label in (("frozen base", "frozen base"), ("tf-idf", "TF-IDF"))
        if name in test
    ]
    for row in result["rows"]:
        own = scores(row["test"])[MODES[0]]
        rows.append([f"{row['pairs']:,} pairs", ways(own), intervals(own)])
    if whole is not None:
        own = scores(whole["test"])[MODES[0]]
        rows.append([f"{whole['rows_given']:,} pairs", ways(own), intervals(own)])
    return table(["", f"{result['lang']} to en / en to {result['lang']}", "95 %"], rows) + (
        "\nOne pass over the pairs, a part of them held out; the module is on for the language "
        "alone. Few pairs are few steps.\n"
    )


def baselines(result: dict) -> str:
    """What frozen encoders know: hidden words, retrieval, parts of speech."""
    systems, hidden = result["systems"], result["hidden_words"]
    head = ["", "network", "random weights", "most frequent", "bigram", "tokens hidden"]
    keys = ("accuracy", "random", "unigram", "bigram")
    shown = [
        [lang, *(f"{row[key]:.3f}" for key in keys), f"{row['hidden']:,}"]
        for lang, row in hidden.items()
    ]
    parts = ["Accuracy on hidden tokens of held-out sentences.\n", table(head, shown)]
    for task, key, said in (
        ("bitext", "accuracy", "Sentence retrieval with English, mean of both ways"),
        ("entities", "hits@1", "Names of the CLDR graph, Hits@1, mean of both ways"),
    ):
        first = next(iter(systems.values()))[task]
        rows = [
            [lang, *(f"{s[task][lang][key]:.3f}" for s in systems.values()), f"{row['tfidf']:.3f}"]
            for lang, row in first.items()
        ]
        parts += [f"\n{said}.\n", table(["", *systems, "TF-IDF"], rows)]
    first = next(iter(systems.values()))["tagging"]
    rows = [
        [lang, *(f"{s['tagging'][lang][key]:.3f}" for key in ("own", "from_en")
                 for s in systems.values()), f"{row['words']:.3f}"]
        for lang, row in first.items()
    ]  # fmt: skip
    head = ["", *systems, *(f"{name}, learnt in English" for name in systems), "word's usual tag"]
    return "\n".join([*parts, "\nParts of speech by a linear probe.\n", table(head, rows)])


def kills(result: dict) -> str:
    """One sentence."""
    return (
        f"{result['kills']} kills with SIGKILL over {result['finished']} runs; "
        f"{result['equal']} of {result['finished']} final modules are byte for byte the "
        "uninterrupted one.\n"
    )


def flips(result: dict) -> str:
    """One line a kind of file, and the sum."""
    names = ("refused", "notice", "same", "changed")
    heads = ("refused", "a notice, all bits the same", "nothing told, all bits the same", "changed")
    rows = [[row["file"], *(f"{row.get(name, 0):,}" for name in names)] for row in result["files"]]
    total = [f"**{result['total'].get(name, 0):,}**" for name in names]
    return table(["file", *heads], [*rows, ["**all**", *total]])


def mixed_rows(result: dict) -> str:
    """One line a composition, one column a library."""
    names = ("xadapt", "adapters", "peft", "peft, cat")
    rows = [
        [row["modules"], f"`{row['composition'].replace('|', '/')}`", *(gap(row[n]) for n in names)]
        for row in result["rows"]
    ]
    return (
        table(["modules", "composition", *names], rows)
        + "\nLargest difference of states to what must be the same, each library against itself; "
        "the error it raises; empty where it has no such thing. `/` parts the rows of a batch.\n"
    )


def exports(result: dict) -> str:
    """One line a module, a task and a library."""
    names = ("module", "task", "base", "library")
    other = result["versions"].get("other")
    rows = [
        [
            *(row[n].replace("(other)", f"{other}") if n == "library" else row[n] for n in names),
            row.get("error") or gap(row["difference"]),
            gap(row["effect"]),
        ]
        for row in result["rows"]
    ]
    own = ", ".join(f"{n} {v}" for n, v in result["versions"].items() if n != "other")
    return (
        table([*names, "difference from xadapt", "effect of the module"], rows)
        + "\nLargest difference of the task's logits; above 1, a share of the largest logit. "
        f"Versions: {own}; a number behind a library is that of transformers in its process. "
        "Effect: the same between xadapt with the module and the bare base, with the same head. "
        "transformers 5 loads a base in the dtype of its file, and mini is stored in bfloat16: "
        "there the lines of a card compute in bfloat16.\n"
    )


def mixed_short(result: dict) -> str:
    """How often each library is wrong or raises."""
    told = []
    for name in ("xadapt", "adapters", "peft", "peft, cat"):
        values = [row[name] for row in result["rows"] if "apart" not in row["composition"]]
        found = [value for value in values if value is not None]
        wrong = sum(not isinstance(value, str) and value > 1e-4 for value in found)
        raising = sum(isinstance(value, str) for value in found)
        told.append([name, str(len(found)), str(wrong), str(raising)])
    return table(["", "compositions it has", "wrong", "raising an error"], told)


def gap(value: float | str | None) -> str:
    """A difference, an error's name, or nothing."""
    if value is None or isinstance(value, str):
        return value or ""
    return "0" if value == 0 else f"{value:.2g}"
