"""Collect and draw the usage of the experts of a routed mixture."""

from __future__ import annotations

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
from xadapt.report.figures import plain
from xadapt.report.style import LIGHT

FORMATS = (".svg", ".png", ".pdf")
CELL_INCHES = (0.52, 0.26)
SHADES = LinearSegmentedColormap.from_list("usage", [LIGHT["panel"], LIGHT["module"]])
LONGEST = 14
ALL = "all texts"


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
    """

    lang: str
    layer: int
    site: str
    mean: tuple[float, ...]
    used: tuple[float, ...]


@dataclass(frozen=True)
class Usage:
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

    def to_dict(self) -> dict[str, Any]:
        """Return the values as a dictionary for JSON."""
        mean = {lang: self.mean(lang)[""].tolist() for lang in self.languages}
        return {
            "router": self.router,
            "experts": self.experts,
            "mean": mean,
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
    return max(3.4, 1.2 + (wide + 0.25) * len(usage.languages)), 1.9 + rows * CELL_INCHES[1]


def _draw(part: SubFigure, usage: Usage) -> None:
    title = f"{usage.router}: mean weight of each expert"
    part.suptitle(title, fontsize=10, x=0.01, ha="left", color=LIGHT["ink"])
    columns = [_tables(usage, lang) for lang in usage.languages]
    heights = [len(names) for names, _ in columns[0]]
    grid = part.subplots(
        len(heights), len(columns), squeeze=False, gridspec_kw={"height_ratios": heights}
    )
    for number, (lang, tables) in enumerate(zip(usage.languages, columns, strict=True)):
        for place, (names, weights) in enumerate(tables):
            axes = grid[place, number]
            _shade(axes, weights)
            axes.set_yticks(range(len(names)), names if number == 0 else [""] * len(names))
        above = lang if lang == ALL else f"texts in {lang}"
        grid[0, number].set_title(above, fontsize=10, color=LIGHT["ink"])
        experts = [_short(name) for name in usage.experts]
        grid[-1, number].set_xticks(range(len(experts)), experts, rotation=45, ha="right")


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
