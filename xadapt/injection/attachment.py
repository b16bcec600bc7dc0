"""Attachment of modules to a frozen encoder: shapes, sites, and checks that a module fits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from xadapt.backbones.families import SitePoint
from xadapt.backbones.protocol import Attachable
from xadapt.core.errors import UserError
from xadapt.modules.hooks import BELOW, STATES, AdapterHook, ModelShape


def model_shape(encoder: Attachable) -> ModelShape:
    """Return the shapes of an encoder's sites."""
    sizes = {
        (layer, name, point): (int(site.module.in_features), site.stop - site.start)  # type: ignore[arg-type]
        for layer in range(encoder.depth)
        for name in encoder.family.site_names
        for point, site in enumerate(encoder.sites(layer, name))
    }
    vocabulary = embedding_table(encoder).num_embeddings
    norms = frozenset(encoder.family.norms)
    return ModelShape(encoder.depth, encoder.width, sizes, vocabulary, norms)


def embedding_table(encoder: Attachable) -> nn.Embedding:
    """Return the encoder's table of word embeddings, as its forward calls it."""
    inner: Any = getattr(encoder.model, "encoder", None)
    owner: Any = inner if hasattr(inner, "get_input_embeddings") else encoder.model
    table = owner.get_input_embeddings()
    assert isinstance(table, nn.Embedding)
    return table


def lowest(hooks: Sequence[AdapterHook], depth: int) -> int:
    """Return the lowest layer that hooks act in or read, -1 for the embeddings.

    Args:
        hooks: The hooks.
        depth: Depth of the encoder. This value is returned if there are no hooks.
    """
    layers = [at for e in hooks for at in (e.layer, *(at for at, _ in e.remembered))]
    return min(layers, default=depth)


def place(encoder: Attachable, hook: AdapterHook) -> SitePoint | None:
    """Find the linear that a hook acts on; ``None`` for the embeddings and the last states.

    Raises:
        UserError: If the encoder has no such place, or can't weight experts there by row.
    """
    if hook.layer == BELOW or (hook.site == STATES and hook.layer == encoder.depth - 1):
        return None
    points = encoder.sites(hook.layer, hook.site) if hook.layer < encoder.depth else []
    if hook.point >= len(points):
        raise UserError(
            f"the module acts on {hook.site} {hook.point + 1} of layer {hook.layer + 1}, "
            f"which this base of {encoder.depth} layers lacks",
            todo="Load it on the base it was trained on",
        )
    if hook.by_row and hook.site in ("q", "k") and projects_positions(encoder):
        raise UserError(
            "this base projects its positions through q and k, once for all rows, so "
            "experts there can't be weighed by row",
            todo="Route experts that act on other sites",
        )
    return points[hook.point]


def projects_positions(encoder: Attachable) -> bool:
    """Whether q and k are also called on a table of positions that all rows share (DeBERTa)."""
    return bool(getattr(encoder.model.config, "share_att_key", False))
