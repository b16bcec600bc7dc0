"""The table of RESULTS.md on vocabularies of a language's own."""

from __future__ import annotations

import statistics
from collections.abc import Iterable

from bench import RESULTS, read
from tables import intervals, scores, table, ways

FILE = "own_vocabulary"
ALIKE = ", from all sources alike"
BASE, BOTH = "frozen base", "module, both sides"
NAMES = ("base", "LoRA", "vocabulary + LoRA")


def mean(row: dict) -> float:
    """The mean accuracy of both directions."""
    found = row["accuracy"]
    return (found["to_pivot"]["mean"] + found["from_pivot"]["mean"]) / 2


def shown(values: Iterable[float]) -> str:
    """A mean, with its deviation where there are several values."""
    found = list(values)
    more = f" ± {statistics.stdev(found):.3f}" if len(set(found)) > 1 else ""
    return f"{statistics.mean(found):.3f}{more}"


def own_vocabulary(result: dict) -> str:
    """One row a language, number of pairs and system; seeds are averaged."""
    rows = []
    groups: dict[tuple, list[dict]] = {}
    for row in result["rows"]:
        alike = row.get("alike", False)
        groups.setdefault((row["lang"], row["pairs"], alike, row["system"]), []).append(row)
    for (lang, pairs, alike, system), found in sorted(groups.items()):
        tests = [scores(row["test"]) for row in found]
        first, spelt = found[0], found[0]["tokens"]
        kind = "own" if system.startswith("vocabulary") else "base"
        rows.append(
            [
                lang, f"{pairs:,}{ALIKE if alike else ''}", system, str(len(found)),
                shown(mean(test[BASE]) for test in tests),
                shown(mean(test[BOTH]) for test in tests),
                ways(tests[0][BOTH]), intervals(tests[0][BOTH]),
                shown(test[BOTH]["pivot_kept"] for test in tests),
                f"{spelt[kind]['tokens_per_word']:.2f}",
                f"{first['bytes'] / 1e6:.1f}",
                f"{statistics.mean(row['seconds'] for row in found):.0f}",
            ]
        )  # fmt: skip
    head = [
        "", "pairs", "system", "seeds", "base, mean of both ways", "module, mean of both ways",
        "xx to en / en to xx, first seed", "95 %", "cos(en on, en off)", "tokens a word", "MB",
        "seconds",
    ]  # fmt: skip
    made = [table(head, rows) if rows else "", starts(result), speed(result)]
    return "\n".join(filter(None, made))


def speed(result: dict) -> str:
    """Tokens of a sentence, and the time of encoding as a share of the base's."""
    rows = []
    for one in result.get("speed") or []:
        base = one["seconds"][BASE]
        for name, seconds in one["seconds"].items():
            ratios = [mine / theirs for mine, theirs in zip(seconds, base, strict=True)]
            rows.append(
                [
                    one["lang"], name, f"{one['tokens'][name]:.1f}",
                    f"{1000 * statistics.median(seconds) / one['sentences']:.2f}",
                    f"{statistics.median(ratios):.2f}",
                    f"{min(ratios):.2f} to {max(ratios):.2f}",
                ]
            )  # fmt: skip
    if not rows:
        return ""
    head = ["", "system", "tokens a sentence", "ms a sentence", "time, base = 1", "of the rounds"]
    return "Encoding of the test sentences, in turn in one process:\n\n" + table(head, rows)


def starts(result: dict) -> str:
    """The rows as they begin, before any training: means of both directions."""
    found = result.get("starts") or []
    if not found:
        return ""
    names = list(dict.fromkeys(name for row in found for name in row["accuracy"]))
    rows = [
        [row["lang"], f"{row['pairs']:,}", *(both(row["accuracy"].get(name)) for name in names)]
        for row in found
    ]
    most = max(row["english_changed"] for row in found)
    return (
        "Before any training, xx to en / en to xx, by what the rows begin with:\n\n"
        + table(["", "pairs", *names], rows)
        + f"\nLargest change of a value of an English vector with the module on: {most:.1g}.\n"
    )


def both(found: dict[str, float] | None) -> str:
    """``to pivot / from pivot`` with three digits; nothing if it was not measured."""
    if found is None:
        return ""
    return f"{found['to_pivot']:.3f} / {found['from_pivot']:.3f}"


def short(_: str = "") -> str:
    """The result in one line, for the table of systems and the recipe."""
    path = RESULTS / f"{FILE}.json"
    if not path.exists():
        return "not measured here"
    parts: dict[tuple, dict[str, dict[str, list[float]]]] = {}
    for row in read(path)["rows"]:
        test = scores(row["test"])
        own = parts.setdefault((row["pairs"], row.get("alike", False)), {})
        own = own.setdefault(row["lang"], {})
        own.setdefault("base", []).append(mean(test[BASE]))
        own.setdefault(row["system"], []).append(mean(test[BOTH]))
    found = []
    for (pairs, alike), languages in sorted(parts.items()):
        said = [
            f"{lang} " + " / ".join(shown(own[n]) if n in own else "-" for n in NAMES)
            for lang, own in sorted(languages.items())
            if NAMES[-1] in own
        ]
        if said:
            found.append(f"{pairs:,} pairs{ALIKE if alike else ''}: {', '.join(said)}")
    return f"MiniLM, mean of to and from English, {' / '.join(NAMES)}; {'; '.join(found)}"
