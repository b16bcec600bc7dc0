"""A tokenizer that a user gives for a vocabulary, with the special tokens of a base."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, processors

from xadapt.backbones.mapped_tokenizer import MAX_JSON, read_tokenizer
from xadapt.backbones.own_tokenizer import BEGINS, around
from xadapt.core.errors import UserError

FILE = "tokenizer.json"
SPACE = "Ġ"
"""The mark of a piece of bytes that begins a word."""


def given_tokenizer(base: Any, place: str) -> Tokenizer:
    """Read a ``tokenizer.json``, and give it the base's special tokens where they belong.

    Its own special tokens stay pieces that no text contains. Its unknown token is the base's.

    Args:
        base: The tokenizer of the base.
        place: The file, or a folder with it.

    Raises:
        UserError: If there is no such file, or it is too large or no tokenizer.
    """
    path = Path(place)
    path = path / FILE if path.is_dir() else path
    try:
        size = path.stat().st_size
        raw = path.read_bytes() if size <= MAX_JSON else b""
        text = raw.decode("utf-8")
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UserError(f"the tokenizer can't be read: {reason}", where=str(path)) from None
    except UnicodeDecodeError:
        raise UserError("this is no tokenizer (it is not UTF-8)", where=str(path)) from None
    if size > MAX_JSON:
        raise UserError(f"the tokenizer has more than {MAX_JSON // 2**20} MiB", where=str(path))
    try:
        core = read_tokenizer(text)
    except UserError as error:
        raise UserError(error.what, where=str(path), todo=f"Give a {FILE}") from None
    core.no_truncation()
    core.no_padding()
    theirs = dict(zip(base.all_special_tokens, base.all_special_ids, strict=True))
    core.add_special_tokens(
        [AddedToken(one, special=True) for one in sorted(theirs, key=theirs.__getitem__)]
    )
    before, after = around(base)
    numbers = {token: core.token_to_id(token) for token in (*before, *after)}
    core.post_processor = processors.TemplateProcessing(
        single=[*before, "$A", *after], special_tokens=sorted(numbers.items())
    )
    return core


def marked(pieces: Sequence[str]) -> list[str]:
    """Write pieces of any kind as text, with `BEGINS` before one that begins a word.

    Pieces of WordPiece continue a word if they begin with ``##``. Pieces of bytes are decoded; one
    that is only a part of a letter is empty.
    """
    if any(piece.startswith(BEGINS) for piece in pieces):
        return list(pieces)
    if any(piece.startswith("##") for piece in pieces):
        return [p[2:] if p.startswith("##") else BEGINS + p for p in pieces]
    if any(piece.startswith(SPACE) for piece in pieces):
        return [_decoded(piece) for piece in pieces]
    return list(pieces)


def _decoded(piece: str) -> str:
    text = decoders.ByteLevel().decode([piece])
    if "\ufffd" in text:
        return ""
    return BEGINS + text[1:] if text.startswith(" ") else text
