"""Write a sum of LoRAs on an encoder-decoder as one LoRA, or a base with it in its weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from xadapt.backbones.seq2seq.seq2seq import Seq2Seq
from xadapt.composition.composed import Composed
from xadapt.composition.export import merge_loras
from xadapt.composition.text import show
from xadapt.composition.values import Composition
from xadapt.core.errors import UserError
from xadapt.hub.folder import write_folder
from xadapt.hub.manifest import Manifest
from xadapt.hub.training_texts import SeenTexts
from xadapt.inference.open_module import mismatches_of, open_module
from xadapt.injection.attachment import model_shape
from xadapt.modules.storage import options_of
from xadapt.objectives.contract import SEQ2SEQ
from xadapt.pipelines.merged import MERGED, Merged, write_whole
from xadapt.pipelines.outcome import VERIFY_TEXTS, Verify


def are_seq2seq(composition: Composition, manifests: Mapping[str, Manifest]) -> bool:
    """Return whether modules are for encoder-decoders.

    Args:
        composition: The composition, for the message.
        manifests: Their manifests, by name.

    Raises:
        UserError: If some are, and others are for encoders.
    """
    kinds = {manifest.backbone for manifest in manifests.values()}
    if len(kinds) > 1:
        raise UserError(
            "modules of encoders and of encoder-decoders don't act together",
            where=show(composition),
        )
    return kinds == {SEQ2SEQ}


def compose_seq2seq(
    composition: Composition,
    places: Mapping[str, str],
    manifests: Mapping[str, Manifest],
    *,
    base: str,
    out: Path,
    verify: Verify,
    describe: Callable[..., Manifest],
    texts: SeenTexts | None = None,
    rank: int | None = None,
    merged: bool = False,
    loaders: Sequence[str] | None = None,
    report: Callable[[str], None] = lambda _: None,
) -> None:
    """Write a stack or fixed mixture of LoRAs on an encoder-decoder; see `compose`.

    Args:
        composition: The composition.
        places: Folders of its modules, by name.
        manifests: Their manifests.
        base: Hub id or folder of the base.
        out: Folder to make.
        verify: Function that loads the result in other libraries and compares what they compute.
        describe: Function from the module and further fields to its manifest.
        texts: What is known of the training texts.
        rank: Cut the LoRA to this rank.
        merged: Write the whole base with the LoRA in its weights.
        loaders: Libraries whose files are written.
        report: Receives a line for what was written.

    Raises:
        UserError: If the composition is no sum of LoRAs, or a module is for another base. No file
            is left behind.
    """
    seq2seq = Seq2Seq.from_pretrained(base, dtype="float32", device="cpu")
    modules: dict[str, nn.Module] = {}
    for name, folder in places.items():
        modules[name], _ = open_module(folder, seq2seq)
    Composed.checked(composition, modules)
    made = merge_loras(composition, modules, model_shape(seq2seq), rank)
    facts: dict[str, Any] = {
        "backbone": SEQ2SEQ,
        "dtype": seq2seq.precision,
        "base_mismatch": mismatches_of(manifests.values(), seq2seq),
    }
    manifest = describe(made.module, **facts)
    checks = verify(base, made.module, VERIFY_TEXTS, None, manifest.objectives)
    lost = f"{made.error:.1%} of the norm of an update cut away at most" if made.error else "exact"
    if merged:
        said = write_whole(out, seq2seq, Merged(made.module, None, manifest), checks.get(MERGED))
        report(f"wrote {out}: the base with a LoRA in its weights, {lost}; {said}")
        return
    write_folder(out, made.module, seq2seq, manifest, verify=checks, loaders=loaders, texts=texts)
    report(f"wrote {out}: one LoRA of rank {options_of(made.module).rank}, {lost}")  # type: ignore[attr-defined]
