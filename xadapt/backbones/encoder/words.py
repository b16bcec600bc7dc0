"""Tokenization of words, with each word's first token; long sentences in windows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.encoder.long_texts import whole_rows
from xadapt.backbones.encoder.windows import SHARED, Bound, bounds, most_context
from xadapt.backbones.tokenizing import call_tokenizer
from xadapt.core.errors import UserError


@dataclass(frozen=True)
class Words:
    """A tokenized sentence of given words.

    Attributes:
        ids: Token ids with special tokens, cut to the base's length.
        first: For each word the position of its first token; ``None`` for a word that was cut off
            or that has no token.
        owners: For each token the position of its word; ``None`` for special tokens.
    """

    ids: tuple[int, ...]
    first: tuple[int | None, ...]
    owners: tuple[int | None, ...] = ()

    @property
    def known(self) -> list[int]:
        """The positions of the words that have a token."""
        return [word for word, at in enumerate(self.first) if at is not None]

    @property
    def pieces(self) -> list[tuple[int, int]]:
        """Each token of a word: its position among the tokens, and the position of its word."""
        return [(at, word) for at, word in enumerate(self.owners) if word is not None]


@dataclass(frozen=True)
class WordWindow(Words):
    """A sentence of given words, or a part of it, as one row.

    Each word of the sentence is ``known`` in one of its windows: the one in which the word has the
    most context.

    Attributes:
        first: For each word of the sentence that is known in this window the position of its first
            token, else ``None``.
        owner: The position of the sentence.
        shortened: Number of words here that have more tokens than a window: their first tokens
            stand for them.
    """

    owner: int = 0
    shortened: int = 0


def tokenize_words(encoder: Encoder, sentences: Sequence[Sequence[str]]) -> list[Words]:
    """Tokenize sentences that are given as words, each as one row that is cut where it is too long.

    The base's prompt is not used, because it is for texts.

    Raises:
        UserError: If the base's tokenizer can't map tokens to words.
    """
    require_fast(encoder)
    if not sentences:
        return []
    rows = call_tokenizer(
        encoder.tokenizer,
        _lowered(encoder, sentences),
        is_split_into_words=True,
        truncation=True,
        max_length=encoder.max_length,
        padding=False,
    )
    return [
        _words(rows["input_ids"][i], rows.word_ids(i), len(words))
        for i, words in enumerate(sentences)
    ]


def tokenize_word_windows(encoder: Encoder, sentences: Sequence[Sequence[str]]) -> list[WordWindow]:
    """Tokenize sentences that are given as words; long ones become overlapping windows.

    A window holds whole words. Only a word that has more tokens than a window is cut.

    Args:
        encoder: The base; its prompt is not used.
        sentences: Sentences as words.

    Returns:
        The windows, in the order of the sentences; one for a sentence that the base reads whole.

    Raises:
        UserError: If the base's tokenizer can't map tokens to words.
    """
    require_fast(encoder)
    if not sentences:
        return []
    made, ids, inside = whole_rows(encoder, _lowered(encoder, sentences), is_split_into_words=True)
    found: list[WordWindow] = []
    for owner, words in enumerate(sentences):
        first = _first(made.word_ids(owner), len(words))
        if len(ids[owner]) <= encoder.max_length:
            found.append(WordWindow(tuple(ids[owner]), first, owner=owner))
        else:
            found += _parts(ids[owner], inside[owner], first, owner, encoder.max_length)
    return found


def require_fast(encoder: Encoder) -> None:
    """Refuse a tokenizer that can't map tokens to words.

    Raises:
        UserError: If the base has such a tokenizer.
    """
    if not getattr(encoder.tokenizer, "is_fast", False):
        raise UserError(
            "the base's tokenizer can't say which word a token is of",
            todo="Use a base with a fast tokenizer (tokenizer.json)",
        )


def _parts(
    row: list[int], inside: Bound, first: Sequence[int | None], owner: int, limit: int
) -> Iterator[WordWindow]:
    """Cut a row into windows of whole words."""
    start, stop = inside
    head, tail = row[:start], row[stop:]
    room = max(1, limit - len(head) - len(tail))
    begins = _begins(first, stop)
    sizes = [end - begin for begin, end in pairwise(begins)]
    cuts = bounds(sizes, room, room // SHARED)
    chosen = most_context(sizes, cuts)
    for number, (left, right) in enumerate(cuts):
        own = row[begins[left] : begins[right]][:room]
        shift = len(head) - begins[left]
        known = [
            None if at is None or chosen[word] != number else at + shift
            for word, at in enumerate(first)
        ]
        long = sum(sizes[word] > room for word in range(left, right))
        yield WordWindow(tuple(head + own + tail), tuple(known), owner=owner, shortened=long)


def _begins(first: Sequence[int | None], stop: int) -> list[int]:
    """Return the first token of each word, and the end; a word without a token begins at the next.

    The first word begins at the first token that is no special token.
    """
    begins = [stop]
    for at in reversed(first):
        begins.append(begins[-1] if at is None else at)
    return begins[::-1]


def _lowered(encoder: Encoder, sentences: Sequence[Sequence[str]]) -> list[list[str]]:
    lower = encoder.pooling.lower
    return [[word.lower() if lower else word for word in words] for words in sentences]


def _words(ids: Sequence[int], owners: Sequence[int | None], length: int) -> Words:
    return Words(tuple(ids), _first(owners, length), tuple(owners))


def _first(owners: Sequence[int | None], length: int) -> tuple[int | None, ...]:
    first: list[int | None] = [None] * length
    for position in range(len(owners) - 1, -1, -1):
        owner = owners[position]
        if owner is not None:
            first[owner] = position
    return tuple(first)
