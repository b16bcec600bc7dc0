"""Make the HTML parts of the page: bars, heat maps, examples.

These parts contain texts of any script. As HTML, they get fonts and direction from the browser.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from xadapt.report.headline import shown
from xadapt.report.results import MODULE, Example, Heat, LanguageResult, Score

Matrix = Sequence[Sequence[float]]


def text_of(text: str, lang: str, tag: str = "span", attributes: str = "") -> str:
    """Return an element with a text, its direction, and its language tag for the fonts."""
    extra = f" {attributes}" if attributes else ""
    return f'<{tag}{extra} dir="auto" lang="{escape(lang)}">{escape(text)}</{tag}>'


def scores_html(result: LanguageResult) -> str:
    """Return bars with intervals, one figure per direction."""
    figures = []
    for direction in result.directions():
        rows = [
            _bar(score, result.measure) for score in result.scores if score.direction == direction
        ]
        figures.append(
            f"<figure><figcaption>{escape(result.arrow(direction))}</figcaption>"
            f'<ul class="bars">{"".join(rows)}</ul></figure>'
        )
    return f'<div class="pair">{"".join(figures)}</div>' if figures else ""


def _bar(score: Score, measure: str) -> str:
    interval = between = ""
    if score.low is not None and score.high is not None:
        left, width = 100 * score.low, 100 * (score.high - score.low)
        interval = f'<i class="range" style="left:{left:.2f}%;width:{width:.2f}%"></i>'
        between = f" <small>{_between(score.low, score.high, measure)}</small>"
    kind = ' class="is-module"' if score.system in MODULE else ""
    return (
        f'<li{kind}><span class="name">{escape(score.system)}</span>'
        f'<span class="track" aria-hidden="true"><i class="bar" style="width:'
        f'{100 * score.value:.2f}%"></i>{interval}</span>'
        f'<span class="number"><b>{shown(score.value, measure)}</b>{between}</span></li>'
    )


def _between(low: float, high: float, measure: str) -> str:
    if shown(low, measure).endswith("%"):
        return f"{100 * low:.0f} to {100 * high:.0f}"
    return f"{low:.2f} to {high:.2f}"


def heat_html(heat: Heat, lang: str, pivot: str) -> str:
    """Return similarities before and after as two tables on one common scale.

    Args:
        heat: The matrices.
        lang: Tag of the rows' language.
        pivot: Tag of the columns' language.
    """
    if not heat.labels_left or not heat.labels_right:
        return ""
    values = [value for matrix in (heat.before, heat.after) for row in matrix for value in row]
    low, high = min(values), max(values)
    tables = "".join(
        f'<figure><figcaption>{name}</figcaption><div class="scroll" tabindex="0">'
        f"{_table(heat, matrix, (low, high), (lang, pivot))}</div></figure>"
        for name, matrix in (("Before", heat.before), ("After", heat.after))
    )
    rows = len(heat.labels_left)
    return (
        f'<div class="pair">{tables}</div>'
        f'<p class="scale soft">{low:.2f} <i></i> {high:.2f}</p>'
        f'<p class="soft">Framed: the right pair. Dot: the highest of its row. The right pair is '
        f"the highest of its row for {found_first(heat.before)} of these {rows} items before, "
        f"{found_first(heat.after)} after.</p>"
    )


def found_first(matrix: Matrix) -> int:
    """Count the rows in which the right pair, on the diagonal, is above all others."""
    return sum(
        all(value < row[place] for other, value in enumerate(row) if other != place)
        for place, row in enumerate(matrix)
        if place < len(row)
    )


def _table(heat: Heat, matrix: Matrix, ends: tuple[float, float], tags: tuple[str, str]) -> str:
    head = "".join(f'<th scope="col">{_label(text, tags[1])}</th>' for text in heat.labels_right)
    body = "".join(
        f'<tr><th scope="row">{_label(text, tags[0])}</th>{_cells(row, place, ends)}</tr>'
        for place, (text, row) in enumerate(zip(heat.labels_left, matrix, strict=True))
    )
    return (
        f'<table class="heat"><thead><tr><td style="--v:0"></td>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table>"
    )


def _label(text: str, tag: str) -> str:
    return text_of(text, tag, attributes=f'title="{escape(text)}"')


def _cells(row: Sequence[float], place: int, ends: tuple[float, float]) -> str:
    low, high = ends
    cells = []
    for column, value in enumerate(row):
        depth = (value - low) / (high - low) if high > low else 0.0
        names = ["pair-cell"] * (column == place) + ["top"] * (value == max(row))
        kind = f' class="{" ".join(names)}"' if names else ""
        cells.append(f'<td{kind} style="--v:{depth:.2f}" title="{value:.2f}"></td>')
    return "".join(cells)


def examples_html(examples: Sequence[Example], lang: str, pivot: str) -> str:
    """Return queries with the answers before and after, each marked right or wrong."""
    if not examples:
        return ""
    head = "".join(f'<th scope="col">{name}</th>' for name in ("Query", "Before", "After", "Right"))
    body = "".join(
        f'<tr><td data-column="Query">{text_of(example.query, lang)}</td>'
        + _answer("Before", example.before, example.right, pivot)
        + _answer("After", example.after, example.right, pivot)
        + f'<td data-column="Right">{text_of(example.right, pivot)}</td></tr>'
        for example in examples
    )
    return f'<table class="examples"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def _answer(column: str, answer: str, right: str, lang: str) -> str:
    word, mark = ("right", "✓") if answer == right else ("wrong", "✗")
    return (
        f'<td data-column="{column}"><span class="{word}"><span class="mark" aria-hidden="true">'
        f'{mark}</span><span class="unseen">{word}: </span>{text_of(answer, lang)}</span></td>'
    )
