"""Write a page of aligned entities: to look through, filter, mark as right or wrong, and export.

The page is one HTML file that loads nothing from outside. Its one script is named by its hash, and
no other script runs, whatever the names of entities contain.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from xadapt.core.files import write_text
from xadapt.report.style import style_sheet

TEMPLATE, SCRIPT, STYLE = "aligned.html", "aligned.js", "aligned.css"


@dataclass(frozen=True)
class AlignedPair:
    """A pair of entities on the page.

    Attributes:
        left: The id of the left entity.
        right: The id of the right entity.
        left_name: Its name; empty for none.
        right_name: Its name.
        score: The score of the pair.
        margin: The lead over the next candidate; ``None`` if there is no other.
        verdict: What test links say: ``right``, ``wrong``, or empty.
        left_facts: Some facts of the left entity, a line each.
        right_facts: Some facts of the right entity.
    """

    left: str
    right: str
    left_name: str
    right_name: str
    score: float
    margin: float | None = None
    verdict: str = ""
    left_facts: tuple[str, ...] = ()
    right_facts: tuple[str, ...] = ()


@dataclass(frozen=True)
class AlignedPage:
    """What stands on the page.

    Attributes:
        title: The title.
        left: Name of the left graph.
        right: Name of the right graph.
        left_lang: Language of the left names.
        right_lang: Language of the right names.
        pairs: The pairs, in the order of the page.
        total: Number of pairs that were found; more than are on the page, perhaps.
        facts: Names and values shown above the pairs.
        notes: Lines shown below them.
        exported: Name of the file of links that the page exports.
    """

    title: str
    left: str
    right: str
    left_lang: str
    right_lang: str
    pairs: Sequence[AlignedPair]
    total: int
    facts: Sequence[tuple[str, str]] = ()
    notes: Sequence[str] = ()
    exported: str = "links.tsv"


def render_aligned(page: AlignedPage) -> str:
    """Return the page as text. Every text of the pairs is escaped."""
    script = _file(SCRIPT)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'"
    )
    made = _template().render(
        page=page,
        policy=policy,
        style=Markup(style_sheet() + _file(STYLE)),
        script=Markup(script),
        rows=Markup(_json([_row(pair) for pair in page.pairs])),
        about=Markup(_json(_about(page))),
    )
    return made.encode("utf-8", "replace").decode("utf-8")


def write_aligned(path: Path | str, page: AlignedPage) -> None:
    """Write the page atomically.

    Raises:
        UserError: If the disk is full or the folder can't be written.
    """
    write_text(path, render_aligned(page))


def _about(page: AlignedPage) -> dict[str, Any]:
    pairs = [(pair.left, pair.right) for pair in page.pairs]
    key = hashlib.sha256(json.dumps(pairs).encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return {
        "key": f"xadapt-aligned-{key}",
        "exported": page.exported,
        "left": page.left_lang,
        "right": page.right_lang,
    }


def _row(pair: AlignedPair) -> list[Any]:
    margin = None if pair.margin is None else round(pair.margin, 4)
    return [
        pair.left, pair.right, pair.left_name, pair.right_name, round(pair.score, 4), margin,
        pair.verdict, list(pair.left_facts), list(pair.right_facts),
    ]  # fmt: skip


def _json(value: Any) -> str:
    """Return JSON that can't end the element it stands in."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


@cache
def _template() -> Template:
    made = Environment(autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True)
    return made.from_string(_file(TEMPLATE))


@cache
def _file(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")
