"""Labels as texts before a sentence: each after a mark, then the sentence, in one row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class LabelPrefix:
    """The tokens of labels, to be put before the first word of a row.

    Attributes:
        ids: A mark and the pieces of each label, and a separator at the end.
        marks: The position of each label's mark in ``ids``.
    """

    ids: tuple[int, ...]
    marks: tuple[int, ...]

    @classmethod
    def of(cls, tokenizer: Any, labels: Sequence[str]) -> LabelPrefix:
        """Build the prefix of labels in the given order.

        The mark is the base's mask token where there is one, since no text has it, else its
        separator.

        Args:
            tokenizer: The base's tokenizer.
            labels: The labels as texts.
        """
        end = tokenizer.sep_token_id
        separator = tokenizer.eos_token_id if end is None else end
        mask = tokenizer.mask_token_id
        ids: list[int] = []
        marks: list[int] = []
        for label in labels:
            marks.append(len(ids))
            pieces = tokenizer.encode(label, add_special_tokens=False)
            ids += [separator if mask is None else mask, *pieces]
        return cls((*ids, separator), tuple(marks))

    def __len__(self) -> int:
        return len(self.ids)

    def before(self, ids: Sequence[int], begin: int) -> tuple[int, ...]:
        """Return a row with the prefix before its first word.

        Args:
            ids: Token ids of a sentence, with special tokens.
            begin: The position of the first word's first token; later tokens move by the length of
                the prefix, and the marks by ``begin``.
        """
        return (*ids[:begin], *self.ids, *ids[begin:])


def label_rows(
    tokenizer: Any, labels: Sequence[str], opening: Sequence[int], room: int
) -> list[tuple[int, ...]]:
    """Build a row of its own for each label: the opening, the mark, the label, a separator.

    Args:
        tokenizer: The base's tokenizer.
        labels: The labels as texts.
        opening: The special tokens with which a row of the base begins; the mark follows them.
        room: The most tokens of a row; the end of a longer label is left out.
    """
    made = [(*opening, *LabelPrefix.of(tokenizer, [label]).ids) for label in labels]
    return [row if len(row) <= room else (*row[: room - 1], row[-1]) for row in made]


def fitting(tokenizer: Any, labels: Sequence[str], room: int) -> LabelPrefix:
    """Build the prefix of as many first labels as have room, one at least.

    Args:
        tokenizer: The base's tokenizer.
        labels: The labels as texts.
        room: The most tokens of the prefix.
    """
    prefix = LabelPrefix.of(tokenizer, labels)
    while len(prefix) > room and len(prefix.marks) > 1:
        prefix = LabelPrefix.of(tokenizer, labels[: len(prefix.marks) - 1])
    return prefix
