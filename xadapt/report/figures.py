"""Draw the curves of the page (SVG) and the score bars as a picture (PNG) with matplotlib.

Figures are made without pyplot, so that the caller's pyplot state does not change. On the page,
text stays text and colours become the page's variables. So the curves follow the page's fonts,
scripts and dark mode.
"""

from __future__ import annotations

import io
import itertools
import math
import re
import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter
from numpy.typing import NDArray

from xadapt.core.errors import UserError
from xadapt.core.files import atomic_file
from xadapt.report.headline import FOUND, measure_name, shown
from xadapt.report.results import MODULE, LanguageResult, Report
from xadapt.report.style import LIGHT, SERIES, variable

TOTAL = "total"
MAX_POINTS = 600
SMOOTHED_SHARE = 20
PANEL_INCHES = (4.4, 2.9)
ROW_INCHES = 0.27
LABEL_WIDTH = 28

# independent of the caller's settings; a dollar sign in a name is no formula
SETTINGS = {"svg.fonttype": "none", "svg.hashsalt": "xadapt", "text.parse_math": False}
plain = style.context(["default", SETTINGS])

Points = Sequence[tuple[int, float]]


@plain
def loss_svg(curves: dict[str, list[tuple[int, float]]]) -> str:
    """Draw smoothed losses over steps, with the raw values faint behind; "" without losses."""
    drawn = {name: finite for name, points in curves.items() if (finite := _finite(points))}
    if not drawn:
        return ""
    figure, axes = _panel()
    colours = itertools.cycle(SERIES)
    for name, points in drawn.items():
        colour = LIGHT["ink"] if name == TOTAL else LIGHT[next(colours)]
        steps, losses = np.asarray(points, dtype=np.float64).T
        keep = _thinned(len(steps))
        axes.plot(steps[keep], losses[keep], color=colour, alpha=0.22, linewidth=0.7)
        mark = "o" if len(steps) == 1 else ""
        smooth = smoothed(losses)[keep]
        axes.plot(steps[keep], smooth, color=colour, linewidth=1.6, marker=mark, label=name)
    axes.set_xlabel("step", color=LIGHT["soft"])
    axes.legend(frameon=False, fontsize=9, labelcolor=LIGHT["ink"], loc="best")
    return _svg(figure, "loss")


@plain
def dev_svg(dev: Points) -> str:
    """Draw the development score over steps, with the best point marked; "" without scores."""
    drawn = _finite(dev)
    if not drawn:
        return ""
    figure, axes = _panel()
    steps, scores = np.asarray(drawn, dtype=np.float64).T
    axes.plot(steps, scores, color=LIGHT["module"], linewidth=1.6, marker="o", markersize=3)
    best = int(np.argmax(scores))
    axes.plot(steps[best], scores[best], "o", markersize=9, fillstyle="none", color=LIGHT["ink"])
    axes.margins(y=0.15)
    axes.set_xlabel(
        f"step (best: {scores[best]:.3f} at step {steps[best]:.0f})", color=LIGHT["soft"]
    )
    return _svg(figure, "dev")


def smoothed(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute a centred running mean ``(n,)`` over a twentieth of the points, less at the ends."""
    half = len(values) // (2 * SMOOTHED_SHARE)
    sums = np.concatenate([[0.0], np.cumsum(values)])
    place = np.arange(len(values))
    # an equal number on either side, since the ends would otherwise be biased to the middle
    reach = np.minimum(half, np.minimum(place, len(values) - 1 - place))
    return np.asarray((sums[place + reach + 1] - sums[place - reach]) / (2 * reach + 1))


@plain
def save_figure(path_png: Path | str, report: Report) -> None:
    """Write the score bars as a PNG: one row of panels per language, one column per direction.

    Raises:
        UserError: If the report has no score, or the file can't be written.
    """
    results = [result for result in report.languages if result.scores]
    if not results:
        raise UserError("there is no score to draw", where=str(path_png))
    directions = max((result.directions() for result in results), key=len)
    bars = [max(len(_systems(result)), 1) for result in results]
    size = (1.6 + 3.4 * len(directions), 0.3 + sum(ROW_INCHES * n + 0.75 for n in bars))
    figure = Figure(figsize=size, facecolor=LIGHT["paper"])
    FigureCanvasAgg(figure)
    figure.set_layout_engine("constrained", hspace=0.06, h_pad=0.08)
    grid = figure.subplots(
        len(results), len(directions), squeeze=False, gridspec_kw={"height_ratios": bars}
    )
    for result, row in zip(results, grid, strict=True):
        for direction, axes in zip(directions, row, strict=True):
            _bars(axes, result, direction, labelled=axes is row[0])
    with atomic_file(path_png) as temporary:
        figure.savefig(temporary, format="png", dpi=160)


def _bars(axes: Axes, result: LanguageResult, direction: str, *, labelled: bool) -> None:
    systems = _systems(result)
    scores = {s.system: s for s in result.scores if s.direction == direction}
    for place, system in enumerate(systems):
        if system not in scores:
            continue
        score = scores[system]
        colour = LIGHT["module"] if system in MODULE else LIGHT["control"]
        axes.barh(place, score.value, height=0.72, color=colour)
        end = score.value
        if score.low is not None and score.high is not None:
            axes.plot([score.low, score.high], [place, place], color=LIGHT["ink"], linewidth=1.4)
            end = max(end, score.high)
        text = shown(score.value, result.measure)
        axes.text(end + 0.015, place, text, va="center", fontsize=9, color=LIGHT["ink"])
    axes.set_xlim(0, 1.2)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1])
    axes.set_ylim(len(systems) - 0.4, -0.6)
    names = [textwrap.fill(system, LABEL_WIDTH) if labelled else "" for system in systems]
    axes.set_yticks(range(len(systems)), names)
    if result.measure in FOUND:
        axes.xaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    axes.set_title(
        f"{result.arrow(direction)}, {measure_name(result.measure)}",
        fontsize=10,
        loc="left",
        color=LIGHT["ink"],
    )
    bare(axes, "x")


def _systems(result: LanguageResult) -> list[str]:
    return list(dict.fromkeys(score.system for score in result.scores))


def _finite(points: Points) -> list[tuple[int, float]]:
    return [(step, value) for step, value in points if math.isfinite(value)]


def _panel() -> tuple[Figure, Axes]:
    figure = Figure(figsize=PANEL_INCHES, layout="constrained")
    FigureCanvasSVG(figure)
    figure.patch.set_visible(False)
    axes = figure.subplots()
    axes.patch.set_visible(False)
    # steps are whole numbers: at least one tick, and no tick between steps if there is one step
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
    bare(axes, "y")
    return figure, axes


def bare(axes: Axes, grid: str) -> None:
    """Remove frame and ticks, and draw faint lines at the ticks of one axis, ``x`` or ``y``."""
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(LIGHT["line"])
    axes.tick_params(length=0, labelsize=9, colors=LIGHT["soft"])
    axes.grid(axis="x" if grid == "x" else "y", color=LIGHT["line"], linewidth=0.6)
    axes.set_axisbelow(True)


def _thinned(count: int) -> NDArray[np.int64]:
    """Return positions of at most about `MAX_POINTS` of ``count`` points, with the last point."""
    every = max(1, math.ceil(count / MAX_POINTS))
    return np.unique(np.append(np.arange(0, count, every), count - 1))


def _svg(figure: Figure, name: str) -> str:
    stream = io.StringIO()
    figure.savefig(stream, format="svg", metadata={"Date": None}, transparent=True)
    text = stream.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'\sxmlns(:\w+)?="[^"]*"', "", text)
    # two drawings on one page must not share ids
    text = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", text)
    for colour, value in LIGHT.items():
        text = text.replace(value, variable(colour))
    return text.strip()
