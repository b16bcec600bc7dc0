"""Write RESULTS.md from the JSON of the benchmarks; no number is typed in.

python examples/benchmarks/results.py
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from bench import HERE, RESULTS, read

TITLE = """# Measured results

Each table stands under the command that made it; `DATA` is a folder with
`parallel/en-xx.tsv.gz` and `extra/parallel/en-xx.tsv.gz` (English, the language, source tag).
Written by `results.py` from `results/*.json`. Times are of the machine named, which other work
may have shared: read them as ratios. One seed each.
"""
SYSTEMS = (
    ("frozen base", "frozen base"),
    ("tf-idf", "TF-IDF"),
    ("shuffled-pairs twin, both sides", "shuffled-pairs twin"),
    ("module, language side only", "language side only"),
    ("module, both sides", "both sides"),
)


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


def peers(result: dict) -> str:
    """Time to the accuracy each peer reaches."""
    rows = []
    for name, row in result["table"].items():
        ratio, reach = row["ratio"], row["xadapt_seconds_to_that"]
        rows.append(
            [
                name,
                f"{row['best']:.3f}",
                f"{row['pass_seconds']:.0f}",
                f"{row['seconds_to_best']:.0f}",
                "never" if reach is None else f"{reach:.0f}",
                "" if ratio is None else f"{ratio:.1f}",
            ]
        )
    head = [
        "", "best accuracy", "pass, s", "s to within .005 of its best", "xadapt, s to the same",
        "ratio",
    ]  # fmt: skip
    return (
        table(head, rows)
        + f"\n{result['rows']:,} pairs, one pass; accuracy is the mean of both ways. "
        f"Batches of 64 for sentence-transformers, {result['batch']} for the other two.\n"
    )


def kills(result: dict) -> str:
    """One sentence."""
    return (
        f"{result['kills']} kills with SIGKILL over {result['finished']} runs; "
        f"{result['equal']} of {result['finished']} final modules are byte for byte the "
        "uninterrupted one.\n"
    )


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


def gap(value: float | str | None) -> str:
    """A difference, an error's name, or nothing."""
    if value is None or isinstance(value, str):
        return value or ""
    return "0" if value == 0 else f"{value:.2g}"


def transfer(result: dict) -> str:
    """One line a system: the mean over languages, each language, and where it gains."""
    langs = result["languages"]
    rows = []
    for name, row in result["systems"].items():
        means = [f"{row['languages'][lang]['mean']:.3f}" for lang in langs]
        gains = [g for lang in langs for g in row["gain"][lang] if g]
        up, down = sum(g["low"] > 0 for g in gains), sum(g["high"] < 0 for g in gains)
        spread = f" ± {row['mean']['sd']:.3f}" if row["mean"]["sd"] is not None else ""
        told = f"{up} / {down} of {len(gains)}" if gains else ""
        rows.append([name, f"{row['mean']['mean']:.3f}{spread}", *means, told])
    measure = "span F1" if result["task"] == "ner" else "accuracy"
    return (
        table(["", f"mean {measure}", *langs, "above / below the task module"], rows)
        + f"\nLearnt in English alone, {result['seeds']} seeds of the task modules, one of the "
        "others; ± is the standard deviation of the mean over seeds. The last column counts the "
        "languages and seeds where the paired 95 % interval lies above or below 0.\n"
    )


QUOTED = (
    (
        "results",
        "alignment_de_translation_ranking",
        "Sentence retrieval on 500 Tatoeba pairs that no training sentence equals, on the "
        "English-only MiniLM, one seed",
        alignment,
    ),
    (
        "longer",
        "alignment_de_translation_ranking_longer",
        "The same pairs twice over, with twice the rank",
        alignment,
    ),
    (
        "mini",
        "languages_mini_translation_ranking",
        "A module a language on mini: sentence retrieval with English on pairs that neither the "
        "module nor mini saw, xx to en / en to xx, one seed",
        languages,
    ),
    (
        "transfer",
        "transfer_ner_mini",
        "Named entities learnt in English and looked for in other languages, on mini, with other "
        "modules below the task module and, as controls, those of another language",
        transfer,
    ),
    (
        "mixed",
        "mixed_rows",
        "The same modules composed in one batch by three libraries",
        mixed_rows,
    ),
)
KINDS = (
    ("alignment_", "German: {result[recipe]}", alignment),
    ("languages_", "One module a language, on {result[base]}", languages),
    ("peers", "Time to equal accuracy beside two stacks", peers),
    ("baselines", "What a small encoder knows", baselines),
    ("transfer_", "From English to other languages: {result[task]} on {result[base]}", transfer),
    ("mixed_rows", "Compositions in one batch, beside adapters and peft", mixed_rows),
    ("kill_and_resume", "Killed and resumed", kills),
)


def main() -> None:
    parts = [TITLE]
    for path in sorted(RESULTS.glob("*.json"), key=order):
        result = read(path)
        _, title, show = next(kind for kind in KINDS if path.stem.startswith(kind[0]))
        name = title.format(result=result)
        parts.append(
            f"## {name}\n\n```\n{result['command']}\n```\n\n{result['machine']}\n\n{show(result)}"
        )
    (HERE / "RESULTS.md").write_text("\n".join(parts), encoding="utf-8")
    quote()


def quote() -> None:
    """Put the main tables between their marks in the README."""
    readme = HERE.parent.parent / "README.md"
    text = readme.read_text(encoding="utf-8")
    for mark, name, said, show in QUOTED:
        path = RESULTS / f"{name}.json"
        start, end = f"<!-- {mark} -->", f"<!-- /{mark} -->"
        if path.exists() and start in text:
            result = read(path)
            before, _, rest = text.partition(start)
            told = f"{said} ({result['machine']}):\n\n{show(result)}"
            text = f"{before}{start}\n{told}{end}{rest.partition(end)[2]}"
    readme.write_text(text, encoding="utf-8")


def order(path: Path) -> tuple[int, str]:
    """Tables in the order of KINDS."""
    place = next(i for i, kind in enumerate(KINDS) if path.stem.startswith(kind[0]))
    return place, path.stem


if __name__ == "__main__":
    main()
