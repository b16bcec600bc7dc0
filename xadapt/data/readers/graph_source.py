"""Sources of knowledge graphs by their prefix: ``dbp5l:DIR/ja``, ``kg:DIR``, ``cldr``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from xadapt.core import registry
from xadapt.core.errors import UserError


def split_source(source: str) -> tuple[str, str]:
    """Split ``kg:DIR`` into the prefix and the place.

    Raises:
        UserError: If no layout has that prefix.
    """
    prefix, _, place = source.partition(":")
    known = registry.names("graphs")
    if prefix not in known:
        forms = ", ".join(f"{name}:..." for name in known if name != "cldr")
        raise UserError(
            "this names no layout of a knowledge graph",
            where=source,
            todo=f"Write one of {forms}, or cldr",
        )
    if not place and prefix != "cldr":
        raise UserError(
            "no folder is named", where=source, todo=registry.load("graphs", prefix).layout
        )
    return prefix, place


def is_graph(source: str) -> bool:
    """Return whether a source begins with the prefix of a layout."""
    return source.partition(":")[0] in registry.names("graphs")


def file_name(source: str) -> str:
    """Return the name of a source without folders: ``kg:a/dbp5l/ja`` gives ``kg:dbp5l-ja``.

    A path alone gives the name of the file.
    """
    if not is_graph(source) or ":" not in source or Path(source).exists():
        return Path(source).name
    prefix, _, place = source.partition(":")
    folder, last = Path(place).parent.name, Path(place).name
    inner = folder and not Path(place).exists()
    return f"{prefix}:{folder}-{last}" if inner else f"{prefix}:{last}"


def reader_of(source: str) -> tuple[Any, str]:
    """Return the reader of a graph, and the place that it reads.

    Raises:
        UserError: If no layout has that prefix.
    """
    prefix, place = split_source(source)
    return registry.load("graphs", prefix)(), place
