"""The tables of RESULTS.md on what asks a language model."""

from __future__ import annotations

from tables import table


def annotated(result: dict) -> str:
    """Rows, requests and questions that were asked again, by the way the command was cut."""
    rows = []
    for name, own in result["ways"].items():
        rows.append([
            f"{name}, {own['kills']} times" if own["kills"] else name,
            f"{own['accepted']:,} + {own['rejected']:,}",
            f"{own['requests']:,}",
            f"{sum(own['faults'].values()):,}",
            f"{own['questions']:,}",
            f"{own['twice']:,}",
            "yes" if own["same"] else "no",
        ])  # fmt: skip
    head = ["", "accepted + rejected", "requests", "of them faulty", "questions answered",
            "answered twice", "same output and log"]  # fmt: skip
    first = result["ways"]["not cut"]
    faults = ", ".join(f"{name} {count:,}" for name, count in first["faults"].items())
    reasons = ", ".join(f"{why} {count:,}" for why, count in first["reasons"].items())
    killed = result["ways"].get("SIGKILL", {"kills": 0})
    return (
        table(head, rows)
        + f"\n{result['rows']:,} passages, each rated, annotated and its labels translated, by "
        f"{result['workers']} threads. Faults, not cut: {faults} (429 and 500 are states, cut is a "
        "body that ends early, json a reply that is no JSON). Rejected, not cut: "
        f"{reasons}. After Ctrl-C and SIGTERM the requests under way are finished and kept. "
        "SIGKILL leaves no time for that: at most a request of each thread is lost at each kill, "
        f"{result['workers'] * killed['kills']:,} in all.\n"
    )


def biased(result: dict) -> str:
    """Errors and wrong answers of each way to ask, by the bias of the voter."""
    rows = result["rows"]
    biases = list(dict.fromkeys(row["bias"] for row in rows))
    made = []
    for kind in dict.fromkeys(row["bias of"] for row in rows):
        for system in dict.fromkeys(row["system"] for row in rows):
            own = {r["bias"]: r for r in rows if (r["bias of"], r["system"]) == (kind, system)}
            cells = [f"{own[b]['error']:.1%} / {own[b]['wrong']:.1%}" for b in biases]
            made.append([f"bias of {kind}: {system}", *cells])
    head = ["error / wrong answers at bias", *(f"{bias:.1f}" for bias in biases)]
    return (
        table(head, made)
        + f"\n{result['entities']} entities with {result['candidates']} candidates, "
        f"one seed; the voter knows {result['known']:.0%} of them. To abstain is an "
        "error, and no wrong answer. A candidate needs more than half of the calls: the "
        "stronger a bias that is drawn anew at each call, the fewer majorities, and the voter "
        "abstains.\n"
    )
