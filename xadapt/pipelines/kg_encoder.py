"""The encoder of the names of a graph: a base, with modules if any are named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from xadapt.core.errors import UserError
from xadapt.core.sequences import as_paths
from xadapt.inference.adapted_encoder import AdaptedEncoder
from xadapt.inference.locate import locate


def places_of(
    base: str | AdaptedEncoder | None,
    modules: str | Path | Sequence[str | Path],
    compose: str | None,
) -> tuple[Any, dict[str, str]]:
    """Return the composition and the folders of its modules; one module acts on all texts.

    Raises:
        UserError: If there are modules and no base, or a folder is no module.
    """
    given = as_paths(modules)
    if not given and compose is None:
        return None, {}
    if base is None or isinstance(base, AdaptedEncoder):
        raise UserError("modules need the base they were trained on", todo="Add --base")
    composition, places = locate(given, compose)
    if compose is None and len(places) == 1:
        [composition] = places
    return composition, places


def encoder_of(
    base: str | AdaptedEncoder, composition: Any, places: Mapping[str, str], dtype: str
) -> AdaptedEncoder:
    """Load a base and modules, unless they are loaded already.

    Raises:
        UserError: If there is no such base, or a module belongs to another one.
    """
    if isinstance(base, AdaptedEncoder):
        return base
    return AdaptedEncoder.open(base, composition, places, dtype=dtype)


def open_encoder(
    base: str | AdaptedEncoder | None,
    modules: str | Path | Sequence[str | Path],
    compose: str | None,
    dtype: str,
) -> AdaptedEncoder | None:
    """Load a base and modules; ``None`` without a base.

    Raises:
        UserError: If there are modules and no base, a folder is no module, or it belongs to another
            base.
    """
    composition, places = places_of(base, modules, compose)
    return None if base is None else encoder_of(base, composition, places, dtype)
