"""Compare a translation with its source: kept parts, JSON, Python, refusals, length.

The checks read the two finished texts again and trust nothing of how the translation was made, so
they judge every translator alike, also one that never saw a marker.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Sequence

from xadapt.integrations.protected import python_code
from xadapt.integrations.protected.spans import KINDS, Span, find_spans, texts_of

REFUSAL = re.compile(
    r"\b(?:i(?:'|’| a)m sorry\b|i can(?:no|'|’)t (?:help|assist|translate|comply)|as an ai\b"
    r"|i(?:'|’| a)m unable to|here is the translation|here(?:'|’)s the translation)",
    re.I,
)
"""Words by which a model of language refuses, or speaks of the task in place of doing it."""
SHORTEST, LONGEST = 0.3, 3.0
"""Bounds of the length of a translated line, as a share of its source, in characters."""
DENSE = frozenset({"zh", "ja", "ko", "yue", "wuu"})
"""Languages whose scripts need few characters; the lower bound is a third there."""
LEAST = 24
"""Characters from which on the length is checked."""


def line_fault(source: str, translation: str, target: str = "") -> str:
    """Return why a translated line can't be right, or an empty text.

    Args:
        source: A line with markers.
        translation: Its translation, with markers.
        target: Language of the translation, a BCP-47 tag.
    """
    if not translation.strip():
        return "nothing came back"
    if "\n" in translation.strip():
        return "one line became several"
    if REFUSAL.search(translation) and not REFUSAL.search(source):
        return "the translator refused, or spoke of its task"
    if len(source) >= LEAST:
        least = SHORTEST / 3 if target.split("-")[0] in DENSE else SHORTEST
        share = len(translation) / len(source)
        if not least <= share <= LONGEST:
            return f"the translation has {share:.1f} times the length of its source"
    return ""


def kept_fault(
    source: str,
    translation: str,
    keep: Sequence[str] = KINDS,
    spans: Collection[Span] | None = None,
) -> str:
    """Return which kept part differs between a source and its translation, or an empty text.

    The multiset of kept parts that are found in the translation must be that of the source. JSON of
    the source must be JSON of the same value, and Python must parse.

    Args:
        source: The source.
        translation: Its translation, finished.
        keep: Kinds to compare.
        spans: The kept parts of the source, if they are known.
    """
    own = find_spans(source, keep) if spans is None else spans
    wanted = Counter(texts_of(source, own))
    found = Counter(texts_of(translation, find_spans(translation, keep)))
    if lost := wanted - found:
        text = next(iter(lost))
        return f"{_kind(source, own, text)} is lost or changed: {_short(text)}"
    if more := found - wanted:
        return f"there is more than in the source: {_short(next(iter(more)))}"
    for span in own:
        text = source[span.start : span.end]
        if span.kind == "json" and not is_json(text):
            return f"JSON does not parse: {_short(text)}"
        if span.kind == "code" and python_code.parses(text) and text not in translation:
            return f"Python is changed: {_short(text)}"
    return ""


def is_json(text: str) -> bool:
    """Return whether a text is JSON."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _kind(source: str, spans: Collection[Span], text: str) -> str:
    return next(span.kind for span in spans if source[span.start : span.end] == text)


def _short(text: str) -> str:
    text = " ".join(text.split())
    return repr(text if len(text) <= 60 else text[:57] + "...")
