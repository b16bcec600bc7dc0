"""Word vectors in memory: words, most frequent first, and one row of numbers for each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xadapt.core.errors import UserError


@dataclass(frozen=True, eq=False)
class WordVectors:
    """Words with their vectors.

    Attributes:
        words: The words, all different; most frequent first in files of word2vec and fastText.
        vectors: ``(words, dim)``, fp32.
        notes: Lines about rows that were left out.
    """

    words: tuple[str, ...]
    vectors: NDArray[np.float32]
    notes: tuple[str, ...] = ()
    _places: dict[str, int] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if self.vectors.ndim != 2 or len(self.words) != len(self.vectors):
            raise UserError(
                f"{len(self.words)} words and vectors of shape {self.vectors.shape} do not fit",
                todo="Give one row of numbers for each word",
            )
        self._places.update({word: row for row, word in enumerate(self.words)})

    @classmethod
    def of(cls, given: Any, name: str = "vectors") -> WordVectors:
        """Take word vectors, a dict of word to vector, or a pair of words and vectors.

        Raises:
            UserError: If the value is none of these, a word is repeated, or a number is not finite.
        """
        if isinstance(given, WordVectors):
            return given
        try:
            if isinstance(given, dict):
                words: Iterable[str] = given
                vectors = np.stack([np.asarray(row, np.float32) for row in given.values()])
            else:
                words, rows = given
                vectors = np.array(rows, dtype=np.float32, ndmin=2)
            words = tuple(words)
        except (TypeError, ValueError) as error:
            raise UserError(
                f"these are no word vectors ({error})",
                where=name,
                todo="Give a file, a dict of word to vector, or a pair of words and rows",
            ) from None
        _require_words(words, name)
        if not np.isfinite(vectors).all():
            row = int(np.flatnonzero(~np.isfinite(vectors).all(axis=1))[0])
            raise UserError(f"the vector of {words[row]!r} holds NaN or infinity", where=name)
        return cls(words, vectors)

    @property
    def dim(self) -> int:
        """Number of values of a vector."""
        return self.vectors.shape[1]

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: object) -> bool:
        return word in self._places

    def find(self, word: str) -> int | None:
        """Return the row of a word; ``None`` if it has no vector."""
        return self._places.get(word)

    def first(self, count: int) -> WordVectors:
        """Return the first words; 0 or less returns all."""
        if count <= 0 or count >= len(self):
            return self
        return WordVectors(self.words[:count], self.vectors[:count], self.notes)


def _require_words(words: Sequence[str], name: str) -> None:
    if not words:
        raise UserError("there are no words", where=name)
    wrong = next((word for word in words if not isinstance(word, str) or not word), None)
    if wrong is not None or not all(words):
        raise UserError(f"{wrong!r} is no word", where=name)
    seen: set[str] = set()
    for word in words:
        if word in seen:
            raise UserError(f"the word {word!r} stands twice", where=name)
        seen.add(word)
