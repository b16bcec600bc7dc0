"""A simulated voter with a bias to the first place of the list: one call, and votes of nine.

    python examples/benchmarks/judge_bias.py

The voter knows 95 of 100 entities, and guesses for the others. With the probability of its bias
it takes the first candidate: at each call anew, or at every call of an entity that meets the bias.
Each entity has ten candidates, of which one is right. Everything but the voter is `xadapt kg
judge`. Needs no data.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench import save

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from tiny_voter import Voter
from twin_graphs import twins

from xadapt.integrations.language_models.client import Client
from xadapt.pipelines import kg_judge
from xadapt.pipelines.kg_judge import judge_candidates
from xadapt.tasks.kg.judging import EntityFacts

ENTITIES, K, KNOWN, SEEDS = 400, 10, 0.95, 1
BIASES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
ROUNDS = {"one call": 1, "nine calls, drawn orders": 9, "nine calls, Latin square": 9}


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    left, right, links = twins(ENTITIES, 600)
    gold = dict(links.pairs)
    names = [EntityFacts(graph) for graph in (left, right)]
    known = {names[0].name(a): names[1].name(b) for a, b in gold.items()}
    latin = kg_judge.latin_orders
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for fixed in (False, True):
            for bias in BIASES:
                for system, rounds in ROUNDS.items():
                    kg_judge.latin_orders = drawn_orders if "drawn" in system else latin
                    found = []
                    for seed in range(SEEDS):
                        pairs = candidates(Path(folder) / "pairs.tsv", gold, right.entities, seed)
                        judged = judge_candidates(
                            pairs, left, right, out=Path(folder) / "out.jsonl", rounds=rounds,
                            facts=0, seed=seed, links=None, workers=1,
                            models=[Client(Voter(known, bias, KNOWN, fixed))],
                        )  # fmt: skip
                        found.append([(row["choice"], gold[row["src"]]) for row in judged.rows])
                    every = [pair for one in found for pair in one]
                    rows.append({
                        "bias of": "the entity" if fixed else "the call",
                        "bias": bias,
                        "system": system,
                        "error": sum(a != b for a, b in every) / len(every),
                        "wrong": sum(a not in (None, b) for a, b in every) / len(every),
                    })  # fmt: skip
                    print(rows[-1], file=sys.stderr)
    save("judge_bias", {"entities": ENTITIES, "candidates": K, "known": KNOWN, "seeds": SEEDS,
                        "rows": rows})  # fmt: skip


def candidates(path: Path, gold: dict[str, str], pool: tuple[str, ...], seed: int) -> Path:
    """The right entity among others of the graph, at any place."""
    draw, lines = random.Random(seed), []
    for source, right in gold.items():
        own = [right, *draw.sample([one for one in pool if one != right], K - 1)]
        draw.shuffle(own)
        lines += [f"{source}\t{target}\n" for target in own]
    path.write_text("".join(lines), encoding="utf-8")
    return path


def drawn_orders(count: int, rounds: int, seed: str) -> list[list[int]]:
    """The control: an order that is drawn anew in each round."""
    draw = random.Random(f"drawn {seed}")
    return [draw.sample(range(count), count) for _ in range(rounds)]


if __name__ == "__main__":
    main()
