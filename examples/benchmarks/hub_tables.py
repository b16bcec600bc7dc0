"""The tables of RESULTS.md on published modules: a family, loaders, malformed folders."""

from __future__ import annotations

import statistics
from typing import Any

from tables import table

from xadapt.hub.card_fields import CHECKS
from xadapt.languages.tags import display_name

WAYS = ("accuracy to pivot", "accuracy from pivot")
COLUMNS = (
    ("frozen base", None, "frozen base"),
    ("tf-idf", None, "TF-IDF"),
    ("wrong language", "both", "module of another language"),
    ("shuffled pairs", "both", "shuffled pairs"),
    ("module", "both", "module, both sides"),
    ("module", "language", "module, language side"),
)
"""Role, sides, and the head of the column."""
FIELDS = (*CHECKS, "model-index")


def found(row: dict[str, Any], role: str, sides: str | None) -> dict[str, Any] | None:
    """The scores of a system of a language, if it was measured."""
    fits = (
        one for one in row["systems"] if one["role"] == role and sides in (None, one.get("sides"))
    )
    return next(fits, None)


def both(row: dict[str, Any], role: str, sides: str | None) -> float | None:
    """The mean accuracy of both directions."""
    own = found(row, role, sides)
    return None if own is None else statistics.mean(own["scores"][way]["value"] for way in WAYS)


def gallery(result: dict) -> str:
    """One line a language, and the means."""
    shown = [
        (role, sides, head)
        for role, sides, head in COLUMNS
        if any(found(row, role, sides) for row in result["rows"])
    ]
    lines = []
    for row in result["rows"]:
        cells = [two(found(row, role, sides)) for role, sides, _ in shown]
        other = found(row, "wrong language", "both")
        lang = other["module"]["languages"][0] if other else ""
        lines.append([
            display_name(row["lang"]), *cells, lang, f"{row['rows']} ({row['tatoeba']})",
            f"{row['seconds']['training']:.0f} / {row['seconds']['evidence']:.0f}",
            f"{row['bytes'] / 1e6:.1f}",
        ])  # fmt: skip
    mean = ["**mean**"]
    for role, sides, _ in shown:
        rows = [own for row in result["rows"] if (own := found(row, role, sides))]
        to, back = (statistics.mean(own["scores"][way]["value"] for own in rows) for way in WAYS)
        few = f" ({len(rows)})" if len(rows) < len(result["rows"]) else ""
        mean.append(f"**{to:.3f} / {back:.3f}**{few}")
    seconds = (
        statistics.mean(row["seconds"][part] for row in result["rows"])
        for part in ("training", "evidence")
    )
    size = statistics.mean(row["bytes"] for row in result["rows"]) / 1e6
    mean += ["", "", " / ".join(f"{part:.0f}" for part in seconds), f"{size:.1f}"]
    heads = [head for *_, head in shown]
    text = table(
        ["", *heads, "other", "test pairs (Tatoeba)", "s: training / evidence", "MB"],
        [*lines, mean],
    )
    return f"{text}\nxx to en / en to xx. {gallery_short(result)}"


def gallery_short(result: dict) -> str:
    """What the table comes to."""
    rows = result["rows"]
    base, own, other, plain = (
        [both(row, role, sides) for row in rows]
        for role, sides in (
            ("frozen base", None), ("module", "both"), ("wrong language", "both"), ("tf-idf", None)
        )
    )  # fmt: skip
    gains = [row_gain for row in rows for row_gain in surely(row)]
    over = sum(a > b for a, b in zip(own, plain, strict=True))
    size = statistics.mean(row["folder_bytes"] for row in rows) / 1e6
    loaders = {name for row in rows for name in row["loaders"]}
    everywhere = [name for name in sorted(loaders) if all(name in row["loaders"] for row in rows)]
    empty = sorted({name for row in rows for name in FIELDS if name not in row["fields"]})
    lacking = f"all but {' and '.join(empty)}" if empty else f"all {len(FIELDS)}"
    return (
        f"Mean of {len(rows)} languages and both directions: frozen base "
        f"{statistics.mean(base):.3f}, with the module on both sides {statistics.mean(own):.3f}, "
        f"with the module of another language {statistics.mean(other):.3f}, "
        f"TF-IDF {statistics.mean(plain):.3f}. "
        f"The gain over the base is above 0 by its paired 95 % interval in {sum(gains)} of "
        f"{len(gains)} directions; {over} of {len(rows)} modules are above TF-IDF. "
        f"{result['pairs']:,} pairs a language, {size:.1f} MB a folder with the files of all "
        f"libraries; verified in every language: {', '.join(everywhere)}. Fields of the cards "
        f"filled and valid: {lacking}.\n"
    )


def surely(row: dict[str, Any]) -> list[bool]:
    """Whether the gain of the module on both sides is above 0, in each direction."""
    own = found(row, "module", "both")
    assert own is not None
    return [own["gains"][way]["low"] > 0 for way in WAYS]


def two(own: dict[str, Any] | None) -> str:
    """Both directions."""
    return "" if own is None else " / ".join(f"{own['scores'][way]['value']:.3f}" for way in WAYS)


def loaders(result: dict) -> str:
    """One line an environment, a module and a heading of the card."""
    rows = [
        [
            row["environment"],
            row["module"],
            row["lines"],
            "error" if row["difference"] is None else f"{row['difference']:.1e}",
            "" if row["difference"] is None else f"{row['effect']:.2f}",
            ", ".join(f"{name} {number}" for name, number in row["versions"].items()),
        ]
        for row in result["rows"]
    ]
    shared = "one torch for all, named by a .pth file" if result["shared_torch"] else "each its own"
    return (
        table(
            ["environment", "module", "lines of the card", "difference", "effect", "versions"], rows
        )
        + "\nLargest difference of a value of the vectors to xadapt's in fp32; effect: the largest "
        f"difference to the base without the module. Environments of venv and pip; {shared}.\n"
    )


def malformed(result: dict) -> str:
    """One line a way of breaking a folder, and the sum."""
    rows = [
        [
            row["way"],
            f"{row['one line']} of {row['folders']}",
            f"{row['seconds']:.2f}",
            f"{row['megabytes']:.0f}",
            f"`{cell(row['said'])}`",
        ]
        for row in result["rows"]
    ]
    good = sum(row["one line"] for row in result["rows"])
    most = max(row["seconds"] for row in result["rows"])
    memory = max(row["megabytes"] for row in result["rows"])
    total = ["**all**", f"**{good} of {result['count']}**", f"{most:.2f}", f"{memory:.0f}", ""]
    return (
        table(["broken", "one line, exit code 2", "s", "MB", "such as"], [*rows, total])
        + "\nSeconds of the command without imports, megabytes at the peak of the whole process "
        "with its libraries; the largest of each way.\n"
    )


def cell(text: str) -> str:
    """A text that fits into a cell of a table."""
    plain = "".join(c if c.isprintable() else "?" for c in text)
    return plain.replace("|", "/").replace("`", "'")[:140]
