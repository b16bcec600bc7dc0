"""Draw values with intervals, and the trials of a search, on axes of matplotlib."""

from __future__ import annotations

import io
import itertools
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from xadapt.core.files import atomic_file
from xadapt.report.figures import LABEL_WIDTH, bare, plain
from xadapt.report.style import LIGHT, SERIES
from xadapt.report.table import Bar, number

ROW_INCHES = 0.34
WIDTH_INCHES, HEIGHT_INCHES = 6.4, 3.6


@plain
def save_plot(path: Path, draw: Callable[[Axes], None]) -> None:
    """Draw on a figure of its own and save it as SVG; the state of pyplot does not change.

    Raises:
        UserError: If the file can't be written.
    """
    figure = Figure(
        figsize=(WIDTH_INCHES, HEIGHT_INCHES), layout="constrained", facecolor=LIGHT["paper"]
    )
    FigureCanvasSVG(figure)
    draw(figure.subplots())
    with atomic_file(path) as temporary:
        figure.savefig(temporary, format="svg", metadata={"Date": None})


@plain
def bars_png(bars: Sequence[Bar], title: str) -> bytes:
    """Draw values with their intervals, and return the picture as a PNG.

    Args:
        bars: The values, see `draw_bars`.
        title: The title.
    """
    rows = len({bar.name for bar in bars})
    figure = Figure(
        figsize=(WIDTH_INCHES, height(rows) + 0.3), layout="constrained", facecolor=LIGHT["paper"]
    )
    FigureCanvasAgg(figure)
    draw_bars(figure.subplots(), bars)
    figure.suptitle(title, fontsize=10, color=LIGHT["ink"], x=0.01, ha="left")
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=120, metadata={"Software": None})
    return stream.getvalue()


def height(rows: int) -> float:
    """Return the height in inches of a figure of `draw_bars` with so many values."""
    return 1.1 + ROW_INCHES * rows if rows else HEIGHT_INCHES


@plain
def on_axes(
    draw: Callable[[Axes], None], axes: Axes | None = None, inches: float = HEIGHT_INCHES
) -> Axes:
    """Draw on the given axes, or on the axes of a new figure of pyplot.

    Args:
        draw: Function that draws on axes. If it fails, the new figure is closed.
        axes: The axes, if there are any.
        inches: Height of a new figure.
    """
    if axes is not None:
        draw(axes)
        return axes
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(WIDTH_INCHES, inches), layout="constrained")
    try:
        draw(axes)
    except BaseException:
        pyplot.close(figure)
        raise
    return axes


def draw_bars(axes: Axes, bars: Sequence[Bar]) -> None:
    """Draw a point with its interval for each value: names below one another, a colour a series."""
    names = list(dict.fromkeys(bar.name for bar in bars))
    series = list(dict.fromkeys(bar.series for bar in bars))
    colours = dict(zip(series, itertools.cycle(SERIES), strict=False))
    step = 0.7 / len(series)
    for bar in bars:
        place = names.index(bar.name) + step * (series.index(bar.series) - (len(series) - 1) / 2)
        colour = LIGHT[colours[bar.series]]
        if bar.low is not None and bar.high is not None:
            axes.plot([bar.low, bar.high], [place, place], color=colour, linewidth=1.8)
        axes.plot(bar.value, place, "o", color=colour, markersize=5)
        end = bar.value if bar.high is None else max(bar.high, bar.value)
        axes.annotate(
            number(bar.value), (end, place), (6, 0), textcoords="offset points",
            va="center", fontsize=8, color=LIGHT["ink"],
        )  # fmt: skip
    for name in series:
        axes.plot([], [], "o-", color=LIGHT[colours[name]], label=name)
    axes.set_yticks(range(len(names)), [textwrap.fill(name, LABEL_WIDTH) for name in names])
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.margins(x=0.12)
    axes.legend(
        frameon=False, fontsize=9, labelcolor=LIGHT["ink"], loc="lower left", ncols=3,
        bbox_to_anchor=(0, 1),
    )  # fmt: skip
    bare(axes, "x")


def draw_trials(
    axes: Axes,
    values: Sequence[tuple[int, float]],
    *,
    label: str,
    lower_is_better: bool = False,
    pruned: Sequence[tuple[int, float]] = (),
) -> None:
    """Draw the value of each trial of a search, and the best value so far as a line.

    Args:
        axes: The axes.
        values: ``(number of the trial, value)`` of the trials that count.
        label: Name of the value.
        lower_is_better: Whether the best value is the least.
        pruned: Trials that were stopped early, with their last value. They are drawn hollow.
    """
    choose = min if lower_is_better else max
    best = list(itertools.accumulate((value for _, value in values), choose))
    numbers = [place for place, _ in values]
    if values:
        axes.step(
            numbers, best, where="post", color=LIGHT["ink"], linewidth=1.2, label="best so far"
        )
        axes.plot(
            numbers, [value for _, value in values], "o", color=LIGHT["module"], label="trial"
        )
        first = numbers[[value for _, value in values].index(best[-1])]
        axes.plot(first, best[-1], "o", markersize=11, fillstyle="none", color=LIGHT["ink"])
    if pruned:
        axes.plot(*zip(*pruned, strict=True), "o", fillstyle="none", color=LIGHT["control"],
                  label="stopped early")  # fmt: skip
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1))
    axes.set_xlabel("trial", color=LIGHT["soft"])
    axes.set_ylabel(label, color=LIGHT["soft"])
    axes.legend(frameon=False, fontsize=9, labelcolor=LIGHT["ink"], loc="best")
    bare(axes, "y")


def draw_histogram(axes: Axes, values: NDArray[np.float64], label: str, counted: str) -> None:
    """Draw how often values ``(n,)`` occur, in bins.

    Args:
        axes: The axes.
        values: The values. Values that are not finite are left out.
        label: Name of the values.
        counted: Name of what is counted, in the plural.
    """
    axes.hist(values[np.isfinite(values)], bins="auto", color=LIGHT["module"])
    axes.set_xlabel(label, color=LIGHT["soft"])
    axes.set_ylabel(counted, color=LIGHT["soft"])
    bare(axes, "y")
