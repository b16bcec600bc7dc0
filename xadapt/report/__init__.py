"""Write the page and the picture with the results of a run.

Fill a `Report` and pass it to `write_report` (one self-contained HTML page) or `save_figure`
(only the score bars, as a PNG).
"""

from xadapt.report.figures import save_figure
from xadapt.report.headline import headline
from xadapt.report.page import render, write_report
from xadapt.report.results import (
    BASE,
    BOTH_SIDES,
    LANGUAGE_SIDE,
    SHUFFLED,
    TFIDF,
    Example,
    LanguageResult,
    Report,
    Score,
)

__all__ = [
    "BASE",
    "BOTH_SIDES",
    "LANGUAGE_SIDE",
    "SHUFFLED",
    "TFIDF",
    "Example",
    "LanguageResult",
    "Report",
    "Score",
    "headline",
    "render",
    "save_figure",
    "write_report",
]
