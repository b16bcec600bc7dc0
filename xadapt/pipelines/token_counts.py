"""How a base spells a language, beside a vocabulary of the language's own of a chosen size."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from xadapt.backbones.bases import resolve
from xadapt.backbones.loading import load_tokenizer
from xadapt.backbones.own_tokenizer import BEGINS, train_tokenizer
from xadapt.backbones.tokenizing import call_tokenizer
from xadapt.core.errors import UserError
from xadapt.core.sequences import as_strings
from xadapt.data.readers.plain_text import PlainLines
from xadapt.languages.tags import normalise
from xadapt.report.table import Table, as_text

SIZE = 8000
HELD_OUT = 10
"""One of this many texts is measured, and no vocabulary is trained on it."""
LEAST = 20
SHORTER, UNKNOWN = 0.7, 0.02
MARKS = ("##", BEGINS, "Ġ")


@dataclass(frozen=True)
class Spelling:
    """What a tokenizer makes of texts; special tokens are not counted.

    Attributes:
        tokens: Number of tokens.
        tokens_per_word: Tokens for each run of characters between spaces.
        tokens_per_character: Tokens for each character that is no space.
        single_letters: Share of the tokens that are one letter or mark alone.
        unknown: Share of the tokens that are the unknown token.
    """

    tokens: int
    tokens_per_word: float
    tokens_per_character: float
    single_letters: float
    unknown: float


@dataclass(frozen=True)
class TokenCounts:
    """The spelling of a base beside that of an own vocabulary, on the same held-out texts.

    Attributes:
        lang: The language.
        texts: Number of held-out texts.
        words: Their words: runs of characters between spaces.
        characters: Their characters without spaces.
        size: Pieces of the own vocabulary.
        base: The spelling of the base's tokenizer.
        own: The spelling of the own vocabulary.
    """

    lang: str
    texts: int
    words: int
    characters: int
    size: int
    base: Spelling
    own: Spelling

    @property
    def worth_it(self) -> bool:
        """Whether an own vocabulary would change much: three tenths fewer tokens, or the unknowns.

        It is a rule of thumb for the work of training one: that of a vocabulary in which more than
        2 % of the base's tokens are unknown, and fewer of the own ones.
        """
        shorter = self.own.tokens <= SHORTER * self.base.tokens
        return shorter or (self.base.unknown > UNKNOWN and self.own.unknown < self.base.unknown / 2)

    @property
    def verdict(self) -> str:
        """One line: whether a vocabulary of its own is worth it, and why."""
        share = self.own.tokens / self.base.tokens
        facts = (
            f"it needs {share:.0%} of the base's tokens; {self.base.unknown:.1%} of these are "
            f"unknown and {self.base.single_letters:.0%} single letters"
        )
        if self.worth_it:
            return f"An own vocabulary for {self.lang} is worth it: {facts}."
        return f"The base spells {self.lang} well enough without an own vocabulary: {facts}."

    def to_dict(self) -> dict[str, Any]:
        """Return all numbers as JSON values."""
        return {**asdict(self), "worth_it": self.worth_it, "verdict": self.verdict}

    def table(self) -> Table:
        """Return the numbers as a table."""
        names = ("tokens a word", "tokens a character", "single letters", "unknown")
        keys = ("tokens_per_word", "tokens_per_character", "single_letters", "unknown")
        rows = tuple(
            (name, getattr(self.base, key), getattr(self.own, key))
            for name, key in zip(names, keys, strict=True)
        )
        columns = ("", "base", f"own, {self.size:,} pieces")
        shown = tuple((name, f"{one:.3f}", f"{other:.3f}") for name, one, other in rows)
        return Table(columns, shown, title=f"{self.texts:,} held-out texts, {self.words:,} words")

    def __str__(self) -> str:
        return f"{as_text(self.table())}\n{self.verdict}"


def count_tokens(
    texts: str | Sequence[str], *, base: str, lang: str, size: int = SIZE
) -> TokenCounts:
    """Measure how a base's tokenizer spells a language, beside an own vocabulary.

    The own vocabulary is trained on nine tenths of the texts (`train_tokenizer`); both are measured
    on the other tenth, which is every tenth text. No weights are loaded.

    Args:
        texts: A file of plain text, one text a line, or the texts.
        base: Hub id, folder, ``package:NAME/SUBDIR`` or ``mini``.
        lang: The language of the texts.
        size: The most pieces of the own vocabulary.

    Raises:
        UserError: If the file or the base can't be read, there are fewer than 20 texts, the base's
            tokenizer finds nothing in them, ``size`` is not between 100 and 200,000, or the tag is
            no language.
    """
    tag = normalise(lang)
    if not 100 <= size <= 200_000:
        raise UserError(f"a vocabulary has 100 to 200,000 pieces, not {size:,}", where="size")
    where = texts if isinstance(texts, str) else ""
    rows = (
        [record.text for record in PlainLines().read(texts, tag)]
        if isinstance(texts, str)
        else [text for text in as_strings(texts) if text.strip()]
    )
    rows = list(dict.fromkeys(rows))
    if len(rows) < LEAST:
        raise UserError(
            f"there are {len(rows)} different texts, and {LEAST} are needed",
            where=where,
            todo="Give more lines of plain text",
        )
    tokenizer = load_tokenizer(resolve(base))
    held = rows[::HELD_OUT]
    pieces = _pieces(tokenizer, held)
    if not any(pieces):
        raise UserError("the base's tokenizer finds no token in these texts", where=where)
    own = train_tokenizer(tokenizer, (t for i, t in enumerate(rows) if i % HELD_OUT), size)
    made = own.encode_batch(held, add_special_tokens=False)
    special = len(tokenizer.all_special_tokens)
    return TokenCounts(
        tag,
        len(held),
        sum(len(text.split()) for text in held),
        sum(len("".join(text.split())) for text in held),
        own.get_vocab_size() - special,
        _spelling(pieces, held, tokenizer.unk_token),
        _spelling([row.tokens for row in made], held, tokenizer.unk_token),
    )


def _pieces(tokenizer: Any, texts: Sequence[str]) -> list[list[str]]:
    made = call_tokenizer(
        tokenizer, list(texts), add_special_tokens=False, truncation=False, verbose=False
    )
    return [list(tokenizer.convert_ids_to_tokens(row)) for row in made["input_ids"]]


def _spelling(rows: Sequence[Sequence[str]], texts: Sequence[str], unknown: str | None) -> Spelling:
    tokens = [token for row in rows for token in row]
    words = sum(len(text.split()) for text in texts)
    characters = sum(len("".join(text.split())) for text in texts)
    count = max(1, len(tokens))
    return Spelling(
        len(tokens),
        len(tokens) / words,
        len(tokens) / characters,
        sum(is_single_letter(token) for token in tokens if token != unknown) / count,
        sum(token == unknown for token in tokens) / count,
    )


def is_single_letter(token: str) -> bool:
    """Whether a token is one letter or mark alone, without the marks of its place in a word."""
    for mark in MARKS:
        token = token.removeprefix(mark)
    return len(token) == 1 and unicodedata.category(token)[0] in "LM"
