"""Caches of the states below the first module, for texts that several compositions encode.

Encoding distinct texts under one composition keeps nothing, in memory or on disk: a cache pays only
where a text is encoded again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from torch import nn

from xadapt.backbones.cache.frozen_vectors import cache_folder
from xadapt.backbones.cache.prefix_states import MEMORY_BYTES, PrefixStates, shared_states
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.composition.by_language import choices
from xadapt.composition.composed import Composed
from xadapt.composition.values import Composition, all_parts
from xadapt.injection.attachment import lowest


class System(Protocol):
    """A text encoder, such as `xadapt.inference.adapted_encoder.AdaptedEncoder`."""

    encoder: Encoder
    modules: dict[str, nn.Module]
    composition: Composition


def first_layer(
    encoder: Encoder, compositions: Iterable[Composition], modules: Mapping[str, nn.Module]
) -> int:
    """Find the lowest layer in which compositions act for any row, -1 for the embeddings.

    Args:
        encoder: The encoder; its depth is returned if no module acts.
        compositions: Compositions; ``None`` is the base.
        modules: Modules by name.

    Raises:
        UserError: If a composition can't run.
    """
    parts = {part for own in set(compositions) for part in all_parts(own) if part is not None}
    wholes = [Composed.checked(part, modules) for part in parts if not choices(part)]
    return min((lowest(one.hooks(), encoder.depth) for one in wholes), default=encoder.depth)


def shared_cache(*systems: System) -> PrefixStates | None:
    """Make a cache of the states below the lowest module of several systems on one encoder.

    If all systems use the cache, each text goes through these layers once.

    Args:
        systems: All systems that use the cache.

    Returns:
        The cache; ``None`` for one system alone, which shares nothing, or where a module acts in
        the first layer or below.

    Raises:
        UserError: If a composition can't run.
    """
    if len(systems) < 2:
        return None
    encoder = systems[0].encoder
    start = min(first_layer(encoder, [one.composition], one.modules) for one in systems)
    return shared_states(encoder, start, cache_folder())


def repeated_cache(system: System) -> PrefixStates | None:
    """Make a cache for several calls of one system on the same texts.

    Args:
        system: The system; only values of its composition may change, such as weights.

    Returns:
        The cache; ``None`` where a module acts in the first layer or below.

    Raises:
        UserError: If the composition can't run.
    """
    start = first_layer(system.encoder, [system.composition], system.modules)
    if start < 1:
        return None
    return PrefixStates(system.encoder, start, cache_folder(), memory=MEMORY_BYTES)


def cache_within(
    system: System, texts: Sequence[str], compositions: Sequence[Composition] | None
) -> PrefixStates | None:
    """Make a cache for one call, if each text occurs twice or more on average.

    Args:
        system: The system that encodes.
        texts: The texts of the call.
        compositions: The compositions of the rows, if the call gives them.
    """
    if not texts or 2 * len(set(texts)) > len(texts):
        return None
    given = [system.composition] if compositions is None else compositions
    start = first_layer(system.encoder, given, system.modules)
    return shared_states(system.encoder, start, cache_folder())
