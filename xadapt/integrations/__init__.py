"""Bridges to other libraries, one file for each; no other room imports these libraries."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor, nn

    from xadapt.backbones.encoder.encoder import Encoder
    from xadapt.heads.head import Head


def usable() -> dict[str, str | None]:
    """Return each library that opens modules, with the reason why it is unusable, or ``None``."""
    from xadapt.integrations.verify import unusable

    return unusable()


def compare_origin(
    library: str,
    settings: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
    prefix: str,
    module: nn.Module,
    encoder: Encoder,
    texts: Sequence[str],
) -> float | str:
    """Compare an imported module with the library that it comes from; see `origin`."""
    from xadapt.integrations import origin

    return origin.compare_origin(library, settings, tensors, prefix, module, encoder, texts)


def compare_loaders(
    base: str,
    module: nn.Module,
    texts: Sequence[str],
    head: Head | None = None,
    objectives: Sequence[str] = (),
) -> Mapping[str, Callable[[Path], float]]:
    """Make a function for each installed library that compares a written folder with xadapt.

    Args:
        base: Hub id, folder or ``package:NAME/SUBDIR`` of the base.
        module: The module as trained.
        texts: Texts to compare on.
        head: The module's task head.
        objectives: The module's objectives. A head, or ``mlm`` alone, means a comparison by logits.
            Those of encoder-decoders compare what the decoder writes. A module with a vocabulary of
            its own is compared by vectors.

    Raises:
        UserError: If there is no such base.
    """
    from xadapt.backbones.encoder.encoder import Encoder
    from xadapt.backbones.frozen_model import open_model
    from xadapt.integrations.own_vocabulary import comparisons
    from xadapt.integrations.verify import callbacks
    from xadapt.objectives.contract import backbone_named

    kind = backbone_named(objectives)
    model = open_model(kind, base, dtype="float32", device="cpu")
    vocabulary = getattr(module, "vocabulary", None)
    if vocabulary is not None and isinstance(model, Encoder):
        return comparisons(model, module, vocabulary, texts)
    return callbacks(model, module, model.source.location, texts, head, objectives)
