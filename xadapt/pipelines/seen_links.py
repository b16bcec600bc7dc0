"""Refuse a module whose training may have seen test links."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from xadapt.core import registry
from xadapt.core.errors import UserError
from xadapt.hub.manifest import Manifest
from xadapt.hub.opening import require_module

OPTION = "exclude_links"


def require_unseen(places: Mapping[str, str], sha256: str, links: str) -> list[str]:
    """Refuse modules that learnt from a graph from which these links were not left out.

    The manifest of a module names the links whose entities its training data lack, with the hash of
    their file. A module that learnt from a graph without leaving out exactly these links may know
    the answers.

    Args:
        places: The folder of each module by name.
        sha256: Hash of the test links, as `xadapt.data.readers.graph_links.links_sha256` gives it.
        links: Name of the test links, for the error.

    Returns:
        The names of modules that did not learn from a graph, about which nothing is known.

    Raises:
        UserError: If a module may have seen the links.
    """
    unknown = []
    for name, folder in places.items():
        manifest = require_module(folder)
        if not _reads_graph(manifest):
            unknown.append(name)
        elif sha256 not in {one.sha256 for data in manifest.data for one in data.excluded}:
            raise UserError(
                f"this module's training may have seen the test links: its manifest does not say "
                f"that {links} (SHA-256 {sha256[:12]}...) were left out",
                where=folder,
                todo=f"Train with --set data.train.options.{OPTION}={links}, or add --allow-seen",
            )
    return unknown


def _reads_graph(manifest: Manifest) -> bool:
    """Whether a module learnt from records of a knowledge graph, by its recipe."""
    data: Any = manifest.recipe.get("data")
    readers = {
        str(spec.get("reader"))
        for spec in (data.values() if isinstance(data, Mapping) else ())
        if isinstance(spec, Mapping)
    }
    known = set(registry.names("readers"))
    return any(
        name in known and hasattr(registry.load("readers", name), OPTION) for name in readers
    )
