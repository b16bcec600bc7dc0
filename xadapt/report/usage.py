"""Which experts a routed mixture uses: the values, and their picture."""

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
        lang: Its tag, or ``all texts``.
        layer: From 1; 0 is the embeddings.
        site: Name of the site, such as ``q``.
        mean: Mean weight of each expert, over real tokens, or over texts where a text has one.
        used: Share of these in which the expert's weight is not zero.
    """

    lang: str
    layer: int
    site: str
    mean: tuple[float, ...]
    used: tuple[float, ...]


@dataclass(frozen=True)
class Usage:
    """How one router weighs its experts.

    Attributes:
        router: What weighs them.
        experts: Their names.
        cells: One a language, layer and site.
    """

    router: str
    experts: tuple[str, ...]
    cells: tuple[Cell, ...]

    @property
    def languages(self) -> list[str]:
        """In the order they were measured."""
        return list(dict.fromkeys(cell.lang for cell in self.cells))

    def mean(self, lang: str, rows: Callable[[Cell], Any] = lambda _: "") -> dict[Any, Any]:
        """Mean weights of a language by layer, by site or of all, each site counting alike.

        Args:
            lang: The language.
            rows: What cells are put together by.

        Returns:
            ``(experts,)`` by what ``rows`` gave.
        """
        found: dict[Any, list[tuple[float, ...]]] = {}
        for cell in self.cells:
            if cell.lang == lang:
                found.setdefault(rows(cell), []).append(cell.mean)
        return {row: np.mean(values, axis=0) for row, values in found.items()}

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        mean = {lang: self.mean(lang)[""].tolist() for lang in self.languages}
        return {
            "router": self.router,
            "experts": self.experts,
            "mean": mean,
            "cells": [asdict(cell) for cell in self.cells],
        }


def check_format(path: Path | str) -> str:
    """The format of a picture by its name.

    Raises:
        UserError: There is none of that name.
    """
    ending = Path(path).suffix.lower()
    if ending not in FORMATS:
        raise UserError(
            f"a picture is {', '.join(FORMATS)}, not {ending!r}", where=str(path), todo="Rename it"
        )
    return ending.removeprefix(".")


@plain
def save_usage(path: Path | str, usages: Sequence[Usage]) -> None:
    """Draw mean weights as shaded tables: a column a language; of all, by layer, by site.

    Raises:
        UserError: The file's name ends in no format, or it can't be written.
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
    """Names of rows and weights ``(rows, experts)``: of all, by layer, by site."""
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
    """One shaded table; the shade says the same as the number in each cell."""
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
