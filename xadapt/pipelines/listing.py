"""List what there is: recipes, objectives, readers, layouts of graphs, tasks and more.

The lists are made from file names, the first lines of docstrings and the YAML of the recipes. No
part is imported, so a list takes a fraction of a second.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import yaml

from xadapt.core import registry
from xadapt.core.resources import resource
from xadapt.report.display import Listing


def list_recipes() -> Listing:
    """List the recipes that xadapt ships, for `train` and `tune`.

    Returns:
        Names with ``description``, ``module`` (the kind of module that is trained), ``data`` (the
        records that it learns from), ``reader`` (their reader) and ``paper``.
    """
    files = sorted(resource("adapter_configs").glob("*.yaml"))
    return Listing("recipes", [_recipe(file.stem, _parse(file)) for file in files], _WIDE)


def list_objectives() -> Listing:
    """List the objectives: what a module can be trained for. A recipe names one or more."""
    return _parts("objectives")


def list_modules() -> Listing:
    """List the kinds of modules that can be trained: ``module.kind`` in a recipe."""
    return _parts("modules")


def list_readers() -> Listing:
    """List the readers: the formats of data."""
    return _parts("readers")


def list_transforms() -> Listing:
    """List the transforms, which make records from the records of a reader."""
    return _parts("transforms")


def list_graphs() -> Listing:
    """List the layouts of knowledge graphs that ``kg build`` and the readers of graphs take."""
    return _parts("graphs")


def list_tasks() -> Listing:
    """List the tasks that `evaluate` measures."""
    return _parts("tasks")


def list_metrics() -> Listing:
    """List the further metrics that `evaluate` takes with ``metric=``."""
    return _parts("metrics")


def list_maps() -> Listing:
    """List the methods that `map_embeddings` fits a map between word vectors with."""
    return _parts("maps")


LISTS: dict[str, Callable[[], Listing]] = {
    "recipes": list_recipes,
    "objectives": list_objectives,
    "modules": list_modules,
    "readers": list_readers,
    "transforms": list_transforms,
    "graphs": list_graphs,
    "tasks": list_tasks,
    "metrics": list_metrics,
    "maps": list_maps,
}
"""Every list by the plural of its kind, in the order of ``xadapt list``."""

LINE = 100
"""The most characters of a description that is cut."""

_WIDE = ("reader", "paper")
_GIVES = re.compile(r"^    gives\b[^=\n]*= *(\w+)", re.MULTILINE)


def _parts(room: str) -> Listing:
    entries = [
        {"name": name, "description": registry.summary(room, name)} for name in registry.names(room)
    ]
    return Listing(room, entries)


def _parse(file: Any) -> dict[str, Any]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # both build plain values only
    found: dict[str, Any] = yaml.load(file.read_bytes(), Loader=loader)
    return found


def _recipe(name: str, raw: dict[str, Any]) -> dict[str, str]:
    reader = (raw.get("data") or {}).get("train", {}).get("reader", "parallel")
    return {
        "name": name,
        "description": _short(raw.get("description", "")),
        "module": raw["module"]["kind"],
        "data": _records_of(reader),
        "reader": reader,
        "paper": raw["source"]["paper"],
    }


def _short(text: str) -> str:
    """Return the first sentence; of a long one, the clauses that fit into a line."""
    sentence = " ".join(text.split()).partition(". ")[0].rstrip(".")
    end = max(sentence.rfind(mark, 0, LINE) for mark in (", ", ": "))
    return sentence[:end] if len(sentence) > LINE and end > 0 else sentence


def _records_of(reader: str) -> str:
    """Return the records of a reader in words, such as ``parallel pairs``, from its source."""
    file = registry.source("readers", reader)
    found = _GIVES.search(file.read_text(encoding="utf-8")) if file else None
    return _in_words(found[1]) if found else ""


def _in_words(record: str) -> str:
    """Return the plural of a record's name in words."""
    spaced = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in record)
    return f"{spaced.strip()}s"
