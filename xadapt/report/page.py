"""Write the page: one HTML file without external resources."""

from __future__ import annotations

from html import escape
from pathlib import Path

from xadapt.core.files import write_text
from xadapt.report.figures import dev_svg, loss_svg
from xadapt.report.headline import chance, headline, measure_name
from xadapt.report.panels import examples_html, heat_html, scores_html
from xadapt.report.results import TFIDF, LanguageResult, Report
from xadapt.report.style import style_sheet

# the page may load nothing from outside, and no script, for any text on the page
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
BAR_NOTE = "The line over a bar is the 95 % interval."


def render(report: Report) -> str:
    """Return the whole page as text. Every text of the report is escaped."""
    sections = [_language(result, place) for place, result in enumerate(report.languages)]
    parts = [
        _header(report, sections),
        *sections,
        _training(report),
        _section("Load it", _code(report.snippet)),
        _section("Limits, and what was not measured", _notes(report)),
        _section("Made by", _code(report.command)),
    ]
    page = (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        f"<title>{escape(report.title)}</title>\n<style>\n{style_sheet()}</style>\n</head>\n"
        "<body>\n" + "\n".join(part for part in parts if part) + "\n</body>\n</html>\n"
    )
    # the page must be written even if the data have half a surrogate pair
    return page.encode("utf-8", "replace").decode("utf-8")


def write_report(path: Path | str, report: Report) -> None:
    """Write the page atomically.

    Raises:
        UserError: If the disk is full or the folder can't be written.
    """
    write_text(path, render(report))


def _header(report: Report, sections: list[str]) -> str:
    several = len(report.languages) > 1
    lines = []
    for place, (result, section) in enumerate(zip(report.languages, sections, strict=True)):
        sentence = _unbroken(escape(headline(result)))
        if several and section:
            sentence = f'<a href="#language-{place}">{sentence}</a>'
        lines.append(f'<p class="headline">{sentence}</p>')
    kind = ' class="headlines"' if several else ""
    facts = "".join(
        f'<div><dt>{escape(name)}</dt><dd dir="auto">{escape(value)}</dd></div>'
        for name, value in report.facts
    )
    table = f'<dl class="facts">{facts}</dl>' if facts else ""
    return f"<header{kind}><h1>{escape(report.title)}</h1>{''.join(lines)}{table}</header>"


def _unbroken(sentence: str) -> str:
    """Prevent line breaks between a number and its percent sign, and in the name TF-IDF."""
    whole = f'<span class="whole">{TFIDF}</span>'
    return sentence.replace(" %", "&nbsp;%").replace(TFIDF, whole)


def _language(result: LanguageResult, place: int) -> str:
    parts = [scores_html(result)]
    if parts[0]:
        intervals = any(score.low is not None for score in result.scores)
        note = " ".join(filter(None, [chance(result), BAR_NOTE if intervals else ""]))
        name = measure_name(result.measure)
        text = f"{name[:1].upper()}{name[1:]} on {result.asked}. {note}"
        parts.insert(0, f'<p class="soft">{_unbroken(escape(text))}</p>')
    if result.heat is not None:
        heat = heat_html(result.heat, result.lang, result.pivot)
        parts.append(f"<h3>Similarity of test items</h3>{heat}" if heat else "")
    examples = examples_html(result.examples, result.lang, result.pivot)
    parts.append(f"<h3>Examples</h3>{examples}" if examples else "")
    body = "".join(parts)
    if not body:
        return ""
    return f'<section id="language-{place}"><h2>{escape(result.name)}</h2>{body}</section>'


def _training(report: Report) -> str:
    figures = "".join(
        f"<figure><figcaption>{name}</figcaption>{drawing}</figure>"
        for name, drawing in (
            ("Loss", loss_svg(report.curves)),
            ("Score on the development split", dev_svg(report.dev)),
        )
        if drawing
    )
    return _section("Training", f'<div class="pair">{figures}</div>' if figures else "")


def _notes(report: Report) -> str:
    items = "".join(f"<li>{escape(note)}</li>" for note in report.notes)
    return f"<ul>{items}</ul>" if items else ""


def _code(text: str) -> str:
    return f"<pre><code>{escape(text.strip())}</code></pre>" if text.strip() else ""


def _section(title: str, body: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{body}</section>" if body else ""
