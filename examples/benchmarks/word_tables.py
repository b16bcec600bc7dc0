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


def projection(result: dict) -> str:
    """Span F1 of labels projected along word alignment, against annotated translations."""
    parts = []
    for pair, own in result["pairs"].items():
        rows = []
        for name, row in own["systems"].items():
            f1, gain = row["f1"], row.get("over bare argmax")
            told = (
                ""
                if gain is None
                else f"{gain['mean']:+.3f} ({gain['low']:+.3f} to {gain['high']:+.3f})"
            )
            both = [f"{row[key]:.3f}" for key in ("precision", "recall", "rate")]
            span = f"{f1['low']:.3f} to {f1['high']:.3f}"
            rows.append([name, f"{f1['mean']:.3f}", span, *both, told])
        head = [
            pair,
            "F1",
            "95 %",
            "precision",
            "recall",
            "projected",
            "over the bare base's argmax",
        ]
        parts.append(
            table(head, rows)
            + f"\n{own['sentences']} sentences, {own['source_spans']:,} spans projected, "
            f"{own['gold_spans']:,} annotated in the translation.\n"
        )
    return "\n".join(parts) + (
        "\nExact spans and types on Europarl's annotated sentences, which are translations of each "
        "other. Diagonal: words at the same share of both sentences, a control. Module: "
        "word_alignment on 4,000 pairs of DATA's parallel text, one seed. The rule of same words "
        "was changed once after a look at these very sentences: read its rows as optimistic. The "
        "first way is mini's or MiniLM's argmax without a module. Intervals are over sentences.\n"
    )


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
