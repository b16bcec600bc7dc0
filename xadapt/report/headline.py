"""Write the headline: one sentence per language, made only from the scores."""

from __future__ import annotations

from xadapt.report.results import (
    BASE,
    BOTH_SIDES,
    FROM_PIVOT,
    MODULE,
    TFIDF,
    TO_PIVOT,
    LanguageResult,
)

FOUND = {
    "accuracy": "is found first",
    "hits@1": "is found first",
    "hits@10": "is found among the first ten",
}
BAR_NOTE = "The line over a bar is the 95 % interval."
# names of measures in a sentence; other measures keep their names
NAMES = {"mrr": "MRR", "hits@1": "Hits@1", "hits@10": "Hits@10"}


def headline(result: LanguageResult) -> str:
    """Summarise the effect of the module in numbers.

    An example is "Swahili: the right English name is found first for 63 % of entities never seen,
    12 % before (TF-IDF 41 %)". The score is for the module on the language side only, in the
    direction of the pivot language. If that score was not measured, the module on both sides is
    used, then the other direction, and the sentence states this.
    """
    chosen = _chosen(result)
    if chosen is None:
        return f"{result.name}: the module was not measured."
    system, direction, value = chosen
    text = f"{result.name}: {_claim(result, direction, value)}"
    if system == BOTH_SIDES:
        text += " with the module on both sides"
    before, control = result.value(BASE, direction), result.value(TFIDF, direction)
    if before is not None:
        text += f", {shown(before, result.measure)} before"
    if control is not None:
        text += f" ({TFIDF} {shown(control, result.measure)})"
    return f"{text}."


def measure_name(measure: str) -> str:
    """Return the display name of a measure, such as ``MRR``."""
    return NAMES.get(measure, measure)


def shown(value: float, measure: str) -> str:
    """Format a score: a percentage if the measure is a share, else three decimals."""
    return percent(value) if measure in FOUND else f"{value:.3f}"


def percent(share: float) -> str:
    """Format a share as a percentage, with one decimal below 10 and above 90.

    A share is never rounded to 0 % or 100 %. A score of 99.97 % is not printed as 100 %, which
    would mean that there were no errors.
    """
    value = 100 * share
    if 0 < value < 0.05:
        return "under 0.1 %"
    if 99.95 <= value < 100:
        return "over 99.9 %"
    digits = 0 if 10 <= value <= 90 else 1
    return f"{value:.{digits}f}".removesuffix(".0") + " %"


def between(low: float, high: float, measure: str) -> str:
    """Format an interval, such as ``57 to 70`` in percent or ``0.57 to 0.70``."""
    if measure in FOUND:
        return f"{100 * low:.0f} to {100 * high:.0f}"
    return f"{low:.2f} to {high:.2f}"


def explained(result: LanguageResult) -> str:
    """Return the sentences over the bars: the measure, the candidates, and what is drawn."""
    name = measure_name(result.measure)
    parts = [f"{name[:1].upper()}{name[1:]} on {result.asked}.", chance(result), result.about]
    if any(score.low is not None for score in result.scores):
        parts.append(BAR_NOTE)
    return " ".join(filter(None, parts))


def chance(result: LanguageResult) -> str:
    """Return a sentence with the number of candidates and the score of a random guess."""
    if result.pool < 1:
        return ""
    text = f"Each is looked up among {result.pool:,} candidates"
    if FOUND.get(result.measure) == FOUND["accuracy"]:
        text += f"; guessing finds {percent(1 / result.pool)}"
    return f"{text}."


def _chosen(result: LanguageResult) -> tuple[str, str, float] | None:
    for direction in (TO_PIVOT, FROM_PIVOT):
        for system in MODULE:
            value = result.value(system, direction)
            if value is not None:
                return system, direction, value
    return None


def _claim(result: LanguageResult, direction: str, value: float) -> str:
    number = shown(value, result.measure)
    if result.measure not in FOUND:
        return (
            f"{measure_name(result.measure)} {number} on {result.asked}, {result.arrow(direction)}"
        )
    sought = result.pivot_name if direction == TO_PIVOT else result.name
    found = FOUND[result.measure]
    return f"the right {sought} {result.item} {found} for {number} of {result.asked}"
