"""Token ids of a run's texts; each text is tokenised once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from xadapt.backbones.cache.frozen_vectors import PIECE
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.encoder.own_texts import tokenize_rows
from xadapt.backbones.encoder.pairs import tokenize_pairs, tokenize_windows
from xadapt.backbones.encoder.text_places import PlacedText, tokenize_places
from xadapt.backbones.encoder.words import (
    Words,
    WordWindow,
    tokenize_word_windows,
    tokenize_words,
)
from xadapt.backbones.mapped_tokenizer import MappedTokenizer
from xadapt.core.progress import meter

Row = tuple[int, ...]


class Tokenized:
    """A tokenizer that keeps the token ids of each text.

    Args:
        encoder: The encoder.
        show: Whether progress is shown for many texts.
    """

    def __init__(self, encoder: Encoder, show: bool = True) -> None:
        self.encoder, self.show = encoder, show
        self._ids: dict[str, Row] = {}
        self._own: dict[MappedTokenizer, dict[str, Row]] = {}
        self._words: dict[tuple[str, ...], Words] = {}
        self._windows: dict[tuple[str, ...], list[WordWindow]] = {}
        self._placed: dict[bool, dict[str, PlacedText]] = {False: {}, True: {}}

    def tokenize(self, texts: Sequence[str]) -> list[Row]:
        """Tokenise texts into token ids; each distinct text is tokenised once in a run."""
        new = [text for text in dict.fromkeys(texts) if text not in self._ids]
        with meter("tokenising", len(new), show=self.show and len(new) > PIECE) as bar:
            for start in range(0, len(new), PIECE):
                piece = new[start : start + PIECE]
                rows = map(tuple, self.encoder.tokenize(piece))
                self._ids.update(zip(piece, rows, strict=True))
                bar.advance(len(piece))
        return [self._ids[text] for text in texts]

    def tokenize_with(
        self, texts: Sequence[str], vocabularies: Sequence[MappedTokenizer | None]
    ) -> list[Row]:
        """Tokenise texts, each with the vocabulary of its row, once in a run.

        Args:
            texts: The texts.
            vocabularies: The vocabulary of each; ``None`` for the base's.
        """
        for own in dict.fromkeys(one for one in vocabularies if one is not None):
            known = self._own.setdefault(own, {})
            wanted = zip(texts, vocabularies, strict=True)
            new = list(dict.fromkeys(t for t, one in wanted if one is own and t not in known))
            rows = tokenize_rows(self.encoder, new, [own] * len(new))
            known.update(zip(new, map(tuple, rows), strict=True))
        base = [t for t, one in zip(texts, vocabularies, strict=True) if one is None]
        known_rows = dict(zip(base, self.tokenize(base), strict=True))
        return [
            known_rows[text] if own is None else self._own[own][text]
            for text, own in zip(texts, vocabularies, strict=True)
        ]

    def all_with(self, own: MappedTokenizer) -> Callable[[Sequence[str]], list[Row]]:
        """Return a function that tokenises texts with one vocabulary, once in a run."""
        return lambda texts: self.tokenize_with(texts, [own] * len(texts))

    def tokenize_words(self, sentences: Sequence[Sequence[str]]) -> list[Words]:
        """Tokenise sentences given as words; each distinct sentence is tokenised once in a run."""
        rows = [tuple(words) for words in sentences]
        new = [row for row in dict.fromkeys(rows) if row not in self._words]
        self._words.update(zip(new, tokenize_words(self.encoder, new), strict=True))
        return [self._words[row] for row in rows]

    def tokenize_word_windows(self, sentences: Sequence[Sequence[str]]) -> list[WordWindow]:
        """Tokenise sentences into windows; each distinct sentence is tokenised once in a run."""
        rows = [tuple(words) for words in sentences]
        new = [row for row in dict.fromkeys(rows) if row not in self._windows]
        self._windows.update((row, []) for row in new)
        for window in tokenize_word_windows(self.encoder, new):
            self._windows[new[window.owner]].append(window)
        return [
            replace(window, owner=owner)
            for owner, row in enumerate(rows)
            for window in self._windows[row]
        ]

    def tokenize_places(self, texts: Sequence[str], whole: bool = False) -> list[PlacedText]:
        """Tokenise texts with the characters of each token; each text once in a run."""
        known = self._placed[whole]
        new = [text for text in dict.fromkeys(texts) if text not in known]
        known.update(zip(new, tokenize_places(self.encoder, new, whole), strict=True))
        return [known[text] for text in texts]

    @property
    def tokenizers(self) -> dict[str, Callable[..., Any]]:
        """Return all tokenisation functions by the names that objectives use."""
        return {
            "tokenize": self.tokenize,
            "tokenize_words": self.tokenize_words,
            "tokenize_word_windows": self.tokenize_word_windows,
            "tokenize_places": self.tokenize_places,
            "tokenize_pairs": partial(tokenize_pairs, self.encoder),
            "tokenize_windows": partial(tokenize_windows, self.encoder),
        }
