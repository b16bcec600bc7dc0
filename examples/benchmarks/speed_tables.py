"""The tables of RESULTS.md on time and memory."""

from __future__ import annotations

import statistics

from tables import table

GIB, MIB = 1024**3, 1024**2


def peers(result: dict) -> str:
    """Time to the accuracy each peer reaches, and its memory."""
    least = result["table"]["xadapt"]["peak"]
    rows = []
    for name, row in result["table"].items():
        ratio, reach = row["ratio"], row["xadapt_seconds_to_that"]
        rows.append(
            [
                name,
                f"{row['best']:.3f}",
                f"{row['pass_seconds']:.0f}",
                f"{row['seconds_to_best']:.0f}",
                "never" if reach is None else f"{reach:.0f}",
                "" if ratio is None else f"{ratio:.1f}",
                f"{row['peak'] / MIB:,.0f}",
                f"{row['peak'] / least:.1f}",
            ]
        )
    head = [
        "", "best accuracy", "pass, s", "s to within .005 of its best", "xadapt, s to the same",
        "times as long", "peak MiB", "times as much",
    ]  # fmt: skip
    return (
        table(head, rows)
        + f"\n{result['rows']:,} pairs, one pass; accuracy is the mean of both ways. "
        f"Batches of {result['batch']} where a line does not say otherwise.\n"
    )


def step(result: dict) -> str:
    """One line a library and dtype, the quickest first."""
    quickest = result["seconds"]["xadapt, bf16"]
    lines = {**result["seconds"], "the matrix products alone": result["floor"]}
    rows = [
        [name, f"{seconds:.2f}", f"{seconds / quickest:.2f}"]
        for name, seconds in sorted(lines.items(), key=lambda pair: pair[1])
    ]
    return (
        table(["", "s a step", "ratio to xadapt"], rows)
        + f"\n{result['layers']} layers, {result['rows']} rows of {result['tokens']} tokens, "
        f"medians of {result['repeats']}; {result['rate'] / 1e9:.0f} GFLOP/s in bf16 products.\n"
    )


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
        table(head, rows)
        + f"\n{result['rows']:,} pairs, {result['epochs']} passes, batches of {result['batch']}; "
        "accuracy is the mean of both ways on held-out pairs.\n\n"
        "![Where a step's time goes](results/engine.svg)\n"
    )


def lines(result: dict) -> str:
    """One line a kind of batch."""
    rows = [
        [name, *(f"{share:.1%}" for share in row["padding"].values()), f"{row['ratio']:.2f}"]
        for name, row in result["rows"].items()
    ]
    ways = next(iter(result["rows"].values()))["padding"]
    head = [f"batches of {result['batch']}", *(f"padding, {way}" for way in ways), "times the time"]
    return table(head, rows) + f"\n{result['batches']} batches of each kind, medians.\n"


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


def serving(result: dict) -> str:
    """One line a way of serving, then what switching costs."""
    exact = {row["way"]: f"{row['to separate runs']:.1g}" for row in result["difference"]}
    rows = [
        [row["way"], f"{row['seconds']:.3f}", f"{row['ratio']:.2f}",
         f"{row['ratio of the least']:.2f}", exact.get(row["way"], "")]
        for row in result["rows"]
    ]  # fmt: skip
    head = ["", "s", "ratio to the base", "ratio of the least times", "largest difference to "
            "separate runs"]  # fmt: skip
    told = ", ".join(f"{task} {ms:g}" for task, ms in result["switching"].items())
    return (
        table(head, rows) + f"\nXLM-R's shape with {result['layers']} layers, {result['dtype']}, "
        f"{result['repeats']} turns, medians. With 500 modules loaded, in ms: {told}.\n"
    )


def versions(result: dict) -> str:
    """One line a time, in the other version and in this one."""
    rows = []
    for name, runs in result["rows"].items():
        other, this = (statistics.median(runs[side]) for side in ("other", "this"))
        spread = max(max(runs[side]) / min(runs[side]) for side in runs)
        rows.append([name, f"{other:.3f}", f"{this:.3f}", f"{this / other:.2f}", f"{spread:.2f}"])
    head = ["", f"{result['versions']['other']}, s", "this version, s", "ratio", "largest / least "
            "of the same version"]  # fmt: skip
    turns = len(next(iter(result["rows"].values()))["this"])
    return table(head, rows) + f"\nMedians of {turns} runs of each version, in turns.\n"


def threads(result: dict) -> str:
    """One line a way of answering the same requests."""
    one, several = (result["seconds"][name] for name in ("one", "several"))
    rows = [
        ["one thread", f"{one:.2f}", f"{result['requests'] / one:,.0f}", "1.00"],
        [
            f"{result['threads']} threads",
            f"{several:.2f}",
            f"{result['requests'] / several:,.0f}",
            f"{result['ratio']:.2f}",
        ],
    ]
    return (
        table(["", "s", "requests a second", "ratio to one thread"], rows)
        + f"\n{result['requests']:,} requests of one to eight short texts, "
        f"{result['languages']} languages, {result['base']}, {result['repeats']} turns, medians. "
        f"Largest difference of a vector to the one thread's: {result['difference']:.1g}; a module "
        f"changes one by {result['a module to the base']:.1g} or more.\n"
    )


def search(result: dict) -> str:
    """Search beside the bare product, and the large one."""
    parts = []
    if "tiles" in result:
        found = result["tiles"]
        bare = [key for key in found["rows"][0] if key.startswith("times ")]
        rows = [
            [row["case"], f"{row['seconds']:.1f}", *(f"{row[key]:.2f}" for key in bare)]
            for row in found["rows"]
        ]
        same, alike = found["same_ten_as"], "yes" if found["bf16_equals_fp32"] else "no"
        parts.append(
            table(["", "s", *bare], rows) + f"\n{found['size']:,} x {found['size']:,} vectors of "
            f"{found['dim']}, the nearest {found['k']}, medians of {found['repeats']}. Half "
            f"precision gives full precision's answer: {alike}; a stock bf16 product with topk "
            f"has the same ten for {same['stock bf16']:,} of {found['asked']:,} queries.\n"
        )
    if "million" in result:
        found = result["million"]
        parts.append(
            f"\n{found['size']:,} x {found['size']:,} from disk, both ways: {found['seconds']:.0f} "
            f"s, peak {found['peak_bytes'] / GIB:.2f} GiB ({found['peak_bytes_before'] / GIB:.2f} "
            "before it began).\n"
        )
    return "".join(parts)


READING = {
    "bare_lines": "a loop over the lines",
    "split_lines": "the same, each line split at tabs",
    "bare_iterparse": "lxml.iterparse over the units",
    "iterparse_texts": "the same, with the texts taken out",
    "pairs": "**xadapt**: pairs, thrown away as they come",
    "kept_pairs": "xadapt: pairs, all kept in a list",
}


def reading(result: dict) -> str:
    """Time of reading as ratios, and memory beyond that of the imports."""
    parts = []
    for file in result["files"]:
        kept = next(row for row in file["rows"] if row["step"] == "kept_pairs")
        each = kept["added_mib"] * 2**20 / file["records"]
        parts.append(
            f"{file['kind'].upper()}, {file['records']:,} pairs, {file['mib']:.0f} MiB. Ratios of "
            f"processor time to the first row, the median of {result['rounds']} rounds; the peak "
            f"of memory beyond the {kept['before_mib']:.0f} MiB of Python and the imports. A pair "
            f"that is kept takes {each:.0f} bytes.\n\n"
            "| | processor s | ratio | memory, MiB |\n|---|---|---|---|\n"
            + "".join(
                f"| {READING[row['step']]} | {row['cpu_seconds']:.2f} | {row['ratio']:.1f} | "
                f"{row['added_mib']:.1f} |\n"
                for row in file["rows"]
            )
        )
    return "\n".join(parts)
