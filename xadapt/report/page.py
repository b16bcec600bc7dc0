"""Write the page: one HTML file without external resources, from the template ``page.html``."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup, escape

from xadapt.core.files import write_text
from xadapt.report.figures import dev_svg, loss_svg
from xadapt.report.headline import between, explained, headline, shown
from xadapt.report.results import MODULE, TFIDF, Report
from xadapt.report.style import POLICY, style_sheet

TEMPLATE = "page.html"


def render(report: Report) -> str:
    """Return the whole page as text. Every text of the report is escaped."""
    drawings = [
        (name, Markup(drawing))
        for name, drawing in (
            ("Loss", loss_svg(report.curves)),
            ("Score on the development split", dev_svg(report.dev)),
        )
        if drawing
    ]
    page = _template().render(
        report=report, drawings=drawings, policy=POLICY, style=Markup(style_sheet())
    )
    # the page must be written even if the data have half a surrogate pair
    return page.encode("utf-8", "replace").decode("utf-8")


def write_report(path: Path | str, report: Report) -> None:
    """Write the page atomically.

    Raises:
        UserError: If the disk is full or the folder can't be written.
    """
    write_text(path, render(report))


@cache
def _template() -> Template:
    made = Environment(autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True)
    made.filters["unbroken"] = _unbroken
    made.globals.update(
        module=MODULE, shown=shown, between=between, headline=headline, explained=explained
    )
    return made.from_string(Path(__file__).with_name(TEMPLATE).read_text(encoding="utf-8"))


def _unbroken(sentence: str) -> Markup:
    """Prevent line breaks between a number and its percent sign, and in the name TF-IDF."""
    whole = Markup('<span class="whole">{}</span>').format(TFIDF)
    text = escape(sentence.replace(" %", "\N{NO-BREAK SPACE}%"))
    return Markup(text.replace(TFIDF, whole))
