"""The tables of RESULTS.md on the server."""

from __future__ import annotations

from tables import table


def load(result: dict) -> str:
    """One line a way to serve and number of clients."""
    rows = [
        [
            row["way"],
            str(row["clients"]),
            f"{row['ratio']:.2f} ({row['ratios'][0]:.2f}-{row['ratios'][1]:.2f})",
            f"{row['rate']:.0f}",
            *(f"{row[key]:.0f}" for key in ("p50", "p95", "p99")),
            f"{row['MiB']:,}",
        ]
        for row in sorted(result["rows"], key=lambda row: row["clients"])
    ]
    head = ["", "clients", "ratio to the base (range)", "requests/s", "p50 ms", "p95 ms", "p99 ms",
            "MiB"]  # fmt: skip
    return (
        table(head, rows)
        + f"\n{result['base']}, {result['modules']} LoRAs, one text a request; {result['rounds']} "
        f"rounds of {result['seconds']:g} s, medians. Every process computes on one thread, so two "
        "processes or more use a second core, which the client shares.\n"
    )


def equality(result: dict) -> str:
    """One line of facts."""
    own = "largest difference of the library to itself, one text a forward"
    rows = [
        [
            f"{result['requests']:,}",
            str(result["models"]),
            f"{result['forwards']:,}",
            f"{result['largest difference']:.1e}",
            f"{result[own]:.1e}",
            f"{result['largest value']:.1f}",
        ]
    ]
    head = ["requests", "models", "forwards", "largest difference",
            "of the library to itself, other batches", "largest value"]  # fmt: skip
    said = f"\n{result['base']}, {result['dtype']}."
    if result["dtype"] != "float32":
        shown = ", ".join(f"{name} {value:.1e}" for name, value in result["relative"].items())
        said += f" Largest relative differences: {shown}."
    return table(head, rows) + said + "\n"


def soak(result: dict) -> str:
    """One line of facts, and the statuses."""
    rows = [
        [
            f"{result['minutes']:g}",
            f"{result['requests']:,}",
            str(result["changes of modules"]),
            str(result["wrong vectors"]),
            f"{result['largest difference']:.1e}",
            f"{result['growth']:+.1%}",
            f"{result['p50']:.0f} / {result['p95']:.0f} / {result['p99']:.0f}",
        ]
    ]
    head = ["minutes", "requests", "changes of modules", "wrong vectors", "largest difference",
            "growth of memory", "p50 / p95 / p99 ms"]  # fmt: skip
    said = ", ".join(f"{name}: {count:,}" for name, count in result["statuses"].items())
    return (
        table(head, rows)
        + f"\n{result['base']} at {result['load']:.0%} of {result['capacity']:.0f} requests/s. "
        f"Statuses: {said}.\n"
    )


def overload(result: dict) -> str:
    """One line a phase, in order."""
    rows = [
        [
            str(row["clients"]),
            f"{row['rate']:.0f}",
            f"{row['p50']:.0f} / {row['p95']:.0f} / {row['p99']:.0f}",
            f"{row['MiB']:,}",
            f"{row['largest MiB']:,}",
        ]
        for row in result["rows"]
    ]
    head = ["clients", "requests/s", "p50 / p95 / p99 ms", "MiB in the second half", "largest MiB"]
    return (
        table(head, rows)
        + f"\n{result['base']}, one phase after another; a crowd stays {result['seconds']:g} s. "
        "Every client asks again as soon as it is answered.\n"
    )


def shards(result: dict) -> str:
    """One line a way to write the same shards."""
    loop = result["seconds"]["loop"]
    rows = [["`encode` on texts in memory, one process", f"{loop:.0f}", "1.00", ""]]
    first = result["digests"]["one process"]
    for name, digest in result["digests"].items():
        seconds = result["seconds"].get(name)
        rows.append(
            [
                name,
                "" if seconds is None else f"{seconds:.0f}",
                "" if seconds is None else f"{seconds / loop:.2f}",
                "the same" if digest == first else "OTHERS",
            ]
        )
    head = ["", "s", "ratio to the first", "bytes of the shards"]
    return (
        table(head, rows)
        + f"\n{result['base']}, {result['texts']:,} texts in shards of {result['size']:,}, one "
        "thread a process. Seconds from start to end, with loading, on a machine that other work "
        f"shared. The killed run: {result['kills']} times SIGKILL to the process and its actors, "
        "then `--resume`.\n"
    )


def faults(result: dict) -> str:
    """One line a fault."""
    rows = [
        [
            row["fault"],
            row["seen"],
            str(row["healthy"]),
            ", ".join(f"{n} x {what}" for what, n in row["failed"].items()) or "none",
            str(row["worst ms"]),
        ]
        for row in result["rows"]
    ]
    head = ["fault", "what was seen", "requests of a healthy client", "of them failed",
            "its worst ms"]  # fmt: skip
    return table(head, rows) + "\nTwo workers of at most 1,000 connections each.\n"
