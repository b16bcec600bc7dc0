"""What the shell offers for a half-typed word: names of parts, recipes and bases, and files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from xadapt.config.recipe_file import recipe_names
from xadapt.core import registry


def recipes(incomplete: str) -> list[str]:
    """Return recipes that begin so, and YAML files and folders."""
    return _begin(incomplete, recipe_names()) + list(paths(incomplete, ".yaml", ".yml"))


def parts(incomplete: str) -> list[str]:
    """Return recipes and parts of all kinds that begin so."""
    every = {name for room in registry.ROOMS for name in registry.names(room)}
    return _begin(incomplete, sorted(every | set(recipe_names())))


def metrics(incomplete: str) -> list[str]:
    """Return metrics that begin so."""
    return _begin(incomplete, registry.names("metrics"))


def bases(incomplete: str) -> list[str]:
    """Return ``mini``, bases in the cache of the Hub, and folders that begin so."""
    return _begin(incomplete, ["mini", *_cached()]) + list(paths(incomplete))


def dtypes(incomplete: str) -> list[str]:
    """Return types of weights that begin so."""
    return _begin(incomplete, ["auto", "float32", "bfloat16", "int8", "nf4"])


def paths(incomplete: str, *suffixes: str) -> Iterator[str]:
    """Yield folders that begin so, and files with one of some suffixes."""
    head, tail = os.path.split(incomplete)
    try:
        entries = sorted(Path(head or ".").expanduser().iterdir())
    except OSError:
        return
    for entry in entries:
        if entry.name.startswith(tail) and not entry.name.startswith("."):
            shown = str(Path(head, entry.name)) if head else entry.name
            if entry.is_dir():
                yield shown + os.sep
            elif entry.name.endswith(suffixes or ("\0",)):
                yield shown


def _cached() -> list[str]:
    """Return the ids of the models in the cache of the Hub."""
    home = Path(os.environ.get("HF_HOME", Path.home() / ".cache" / "huggingface"))
    cache = Path(os.environ.get("HF_HUB_CACHE", home / "hub"))
    try:
        folders = sorted(entry.name for entry in cache.iterdir())
    except OSError:
        return []
    return [name[8:].replace("--", "/") for name in folders if name.startswith("models--")]


def _begin(incomplete: str, known: list[str] | tuple[str, ...]) -> list[str]:
    return [name for name in known if name.startswith(incomplete)]
