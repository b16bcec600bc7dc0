"""Collect and draw the usage of the experts of a routed mixture."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure, SubFigure
from numpy.typing import NDArray

from xadapt.core.errors import UserError
from xadapt.core.files import atomic_file
from xadapt.report.display import Displayed
from xadapt.report.figures import plain
from xadapt.report.style import LIGHT
from xadapt.report.table import Table, number

FORMATS = (".svg", ".png", ".pdf")
CELL_INCHES = (0.52, 0.26)
LINE_INCHES, CHARS_AN_INCH = 0.16, 15
SHADES = LinearSegmentedColormap.from_list("usage", [LIGHT["panel"], LIGHT["module"]])
LONGEST = 14
ALL = "all texts"
ALIKE = 0.02
"""The difference of weights below which the picture says that they are alike."""


@dataclass(frozen=True)
class Cell:
    """The weights at one site of one layer, over the texts of one language.

    Attributes:
        lang: Tag of the language, or ``all texts``.
        layer: Number of the layer, from 1; 0 is the embeddings.
        site: Name of the site, such as ``q``.
        mean: Mean weight of each expert, over real tokens, or over texts if each text has one
            weight.
        used: Share of these tokens or texts with a nonzero weight of the expert.
        spread: Standard deviation of each expert's weight over these tokens or texts; empty if it
            was not measured.
    """

    lang: str
    layer: int
    site: str
    mean: tuple[float, ...]
    used: tuple[float, ...]
    spread: tuple[float, ...] = ()


@dataclass(frozen=True, repr=False)
class Usage(Displayed):
    """The expert weights of one router.

    Attributes:
        router: Name of the router.
        experts: Names of the experts.
        cells: One cell for each language, layer and site.
    """

    router: str
    experts: tuple[str, ...]
    cells: tuple[Cell, ...]

    @property
    def languages(self) -> list[str]:
        """The languages in the order of measurement."""
        return list(dict.fromkeys(cell.lang for cell in self.cells))

    def mean(self, lang: str, rows: Callable[[Cell], Any] = lambda _: "") -> dict[Any, Any]:
        """Compute the mean weights of a language by layer, by site or over all, all cells equal.

        Args:
            lang: The language.
            rows: Function from a cell to the key of its group.

        Returns:
            Mean weights ``(experts,)`` by the key from ``rows``.
        """
        found: dict[Any, list[tuple[float, ...]]] = {}
        for cell in self.cells:
            if cell.lang == lang:
                found.setdefault(rows(cell), []).append(cell.mean)
        return {row: np.mean(values, axis=0) for row, values in found.items()}

    @property
    def between(self) -> float:
        """The largest difference between the mean weights of two languages, over all cells."""
        means: dict[tuple[int, str], list[tuple[float, ...]]] = {}
        for cell in self.cells:
            means.setdefault((cell.layer, cell.site), []).append(cell.mean)
        return max(
            (float(np.ptp(np.array(own), axis=0).max()) for own in means.values()), default=0
        )

    @property
    def within(self) -> float | None:
        """The largest standard deviation of a weight inside one cell; ``None`` if not measured."""
        return max((max(cell.spread) for cell in self.cells if cell.spread), default=None)

    def caption(self) -> str:
        """Say how much the weights vary between languages, and inside a language."""
        lines = []
        if len(self.languages) > 1:
            alike = self.between < ALIKE
            lines.append(
                f"Between languages, mean weights differ by at most {self.between:.3f}"
                + (": this router weighs its experts alike for all of them." if alike else ".")
            )
        if self.within is not None:
            alike = self.within < ALIKE
            lines.append(
                "Inside a language, a weight's standard deviation over tokens or texts is at most "
                f"{self.within:.3f}" + (": nearly the same weights everywhere." if alike else ".")
            )
        return "\n".join(lines)

    def _table(self) -> Table:
        rows = ((tag, *(number(w) for w in self.mean(tag)[""])) for tag in self.languages)
        notes = tuple(self.caption().splitlines())
        title = f"{self.router}: mean weight of each expert"
        return Table(("texts in", *self.experts), tuple(rows), title, notes)

    def _records(self) -> list[dict[str, Any]]:
        return [
            {
                "lang": cell.lang,
                "layer": cell.layer,
                "site": cell.site,
                "expert": expert,
                "mean": cell.mean[place],
                "used": cell.used[place],
                "spread": cell.spread[place] if cell.spread else None,
            }
            for cell in self.cells
            for place, expert in enumerate(self.experts)
        ]

    def _draw(self, axes: Axes) -> None:
        _shade(axes, np.stack([self.mean(tag)[""] for tag in self.languages]))
        axes.set_yticks(range(len(self.languages)), self.languages)
        axes.set_xticks(range(len(self.experts)), [_short(name) for name in self.experts])
        axes.set_title(f"{self.router}: mean weights", fontsize=10, color=LIGHT["ink"])

    def to_dict(self) -> dict[str, Any]:
        """Return the values as a dictionary for JSON."""
        mean = {lang: self.mean(lang)[""].tolist() for lang in self.languages}
        return {
            "router": self.router,
            "experts": self.experts,
            "mean": mean,
            "between_languages": self.between,
            "within_languages": self.within,
            "cells": [asdict(cell) for cell in self.cells],
        }


def check_format(path: Path | str) -> str:
    """Return the format of a picture from its file name.

    Raises:
        UserError: If the file name ends in no known format.
    """
    ending = Path(path).suffix.lower()
    if ending not in FORMATS:
        raise UserError(
            f"a picture is {', '.join(FORMATS)}, not {ending!r}", where=str(path), todo="Rename it"
        )
    return ending.removeprefix(".")


@plain
def save_usage(path: Path | str, usages: Sequence[Usage]) -> None:
    """Draw mean weights as shaded tables over all, by layer and by site, one column per language.

    Raises:
        UserError: If the file name ends in no known format, or the file can't be written.
    """
    ending = check_format(path)
    sizes = [_size(usage) for usage in usages]
    figure = Figure(
        figsize=(max(w for w, _ in sizes), sum(h for _, h in sizes)), facecolor=LIGHT["paper"]
    )
    FigureCanvasAgg(figure)
    figure.set_layout_engine("constrained", w_pad=0.06, h_pad=0.06)
    parts = figure.subfigures(len(usages), 1, squeeze=False, height_ratios=[h for _, h in sizes])
    for part, usage in zip(parts[:, 0], usages, strict=True):
        _draw(part, usage)
    with atomic_file(path) as temporary:
        settings: dict[str, Any] = {"metadata": {"Date": None}} if ending == "svg" else {}
        figure.savefig(temporary, format=ending, dpi=160, **settings)


def _tables(usage: Usage, lang: str) -> list[tuple[list[str], NDArray[np.float64]]]:
    """Return row names and weights ``(rows, experts)``: over all, by layer, by site."""
    layers = usage.mean(lang, lambda cell: cell.layer)
    sites = usage.mean(lang, lambda cell: cell.site)
    order = sorted(layers)
    names = [f"layer {layer}" if layer else "embeddings" for layer in order]
    return [
        (["all"], np.stack(list(usage.mean(lang).values()))),
        (names, np.stack([layers[layer] for layer in order])),
        (list(sites), np.stack(list(sites.values()))),
    ]


def _size(usage: Usage) -> tuple[float, float]:
    rows = sum(len(names) for names, _ in _tables(usage, usage.languages[0]))
    wide = max(len(usage.experts) * CELL_INCHES[0], 1.1)
    width = max(3.4, 1.2 + (wide + 0.25) * len(usage.languages))
    lines = _caption(usage, width).count("\n") + 1
    return width, 1.9 + rows * CELL_INCHES[1] + lines * LINE_INCHES


def _caption(usage: Usage, width: float) -> str:
    """Return the caption in lines that fit a width in inches."""
    fits = max(30, int(width * CHARS_AN_INCH))
    return "\n".join(textwrap.fill(line, fits) for line in usage.caption().splitlines())


def _draw(part: SubFigure, usage: Usage) -> None:
    title = f"{usage.router}: mean weight of each expert"
    part.suptitle(title, fontsize=10, x=0.01, ha="left", color=LIGHT["ink"])
    text = _caption(usage, _size(usage)[0])
    part.supxlabel(text, fontsize=8, x=0.01, ha="left", color=LIGHT["soft"])
    columns = [_tables(usage, lang) for lang in usage.languages]
    heights = [len(names) for names, _ in columns[0]]
    grid = part.subplots(
        len(heights), len(columns), squeeze=False, gridspec_kw={"height_ratios": heights}
    )
    for column, (lang, tables) in enumerate(zip(usage.languages, columns, strict=True)):
        for place, (names, weights) in enumerate(tables):
            axes = grid[place, column]
            _shade(axes, weights)
            axes.set_yticks(range(len(names)), names if column == 0 else [""] * len(names))
        above = lang if lang == ALL else f"texts in {lang}"
        grid[0, column].set_title(above, fontsize=10, color=LIGHT["ink"])
        experts = [_short(name) for name in usage.experts]
        grid[-1, column].set_xticks(range(len(experts)), experts, rotation=45, ha="right")


def _shade(axes: Axes, weights: NDArray[np.float64]) -> None:
    """Draw one shaded table. The shade shows the number in each cell."""
    axes.imshow(weights, cmap=SHADES, vmin=0, vmax=1, aspect="auto")
    for (row, column), value in np.ndenumerate(weights):
        ink = LIGHT["paper"] if value > 0.6 else LIGHT["ink"]
        text = f"{value:.2f}".removeprefix("0") if 0 < value < 1 else f"{value:.0f}"
        axes.text(column, row, text, ha="center", va="center", fontsize=8, color=ink)
    axes.set_xticks([])
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, labelsize=9, colors=LIGHT["soft"])


def _short(name: str) -> str:
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"
