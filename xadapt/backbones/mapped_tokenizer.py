"""A tokenizer with the ids of the base's special tokens, and of a module's rows for the rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from xadapt.core.errors import UserError

MAX_JSON = 16 * 2**20
MAX_PIECES = 200_000


def numbered(core: Tokenizer, base: Any, first: int) -> list[int]:
    """Return the id in the forward of each id of a tokenizer.

    Args:
        core: A tokenizer with ids from 0 on.
        base: The tokenizer of the base. Tokens that are special there keep its ids.
        first: The id of the first other piece; the pieces follow each other.

    Raises:
        UserError: If the tokenizer leaves ids out, is too large, or lacks the base's unknown token.
    """
    special = dict(zip(base.all_special_tokens, base.all_special_ids, strict=True))
    names = {number: token for token, number in core.get_vocab(with_added_tokens=True).items()}
    if sorted(names) != list(range(len(names))):
        raise UserError("the tokenizer leaves some ids out", todo="Train it anew")
    if len(names) > MAX_PIECES:
        raise UserError(f"the tokenizer has {len(names):,} pieces, and {MAX_PIECES:,} are allowed")
    if base.unk_token not in names.values():
        raise UserError(f"the tokenizer lacks the base's unknown token, {base.unk_token!r}")
    found, following = [], first
    for number in range(len(names)):
        own = special.get(names[number])
        found.append(following if own is None else int(own))
        following += own is None
    return found


class MappedTokenizer:
    """A tokenizer that gives the ids of a forward; it is called as one of transformers is.

    Args:
        text: The content of ``tokenizer.json``.
        ids: The id in the forward of each id of that file.
        first: The lowest id of a piece that is no special token of the base.

    Attributes:
        pieces: The pieces with ids from ``first`` on, in their order.
        unknown: The id of what is unknown, if the file names it.

    Raises:
        UserError: If the content is no tokenizer, or the ids are not its own.
    """

    is_fast = True

    def __init__(self, text: str, ids: Sequence[int], first: int) -> None:
        self.text, self.ids = text, list(ids)
        core = read_tokenizer(text)
        names = {i: token for token, i in core.get_vocab(with_added_tokens=True).items()}
        if sorted(names) != list(range(len(self.ids))):
            raise UserError("the tokenizer of this vocabulary has other ids than its module")
        own = [number for number in self.ids if number >= first]
        if own != list(range(first, first + len(own))) or min(self.ids, default=0) < 0:
            raise UserError("the ids of this vocabulary are not those of its rows")
        self.pieces = [names[i] for i, number in enumerate(self.ids) if number >= first]
        unknown = getattr(core.model, "unk_token", None)
        place = core.token_to_id(unknown) if unknown else None
        self.unknown = None if place is None else self.ids[place]
        self._inner = PreTrainedTokenizerFast(tokenizer_object=core)

    def __call__(self, texts: Any, **options: Any) -> Any:
        """Tokenize texts, with the options of transformers; ``input_ids`` are the forward's."""
        made = self._inner(texts, **options)
        made["input_ids"] = [
            [self.ids[i] for i in row] if isinstance(row, list) else self.ids[row]
            for row in made["input_ids"]
        ]
        return made


def read_tokenizer(text: str) -> Tokenizer:
    """Read the content of ``tokenizer.json``.

    Raises:
        UserError: If it is too large or no tokenizer.
    """
    if len(text) > MAX_JSON:
        raise UserError(f"the tokenizer has more than {MAX_JSON // 2**20} MiB")
    try:
        return Tokenizer.from_str(text)
    except Exception as error:  # the tokenizers library raises a bare Exception
        raise UserError(f"this is no tokenizer ({' '.join(str(error).split())[:200]})") from None
