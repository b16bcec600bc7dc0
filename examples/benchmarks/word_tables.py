"""The table of RESULTS.md on word alignment, and its short line."""

from __future__ import annotations

from bench import RESULTS, read
from tables import table


def words(result: dict) -> str:
    """AER of each system on each pair, with the interval of 1 - AER."""
    parts = []
    for pair, own in result["pairs"].items():
        rows = [
            [name, f"{row['aer']:.3f}", interval(row), *measures(row), layer(row)]
            for name, row in own["systems"].items()
        ]
        head = [f"{pair} on {own['base']}", "AER", "95 %", "precision", "recall", "layer"]
        trained = ", ".join(f"{name} on {n:,}" for name, n in own["trained_on"].items())
        parts.append(
            table(head, rows)
            + f"\n{own['pairs']} annotated pairs; layers are chosen on {own['dev']} others. Pairs "
            f"that were trained on: {trained}. One seed; intervals are over annotated pairs. "
            "Data and settings were tried on pairs that are not tested. Changes to the recipe "
            f"word_alignment: `{', '.join(own['settings'])}`.\n"
        )
    return "\n".join(parts)


def interval(row: dict) -> str:
    """The interval of AER, from that of 1 - AER."""
    score = row["scores"]["1 - AER"]
    return f"{1 - score['high']:.3f} to {1 - score['low']:.3f}"


def measures(row: dict) -> list[str]:
    """Precision and recall."""
    return [f"{row['scores'][name]['mean']:.3f}" for name in ("precision", "recall")]


def layer(row: dict) -> str:
    """The chosen layer, if there is one."""
    return "" if row["layer"] is None else str(row["layer"])


def short() -> str:
    """The frozen base and the module on both sides, by pair."""
    path = RESULTS / "word_alignment.json"
    if not path.exists():
        return "not measured here"
    parts = []
    for pair, own in read(path)["pairs"].items():
        base, module = (
            own["systems"][name]["aer"] for name in ("frozen base", "word_alignment, both sides")
        )
        parts.append(f"{pair} on {own['base']} {base:.3f} to {module:.3f}")
    told = "one seed, with the changes to the recipe that RESULTS.md names"
    return f"AER of the frozen base and with the module: {'; '.join(parts)} ({told})"
