"""Pairs of texts in one row, joined by the base's own tokenizer; long passages in windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.encoder.windows import tell
from xadapt.backbones.tokenizing import call_tokenizer
from xadapt.core.errors import UserError

Place = tuple[int, int]


@dataclass(frozen=True)
class Pair:
    """A pair of texts as one token sequence.

    Attributes:
        ids: Token ids with special tokens, cut to the base's length.
        second: The position of the second segment, from the tokenizer's segment ids. If the
            tokenizer has no segment ids, the number of tokens.
    """

    ids: tuple[int, ...]
    second: int


@dataclass(frozen=True)
class Window(Pair):
    """A question with a part of its passage.

    Attributes:
        owner: The position of the question.
        places: For each token its characters ``(start, stop)`` in the passage, without surrounding
            spaces; ``None`` for tokens of the question, special tokens, and tokens of spaces only.
        reach: The characters ``(start, stop)`` of the passage that the window covers.
    """

    owner: int
    places: tuple[Place | None, ...]
    reach: Place

    def find(self, start: int, stop: int) -> Place:
        """Return the first and last token of a character span.

        The result is ``(0, 0)`` if the window does not cover the whole span.
        """
        own = [(i, place) for i, place in enumerate(self.places) if place is not None]
        if not own or start < self.reach[0] or stop > self.reach[1]:
            return 0, 0
        first = next((i for i, (_, end) in own if end > start), None)
        last = next((i for i, (begin, _) in reversed(own) if begin < stop), None)
        if first is None or last is None or first > last:
            return 0, 0
        return first, last


def tokenize_pairs(encoder: Encoder, lefts: Sequence[str], rights: Sequence[str]) -> list[Pair]:
    """Tokenize pairs of texts without the base's prompt; the longer text is cut first.

    Raises:
        UserError: If the tokenizer's segment ids are not those of a first and a second segment.
    """
    if not lefts:
        return []
    rows = call_tokenizer(
        encoder.tokenizer,
        lowered(encoder, lefts),
        lowered(encoder, rights),
        truncation="longest_first",
        max_length=encoder.max_length,
        padding=False,
    )
    return [Pair(tuple(ids), _second(rows, i)) for i, ids in enumerate(rows["input_ids"])]


def tell_cut_pairs(encoder: Encoder, pairs: Sequence[tuple[str, str]], rows: Sequence[Pair]) -> int:
    """Count the pairs that do not fit in one row, and warn if there are any.

    A score belongs to both texts as a whole, so such pairs are not read in windows.

    Args:
        encoder: The base.
        pairs: The two texts of each pair.
        rows: The same pairs, tokenized by `tokenize_pairs`.

    Returns:
        The number of cut pairs.
    """
    full = [i for i, row in enumerate(rows) if len(row.ids) >= encoder.max_length]
    if not full:
        return 0
    made = call_tokenizer(
        encoder.tokenizer,
        lowered(encoder, [pairs[i][0] for i in full]),
        lowered(encoder, [pairs[i][1] for i in full]),
        truncation=False,
        padding=False,
        verbose=False,
    )
    longer = zip(full, made["input_ids"], strict=True)
    count = sum(len(ids) > len(rows[i].ids) for i, ids in longer)
    if count:
        noun = "pairs" if len(pairs) > 1 else "pair"
        are = "are" if count > 1 else "is"
        tell(
            f"{count:,} of {len(pairs):,} {noun} {are} longer than the {encoder.max_length:,} "
            "tokens that the base reads in one row, and cut: the longer text first"
        )
    return count


def tokenize_windows(
    encoder: Encoder, questions: Sequence[str], passages: Sequence[str], overlap: int
) -> list[Window]:
    """Tokenize questions with their passages; a long passage is cut into overlapping windows.

    A question takes at most a third of a row; the rest of a longer question is cut off.

    Args:
        encoder: The base; its prompt is not used.
        questions: The first texts.
        passages: The second texts, one for each question.
        overlap: Number of passage tokens that two windows share; at most half of a window.

    Raises:
        UserError: If the tokenizer can't map tokens to characters, or if its segment ids are not
            those of a first and a second segment.
    """
    if not getattr(encoder.tokenizer, "is_fast", False):
        raise UserError(
            "the base's tokenizer can't say which characters a token is of",
            todo="Use a base with a fast tokenizer (tokenizer.json)",
        )
    if not questions:
        return []
    room = encoder.max_length - encoder.max_length // 3
    rows = call_tokenizer(
        encoder.tokenizer,
        _cut(encoder, lowered(encoder, questions), encoder.max_length // 3),
        lowered(encoder, passages),
        truncation="only_second",
        max_length=encoder.max_length,
        stride=min(overlap, room // 3),
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
        padding=False,
    )
    owners = list(rows["overflow_to_sample_mapping"])
    return [_window(rows, i, owners, passages[owner]) for i, owner in enumerate(owners)]


def _window(rows: Any, i: int, owners: list[int], passage: str) -> Window:
    places = [
        trimmed(passage, start, stop) if part == 1 else None
        for part, (start, stop) in zip(rows.sequence_ids(i), rows["offset_mapping"][i], strict=True)
    ]
    own = [place for place in places if place is not None]
    opening = owners.index(owners[i])
    last = i + 1 == len(owners) or owners[i + 1] != owners[i]
    reach = (
        0 if i == opening or not own else own[0][0],
        len(passage) if last or not own else own[-1][1],
    )
    ids = tuple(rows["input_ids"][i])
    # Only the first window of a question is sure to have the segment ids of the template.
    begins = _second(rows, opening)
    second = begins if begins < len(rows["input_ids"][opening]) else len(ids)
    return Window(ids, second, owners[i], tuple(places), reach)


def trimmed(text: str, start: int, stop: int) -> Place | None:
    """Trim spaces around a character span, which some tokenizers include; ``None`` if empty."""
    while start < stop and text[start].isspace():
        start += 1
    while start < stop and text[stop - 1].isspace():
        stop -= 1
    return (start, stop) if start < stop else None


def _cut(encoder: Encoder, questions: Sequence[str], most: int) -> list[str]:
    """Cut each question after its last token that fits."""
    rows = call_tokenizer(
        encoder.tokenizer,
        list(questions),
        add_special_tokens=False,
        return_offsets_mapping=True,
        padding=False,
    )
    return [
        question if len(own) <= most else question[: own[most - 1][1]]
        for question, own in zip(questions, rows["offset_mapping"], strict=True)
    ]


def _second(rows: Any, i: int) -> int:
    length = len(rows["input_ids"][i])
    if "token_type_ids" not in rows:
        return length
    types = list(rows["token_type_ids"][i])
    begins = types.index(1) if 1 in types else length
    if types != [0] * begins + [1] * (length - begins):
        raise UserError(
            "the base's tokenizer marks segments in a way that is not known here",
            todo="Use another base for tasks over two texts",
        )
    return begins


def lowered(encoder: Encoder, texts: Sequence[str]) -> list[str]:
    """Convert texts to lower case if the base requires it, without moving any character."""
    if not encoder.pooling.lower:
        return list(texts)
    return [text.lower() if len(text.lower()) == len(text) else _each(text) for text in texts]


def _each(text: str) -> str:
    return "".join(low if len(low := one.lower()) == 1 else one for one in text)
