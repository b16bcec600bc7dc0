"""Bilingual dictionaries: reading, splitting by words, and finding the words in two vocabularies.

Rows are those of MUSE and VecMap (two words, separated by a space or a tab), or columns separated
by tabs, whose first two are the words; then a word may hold spaces. A word may stand in several
rows, once for each translation.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from xadapt.core.errors import UserError
from xadapt.data.readers.lines import read_lines
from xadapt.maps.word_vectors import WordVectors

IDENTICAL = "identical_char"
"""MUSE's name for a dictionary of the words that both vocabularies share."""

Pair = tuple[str, str]


@dataclass(frozen=True)
class Dictionary:
    """Pairs of words, in the order of the file.

    Attributes:
        pairs: A source word and a target word, each pair once.
        empty: Number of rows of the file that lack one of the two words: they are left out.
    """

    pairs: tuple[Pair, ...]
    empty: int = 0

    @property
    def sources(self) -> dict[str, list[str]]:
        """The translations of each source word."""
        found: dict[str, list[str]] = {}
        for source, target in self.pairs:
            found.setdefault(source, []).append(target)
        return found

    def __len__(self) -> int:
        return len(self.pairs)

    def reversed(self) -> Dictionary:
        """Return the dictionary of the other direction."""
        return Dictionary(tuple((target, source) for source, target in self.pairs))

    def lowered(self) -> Dictionary:
        """Return the dictionary with lower-cased words."""
        return Dictionary(
            tuple(dict.fromkeys((source.lower(), target.lower()) for source, target in self.pairs))
        )

    def without(self, other: Dictionary) -> Dictionary:
        """Return the pairs that share neither a source word nor a target word with another one.

        Case does not count: ``Haus`` and ``haus`` are one word here.
        """
        sources = {source.casefold() for source, _ in other.pairs}
        targets = {target.casefold() for _, target in other.pairs}
        return Dictionary(
            tuple(
                (source, target)
                for source, target in self.pairs
                if source.casefold() not in sources and target.casefold() not in targets
            )
        )


@dataclass(frozen=True)
class Split:
    """Parts of a dictionary that share no word with each other.

    Attributes:
        train: Pairs to fit on.
        dev: Pairs to choose on.
        test: Pairs to measure on.
        dropped: Number of pairs left out because they share a word with another part.
    """

    train: Dictionary
    dev: Dictionary
    test: Dictionary
    dropped: int


@dataclass(frozen=True)
class Gold:
    """The part of a dictionary that two vocabularies hold.

    Attributes:
        targets: By the row of a source word, the rows of its translations.
        words: Number of source words in the dictionary.
        no_source: Source words without a vector.
        no_target: Source words with a vector, none of whose translations has one.
        pairs: Number of pairs in the dictionary.
        pairs_found: Number of pairs with both words in the vocabularies.
    """

    targets: Mapping[int, frozenset[int]]
    words: int
    no_source: tuple[str, ...]
    no_target: tuple[str, ...]
    pairs: int
    pairs_found: int

    @property
    def coverage(self) -> float:
        """Share of the source words that can be answered."""
        return len(self.targets) / self.words if self.words else 0.0

    def positions(self) -> Tensor:
        """Return the pairs as rows ``(p, 2)``."""
        rows = [(at, to) for at, targets in self.targets.items() for to in sorted(targets)]
        return torch.tensor(rows, dtype=torch.long).reshape(-1, 2)

    def to_dict(self) -> dict[str, Any]:
        """Return the counts for JSON."""
        return {
            "words": self.words,
            "covered": len(self.targets),
            "coverage": self.coverage,
            "without_source_vector": len(self.no_source),
            "without_target_vector": len(self.no_target),
            "pairs": self.pairs,
            "pairs_covered": self.pairs_found,
        }

    def report(self, name: str) -> str:
        """Return a line about the coverage."""
        missing = [*self.no_source, *self.no_target][:3]
        shown = f", such as {', '.join(missing)}" if missing else ""
        return (
            f"{name}: {len(self.targets):,} of {self.words:,} source words ({self.coverage:.1%}); "
            f"{len(self.no_source):,} have no vector, of {len(self.no_target):,} no translation "
            f"has one{shown}"
        )


def read_dictionary(path: str | Path) -> Dictionary:
    """Read a dictionary.

    A row of columns whose first or second cell is empty is left out and counted.

    Args:
        path: A text file, which may be compressed.

    Raises:
        UserError: If there is no such file, it has no pair, or a row is no pair of words. The
            message names the file and the line.
    """
    path = str(path)
    pairs: dict[Pair, None] = {}
    tabs: bool | None = None
    empty = 0
    for number, line in read_lines(path):
        if not line.strip():
            continue
        tabs = "\t" in line if tabs is None else tabs
        pair = _pair(line, tabs, f"{path}:{number}")
        if all(pair):
            pairs[pair] = None
        else:
            empty += 1
    if not pairs:
        raise UserError("there is no pair of words in this dictionary", where=path)
    return Dictionary(tuple(pairs), empty)


def dictionary_of(given: Any, name: str = "dictionary") -> Dictionary:
    """Take a dictionary, a file, or pairs of words.

    Raises:
        UserError: If the value is none of these, or as for `read_dictionary`.
    """
    if isinstance(given, Dictionary):
        return given
    if isinstance(given, (str, Path)):
        return read_dictionary(given)
    try:
        pairs = dict.fromkeys([(source, target) for source, target in _items(given)])
    except (TypeError, ValueError):
        raise UserError(
            "this is no dictionary", where=name, todo="Give a file, or pairs of words"
        ) from None
    for pair in pairs:
        if not all(isinstance(word, str) and word.strip() for word in pair):
            raise UserError(f"{pair!r} is no pair of words", where=name)
    if not pairs:
        raise UserError("the dictionary is empty", where=name)
    return Dictionary(tuple(pairs))


def identical_words(source: WordVectors, target: WordVectors) -> Dictionary:
    """Return the words of both vocabularies as a dictionary, as MUSE's ``identical_char``.

    Raises:
        UserError: If the vocabularies share no word.
    """
    pairs = tuple((word, word) for word in source.words if word in target)
    if not pairs:
        raise UserError("the two vocabularies share no word", todo="Give a dictionary")
    return Dictionary(pairs)


def find(dictionary: Dictionary, source: WordVectors, target: WordVectors) -> Gold:
    """Find the rows of a dictionary's words; nothing is dropped without being counted."""
    targets: dict[int, frozenset[int]] = {}
    no_source: list[str] = []
    no_target: list[str] = []
    sources = dictionary.sources
    for word, translations in sources.items():
        at = source.find(word)
        rows = frozenset(to for one in translations if (to := target.find(one)) is not None)
        if at is None:
            no_source.append(word)
        elif not rows:
            no_target.append(word)
        else:
            targets[at] = rows
    found = sum(map(len, targets.values()))
    return Gold(targets, len(sources), tuple(no_source), tuple(no_target), len(dictionary), found)


def split(
    dictionary: Dictionary,
    *,
    dev: float = 0.0,
    test: float = 0.0,
    seed: int = 0,
) -> Split:
    """Hold out source words with all their translations.

    Pairs whose source or target word also stands in a held-out part are left out of the others,
    so that no part shares a word with another.

    Args:
        dictionary: The dictionary.
        dev: Share of the source words to choose on.
        test: Share of the source words to measure on.
        seed: Seed of the choice, which depends on the words alone, not on their order.

    Raises:
        UserError: If a share is not in [0, 1), or too large together.
    """
    if not (0 <= dev < 1 and 0 <= test < 1 and dev + test < 1):
        raise UserError(
            f"shares of {dev} and {test} leave nothing to fit on", where="dictionary split"
        )
    words = sorted(dictionary.sources, key=lambda word: _mark(word, seed))
    first, second = round(len(words) * test), round(len(words) * (test + dev))
    groups = [set(words[:first]), set(words[first:second]), set(words[second:])]
    test_part, dev_part, train = (
        Dictionary(tuple(pair for pair in dictionary.pairs if pair[0] in group)) for group in groups
    )
    dev_part = dev_part.without(test_part)
    train = train.without(test_part).without(dev_part)
    dropped = len(dictionary) - len(train) - len(dev_part) - len(test_part)
    return Split(train, dev_part, test_part, dropped)


def _pair(line: str, tabs: bool, where: str) -> Pair:
    parts = [part.strip() for part in line.split("\t")] if tabs else line.split()
    if (tabs and len(parts) < 2) or (not tabs and len(parts) != 2):
        rule = "two columns separated by a tab" if tabs else "two words separated by a space"
        raise UserError(
            f"this row is no pair of words: {line.strip()[:60]!r}",
            where=where,
            todo=f"A row has {rule}, as the first row has",
        )
    return parts[0], parts[1]


def _items(given: Any) -> Iterable[Sequence[str]]:
    if isinstance(given, Mapping):
        return _of_mapping(given)
    return given  # type: ignore[no-any-return]


def _of_mapping(given: Mapping[str, Any]) -> Iterator[Pair]:
    for source, targets in given.items():
        for target in [targets] if isinstance(targets, str) else targets:
            yield source, target


def _mark(word: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}\t{word}".encode()).digest()
