"""Sentences as text with tags around spans: ``The <LOC> Hague </LOC> is wet``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from xadapt.functional.tag_scheme import Span

OPENING, CLOSING = "<{}>", "</{}>"


def opening_tag(name: str, form: str = OPENING) -> str:
    """Return the opening tag of a type."""
    return form.replace("{}", name)


def closing_tag(name: str, form: str = CLOSING) -> str:
    """Return the closing tag of a type."""
    return form.replace("{}", name)


def with_tags(
    words: Sequence[str], spans: Iterable[Span], opening: str = OPENING, closing: str = CLOSING
) -> list[str]:
    """Return the words of a sentence with a tag as a word before and behind each span.

    Args:
        words: The words.
        spans: ``(start, end, type)`` over words, half-open, that don't overlap.
        opening: The opening tag, in which ``{}`` stands for the type.
        closing: The closing tag.

    Raises:
        ValueError: If spans overlap or leave the sentence.
    """
    made: list[str] = []
    at = 0
    for start, end, name in sorted(spans):
        if not at <= start < end <= len(words):
            raise ValueError(f"the span {start}-{end} overlaps another or leaves the sentence")
        inside = words[start:end]
        made += [*words[at:start], opening_tag(name, opening), *inside, closing_tag(name, closing)]
        at = end
    return [*made, *words[at:]]


def to_tagged_text(words: Sequence[str], spans: Iterable[Span]) -> str:
    """Write a sentence with tags around its spans; spaces separate words and tags.

    Args:
        words: The words.
        spans: As for `with_tags`.

    Raises:
        ValueError: If spans overlap or leave the sentence.
    """
    return " ".join(with_tags(words, spans))


def from_tagged_text(
    text: str, words: Sequence[str], types: Iterable[str]
) -> tuple[Span, ...] | None:
    """Read the spans of a text, or return ``None`` if it is no tagged copy of the sentence.

    Args:
        text: Words and tags. Spaces are needed between words; a tag may touch a word.
        words: The words of the sentence.
        types: The types that tags may have.

    Returns:
        The spans; ``None`` if a word is changed, missing or added, a tag is unknown, empty, nested
        or without its other half.
    """
    known = {form(name): name for name in types for form in (opening_tag, closing_tag)}
    for tag in sorted(known, key=len, reverse=True):
        text = text.replace(tag, f" {tag} ")
    spans: list[Span] = []
    copied: list[str] = []
    start, inside = 0, ""
    for part in text.split():
        name = known.get(part)
        if name is None:
            copied.append(part)
        elif part == opening_tag(name):
            if inside:
                return None
            start, inside = len(copied), name
        elif inside == name and len(copied) > start:
            spans.append((start, len(copied), name))
            inside = ""
        else:
            return None
    return tuple(spans) if copied == list(words) and not inside else None
