"""Short runs of one setting each at equal compute, and the table of what they found.

    python examples/mini/trials.py run PLAN.json --rows TEXTS --data DATA --out DIR
    python examples/mini/trials.py table DIR

PLAN.json is a list of ``{"name": ..., "vocabulary": 16000, ...settings of mini/run.py}``; a trial
whose DIR/NAME.json is there is not run again, one that was cut goes on. Compute is counted in
products of the forward and backward pass, so that it doesn't depend on what else the machine does.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
UNTOLD = ("name", "lines", "looks", "compile")
COLUMNS = (
    ("loss", "loss", "{:.3f}"),
    ("bits a letter", "bits", "{:.3f}"),
    ("masked", "accuracy", "{:.3f}"),
    ("retrieval, mean", "mean", "{:.3f}"),
    ("whitened", "whitened", "{:.3f}"),
    ("tags from en", "tags", "{:.3f}"),
)


def products(plan: dict[str, Any]) -> float:
    """Multiplications and additions of a token's forward and backward pass."""
    width, layers = plan.get("width", 256), plan.get("layers", 6)
    scored = plan.get("share", 0.2) * 0.93
    head = scored * (plan.get("vocabulary", 16_000) * width + width * width)
    attention = layers * 2 * 128 * width  # of a full line
    return 6 * (12 * layers * width * width + attention + head)


def tokens_for(plan: dict[str, Any], compute: float) -> int:
    """How many tokens that compute pays for."""
    return round(compute / products(plan))


def command(plan: dict[str, Any], rows: Path, out: Path, compute: float) -> list[str]:
    """The call of ``run.py`` for one trial."""
    tokens = tokens_for(plan, compute)
    given = {
        "tokens": tokens, "warmup": tokens // 12, "cooldown": tokens // 3, "looks": 3, "every": 120
    }  # fmt: skip
    given |= {key: value for key, value in plan.items() if key not in ("name", "vocabulary")}
    where = rows / f"rows-{plan.get('vocabulary', 16_000)}"
    flags = [f"--{key}={value}" for key, value in given.items()]
    call = [sys.executable, str(HERE / "run.py"), str(where), "--out", str(out), "--resume"]
    return [*call, "--model", str(out / "model"), *flags]


def trial(plan: dict[str, Any], args: argparse.Namespace) -> None:
    """Run one trial and measure what it left."""
    out, result = args.out / plan["name"], args.out / f"{plan['name']}.json"
    if result.exists():
        return
    subprocess.run(command(plan, args.rows, out, args.compute), check=True)
    log = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    found = looked(log[-1])
    if args.most:
        judge = [sys.executable, str(HERE / "transfer.py"), str(out / "model")]
        judge += ["--texts", str(args.rows), "--data", str(args.data)]
        judge += ["--out", str(out / "found.json"), "--most", str(args.most)]
        subprocess.run(judge, check=True)
        found = json.loads((out / "found.json").read_text())
    kept = {"plan": plan, "compute": args.compute, "log": log, "found": found}
    result.write_text(json.dumps(kept, indent=1), encoding="utf-8")
    (out / "state.pt").unlink()


def looked(row: dict[str, Any]) -> dict[str, Any]:
    """What a run's own last look tells, where nothing else is measured."""
    losses, right = row["dev_loss"], row["dev_accuracy"]
    return {
        "loss": float(np.mean(list(losses.values()))),
        "accuracy": float(np.mean(list(right.values()))),
        "languages": {lang: {"loss": loss} for lang, loss in losses.items()},
    }


def table(folder: Path) -> str:
    """A row a trial, in the order they ended."""
    head = ["trial", "setting", "tokens (M)", "CPU s", *(title for title, _, _ in COLUMNS)]
    lines = ["| " + " | ".join(head) + " |", "|---|---|" + "---:|" * (len(head) - 2)]
    paths = sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime)
    for path in paths:
        row = json.loads(path.read_text(encoding="utf-8"))
        found = row.get("found", row)
        last = row["log"][-1] if "log" in row else {}
        plan = {key: value for key, value in row.get("plan", {}).items() if key not in UNTOLD}
        cells = [path.stem, told(plan)]
        cells += [f"{last['tokens'] / 1e6:.2f}", f"{last['seconds']:.0f}"] if last else ["", ""]
        cells += [style.format(found[key]) if key in found else "" for _, key, style in COLUMNS]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def told(plan: dict[str, Any]) -> str:
    """A setting in words."""
    short = {
        key: Path(value).name if key in ("init", "guide") else value for key, value in plan.items()
    }
    return ", ".join(f"{key} {value}" for key, value in short.items()) or "-"


def languages(folder: Path) -> str:
    """Held-out loss by language, a column a trial."""
    rows = {
        path.stem: json.loads(path.read_text(encoding="utf-8"))
        for path in sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime)
    }
    found = {name: row.get("found", row)["languages"] for name, row in rows.items()}
    names = list(found)
    lines = ["| language | " + " | ".join(names) + " |", "|---|" + "---:|" * len(names)]
    for lang in sorted({lang for own in found.values() for lang in own}):
        lines.append(
            f"| {lang} | " + " | ".join(f"{found[name][lang]['loss']:.2f}" for name in names) + " |"
        )
    mean = [f"{np.mean([row['loss'] for row in found[name].values()]):.2f}" for name in names]
    return "\n".join([*lines, "| mean | " + " | ".join(mean) + " |"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    does = parser.add_subparsers(dest="does", required=True)
    run = does.add_parser("run")
    run.add_argument("plan", type=Path)
    run.add_argument("--rows", type=Path, required=True)
    run.add_argument("--data", type=Path, required=True)
    run.add_argument("--out", type=Path, required=True)
    run.add_argument("--compute", type=float, default=5e13, help="products of a trial")
    run.add_argument(
        "--most",
        type=int,
        default=300,
        help="sentences measured a language; 0: only what the run itself looks at",
    )
    show = does.add_parser("table")
    show.add_argument("out", type=Path)
    args = parser.parse_args()
    if args.does == "table":
        print(table(args.out), languages(args.out), sep="\n\n")
        return
    for plan in json.loads(args.plan.read_text(encoding="utf-8")):
        trial(plan, args)


if __name__ == "__main__":
    main()
