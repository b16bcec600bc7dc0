"""The tables of RESULTS.md on constrained decoding and on brackets in translations."""

from __future__ import annotations

from tables import table


def speed(result: dict) -> str:
    """Tokens and sentences a second of each way."""
    tags, codec = result["tagging"], result["codec"]
    rows = [
        [name, f"{own['tokens']:,}", f"{own['seconds']:.1f} s", f"{own['rate']:,.0f}"]
        for name, own in tags["ways"].items()
    ]
    head = [f"{tags['sentences']} sentences, {tags['beams']} beams", "tokens", "time", "tokens/s"]
    first = (
        table(head, rows)
        + f"\nConstrained tagging, {tags['model']}, batches of 16. Cached prefixes write "
        f"{tags['ratio']:.2f} times as many tokens a second; {tags['same']:.0%} of the best "
        "outputs are the same, token for token. The better of two runs.\n\n"
    )
    rows = [
        [
            name,
            f"{own['sentences']}, {own['spans']}",
            f"{own['rate']:.2f}",
            f"{own['slower']:.1f}",
            f"{own['steps'] / own['spans']:,.0f}",
            f"{own['prefixes'] / own['spans']:,.0f}",
        ]
        for name, own in codec["ways"].items()
    ]
    head = ["CODEC, exact, 5 best", "sentences, spans", "sentences/s", "times slower",
            "forwards a span", "prefixes a span"]  # fmt: skip
    apart = max(own["apart"] for own in codec["ways"].values())
    return (
        first
        + table(head, rows)
        + f"\n{codec['model']}, which learnt in {codec['train steps']} steps to copy these very "
        f"sentences ({codec['words']:.0f} words) with their brackets (loss {codec['loss']:.3f}): "
        "speed alone is told. A forward reads one more token of each of its prefixes; without a "
        "cache, one whole prefix is a forward. Opening places are pruned alike. "
        f"Log-probabilities of the best outputs differ by at most {apart:.0e} between the ways.\n"
    )


def markers(result: dict) -> str:
    """What Apertium's translations hold as names, by both ways."""
    parts = []
    for pair, own in result["pairs"].items():
        rows = []
        for name, row in own["systems"].items():
            f1, gain = row["f1"], row.get("over")
            rows.append([
                name,
                f"{f1['mean']:.3f}",
                f"{f1['low']:.3f} to {f1['high']:.3f}",
                f"{row['precision']:.3f}",
                f"{row['recall']:.3f}",
                f"{row['kept']} ({row['rate']:.1%})" if "kept" in row else "",
                "" if gain is None else
                f"{gain['mean']:+.3f} ({gain['low']:+.3f} to {gain['high']:+.3f})",
            ])  # fmt: skip
        head = [pair, "F1 of names", "95 %", "precision", "recall", "sentences (spans projected)",
                "over brackets"]  # fmt: skip
        lost = own["systems"]["brackets carried along"]["dropped"]
        why = "; ".join(f"{reason} {count}" for reason, count in lost.items()) or "none"
        parts.append(
            table(head, rows) + f"\n{own['sentences']} sentences, {own['source_spans']:,} spans; "
            f"{own['gold_spans']:,} annotated. Spans lost with brackets: {why}.\n"
        )
    return "\n".join(parts) + (
        "\nEuroparl's annotated sentences, translated by Apertium. A name is right if its text "
        "(small letters, no punctuation) and type are among those that annotators marked in the "
        "other language's sentence; a translation that is right in other words counts as wrong. "
        "A sentence that is left out has no names. Intervals are over sentences.\n"
    )
