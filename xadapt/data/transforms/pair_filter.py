"""Drop useless or wrong pairs, and count the dropped pairs by reason.

The rules are those of the usual corpus cleaners (Moses' ``clean-corpus-n``; OpusFilter, Aulamo et
al. 2020, section 3: length, length ratio, character script), with lengths in characters so that no
tokenizer is needed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from xadapt.core.text_key import normal_key
from xadapt.data.records import ParallelPair
from xadapt.data.transforms.protocol import Applies, Services
from xadapt.data.transforms.scripts import script_share, weighted_length

REASONS = ("duplicate", "copy", "too_long", "length_ratio", "wrong_script")
_ROOM = 10.0


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class PairFilter:
    """Drop pairs by five rules. Every rule can be turned off.

    This transform is the default of recipes that name no transforms and have a reader of pairs.

    Source: OpusFilter, Aulamo et al. 2020, https://aclanthology.org/2020.acl-demos.20, section 3.

    Attributes:
        duplicates: Drop a pair equal to an earlier one on both sides (by ``normal_key``).
        copies: Drop a pair with two equal sides. Turn this off for names, which are often equal.
        max_chars: The longest side kept, in characters; 0 for any. Encoders truncate at 512 tokens
            or fewer, about as many characters as the default.
        max_ratio: The greatest ratio of the sides' lengths; 0 for any. See :func:`length_ratio`.
        min_script: The least share of a side's letters that are in its language's script; 0 for
            any. The default leaves room for sentences full of names or terms in another script.
    """

    duplicates: bool = True
    copies: bool = True
    max_chars: Annotated[int, Field(ge=0)] = 2000
    max_ratio: Annotated[float, Field(ge=0)] = 2.5
    min_script: Annotated[float, Field(ge=0, le=1)] = 0.3

    consumes: ClassVar[type] = ParallelPair
    gives: ClassVar[type] = ParallelPair
    needs: ClassVar[tuple[str, ...]] = ()
    applies: ClassVar[Applies] = "data"

    def apply(self, records: Sequence[ParallelPair], services: Services) -> list[ParallelPair]:
        """Return the pairs that pass. Log the number of dropped pairs for each reason."""
        kept, dropped = filter_pairs(services.track(records, "filtering pairs"), self)
        reasons = ", ".join(f"{n} {why.replace('_', ' ')}" for why, n in dropped.items() if n)
        services.log(
            f"{len(kept)} of {len(records)} pairs kept"
            + (f" ({reasons} dropped)" if reasons else "")
        )
        return kept


def filter_pairs(
    pairs: Iterable[ParallelPair], options: PairFilter | None = None
) -> tuple[list[ParallelPair], dict[str, int]]:
    """Keep the pairs that pass every rule.

    Args:
        pairs: The pairs. The first of duplicates is kept.
        options: The rules.

    Returns:
        The pairs kept, in order, and the number of dropped pairs for each of :data:`REASONS`. The
        first reason that applies counts. All reasons are listed, also with 0 pairs.
    """
    options = options or PairFilter()
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
    """Compute the ratio of the longer side's length to the shorter side's, at least 1.

    10 characters are added to both lengths, so that short sentences pass ("Yes." and "Ja, so ist
    es."). Ideographs count 3 and kana and hangul 2, about the number of Latin letters for the same
    text. With these counts, the default bound of 2.5 drops at most 6 in 1,000 of public
    translations between English and ar cs de el es fa fi fr hi id it ja ko pt ru sw tr uk vi zh
    (1,300 to 20,000 pairs each), no more in Chinese, Japanese or Korean than in other languages.
    """
    lengths = [_ROOM + weighted_length(side) for side in (left, right)]
    return max(lengths) / min(lengths)


def _fault(pair: ParallelPair, options: PairFilter, seen: set[bytes]) -> str | None:
    text, pivot = normal_key(pair.text), normal_key(pair.pivot)
    whole = f"{pair.lang}\n{pair.pivot_lang}\n{len(text)}\n{text}{pivot}"
    # A digest saves memory: the texts would be stored twice.
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


Part = PairFilter
