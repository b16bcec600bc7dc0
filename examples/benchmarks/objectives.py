"""A published system on a frozen base: its module, its ablations and its controls, over seeds.

    python examples/benchmarks/objectives.py --data DATA --system dap
    python examples/benchmarks/objectives.py --data DATA --system dap --base mini

`experiments/SYSTEM.py` says what is trained and measured. A module that is there already is not
trained again, and one that was cut goes on; the result is written after every seed.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from bench import parser, save
from experiments.contract import NAMES, Experiment, Place, Variant
from scipy import stats

import xadapt

FROZEN = "frozen base"
Scores = dict[str, dict[str, list[float]]]


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--system", required=True, choices=systems())
    options.add_argument("--base", choices=list(NAMES.values()), help="both if not given")
    options.add_argument("--seeds", type=int, default=3)
    options.add_argument("--only", action="append", help="one of the variants; all if not given")
    args = options.parse_args()
    experiment = importlib.import_module(f"experiments.{args.system}").EXPERIMENT
    for base in experiment.bases:
        if args.base in (None, NAMES[base]):
            run(args, experiment, Place(args.data, folder(args, base), base))


def systems() -> list[str]:
    """Every experiment there is."""
    files = (Path(__file__).parent / "experiments").glob("*.py")
    return sorted(
        file.stem for file in files if file.stem not in ("__init__", "contract", "shared")
    )


def folder(args: Any, base: str) -> Path:
    """Where one system's files lie."""
    return args.work / f"objectives_{args.system}_{NAMES[base]}"


def run(args: Any, experiment: Experiment, place: Place) -> None:
    """Train and measure every variant with every seed."""
    place.work.mkdir(parents=True, exist_ok=True)
    variants = [
        v for v in experiment.variants(place) if args.only in (None, []) or v.name in args.only
    ]
    scores: Scores = {FROZEN: listed(experiment.measure(place, None))}
    seconds: dict[str, float] = {}
    for seed in range(args.seeds):
        for variant in variants:
            module, seconds[variant.name] = train(place, variant, seed)
            found = experiment.measure(place, module)
            print(seed, variant.name, {name: round(value, 4) for name, value in found.items()})
            for name, value in found.items():
                scores.setdefault(variant.name, {}).setdefault(name, []).append(value)
        if not args.only:
            result = {"system": args.system, "base": NAMES[place.base], "seeds": seed + 1}
            told = {"about": experiment.about, "main": experiment.main, "is": experiment.system}
            gains = gained(experiment, scores)
            rows = {"scores": scores, "gains": gains, "seconds": seconds}
            save(f"objectives_{args.system}_{NAMES[place.base]}", {**result, **told, **rows})


def train(place: Place, variant: Variant, seed: int) -> tuple[Path, float]:
    """Train one variant with one seed, or find it trained."""
    # a plus would be read as part of a composition
    name = variant.name.replace(" ", "-").replace("/", "-").replace("+", "and")
    out = place.work / f"{name}-{seed}"
    result = xadapt.train(
        variant.recipe, base=place.base, data=variant.data, out=out, resume=True, loaders="none",
        settings=(*(one.replace("{seed}", str(seed)) for one in variant.settings), f"seed={seed}"),
        **variant.options,
    )  # fmt: skip
    return out, result.history.steps[-1]["seconds"]  # also of a module that was there


def listed(found: dict[str, float]) -> dict[str, list[float]]:
    """The base's scores, which no seed changes."""
    return {name: [value] for name, value in found.items()}


def gained(experiment: Experiment, scores: Scores) -> dict[str, dict[str, dict[str, float]]]:
    """By measure: the system's gain over the frozen base and over the variant it is told against.

    The interval is Student's t over seeds, 95 %, paired by seed.
    """
    own = scores[experiment.system]
    against = (FROZEN, experiment.against)
    return {
        name: {other: gain(own[name], scores[other][name]) for other in against if other in scores}
        for name in own
    }


def gain(values: list[float], others: list[float]) -> dict[str, float]:
    """The mean of differences by seed and the ends of its interval; without ends for one seed."""
    pairs = zip(values, others * len(values) if len(others) == 1 else others, strict=True)
    gaps = [value - other for value, other in pairs]
    mean = sum(gaps) / len(gaps)
    spread = stats.sem(gaps) if len(gaps) > 1 else None
    if spread is None:
        return {"mean": mean}
    half = float(spread * stats.t.ppf(0.975, len(gaps) - 1))
    return {"mean": mean, "low": mean - half, "high": mean + half}


if __name__ == "__main__":
    main()
