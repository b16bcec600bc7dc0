"""Markdown from templates: every value is escaped unless it is marked as Markdown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

_ACTIVE = re.compile(r"([\\|*\[\]`])")


class Markdown(str):
    """Text that is Markdown already and is not escaped again."""

    __slots__ = ()


def escaped(value: object) -> Markdown:
    """Escape a value for Markdown and HTML, on one line.

    No heading, table, link, code or HTML can begin inside the text.
    """
    if isinstance(value, Markdown):
        return value
    plain = " ".join(str(value).split())
    return Markdown(_ACTIVE.sub(r"\\\1", plain).replace("<", "&lt;"))


def code(value: object) -> Markdown:
    """Return a value as code inside a line, also in a table."""
    plain = " ".join(str(value).split()).replace("`", "'").replace("|", "\\|")
    return Markdown(f"`{plain}`")


def render(template: str, values: Mapping[str, Any]) -> str:
    """Fill a template of ``xadapt/hub/templates``.

    Args:
        template: Name of the file.
        values: The values of its variables.
    """
    environment = Environment(
        loader=PackageLoader("xadapt.hub"),
        undefined=StrictUndefined,
        finalize=escaped,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.filters["cell"] = escaped
    return environment.get_template(template).render(**values)
