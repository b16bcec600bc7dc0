"""The tables of RESULTS.md on constrained decoding and on labels of translations."""

from __future__ import annotations

from objectives_tables import interval
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


def labelling(result: dict) -> str:
    """Well-formed outputs, unchanged words and F1 of each system, a table a language."""
    parts = []
    for lang in result["languages"]:
        rows = []
        for name, by_language in result["systems"].items():
            own = by_language[lang]
            f1, around = own["f1"], own["sentences"]
            spread = "" if f1["sd"] is None else f" ± {f1['sd']:.3f}"
            rows.append([
                name,
                share(own["well_formed"]),
                share(own["words_same"]),
                f"{f1['mean']:.3f}{spread}",
                f"{around['low']:.3f} to {around['high']:.3f}",
                gained(own, "over_free"),
            ])  # fmt: skip
        head = [lang, "well formed", "words unchanged", "span F1", "95 %", "over free decoding"]
        parts.append(table(head, rows))
    base = result["base"]
    held = base["held_out"]
    return "\n".join(parts) + (
        f"\n{result['test']} sentences of each of WikiANN's validation parts, of at most "
        f"{result['longest']} tokens, {result['seeds']} seeds of the modules, which learnt from "
        f"{result['sentences']:,} English sentences in {result['epochs']} epochs. Greedy "
        "outputs; a sentence whose output is no tagged copy has "
        "no names. Intervals are over sentences; ± is the standard deviation over seeds. The base "
        f"is no published model: its encoder is that of {base['encoder']}, its decoder of "
        f"{base['decoder_layers']} layers learnt in {base['minutes']:.0f} minutes on a core, from "
        f"{base['sentences']:,} sentences of the four languages, to write sentences again "
        f"({held['tokens_right']:.1%} of the tokens of {held['sentences']} held-out sentences are "
        "the likeliest ones). The tagging head labels words and writes none.\n"
    )


def gained(row: dict, key: str) -> str:
    """A gain with its interval; nothing where the system has none."""
    return interval(row[key]) if key in row else ""


def share(own: dict) -> str:
    """A share with its interval, in percent; without one where nothing varies."""
    if own["low"] == own["high"]:
        return f"{own['mean']:.1%}"
    return f"{own['mean']:.1%} ({own['low']:.1%} to {own['high']:.1%})"


def projected(result: dict) -> str:
    """F1 of modules that learnt from projected labels, above the floor and the control."""
    systems = result["systems"]
    over = [key for row in systems.values() for key in row if key.startswith("over ")]
    over = list(dict.fromkeys(over))
    rows = []
    for name, row in systems.items():
        f1, around, made = row["f1"], row["sentences"], row.get("projection")
        spread = "" if f1["sd"] is None else f" ± {f1['sd']:.3f}"
        rows.append([
            name,
            "" if made is None else f"{made['sentences']} ({made['projection_rate']:.1%})",
            f"{f1['mean']:.3f}{spread}",
            f"{around['low']:.3f} to {around['high']:.3f}",
            f"{row['precision']:.3f}",
            f"{row['recall']:.3f}",
            *(gained(row, key) for key in over),
        ])  # fmt: skip
    head = ["", "sentences (spans projected)", "span F1 in Spanish", "95 %", "precision", "recall",
            *over]  # fmt: skip
    return (
        table(head, rows) + f"\nModules on {result['base']}, from {result['trained']} English "
        f"sentences of Europarl that {result['translator']} translated, {result['epochs']} epochs, "
        f"{result['seeds']} seeds; measured on {result['tested']} other Spanish sentences with "
        f"{result['gold_spans']:,} spans of annotators. ± is the standard deviation over seeds; "
        "95 % is over sentences; gains are paired by seed, 95 % (Student's t). Apertium gives no "
        "scores, so CODEC and T-Projection, which need them, are not in this table.\n"
    )
