"""The tables of RESULTS.md on time and memory."""

from __future__ import annotations

from tables import table

GIB = 1024**3


def engine(result: dict) -> str:
    """One line a place of the module, and the picture of a step."""
    rows = [
        [
            name,
            f"{row['seconds']:.0f}",
            f"{row['prepare_seconds']:.0f}",
            f"{row['accuracy']:.3f}",
            f"{row['share_of_rate']:.0%}",
            f"{row['padding']:.1%}",
        ]
        for name, row in result["plans"].items()
    ]
    head = ["LoRA in", "s", "of them before the first step", "accuracy", "share of matrix rate",
            "padding"]  # fmt: skip
    return (
        table(head, rows) + f"\n{result['rows']:,} pairs, one pass, batches of {result['batch']}; "
        "accuracy is the mean of both ways on held-out pairs.\n\n"
        "![Where a step's time goes](results/engine.svg)\n"
    )


def memory(result: dict) -> str:
    """One line a plan."""
    rows = [
        [
            name,
            f"{row['peak'] / GIB:.2f}",
            f"{row['weights'] / GIB:.2f}",
            f"{row['seconds']:.0f}",
        ]
        for name, row in result["rows"].items()
    ]
    return (
        table(["", "peak GiB", "of them the base's weights", "s for two steps"], rows)
        + f"\n{result['layers']} layers of 1,024, bf16, sentences of {result['tokens']} tokens.\n"
    )
