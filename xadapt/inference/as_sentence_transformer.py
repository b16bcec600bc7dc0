"""Make a ``SentenceTransformer`` of an encoder, with the modules merged into its weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from torch import nn

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.composition.export import merge_loras
from xadapt.composition.text import show
from xadapt.composition.values import Composition, RoutedParts, all_parts, names
from xadapt.core.errors import UserError
from xadapt.hub import own_table
from xadapt.hub.merged import write_merged
from xadapt.hub.sentence_files import refuses, write_sentence_files
from xadapt.injection.attachment import model_shape
from xadapt.integrations import sentence_transformers as library
from xadapt.modules.none import Nothing
from xadapt.modules.vocabulary import Vocabulary


def convert(encoder: Encoder, composition: Composition, modules: Mapping[str, nn.Module]) -> Any:
    """Make a model of sentence-transformers with the same vectors, in fp32.

    A vocabulary becomes the tokenizer and the table of the model, which then reads every text by
    it, as the encoder reads texts in the vocabulary's language.

    Args:
        encoder: The base; it is not changed.
        composition: The bare base, a LoRA, or a stack or fixed mixture of LoRAs. One of them may be
            the inner module of a vocabulary.
        modules: Modules by name.

    Raises:
        UserError: If sentence-transformers is not installed, or can't hold the base or the
            composition. The message says why.
    """
    library.require()
    used = {name: modules[name] for name in names(composition)}
    inner, vocabulary = own_table.without_vocabulary(used)
    reason = _refuses(encoder, composition, inner, vocabulary)
    if reason:
        raise UserError(
            f"sentence-transformers can't hold this: {reason}",
            where=show(composition),
            todo="Use the AdaptedEncoder itself: its encode has the same options",
        )
    merged = None
    if not all(isinstance(module, Nothing) for module in inner.values()):
        merged = merge_loras(composition, inner, model_shape(encoder)).module
    with TemporaryDirectory(prefix="xadapt-", ignore_cleanup_errors=True) as temporary:
        folder = Path(temporary) / "model"
        said = f"{encoder.base} with {show(composition)}\n"
        write_merged(folder, encoder, merged, said, vocabulary=vocabulary)
        write_sentence_files(
            folder,
            encoder.pooling,
            base=None,
            width=encoder.width,
            max_length=encoder.max_length,
            dense=encoder.dense.state_dict(),
        )
        return library.opened(folder, str(encoder.device))


def _refuses(
    encoder: Encoder,
    composition: Composition,
    modules: Mapping[str, nn.Module],
    vocabulary: Vocabulary | None,
) -> str | None:
    """Return the reason why sentence-transformers can't hold a composition, or ``None``."""
    if any(isinstance(part, RoutedParts) for part in all_parts(composition)):
        return "it has no routing or fusion over rows"
    kinds = {name: str(module.kind) for name, module in modules.items()}
    held = {"lora", Nothing.kind}
    other = next((name for name, kind in kinds.items() if kind not in held), None)
    if other is not None:
        return f"it has no module of kind {kinds[other]!r} ({other})"
    if encoder.source.kind == "memory":
        return "the base is only in memory: load it from a folder, a package or the Hub"
    reason = None if vocabulary is None else own_table.refuses(encoder, vocabulary)
    if reason is not None:
        return f"the vocabulary can't be the base's own, because {reason}"
    return refuses(str(encoder.model.config.model_type))  # type: ignore[union-attr]
