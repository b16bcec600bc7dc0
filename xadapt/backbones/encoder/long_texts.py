"""Texts that are longer than a base reads: cut and counted, or as overlapping windows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.encoder.windows import SHARED, Bound, bounds, tell
from xadapt.backbones.tokenizing import call_tokenizer


@dataclass(frozen=True)
class TextWindow:
    """A part of a text as one row.

    Attributes:
        ids: Token ids with the prompt and special tokens, at most the base's length.
        owner: The position of the text.
    """

    ids: tuple[int, ...]
    owner: int


@dataclass
class CutCount:
    """Numbers of texts: of those that were cut, and of all."""

    cut: int = 0
    total: int = 0

    def fact(self, limit: int) -> str:
        """Return how many texts were cut, as a clause.

        Args:
            limit: Number of tokens that the base reads.
        """
        texts = "texts" if self.total > 1 else "text"
        are = "are" if self.cut > 1 else "is"
        return (
            f"{self.cut:,} of {self.total:,} {texts} {are} longer than the {limit:,} tokens that "
            "the base reads, and cut"
        )

    def line(self, limit: int) -> str:
        """Return the clause, and the way to read such texts whole."""
        return f"{self.fact(limit)}; windows=mean (--windows mean) reads them whole"


_counter: ContextVar[CutCount | None] = ContextVar("cut texts", default=None)


def text_windows(
    encoder: Encoder, texts: Sequence[str], ids: Sequence[Sequence[int]]
) -> list[TextWindow]:
    """Cut texts into windows, each with the prompt and the special tokens.

    Args:
        encoder: The base.
        texts: Any number of texts.
        ids: Their token ids, cut to the base's length: what the base's ``tokenize`` gives.

    Returns:
        The windows, in the order of the texts; one for a text that is not cut.
    """
    whole = longer(encoder, texts, ids)
    prompt = _prompt(encoder) if whole else []
    found: list[TextWindow] = []
    for owner, row in enumerate(ids):
        if owner in whole:
            parts = _parts(encoder.max_length, prompt, *whole[owner])
            found += [TextWindow(part, owner) for part in parts]
        else:
            found.append(TextWindow(tuple(row), owner))
    return found


def tell_cut(
    encoder: Encoder, texts: Sequence[str], ids: Sequence[Sequence[int]] | None = None
) -> int:
    """Count the texts that the base cuts, and warn if there are any.

    Args:
        encoder: The base.
        texts: Any number of texts.
        ids: As for `text_windows`, if they are known.

    Returns:
        The number of cut texts.
    """
    rows = encoder.tokenize(texts) if ids is None else ids
    count = len(longer(encoder, texts, rows))
    counter = _counter.get()
    if counter is not None:
        counter.cut += count
        counter.total += len(texts)
    elif count:
        tell(CutCount(count, len(texts)).line(encoder.max_length))
    return count


@contextmanager
def counting_cut(counter: CutCount) -> Iterator[None]:
    """Add the numbers of cut texts to a counter inside the block, instead of warning of each call.

    Args:
        counter: The counter.
    """
    token = _counter.set(counter)
    try:
        yield
    finally:
        _counter.reset(token)


def whole_rows(
    encoder: Encoder, rows: Sequence[Any], **options: Any
) -> tuple[Any, list[list[int]], list[Bound]]:
    """Tokenize without cutting.

    Args:
        encoder: The base.
        rows: Texts, or sentences as words.
        options: Further options of the tokenizer.

    Returns:
        The tokenizer's result, the token ids of each row, and for each row the half-open range of
        the tokens that are no special tokens of the base's template.
    """
    made = call_tokenizer(
        encoder.tokenizer,
        list(rows),
        truncation=False,
        padding=False,
        return_special_tokens_mask=True,
        verbose=False,
        **options,
    )
    ids = [list(row) for row in made["input_ids"]]
    return made, ids, [_inside(list(mask)) for mask in made["special_tokens_mask"]]


def _inside(special: Sequence[int]) -> Bound:
    """Return the range between the leading and the trailing special tokens."""
    n = len(special)
    start = next((i for i in range(n) if not special[i]), n)
    stop = next((i for i in range(n, start, -1) if not special[i - 1]), start)
    return start, stop


def longer(
    encoder: Encoder, texts: Sequence[str], ids: Sequence[Sequence[int]]
) -> dict[int, tuple[list[int], Bound]]:
    """Return the uncut ids of each text that the base cuts, by position.

    Args:
        encoder: The base.
        texts: Any number of texts.
        ids: As for `text_windows`.

    Returns:
        By position, the ids and the range of those that are no special tokens of the template.
    """
    full = [i for i, row in enumerate(ids) if len(row) >= encoder.max_length]
    if not full:
        return {}
    _, rows, inside = whole_rows(encoder, encoder.full_texts([texts[i] for i in full]))
    return {
        owner: (row, place)
        for owner, row, place in zip(full, rows, inside, strict=True)
        if len(row) > len(ids[owner])
    }


def _parts(limit: int, prompt: list[int], row: list[int], inside: Bound) -> list[tuple[int, ...]]:
    """Cut uncut ids into windows; each begins with the prompt's tokens, if there is a prompt."""
    start, stop = inside
    room = max(1, limit - start - (len(row) - stop))
    kept = min(_alike(prompt, row[start:stop]), room - 1)
    head, tail = row[: start + kept], row[stop:]
    own = row[start + kept : stop]
    room -= kept
    cuts = bounds([1] * len(own), room, room // SHARED)
    return [tuple(head + own[first:last] + tail) for first, last in cuts]


def _prompt(encoder: Encoder) -> list[int]:
    """Return the token ids of the prompt."""
    if not encoder.pooling.prompt:
        return []
    _, [row], [(start, stop)] = whole_rows(encoder, encoder.full_texts([""]))
    return row[start:stop]


def _alike(first: Sequence[int], second: Sequence[int]) -> int:
    """Count the ids at which two rows begin alike."""
    pairs = enumerate(zip(first, second, strict=False))
    shorter = min(len(first), len(second))
    return next((i for i, (one, other) in pairs if one != other), shorter)
