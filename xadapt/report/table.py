"""The cells of a result, as text for people and as HTML for notebooks."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

WIDTH = 100
"""The most columns of a text, in characters. Longer cells are broken."""

MOST_ROWS = 40
"""The most rows of a text or an HTML table; ``to_pandas`` and ``to_dict`` give all."""

_NUMBER = re.compile(r"[-+]?\d*\.?\d[\de.,+-]*( \[.*\])?")
_HTML = """\
<table class="xadapt">
{%- if title %}<caption style="text-align:left">{{ title }}</caption>{% endif %}
<thead><tr>
{%- for column in columns %}
<th style="text-align:{{ sides[loop.index0] }}">{{ column }}</th>
{%- endfor %}</tr></thead>
<tbody>
{%- for row in rows %}
<tr>
{%- for cell in row %}<td dir="auto" style="text-align:{{ sides[loop.index0] }}">{{ cell }}</td>
{%- endfor %}</tr>
{%- endfor %}
</tbody></table>
{%- for note in notes %}<p><small>{{ note }}</small></p>{% endfor %}
"""


@dataclass(frozen=True)
class Table:
    """The cells of a result.

    Attributes:
        columns: Names of the columns.
        rows: One tuple of cells for each row: texts, numbers, intervals or ``None``.
        title: A line above.
        notes: Lines below.
        total: How many rows there are, if ``rows`` has only the first.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    title: str = ""
    notes: tuple[str, ...] = ()
    total: int = 0

    def shown(self) -> Table:
        """Return the table as people see it: cells as texts, at most `MOST_ROWS` rows."""
        rows = tuple(tuple(cell_text(cell) for cell in row) for row in self.rows[:MOST_ROWS])
        left = max(self.total, len(self.rows)) - len(rows)
        more = (f"{left:,} more rows: see to_pandas()",) if left else ()
        return Table(self.columns, rows, self.title, (*more, *self.notes))

    def sides(self) -> list[str]:
        """Return for each column of a shown table whether it is set ``left`` or ``right``."""
        cells = zip(*self.rows, strict=True) if self.rows else [()] * len(self.columns)
        return ["right" if _is_numeric(column) else "left" for column in cells]


@dataclass(frozen=True)
class Bar:
    """One value of a picture, with its interval.

    Attributes:
        name: What was measured, such as a system.
        series: The measure. Values of one measure have one colour.
        value: The value.
        low: Lower end of its interval, if there is one.
        high: Upper end.
    """

    name: str
    series: str
    value: float
    low: float | None = None
    high: float | None = None


def number(value: float, digits: int = 3, sign: bool = False) -> str:
    """Format a number without the 0 before the point: ``.412``, ``-.05``, ``1.000``.

    Args:
        value: The number.
        digits: Digits after the point.
        sign: Whether a positive number has its sign.
    """
    text = f"{value:+.{digits}f}" if sign else f"{value:.{digits}f}"
    return re.sub(r"^([+-]?)0\.", r"\1.", text)


def with_interval(value: float, low: float, high: float, sign: bool = False) -> str:
    """Format a number with its interval: ``.412 [.38, .44]``.

    A difference (``sign``) has three digits everywhere, since its ends are often near 0.
    """
    digits = 3 if sign else 2
    ends = ", ".join(number(end, digits, sign) for end in (low, high))
    return f"{number(value, sign=sign)} [{ends}]"


def cell_text(cell: Any) -> str:
    """Return a cell as people see it."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, float):
        return f"{cell:.4g}"
    if isinstance(cell, (tuple, list)):
        return ", ".join(map(cell_text, cell))
    return str(cell)


def as_text(table: Table) -> str:
    """Return a table as aligned text without colours, at most `WIDTH` characters wide."""
    from rich import box
    from rich.console import Console
    from rich.table import Table as Grid
    from rich.text import Text

    shown = table.shown()
    grid = Grid(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for column, side in zip(shown.columns, shown.sides(), strict=True):
        fixed = side == "right" or column == shown.columns[0]
        grid.add_column(Text(column), justify=side, no_wrap=fixed)  # type: ignore[arg-type]
    for row in shown.rows:
        grid.add_row(*map(Text, row))
    stream = io.StringIO()
    Console(file=stream, width=WIDTH, no_color=True, legacy_windows=False).print(grid)
    lines = [shown.title, *stream.getvalue().splitlines(), *shown.notes]
    return "\n".join(line.rstrip() for line in lines if line.strip())


def as_html(table: Table) -> str:
    """Return a table as HTML for notebooks. Every text is escaped."""
    from jinja2 import Environment

    shown = table.shown()
    template = Environment(autoescape=True).from_string(_HTML)
    return template.render(
        title=shown.title,
        columns=shown.columns,
        rows=shown.rows,
        notes=shown.notes,
        sides=shown.sides(),
    )


def _is_numeric(cells: Sequence[str]) -> bool:
    filled = [cell for cell in cells if cell]
    return bool(filled) and all(_NUMBER.fullmatch(cell) for cell in filled)
