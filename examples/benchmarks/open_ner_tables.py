"""The tables of RESULTS.md on spans of labels that are given as texts."""

from __future__ import annotations

from bench import RESULTS, read
from objectives_tables import interval
from tables import table

WAYS = {
    "unseen, English": "places, asked in English",
    "unseen, native": "places, by native names",
    "unseen, CrossNER": "unseen types of CrossNER",
    "seen, English": "persons, organisations",
    "seen, CrossNER": "seen types of CrossNER",
}


def open_ner(result: dict) -> str:
    """One line a system: F1 by kind of label, and its gain over the control; the languages."""
    rows = []
    for name, row in result["systems"].items():
        cells = [name]
        for way in WAYS:
            told = f"{mean(row['seeds'][way]):.3f}"
            if "over_control" in row:
                told += f" ({interval(row['over_control'][way])})"
            cells.append(told)
        rows.append(cells)
    langs = result["languages"]
    lines = []
    for name, row in result["systems"].items():
        for way in ("English", "native"):
            found = [mean([own[way][lang]["unseen"] for own in row["rows"]]) for lang in langs]
            lines.append([f"{name}: places, {way} names", *(f"{value:.3f}" for value in found)])
    gaps = "; ".join(
        f"{name} {interval(row['native_over_english'])}" for name, row in result["systems"].items()
    )
    return (
        table(["micro F1 of exact spans", *WAYS.values()], rows)
        + "\n"
        + table(["", *langs], lines)
        + f"\n{result['rows']:,} sentences, {result['epochs']} epochs, {result['seeds']} seeds, "
        f"{result['test']} sentences of a test; means over languages and domains. In brackets the "
        "gain over the control, whose labels were dealt out anew in the training: 95 % over seeds "
        f"(Student's t, paired by seed). Native names over English ones, on places: {gaps}. Never "
        f"trained: {', '.join(result['unseen'])}. Thresholds were chosen on other languages.\n"
    )


def mean(values: list[float]) -> float:
    """The mean of numbers."""
    return sum(values) / len(values)


def short() -> str:
    """The F1 of labels never trained, on each base."""
    told = []
    for path in sorted(RESULTS.glob("open_ner_*.json")):
        result = read(path)
        own = result["systems"][result["system"]]
        control = result["systems"][result["control"]]
        parts = [
            f"{what} {mean(own['seeds'][way]):.3f}, with shuffled labels "
            f"{mean(control['seeds'][way]):.3f} (gain {interval(own['over_control'][way])})"
            for way, what in (
                ("unseen, English", "places asked in English"),
                ("unseen, native", "by native names"),
                ("unseen, CrossNER", "other unseen types"),
            )
        ]
        told.append(f"{result['base']}, F1 of labels never trained: {'; '.join(parts)}")
    return ". ".join(told) or "not measured here"
