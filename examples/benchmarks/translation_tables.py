"""The tables of RESULTS.md on translated instructions."""

from __future__ import annotations

from tables import table


def selective(result: dict) -> str:
    """Each system: rows, kept parts that are equal, JSON, and the corruptions that were caught."""
    rows = []
    for name, own in result["systems"].items():
        equal = sum(pair[0] for pair in own["kinds"].values())
        total = sum(pair[1] for pair in own["kinds"].values())
        rows.append([
            name,
            str(own["accepted"]),
            f"{own['broken']} ({own['broken'] / own['accepted']:.0%})",
            f"{equal} of {total} ({equal / total:.1%})",
            "{} of {}".format(*own["json"]),
            "{} of {}".format(*own["python"]),
            f"{own['repaired']}, {own['rejected']}" if "repaired" in own else "",
            f"{own['caught']} of {own['corrupted']}" if own.get("corrupted") else "",
        ])  # fmt: skip
    head = ["", "rows written", "rows with a part broken", "kept parts equal", "JSON", "Python",
            "repaired, rejected", "corruptions caught"]  # fmt: skip
    plain = result["systems"]["Apertium, line by line"]["kinds"]
    kinds = ", ".join(f"{kind} {1 - a / b:.0%} of {b}" for kind, (a, b) in plain.items())
    return (
        table(head, rows)
        + f"\n{result['rows']} rows with code, formulas, JSON, addresses, markup, tables or "
        "placeholders, English to Spanish; every tenth prompt quotes a row as JSON. Broken by "
        f"plain translation, by kind: {kinds}. A part is equal if the translation has as many "
        "exact copies as the source. One line of every fifth row with a line of more than 30 "
        "characters is corrupted: a marker lost, doubled, renumbered, cut or in small "
        "letters, a refusal, nothing, an address or JSON added, ten repetitions. A corrupted row "
        "is caught if it was repaired or rejected. What the translator does to the words "
        "between the parts is not judged.\n"
    )
