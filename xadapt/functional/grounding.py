"""Ground mentions in a text by string match, and merge what several annotators found."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from xadapt.functional.simple_words import simple_words

CharSpan = tuple[int, int, str]
"""Start and end in characters, and a label."""
STEM = 4
"""Characters from which on a mention may be the beginning of a longer word."""
_EDGES = "\"'“”‘’«»()[]{}.,;:!? \t\n"


@dataclass(frozen=True)
class MergedSpan:
    """A span that one or more annotators found.

    Attributes:
        start: Its first character.
        end: The character after its last one.
        label: The label of the first annotator that found it.
        votes: The number of annotators that found it.
        others: Other labels that annotators gave it.
        first_word: Its first word.
        end_word: The word after its last one.
    """

    start: int
    end: int
    label: str
    votes: int
    others: tuple[str, ...]
    first_word: int
    end_word: int


def ground(text: str, mentions: Sequence[tuple[str, str]]) -> tuple[list[CharSpan], int]:
    """Find mentions in a text.

    A mention that is listed for the n-th time is its n-th occurrence. An occurrence begins and ends
    at the edge of a word; where a mention has none, it may end inside a word, as a name with an
    ending does. White space matches white space. Quotes and marks around a mention are dropped if
    it does not occur with them.

    Args:
        text: The text.
        mentions: Mentions with labels, in the order in which they were listed.

    Returns:
        The spans of the mentions that were found, and the number of those that were not.
    """
    found: list[CharSpan] = []
    places: dict[str, list[tuple[int, int]]] = {}
    taken: dict[str, int] = {}
    missing = 0
    for mention, label in mentions:
        for own in dict.fromkeys((mention.strip(), mention.strip(_EDGES))):
            if own not in places:
                places[own] = occurrences(text, own)
            if places[own]:
                break
        number = taken.get(own, 0)
        if number < len(places[own]):
            found.append((*places[own][number], label))
            taken[own] = number + 1
        elif not number:
            missing += 1
    return found, missing


def occurrences(text: str, mention: str) -> list[tuple[int, int]]:
    """Return the places of a mention that begin and end at edges of words.

    If there are none, the places that begin at one, for mentions of `STEM` characters or more.
    """
    parts = mention.split()
    if not parts:
        return []
    pattern = re.compile(r"\s+".join(map(re.escape, parts)))
    all_places = [(m.start(), m.end()) for m in pattern.finditer(text)]
    begun = [place for place in all_places if _edge(text, place[0])]
    whole = [place for place in begun if _edge(text, place[1])]
    if whole or len(mention) < STEM:
        return whole
    return [place for place in begun if unicodedata.category(text[place[1]])[0] != "M"]


def merge_spans(
    text: str, annotations: Sequence[Sequence[CharSpan]], *, least: int = 1
) -> list[MergedSpan]:
    """Merge the spans of several annotators into spans without overlap.

    Equal spans are one span. Of spans that share a word, the one with most votes stays, then the
    longest, then the first.

    Args:
        text: The text.
        annotations: The spans of each annotator.
        least: Votes that a span needs.

    Returns:
        The merged spans in the order of the text.
    """
    labels: dict[tuple[int, int], dict[int, str]] = {}
    for annotator, spans in enumerate(annotations):
        for start, end, label in spans:
            labels.setdefault((start, end), {}).setdefault(annotator, label)
    words = word_places(text)
    order = sorted(labels, key=lambda s: (-len(labels[s]), s[0] - s[1], s[0]))
    kept: list[MergedSpan] = []
    used: set[int] = set()
    for start, end in order:
        own = list(labels[start, end].values())
        covered = [i for i, (a, b) in enumerate(words) if a < end and b > start]
        if len(own) < least or not covered or used & set(covered):
            continue
        used |= set(covered)
        others = tuple(dict.fromkeys(label for label in own if label != own[0]))
        kept.append(MergedSpan(start, end, own[0], len(own), others, covered[0], covered[-1] + 1))
    return sorted(kept, key=lambda span: span.start)


def word_places(text: str) -> list[tuple[int, int]]:
    """Return start and end of each word of `simple_words`."""
    return list(_places(text))


def _places(text: str) -> Iterator[tuple[int, int]]:
    at = 0
    for word in simple_words(text):
        at = text.index(word, at)
        yield at, at + len(word)
        at += len(word)


def _edge(text: str, place: int) -> bool:
    """Return whether a word ends or begins at a place; without spaces there are edges anywhere."""
    if place in (0, len(text)):
        return True
    if unicodedata.category(text[place])[0] == "M":
        return False
    # only the last letter and its marks matter; a word of other letters is as good as the text's
    start = place - 1
    while start and unicodedata.category(text[start])[0] == "M":
        start -= 1
    around = text[start : place + 1]
    return " " in around or len(simple_words(around)) != 1
