"""Tokenised rows as flat arrays on disk, so that a run starts at once.

    python examples/mini/store.py TEXTS --vocabulary 16000

Writes TEXTS/rows-16000: the tokenizer, and for each part and language the ids of all rows in one
array beside the place where each row ends. Rows have no special tokens; a long line makes several.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from mini.tokens import read_texts, sampled, train_tokenizer
from transformers import AutoTokenizer, PreTrainedTokenizerBase

LINES, ALPHA, CHUNK, LONGEST = 400_000, 0.5, 4096, 126


@dataclass(frozen=True)
class Flat:
    """The rows of one language.

    Attributes:
        ids: All tokens, ``(tokens,)``.
        ends: Where each row starts and, one on, ends, ``(rows + 1,)``.
        letters: Characters of the text the rows were made of.
    """

    ids: np.ndarray
    ends: np.ndarray
    letters: int

    def __len__(self) -> int:
        return len(self.ends) - 1

    def __getitem__(self, row: int) -> np.ndarray:
        return self.ids[self.ends[row] : self.ends[row + 1]]


def pieces(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    """A line's tokens in rows of like length, none longer than ``LONGEST``."""
    count = -(-len(ids) // LONGEST)
    for i in range(count):
        yield ids[i * len(ids) // count : (i + 1) * len(ids) // count]


def flattened(tokenizer: PreTrainedTokenizerBase, lines: Sequence[str]) -> Flat:
    """Tokenise lines in their order."""
    parts: list[np.ndarray] = []
    lengths: list[int] = []
    for start in range(0, len(lines), CHUNK):
        some = list(lines[start : start + CHUNK])
        found = tokenizer(some, add_special_tokens=False, verbose=False)["input_ids"]
        rows = [row for ids in found for row in pieces(ids)]
        lengths += map(len, rows)
        parts.append(np.array([i for row in rows for i in row], dtype=np.uint16))
    ends = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return Flat(np.concatenate(parts), ends, sum(map(len, lines)))


def write_flat(folder: Path, lang: str, flat: Flat) -> None:
    """Write one language's rows."""
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / f"{lang}.ids.npy", flat.ids)
    np.save(folder / f"{lang}.ends.npy", np.append(flat.ends, flat.letters))


def read_flat(folder: Path) -> dict[str, Flat]:
    """All languages of a folder; the ids stay on disk till they are looked at."""
    found = {}
    for path in sorted(folder.glob("*.ids.npy")):
        lang = path.name.split(".")[0]
        ends = np.load(folder / f"{lang}.ends.npy")
        found[lang] = Flat(np.asarray(np.load(path, mmap_mode="r")), ends[:-1], int(ends[-1]))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("texts", type=Path)
    parser.add_argument("--vocabulary", type=int, default=16_000)
    parser.add_argument("--tokenizer", type=Path, help="take this one and train none")
    args = parser.parse_args()
    out = args.texts / f"rows-{args.vocabulary}"
    train = read_texts(args.texts / "train")
    if not (out / "tokenizer" / "tokenizer.json").exists():
        if args.tokenizer:
            own = AutoTokenizer.from_pretrained(args.tokenizer, local_files_only=True)
        else:
            own = train_tokenizer(sampled(train, ALPHA, LINES), args.vocabulary, LONGEST + 2)
        own.save_pretrained(out / "tokenizer")
    tokenizer = AutoTokenizer.from_pretrained(out / "tokenizer")
    for part, texts in (("train", train), ("dev", read_texts(args.texts / "dev"))):
        for lang, lines in texts.items():
            flat = flattened(tokenizer, lines)
            write_flat(out / part, lang, flat)
            print(
                f"{part} {lang}: {len(flat):,} rows, {len(flat.ids):,} tokens, "
                f"{flat.letters / len(flat.ids):.2f} letters a token",
                flush=True,
            )


if __name__ == "__main__":
    main()
