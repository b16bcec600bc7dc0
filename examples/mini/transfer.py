"""What a small encoder carries from one language to another, measured cheaply.

    python examples/mini/transfer.py MODEL --texts TEXTS --data DATA --out FILE.json

Held-out loss and accuracy by language; bits a letter, by which vocabularies of other sizes compare;
sentence retrieval with English on dev pairs by means of states; part-of-speech tags learnt from
English states and told in other languages.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from mini.measure import guessed, held_out
from mini.rows import padded
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from transformers import (
    AutoModelForMaskedLM,
    AutoTokenizer,
    PreTrainedTokenizerBase,
)

Sentence = tuple[list[str], list[str]]
BATCH, LONGEST, SHRINK = 64, 128, 0.1


class Judge:
    """One encoder, frozen.

    Args:
        model: With its masked-language-model head.
        tokenizer: Its tokenizer.
    """

    def __init__(self, model: torch.nn.Module, tokenizer: PreTrainedTokenizerBase) -> None:
        self.model, self.tokenizer = model.eval(), tokenizer

    @torch.inference_mode()
    def states(self, rows: Sequence[list[int]]) -> list[np.ndarray]:
        """Last states of each row, ``(tokens, dim)``."""
        found: list[np.ndarray] = [np.empty(0)] * len(rows)
        order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
        for start in range(0, len(rows), BATCH):
            some = order[start : start + BATCH]
            ids, mask = padded([np.array(rows[i]) for i in some], self.tokenizer.pad_token_id)
            with torch.autocast("cpu", torch.bfloat16):
                out = self.model.roberta(input_ids=ids, attention_mask=mask)[0].float().numpy()
            for at, i in enumerate(some):
                found[i] = out[at, : len(rows[i])]
        return found

    def means(self, lines: Sequence[str]) -> np.ndarray:
        """The mean of each line's states."""
        rows = self.tokenizer(list(lines), truncation=True, max_length=LONGEST)["input_ids"]
        return np.stack([own.mean(0) for own in self.states(rows)])

    def words(self, sentences: Sequence[Sentence]) -> list[np.ndarray]:
        """The state of each word's first piece; words of a row that is cut are not told."""
        given = self.tokenizer(
            [words for words, _ in sentences],
            is_split_into_words=True, truncation=True, max_length=LONGEST,
        )  # fmt: skip
        found = []
        for i, states in enumerate(self.states(given["input_ids"])):
            first: dict[int, int] = {}
            for place, word in enumerate(given.word_ids(i)):
                if word is not None:
                    first.setdefault(word, place)
            found.append(states[[first[word] for word in range(len(first))]])
        return found

    def guesses(self, texts: Path, most: int) -> dict[str, dict[str, float]]:
        """Loss, accuracy and bits a letter of the held-out sentences of each language."""
        found = {}
        for path in sorted((texts / "dev").glob("*.txt")):
            lines = path.read_text(encoding="utf-8").splitlines()[:most]
            rows = self.tokenizer(lines, truncation=True, max_length=LONGEST)["input_ids"]
            batches = held_out([np.array(row) for row in rows], self.tokenizer)
            loss, accuracy = guessed(self.model, batches, "cpu")
            self.model.eval()
            letters = sum(map(len, lines)) / sum(len(row) - 2 for row in rows)
            found[path.stem] = {
                "loss": loss, "accuracy": accuracy, "bits": loss / letters / math.log(2)
            }  # fmt: skip
        return found

    def retrieval(self, texts: Path, most: int) -> dict[str, dict[str, float]]:
        """Share of sentences whose nearest is their translation, both ways, by language."""
        pairs = {}
        for path in sorted((texts / "pairs" / "dev").glob("en-*.tsv")):
            rows = [row.split("\t") for row in path.read_text(encoding="utf-8").splitlines()]
            own = distinct(rows)[:most]
            pairs[path.stem.removeprefix("en-")] = tuple(
                self.means([row[side] for row in own]) for side in (0, 1)
            )
        every = np.concatenate([part for both in pairs.values() for part in both])
        centre, map_ = every.mean(0), whitening(every)
        return {
            lang: {
                "pool": len(left),
                "mean": matched(left - centre, right - centre),
                "whitened": matched((left - centre) @ map_, (right - centre) @ map_),
            }
            for lang, (left, right) in pairs.items()
        }

    def tagging(self, data: Path, train: int = 700, test: int = 250) -> dict[str, float]:
        """Accuracy of tags learnt in English: in the last sentences of each language."""
        sentences = {
            path.name.split(".")[0]: conllu(path)
            for path in sorted((data / "pos" / "pud").glob("*.gz"))
        }
        learnt = sentences["en"][:train]
        states = np.concatenate(self.words(learnt))
        scale = StandardScaler().fit(states)
        tags = [tag for _, own in learnt for tag in own]
        probe = LogisticRegression(max_iter=100, tol=1e-3).fit(scale.transform(states), tags)
        found = {}
        for lang, rows in sentences.items():
            some = rows[-test:]
            seen = self.words(some)
            right = [t for x, (_, own) in zip(seen, some, strict=True) for t in own[: len(x)]]
            told = probe.predict(scale.transform(np.concatenate(seen)))
            found[lang] = float((told == np.array(right)).mean())
        return found


def distinct(rows: Sequence[list[str]]) -> list[list[str]]:
    """Rows whose two sides stand in no row before."""
    seen: tuple[set[str], set[str]] = (set(), set())
    found = []
    for row in rows:
        if row[0] not in seen[0] and row[1] not in seen[1]:
            found.append(row)
            seen[0].add(row[0])
            seen[1].add(row[1])
    return found


def matched(left: np.ndarray, right: np.ndarray) -> float:
    """Share of rows nearest to the row of the same number, the mean of both ways."""
    left = left / np.linalg.norm(left, axis=1, keepdims=True)
    right = right / np.linalg.norm(right, axis=1, keepdims=True)
    near = left @ right.T
    own = np.arange(len(near))
    return float(((near.argmax(1) == own).mean() + (near.argmax(0) == own).mean()) / 2)


def whitening(vectors: np.ndarray) -> np.ndarray:
    """The map after which all directions are alike."""
    spread = np.cov(vectors.T)
    even = np.trace(spread) / len(spread) * np.eye(len(spread))
    sizes, axes = np.linalg.eigh((1 - SHRINK) * spread + SHRINK * even)
    return axes / np.sqrt(sizes)


def conllu(path: Path) -> list[Sentence]:
    """Words and universal tags of each sentence."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        blocks = lines.read().strip().split("\n\n")
    found = []
    for block in blocks:
        rows = [line.split("\t") for line in block.splitlines() if line[:1].isdigit()]
        whole = [row for row in rows if row[0].isdigit()]
        found.append(([row[1] for row in whole], [row[3] for row in whole]))
    return found


def judged(place: Path, texts: Path, data: Path, most: int, fresh: bool) -> dict:
    """All measures of one folder; ``fresh`` gives it random weights."""
    model = AutoModelForMaskedLM.from_pretrained(
        place, dtype=torch.float32, attn_implementation="eager"
    )
    if fresh:
        torch.manual_seed(0)
        model = type(model)._from_config(model.config, attn_implementation="eager")
    judge = Judge(model, AutoTokenizer.from_pretrained(place))
    guesses, retrieval = judge.guesses(texts, most), judge.retrieval(texts, most)
    tags = judge.tagging(data)
    others = [value for lang, value in tags.items() if lang != "en"]
    return {
        "loss": float(np.mean([row["loss"] for row in guesses.values()])),
        "accuracy": float(np.mean([row["accuracy"] for row in guesses.values()])),
        "bits": float(np.mean([row["bits"] for row in guesses.values()])),
        "mean": float(np.mean([row["mean"] for row in retrieval.values()])),
        "whitened": float(np.mean([row["whitened"] for row in retrieval.values()])),
        "tags_en": tags["en"],
        "tags": float(np.mean(others)),
        "languages": guesses,
        "retrieval": retrieval,
        "tagging": tags,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--texts", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--most", type=int, default=500, help="sentences of a language")
    parser.add_argument("--fresh", action="store_true", help="with random weights")
    args = parser.parse_args()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    found = judged(args.model, args.texts, args.data, args.most, args.fresh)
    args.out.write_text(json.dumps(found, indent=1), encoding="utf-8")
    print({key: round(value, 4) for key, value in found.items() if isinstance(value, float)})


if __name__ == "__main__":
    main()
