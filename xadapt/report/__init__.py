"""Write the page and the picture with the results of a run; show results in a notebook.

Fill a `Report` and pass it to `write_report` (one self-contained HTML page) or `save_figure`
(only the score bars, as a PNG). `xadapt.report.display` shows the results of functions.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from xadapt.report.headline import headline
from xadapt.report.results import (
    BASE,
    BOTH_SIDES,
    LANGUAGE_SIDE,
    SHUFFLED,
    TFIDF,
    Example,
    Heat,
    LanguageResult,
    Report,
    Score,
)

if TYPE_CHECKING:
    from xadapt.report.figures import save_figure
    from xadapt.report.page import render, write_report

__all__ = [
    "BASE",
    "BOTH_SIDES",
    "LANGUAGE_SIDE",
    "SHUFFLED",
    "TFIDF",
    "Example",
    "Heat",
    "LanguageResult",
    "Report",
    "Score",
    "headline",
    "render",
    "save_figure",
    "write_report",
]
_DRAWN = {"save_figure": "figures", "render": "page", "write_report": "page"}


def __getattr__(name: str) -> Any:
    if name in _DRAWN:  # matplotlib is imported when something is drawn
        return getattr(import_module(f"xadapt.report.{_DRAWN[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
