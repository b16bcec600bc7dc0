"""Knowledge modules below tasks: relations of RELX, and English likeness and parts of speech.

    python examples/benchmarks/knowledge_modules.py --data DATA

EP, TP and TS modules are trained apart on DBP-5L (English, Spanish, French, Japanese) and on
English sentences, then fused by attention that is learnt on a fifth as many rows. Relations are
learnt as classes of English texts with marked entities (KBP37), above each frozen module, and found
in English, German, Spanish, French and Turkish (RELX). Likeness (STS) is measured by vectors, and
parts of speech with a task module above each, both in English: what a module keeps.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from bench import parser, save
from sklearn.metrics import f1_score

import xadapt
from xadapt.core.files import read_json

LANGS = ("en", "de", "es", "fr", "tr")
GRAPH_LANGS = ("en", "es", "fr", "ja")
SYSTEMS = ("frozen base", "EP", "TP", "TS", "fused")
LIMIT, PART = 1500, 300
"""Rows of each language that a module learns from, and rows that the fusion learns from."""
TASK_ROWS, TAGGED = 2000, 1000
MARKED = re.compile(r"<e([12])>\s*(.*?)\s*</e\1>")


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--base", default="mini")
    options.add_argument("--seeds", type=int, default=1)
    args = options.parse_args()
    work = args.work / "knowledge_modules"
    work.mkdir(parents=True, exist_ok=True)
    files = write_files(args.data, work)
    scores: dict[str, list[dict[str, float]]] = {}
    seconds: dict[str, float] = {}
    for seed in range(args.seeds):
        modules = knowledge(args, work, files, seed, seconds)
        for name in SYSTEMS:
            found = measure(args, work, files, modules, name, seed)
            print(seed, name, {k: round(v, 4) for k, v in found.items()}, flush=True)
            scores.setdefault(name, []).append(found)
            save("knowledge_modules", {
                "base": args.base, "seeds": seed + 1, "rows": LIMIT, "task_rows": TASK_ROWS,
                "tagged": TAGGED, "scores": scores, "seconds": seconds,
            })  # fmt: skip


def write_files(data: Path, work: Path) -> dict[str, Path]:
    """Texts with marked entities and their relation, sentences of relations, and the rest."""
    made = {f"relx-{lang}": work / f"relx-{lang}.tsv" for lang in LANGS}
    others = {"kbp": "kbp37.tsv", "ts": "kbp37.jsonl", "sts": "sts.tsv"}
    others |= {"pos": "pos.conllu", "pos_test": "pos_test.conllu"}
    made |= {name: work / file for name, file in others.items()}
    if all(path.exists() for path in made.values()):
        return made
    rows = table(data / "re" / "kbp37" / "en_train.tsv.gz")
    rows.sort(key=lambda row: hashlib.sha256(row[1].encode()).hexdigest())
    task, rest = rows[:TASK_ROWS], rows[TASK_ROWS:]
    write(made["kbp"], [f"{text}\t{label}" for _, text, label in task])
    for lang in LANGS:
        test = table(data / "re" / "relx" / f"{lang}.tsv.gz")
        write(made[f"relx-{lang}"], [f"{text}\t{label}" for _, text, label in test])
    sentences = (json.dumps(found) for _, text, _ in rest if (found := mentions(text)))
    write(made["ts"], list(sentences)[: 2 * LIMIT])
    pairs = table(data / "sts" / "en_dev.tsv.gz")
    write(made["sts"], ["\t".join(row[-3:]) for row in pairs])
    for name, part, size in (("pos", "train", TAGGED), ("pos_test", "dev", 500)):
        text = gzip.decompress((data / "pos" / f"en_ewt_{part}.conllu.gz").read_bytes()).decode()
        made[name].write_text("\n\n".join(text.strip().split("\n\n")[:size]) + "\n\n", "utf-8")
    return made


def table(path: Path) -> list[list[str]]:
    """The rows of a packed table."""
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        return [line.rstrip("\n").split("\t") for line in stream if line.strip()]


def write(path: Path, lines: Sequence[str]) -> None:
    """Write lines."""
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def mentions(marked: str) -> dict[str, Any] | None:
    """A sentence without marks, and its two mentions."""
    text, found, done = "", [], 0
    for mark in MARKED.finditer(marked):
        text += marked[done : mark.start()]
        found.append({"start": len(text), "end": len(text) + len(mark[2]), "id": mark[2]})
        text += mark[2]
        done = mark.end()
    both = len(found) == 2 and all(one["start"] < one["end"] for one in found)
    return {"text": text + marked[done:], "mentions": found} if both else None


def knowledge(args, work: Path, files, seed: int, seconds: dict[str, float]) -> dict[str, Path]:
    """Train EP, TP and TS apart, and their fusion."""
    graph = f"kg:{args.data / 'kg' / 'dbp5l'}"
    common: dict[str, Any] = {"base": args.base, "resume": True, "show": False, "loaders": "none"}
    several = {"lang": list(GRAPH_LANGS), "joint": True}
    settings = {
        "EP": ("mlkg_ep", graph, ("data.train.dev=0", 'data.train.options={"pair_with": ["all"]}')),
        "TP": ("mlkg_tp", graph, ()),
        "TS": ("mlkg_ts", str(files["ts"]), ("max_length=64",)),
    }
    made = {}
    for name, (recipe, data, own) in settings.items():
        made[name] = work / f"{name}-{seed}"
        langs = {"lang": "en"} if name == "TS" else several
        result = xadapt.train(
            recipe, data=data, out=made[name], **common, **langs,
            settings=(*own, "train.epochs=1", f"data.train.limit={LIMIT}", f"seed={seed}"),
        )  # fmt: skip
        seconds[name] = result.seconds
    made["fused"] = work / f"fused-{seed}"
    parts = ", ".join(str(made[name]) for name in ("EP", "TP", "TS"))
    result = xadapt.train(
        FUSED, data={"names": graph, "facts": graph, "sentences": str(files["ts"])},
        compose=f"fuse(self; {parts})", out=made["fused"], lang="en", **common,
        settings=(f"seed={seed}",),
    )  # fmt: skip
    seconds["fused"] = result.seconds
    return made


FUSED = {
    "name": "mlkg_fused",
    "source": {"paper": "mlkg_fused with a third loss", "url": "https://arxiv.org/abs/2210.13617"},
    "module": {"kind": "fusion", "experts": 3, "sites": ["ffn_out"]},
    "objectives": [
        {"name": "entity_label", "data": "names"},
        {"name": "triple_phrase", "data": "facts"},
        {"name": "triple_sentence", "data": "sentences"},
    ],
    "data": {
        "names": {"reader": "entity_names", "limit": 4 * PART, "options": {"pair_with": ["all"]}},
        "facts": {"reader": "named_facts", "limit": 4 * PART},
        "sentences": {"reader": "relation_sentences", "limit": 4 * PART, "batch_size": 8},
    },
    "max_length": 64,
    "train": {"epochs": 1, "batch_size": 32, "learning_rate": 1e-3},
}


def composition(modules: dict[str, Path], name: str) -> str:
    """What acts below a task."""
    if name == "fused":
        return f"fuse({modules['fused']}; {modules['EP']}, {modules['TP']}, {modules['TS']})"
    return str(modules[name])


def measure(args, work: Path, files, modules, name: str, seed: int) -> dict[str, float]:
    """Train a task module for relations and one for tags above a module, and measure all."""
    kept = work / f"scores-{name.replace(' ', '-')}-{seed}.json"
    if kept.exists():
        return read_json(kept)
    below = None if name == "frozen base" else composition(modules, name)
    common: dict[str, Any] = {"base": args.base, "resume": True, "show": False, "lang": "en"}
    common |= {"loaders": "none", "compose": f"{below} + self" if below else ()}
    found: dict[str, float] = {}
    right: list[float] = []
    task = work / f"relations-{name.replace(' ', '-')}-{seed}"
    xadapt.train("classification", data=str(files["kbp"]), out=task, **common, settings=(
        "train.epochs=3", "data.train.dev=0", "max_length=128", f"seed={seed}"))  # fmt: skip
    compose = f"{below} + {task}" if below else str(task)
    classifier = xadapt.tasks.Classifier.load(args.base, compose=compose)
    for lang in LANGS:
        rows = [line.split("\t") for line in files[f"relx-{lang}"].read_text("utf-8").splitlines()]
        given = classifier.classify([text for text, _ in rows])
        gold = [label for _, label in rows]
        found[f"RELX {lang}, macro F1"] = float(
            f1_score(gold, given, average="macro", labels=sorted(set(gold)), zero_division=0)
        )
        right.append(float(np.mean([a == b for a, b in zip(gold, given, strict=True)])))
    found["RELX, mean accuracy"] = float(np.mean(right))
    found["RELX, mean F1"] = float(np.mean([found[f"RELX {lang}, macro F1"] for lang in LANGS]))
    result = xadapt.evaluate("sts", base=args.base, data=str(files["sts"]), lang="en",
                             compose=below)  # fmt: skip
    row = result["module" if below else result.rows[0].system]
    found["STS en, Spearman"] = row.scores["spearman"].mean
    tags = work / f"tags-{name.replace(' ', '-')}-{seed}"
    xadapt.train("pos_tagging", data=str(files["pos"]), out=tags, **common,
                 settings=("train.epochs=1", "data.train.dev=0", f"seed={seed}"))  # fmt: skip
    result = xadapt.evaluate(
        "tagging", base=args.base, data=str(files["pos_test"]), lang="en",
        compose=f"{below} + {tags}" if below else str(tags),
    )  # fmt: skip
    found["tags en, accuracy"] = result["module"].scores[result.measures[0]].mean
    kept.write_text(json.dumps(found), encoding="utf-8")
    return found


if __name__ == "__main__":
    main()
