"""Measures of rankings by ``ir_measures``: reciprocal rank, nDCG, success and recall."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from xadapt.core.errors import UserError, missing_extra

MEASURES = ("Success@1", "Success@10", "RR", "nDCG@10")
"""The measures of `measure_rankings`; ``Success@k`` is R@k with one right passage a question."""


def measure_rankings(
    found: Mapping[str, Sequence[str]],
    right: Mapping[str, Mapping[str, int]],
    measures: Sequence[str] = MEASURES,
) -> dict[str, dict[str, float]]:
    """Measure rankings by question.

    The order of a ranking counts, not its scores, so equal scores are no tie.

    Args:
        found: By question, ids of passages, best first.
        right: By question, the relevance of passages; those that are not named have 0.
        measures: Names of ``ir_measures``.

    Returns:
        By measure and question, the value; a question without an answer in the ranking has 0.

    Raises:
        UserError: If ``ir_measures`` is not installed, a measure is unknown, or no question has a
            right passage.
    """
    try:
        import ir_measures
    except ImportError:
        raise missing_extra("ir_measures", "retrieval") from None
    asked = {question: own for question, own in right.items() if question in found}
    if not any(any(own.values()) for own in asked.values()):
        raise UserError("no question that was searched has a right passage")
    try:
        parsed = {ir_measures.parse_measure(name): name for name in measures}
    except (NameError, ValueError) as error:
        raise UserError(f"unknown measure of rankings ({error})") from None
    run = {
        question: {name: float(-place) for place, name in enumerate(names)}
        for question, names in found.items()
    }
    values: dict[str, dict[str, float]] = {
        name: dict.fromkeys(asked, 0.0) for name in parsed.values()
    }
    for one in ir_measures.iter_calc(list(parsed), asked, run):
        if one.query_id in asked:
            values[parsed[one.measure]][one.query_id] = float(one.value)
    return values
