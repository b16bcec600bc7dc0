"""The tables of RESULTS.md on published systems, and their short lines."""

from __future__ import annotations

from bench import RESULTS, read
from tables import table

from xadapt.evaluation.statistics import over_seeds


def objectives(result: dict) -> str:
    """One line a variant: mean and deviation over seeds of each measure."""
    measures = list(next(iter(result["scores"].values())))
    rows = [
        [f"**{name}**" if name == result["is"] else name, *cells(row, measures), took(result, name)]
        for name, row in result["scores"].items()
    ]
    return (
        table(["", *measures, "train s"], rows) + f"\n{result['about']} {result['seeds']} seeds; ± "
        f"is the standard deviation over seeds. {gains(result)}\n"
    )


def cells(row: dict, measures: list[str]) -> list[str]:
    """Each measure of one variant."""
    return [spread(row[name]) if name in row else "" for name in measures]


def spread(values: list[float]) -> str:
    """Mean and deviation over seeds."""
    found = over_seeds(values)
    return f"{found.mean:.3f}" + (f" ± {found.sd:.3f}" if found.sd is not None else "")


def took(result: dict, name: str) -> str:
    """Seconds of one training."""
    return f"{result['seconds'][name]:.0f}" if name in result["seconds"] else ""


def gains(result: dict) -> str:
    """The system's gains by measure, with the interval over seeds."""
    told = [
        f"{measure} over {other} {interval(gain)}"
        for measure, by_other in result["gains"].items()
        for other, gain in by_other.items()
    ]
    return f"Gains of {result['is']} (95 % over seeds): {'; '.join(told)}."


def interval(gain: dict) -> str:
    """A gain with its interval."""
    if "low" not in gain:
        return f"{gain['mean']:+.3f}"
    return f"{gain['mean']:+.3f} [{gain['low']:+.3f}, {gain['high']:+.3f}]"


def joint(result: dict) -> str:
    """Four objectives at once and each alone: scores, their mean, and what the training took."""
    measures = list(result["measures"].values())
    means = {
        name: [sum(own.values()) / len(own) for own in rows]
        for name, rows in result["scores"].items()
    }
    took, single = result["seconds"], [n for n in result["seconds"] if n != result["system"]]
    rows = [
        [
            f"**{name}**" if name == result["system"] else name,
            *(spread([own[measure] for own in result["scores"][name]]) for measure in measures),
            spread(values),
            *(seconds(took, name, what) for what in ("processor", "clock")),
        ]
        for name, values in means.items()
    ]
    costs = {
        what: [
            own[what] / sum(took[name][seed][what] for name in single)
            for seed, own in enumerate(took[result["system"]])
        ]
        for what in ("processor", "clock", "training")
    }
    best = max(single, key=lambda name: sum(means[name]))
    gain = [a - b for a, b in zip(means[result["system"]], means[best], strict=True)]
    head = ["", *measures, "mean", "processor s", "clock s"]
    return table(head, rows) + (
        f"\n{result['about']} {result['seeds']} seeds; ± is the standard deviation over seeds. "
        f"All four at once take {spread(costs['processor'])} of the processor time of the four "
        f"runs apart ({spread(costs['clock'])} of the time by the clock, "
        f"{spread(costs['training'])} of that of the steps alone). The best single one by the "
        f"mean is {best}; all four at once have {spread(gain)} more (by seed: "
        f"{', '.join(f'{one:+.3f}' for one in gain)}). Curves by objective: results/joint.html.\n"
    )


def seconds(took: dict, name: str, what: str) -> str:
    """The mean of seconds over seeds."""
    own = [row[what] for row in took.get(name, ())]
    return f"{sum(own) / len(own):.0f}" if own else ""


def short(system: str) -> str:
    """The main measure of a system on each base: frozen, with the module, and the gain."""
    parts = []
    for path in sorted(RESULTS.glob(f"objectives_{system}_*.json")):
        result = read(path)
        main = result["main"]
        scores = {name: spread(row[main]) for name, row in result["scores"].items()}
        others = "; ".join(
            f"over {other} {interval(gain)}" for other, gain in result["gains"][main].items()
        )
        parts.append(
            f"{result['base']}, {main}: base {scores['frozen base']}, module "
            f"{scores[result['is']]} ({others})"
        )
    return ". ".join(parts) or "not measured here"
