"""Tell whether the evidence of a module says that the module is worse than its base."""

from __future__ import annotations

from collections.abc import Sequence

from xadapt.hub.manifest import Evidence


def worse_than_base(evidence: Sequence[Evidence]) -> str | None:
    """Return a sentence if the module's mean score is below that of the frozen base.

    The mean is over the claims with a score of the base. Where the module acted on the language
    side in some claims and on both sides in others, the claims of the language side count. In all
    of them a higher number is better.

    Args:
        evidence: The claims of a module.

    Returns:
        One sentence with both numbers, or None if the module is not worse, or nothing is known.
    """
    known = [one for one in evidence if one.base is not None]
    own = [one for one in known if one.sides == "language"] or known
    if not own:
        return None
    value = sum(one.value for one in own) / len(own)
    base = sum(one.base for one in own if one.base is not None) / len(own)
    if value >= base:
        return None
    of = own[0].metric if len(own) == 1 else f"mean of {len(own)} measures"
    rows = f", {own[0].rows} rows" if own[0].rows else ""
    return (
        f"The module is worse than its frozen base on the {own[0].data}: {value:.3f} against "
        f"{base:.3f} ({of}{rows})"
    )
