"""Tweets matched to verified claims: random walks, vectors, and the mean of both.

    python examples/benchmarks/match_claims.py --data DATA

Needs `pip install gensim`. Walks and their vectors have seeds. The base has no module, because both
sides are English.
"""

from __future__ import annotations

from pathlib import Path

from bench import parser, save
from kg_runs import BASES, Kept, Remembering, encoder

from xadapt.data.readers.lines import read_lines
from xadapt.data.readers.match_items import Item
from xadapt.pipelines.match import match_texts

SETTINGS = {"walks": 10, "length": 20, "dim": 100, "window": 5, "epochs": 3, "rate": 0.05}


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--seeds", type=int, default=3)
    options.add_argument("--base", default="MiniLM", choices=list(BASES))
    args = options.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    folder = args.data / "claims/research/checkthat2020"
    rows, texts, gold = claims(folder)
    kept = Kept(args.work / f"match_claims_{args.base}.json")
    model = Remembering(encoder(BASES[args.base], {}))
    found = {
        str(seed): kept.get(
            f"seed {seed}",
            lambda seed=seed: match_texts(
                rows, texts, gold=gold, base=model, seed=seed, **SETTINGS
            ).to_dict(),
        )
        for seed in range(args.seeds)
    }
    save(f"match_claims_{args.base}", {"base": args.base, "seeds": args.seeds,
                                       "settings": SETTINGS, "rows": found})  # fmt: skip


def claims(folder: Path) -> tuple[list[Item], list[Item], dict[str, set[str]]]:
    """The verified claims with their titles, the tweets, and the claims of each tweet."""
    rows = []
    for number, line in read_lines(f"{folder}/claims.tsv.gz"):
        cells = line.split("\t")
        if number > 1:
            rows.append(Item(cells[0], (("", cells[1]), ("", cells[2]))))
    texts, gold = [], {}
    for _, line in read_lines(f"{folder}/queries_train.tsv.gz"):
        name, text, right = line.split("\t")[:3]
        texts.append(Item(name, (("", text),)))
        gold[name] = {one for one in right.replace(",", " ").split() if one}
    return rows, texts, {name: own for name, own in gold.items() if own}


if __name__ == "__main__":
    main()
