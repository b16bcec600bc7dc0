"""A tokenizer with the ids of the base's special tokens, and of a module's rows for the rest."""

from __future__ import annotations

import json
from collections.abc import Sequence
from copy import copy
from typing import Any

from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from xadapt.backbones.tokenizing import call_tokenizer
from xadapt.core.errors import UserError
from xadapt.languages.match import find_same
from xadapt.languages.tags import is_tag

MAX_JSON = 16 * 2**20
MAX_PIECES = 200_000


def numbered(core: Tokenizer, base: Any, first: int, unknown: str | None = None) -> list[int]:
    """Return the id in the forward of each id of a tokenizer.

    Args:
        core: A tokenizer with ids from 0 on.
        base: The tokenizer of the base. Tokens that are special there keep its ids.
        first: The id of the first other piece; the pieces follow each other.
        unknown: The tokenizer's own unknown token, which is the base's.

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
    if unknown is not None:
        special = {unknown: base.unk_token_id, **special}
    found, following = [], first
    for number in range(len(names)):
        own = special.get(names[number])
        found.append(following if own is None else int(own))
        following += own is None
    return found


def fast(core: Tokenizer, **options: Any) -> PreTrainedTokenizerFast:
    """Return a tokenizer of transformers that splits words as a tokenizer does.

    Args:
        core: The tokenizer.
        options: Further options of the class.
    """
    # The class sets this option to its own default, whatever the tokenizer has.
    splitting = core.pre_tokenizer
    state = json.loads(splitting.__getstate__()) if splitting is not None else {}
    if "add_prefix_space" in state:
        options["add_prefix_space"] = state["add_prefix_space"]
    return PreTrainedTokenizerFast(tokenizer_object=core, **options)


def unknown_of(core: Tokenizer) -> str | None:
    """Return the token that a tokenizer's model gives for what is unknown; ``None`` without one."""
    token = getattr(core.model, "unk_token", None)
    if isinstance(token, str):
        return token
    model = json.loads(core.to_str())["model"]
    number = model.get("unk_id")
    return None if number is None else str(model["vocab"][number][0])


class MappedTokenizer:
    """A tokenizer that gives the ids of a forward; it is called as one of transformers is.

    Args:
        text: The content of ``tokenizer.json``.
        ids: The id in the forward of each id of that file.
        first: The lowest id of a piece that is no special token of the base.
        languages: The languages that it is for, if they are known.

    Attributes:
        by_text: Whether each text decides if it is read by this tokenizer or by the base's.
        pieces: The pieces with ids from ``first`` on, in their order.
        unknown: The id of what is unknown, if the file names it.
        shared: The ids that it has in common with the base's tokenizer, of special tokens.

    Raises:
        UserError: If the content is no tokenizer, or the ids are not its own.
    """

    is_fast = True

    def __init__(
        self, text: str, ids: Sequence[int], first: int, languages: Sequence[str] = ()
    ) -> None:
        self.text, self.ids, self.languages, self.by_text = text, list(ids), tuple(languages), True
        self.first = first
        core = read_tokenizer(text)
        names = {i: token for token, i in core.get_vocab(with_added_tokens=True).items()}
        if sorted(names) != list(range(len(self.ids))):
            raise UserError("the tokenizer of this vocabulary has other ids than its module")
        own = [number for number in self.ids if number >= first]
        if own != list(range(first, first + len(own))) or min(self.ids, default=0) < 0:
            raise UserError("the ids of this vocabulary are not those of its rows")
        self.pieces = [names[i] for i, number in enumerate(self.ids) if number >= first]
        self.shared = frozenset(number for number in self.ids if number < first)
        unknown = unknown_of(core)
        place = core.token_to_id(unknown) if unknown else None
        self.unknown = None if place is None else self.ids[place]
        self._inner = fast(core)
        self._always = copy(self)
        self._always.by_text = False

    def __call__(self, texts: Any, **options: Any) -> Any:
        """Tokenize texts, with the options of transformers; ``input_ids`` are the forward's."""
        made = call_tokenizer(self._inner, texts, **options)
        made["input_ids"] = [
            [self.ids[i] for i in row] if isinstance(row, list) else self.ids[row]
            for row in made["input_ids"]
        ]
        return made

    def has_read(self, row: Sequence[int]) -> bool:
        """Whether the token ids of a row are of this tokenizer, and not of the base's.

        Ids of special tokens alone are of both; then the answer is yes.

        Args:
            row: Token ids of the forward.
        """
        return next((number >= self.first for number in row if number not in self.shared), True)

    @property
    def always(self) -> MappedTokenizer:
        """The same tokenizer for rows that it reads whatever their text."""
        return self._always

    def for_language(self, tag: str | None) -> MappedTokenizer | None:
        """Return the tokenizer of a row of a language.

        Args:
            tag: The language; ``None`` if it is not known.

        Returns:
            A tokenizer that reads the row whatever its text; ``None``, which is the base's, for a
            language that this tokenizer is not for; itself if either language is not known.
        """
        if tag is None or not self.languages or not is_tag(tag):
            return self
        return self._always if find_same(tag, self.languages) else None


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
