"""The pair filter: drops what teaches nothing or the wrong thing, and says how much of what.

The rules are those of the usual corpus cleaners (Moses' ``clean-corpus-n``; OpusFilter, Aulamo et
al. 2020, section 3: length, length ratio, character script), with lengths in characters so that no
tokenizer is needed.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

from pydantic import BaseModel, ConfigDict, Field

from xadapt.core.text_key import normal_key
from xadapt.data.records import ParallelPair
from xadapt.data.transforms.scripts import script_share, weighted_length

REASONS = ("duplicate", "copy", "too_long", "length_ratio", "wrong_script")
_ROOM = 10.0


class FilterOptions(BaseModel):
    """What is dropped. Every rule can be turned off.

    Args:
        duplicates: Drop a pair equal to an earlier one on both sides (by ``normal_key``).
        copies: Drop a pair whose two sides are equal; turn off for names, which often are.
        max_chars: The longest side kept, in characters; 0 for any. Encoders cut at 512 tokens or
            fewer, about as many characters as the default.
        max_ratio: The greatest ratio of the sides' lengths; 0 for any. See :func:`length_ratio`.
        min_script: The least share of a side's letters that are in its language's script; 0 for
            any. The default leaves room for sentences full of names or terms in another script.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    duplicates: bool = True
    copies: bool = True
    max_chars: int = Field(default=2000, ge=0)
    max_ratio: float = Field(default=2.5, ge=0)
    min_script: float = Field(default=0.3, ge=0, le=1)


def filter_pairs(
    pairs: Iterable[ParallelPair], options: FilterOptions | None = None
) -> tuple[list[ParallelPair], dict[str, int]]:
    """Keep the pairs that pass every rule.

    Args:
        pairs: The pairs; of duplicates the first is kept.
        options: The rules.

    Returns:
        The pairs kept, in order, and how many were dropped for each of :data:`REASONS` (the first
        that applies; all are listed, also at 0).
    """
    options = options or FilterOptions()
    kept: list[ParallelPair] = []
    dropped = dict.fromkeys(REASONS, 0)
    seen: set[bytes] = set()
    for pair in pairs:
        reason = _fault(pair, options, seen)
        if reason is None:
            kept.append(pair)
        else:
            dropped[reason] += 1
    return kept, dropped


def length_ratio(left: str, right: str) -> float:
    """The longer side's length over the shorter one's, at least 1.

    Both get 10 characters more, so that short sentences have room ("Yes." and "Ja, so ist es.").
    Ideographs count 3 and kana and hangul 2, about the Latin letters that it takes to write the
    same. So counted, the default bound of 2.5 drops at most 6 in 1,000 of public translations
    between English and ar cs de el es fa fi fr hi id it ja ko pt ru sw tr uk vi zh (1,300 to 20,000
    pairs each), no more in Chinese, Japanese or Korean than elsewhere.
    """
    lengths = [_ROOM + weighted_length(side) for side in (left, right)]
    return max(lengths) / min(lengths)


def _fault(pair: ParallelPair, options: FilterOptions, seen: set[bytes]) -> str | None:
    text, pivot = normal_key(pair.text), normal_key(pair.pivot)
    whole = f"{pair.lang}\n{pair.pivot_lang}\n{len(text)}\n{text}{pivot}"
    # A digest, not the texts, which would be held twice.
    key = blake2b(whole.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    repeated = key in seen
    seen.add(key)
    longest = max(len(pair.text), len(pair.pivot))
    if options.duplicates and repeated:
        return "duplicate"
    if options.copies and text == pivot:
        return "copy"
    if options.max_chars and longest > options.max_chars:
        return "too_long"
    if options.max_ratio and length_ratio(pair.text, pair.pivot) > options.max_ratio:
        return "length_ratio"
    if options.min_script and _script(pair) < options.min_script:
        return "wrong_script"
    return None


def _script(pair: ParallelPair) -> float:
    text = script_share(pair.text, pair.lang)
    return min(text, script_share(pair.pivot, pair.pivot_lang))
