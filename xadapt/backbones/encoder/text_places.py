"""Tokenization of texts with the characters of each token, to find the tokens of a mention."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.encoder.pairs import Place, lowered, trimmed
from xadapt.backbones.tokenizing import call_tokenizer
from xadapt.core.errors import UserError


@dataclass(frozen=True)
class PlacedText:
    """A tokenized text.

    Attributes:
        ids: Token ids with special tokens, cut to the base's length.
        places: For each token its characters ``(start, stop)`` without surrounding spaces; ``None``
            for special tokens and tokens of spaces only.
    """

    ids: tuple[int, ...]
    places: tuple[Place | None, ...]

    @property
    def reach(self) -> int:
        """The end of the last character that a token covers."""
        return max((place[1] for place in self.places if place is not None), default=0)

    def find(self, start: int, stop: int) -> list[int]:
        """Return the tokens of a span of characters; none if the row was cut inside the span."""
        if stop > self.reach:
            return []
        return [
            at
            for at, place in enumerate(self.places)
            if place is not None and place[0] < stop and place[1] > start
        ]


def tokenize_places(
    encoder: Encoder, texts: Sequence[str], whole: bool = False
) -> list[PlacedText]:
    """Tokenize texts without the base's prompt; a long text is cut.

    Args:
        encoder: The base.
        texts: Any number of texts.
        whole: Whether long texts stay whole, for a caller that cuts them.

    Raises:
        UserError: If the tokenizer can't map tokens to characters.
    """
    if not getattr(encoder.tokenizer, "is_fast", False):
        raise UserError(
            "the base's tokenizer can't say which characters a token is of",
            todo="Use a base with a fast tokenizer (tokenizer.json)",
        )
    if not texts:
        return []
    rows = call_tokenizer(
        encoder.tokenizer,
        lowered(encoder, texts),
        truncation=not whole,
        max_length=None if whole else encoder.max_length,
        return_offsets_mapping=True,
        padding=False,
        verbose=False,
    )
    return [
        PlacedText(
            tuple(rows["input_ids"][i]),
            tuple(
                trimmed(text, start, stop) if part == 0 else None
                for part, (start, stop) in zip(
                    rows.sequence_ids(i), rows["offset_mapping"][i], strict=True
                )
            ),
        )
        for i, text in enumerate(texts)
    ]
