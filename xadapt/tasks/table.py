"""Tables for people: the scores of systems, within 80 columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich import box
from rich.table import Table

from xadapt.evaluation.comparison import Result
from xadapt.evaluation.statistics import Difference, Interval

WIDTH = 80


def new_table(title: str, columns: Sequence[str]) -> Table:
    """Make an empty table: the first two columns are names, the others numbers."""
    table = Table(
        title=title,
        title_justify="left",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number < 2 else "right", no_wrap=True)
    return table


def comparison_table(
    result: Result, title: str, short: Mapping[str, str], details: str = "", system: str = ""
) -> Table:
    """Render each measure of each system, and its difference to the base system.

    Args:
        result: The scores.
        title: Title of the table.
        short: Shorter names of systems and measures.
        details: Words before the details of one system, such as ``F1 by class``.
        system: The system whose details are shown.
    """
    table = new_table(title, ("", "", "score [95 %]", "gain [95 %]"))
    for row in result.rows:
        for measure in result.measures:
            gain = row.gains.get(measure)
            table.add_row(
                short.get(row.system, row.system) if measure == result.measures[0] else "",
                short.get(measure, measure),
                interval_cell(row.scores[measure]),
                difference_cell(gain) if gain else "",
            )
    base = result.options.get("base")
    lines = [f"gain: over {short.get(base, base)}"] if isinstance(base, str) else []
    shown = result[system].details if details and system in result else {}
    if shown:
        numbers = ", ".join(f"{name} {value:.3f}" for name, value in shown.items())
        lines.append(f"{details}: {numbers}")
    table.caption = "\n".join(lines)
    return table


def interval_cell(value: Interval) -> str:
    """Format a score with its interval."""
    return f"{value.mean:.3f} [{value.low:.3f}, {value.high:.3f}]"


def difference_cell(gain: Difference) -> str:
    """Format a signed difference with its interval."""
    return f"{gain.mean:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}]"


def mark(gain: Difference | None) -> str:
    """Return a star if a gain's interval lies above 0."""
    return "*" if gain is not None and gain.low > 0 else " "
