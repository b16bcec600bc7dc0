"""List arguments: a single text, tag or path counts as one item, never as a list of letters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from os import PathLike, fspath
from typing import Any

from xadapt.core.errors import UserError


def is_one(value: object) -> bool:
    """Whether a value is a single text or path, not a list of them."""
    return isinstance(value, (str, bytes, PathLike))


def as_paths(value: str | PathLike[str] | Iterable[str | PathLike[str]]) -> list[str]:
    """Convert one or several paths to a list of strings.

    Raises:
        UserError: If an item is not a path.
    """
    given = [value] if isinstance(value, (str, PathLike)) else value
    for path in given if isinstance(given, Iterable) else [given]:
        if not isinstance(path, (str, PathLike)):
            raise UserError(f"{_kind(path)} is given where a folder or a name is meant")
    return [fspath(path) for path in given]


def as_strings(value: str | Iterable[str]) -> list[str]:
    """Convert one or several texts to a list."""
    return [value] if isinstance(value, str) else list(value)


def as_texts(texts: Iterable[str], what: str = "text") -> list[str]:
    """Convert texts to a list, and check that each item is a string.

    Args:
        texts: The texts: a list, a tuple, an array of strings, a column of pandas, polars or
            datasets, or any other iterable with an order.
        what: The name of an item in an error.

    Raises:
        UserError: If an item is not a string; the message names its position, counted from 0. Or
            if ``texts`` is no list of texts, such as a table or a number.
    """
    found = _listed(texts, what)
    for number, text in enumerate(found):
        if not isinstance(text, str):
            raise UserError(f"{what} {number} is {_kind(text)}, not text", todo="Give strings")
    return found


def _listed(texts: Iterable[str], what: str) -> list[str]:
    """List the items of a value, unless its items are not what a reader would expect."""
    if isinstance(texts, Mapping) or hasattr(texts, "columns") or hasattr(texts, "column_names"):
        raise UserError(
            f"{type(texts).__name__} is not a list of {what}s", todo="Give one column of it"
        )
    if isinstance(texts, (Set, bytes, bytearray)) or not isinstance(texts, Iterable):
        raise UserError(f"{_kind(texts)} is not a list of {what}s", todo="Give a list of strings")
    return list(texts)


def as_tags(languages: str | Iterable[str | None] | None, count: int) -> list[str | None] | None:
    """Return a language tag for each of ``count`` rows; a single tag counts for all rows.

    Raises:
        UserError: If a tag is neither a string nor None, or the number of tags is not ``count``.
    """
    if languages is None:
        return None
    one = isinstance(languages, str)
    found: list[str | None] = [languages] * count if one else list(languages)  # type: ignore[list-item]
    for number, tag in enumerate(found):
        if tag is not None and not isinstance(tag, str):
            raise UserError(f"language {number} is {_kind(tag)}, not a tag or None")
    if len(found) != count:
        raise UserError(f"{count} texts and {len(found)} languages: give one for each text")
    return found


def as_sentences(sentences: Iterable[Sequence[str]]) -> list[Sequence[str]]:
    """Convert sentences to a list, and check that each is a list of words.

    Raises:
        UserError: If the argument or a sentence is a single text, if a sentence is not a list, or
            if a word is not a string.
    """
    todo = 'Cut it into words: [["Amina", "anaishi", "Nairobi"]]'
    if is_one(sentences):
        raise UserError("one text is given where sentences are meant, each a list of words",
                        todo=todo)  # fmt: skip
    found = list(sentences)
    for number, words in enumerate(found):
        if is_one(words) or not isinstance(words, Iterable):
            raise UserError(f"sentence {number} is {_kind(words)}, not a list of words", todo=todo)
        as_texts(words, f"in sentence {number}, word")
    return found


def as_pairs(pairs: Iterable[tuple[str, str]], what: str, form: str) -> list[tuple[str, str]]:
    """Convert pairs to a list, and check that each has two texts.

    Args:
        pairs: The pairs.
        what: The name of a pair in an error.
        form: The form of a pair, such as ``(left, right)``.

    Raises:
        UserError: If an item is not a pair of two texts. The message names its position.
    """
    if is_one(pairs):
        raise UserError(f"one text is given where a list of {form} is meant")
    found: list[tuple[str, str]] = []
    for number, pair in enumerate(pairs):
        if is_one(pair) or not isinstance(pair, Iterable) or len(own := tuple(pair)) != 2:
            raise UserError(f"{what} {number} is {_kind(pair)}, not {form}", todo=f"Give [{form}]")
        as_texts(own, f"in {what} {number}, side")
        found.append((own[0], own[1]))
    return found


def _kind(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, str):
        return "text"
    missing = isinstance(value, float) and value != value
    return f"{type(value).__name__} nan (a missing value)" if missing else type(value).__name__
