"""Write a composition as a folder: one plain LoRA where that is exact, else all its parts."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from xadapt.composition.composed import Composed
from xadapt.composition.export import merge_loras
from xadapt.composition.soup import soup
from xadapt.composition.text import show
from xadapt.composition.values import (
    ByLanguage,
    Composition,
    Fuse,
    RoutedParts,
    names,
    parts_of,
    replaced,
)
from xadapt.core.errors import UserError
from xadapt.core.files import require_empty
from xadapt.core.sequences import as_paths
from xadapt.hub.adapters_setup import Member, arranged, write_adapters_setup
from xadapt.hub.composition_file import own_names, write_composition
from xadapt.hub.folder import write_folder
from xadapt.hub.manifest import Manifest, ModuleSpec, build_manifest
from xadapt.hub.opening import open_head, read_manifest
from xadapt.hub.own_table import without_vocabulary
from xadapt.hub.training_texts import SeenTexts, training_texts
from xadapt.inference.adapted_encoder import AdaptedEncoder
from xadapt.inference.locate import locate
from xadapt.inference.prompts import agreed_prompts
from xadapt.injection.attachment import model_shape
from xadapt.modules.hooks import ModelShape
from xadapt.modules.none import Nothing
from xadapt.modules.storage import options_of
from xadapt.modules.vocabulary import KIND as VOCABULARY
from xadapt.pipelines.compose_seq2seq import are_seq2seq, compose_seq2seq
from xadapt.pipelines.merged import MERGED, Merged, attached, kept_head, write_whole
from xadapt.pipelines.outcome import VERIFY_TEXTS, Verify
from xadapt.tasks.head_task import with_card

ADDED = {"lora", "none"}
"""The kinds of modules whose sum can be added into the weights of a base."""
Modules = Mapping[str, nn.Module]


def compose(
    expression: str | Composition,
    *,
    base: str,
    folders: str | Sequence[str],
    out: Path,
    verify: Verify,
    rank: int | None = None,
    no_merge: bool = False,
    merged: bool = False,
    averaged: bool = False,
    setup: bool = False,
    loaders: Sequence[str] | None = None,
    head: str | None = None,
    report: Callable[[str], None] = lambda _: None,
) -> None:
    """Write a composition as a folder that loads as one module.

    Stacks and fixed mixtures of LoRAs become one plain LoRA, which other libraries load too. All
    other compositions are written as the composition with copies of its modules. With
    ``no_merge``, every composition is written in this form. Modules of encoder-decoders are written
    as one LoRA, or merged.

    Args:
        expression: The composition or its text.
        base: Hub id, folder, ``package:NAME/SUBDIR`` or ``mini``.
        folders: Folders of modules, as for `AdaptedEncoder.load`.
        out: Folder to make.
        verify: Function that loads a plain LoRA in other libraries and compares the vectors.
        rank: Cut the plain LoRA to this rank.
        no_merge: Do not merge the parts.
        merged: Write the whole base with the LoRA in its weights, and its task head as the
            class of transformers for the task, for people without any module library. A vocabulary
            of a module takes the place of the base's table and tokenizer.
        averaged: Write one module with the weighted mean of the parts' parameters instead.
        setup: Write an adapter setup for adapters instead, see `xadapt.hub.adapters_setup`.
        loaders: Libraries whose files are written, see `xadapt.hub.loaders`.
        head: The module whose task head is written, by its name in the composition or its folder.
            Without it the head of the module that was trained inside the others.
        report: Receives a line for each thing written.

    Raises:
        UserError: If the modules can't be composed, or not as one LoRA of that rank. No file is
            left behind.
    """
    require_empty(out)
    composition, places = locate(as_paths(folders), expression)
    if not places:
        raise UserError("the composition names no module", where=show(composition))
    manifests = {name: read_manifest(folder) for name, folder in places.items()}
    one = (
        not no_merge
        and _is_sum(composition)
        and {_kind(m) if merged else m.module.kind for m in manifests.values()}
        <= (ADDED if merged else {"lora"})
    )
    _check_options(one, rank=rank, no_merge=no_merge, merged=merged, averaged=averaged, setup=setup,
                   head=head)  # fmt: skip
    if are_seq2seq(composition, manifests):
        if not one or averaged or setup or head is not None:
            raise UserError(
                "modules of an encoder-decoder become one LoRA, from a stack or fixed mixture of "
                "LoRAs, or a base with it in its weights",
                where=show(composition),
                todo="Leave other options out, or use the composition as it is",
            )
        compose_seq2seq(
            composition, places, manifests, base=base, out=out, verify=verify, rank=rank,
            describe=partial(_manifest, out.name, composition, manifests), merged=merged,
            texts=_texts(places, manifests), loaders=loaders, report=report,
        )  # fmt: skip
        return
    adapted = AdaptedEncoder.open(base, composition, places, dtype="float32", device="cpu")
    prompts = agreed_prompts(adapted.encoder.pooling.prompts, manifests)
    adapted.encoder = adapted.encoder.adjusted(prompts=prompts)
    adapted.prove()
    if setup:
        _write_setup(out, adapted, places, manifests, base, verify, report)
        return
    if averaged:
        mean = soup(composition, adapted.modules)
        manifest = _manifest(
            out.name, composition, manifests, mean, "soup of ", **_facts(adapted, manifests)
        )
        checks = verify(base, mean, VERIFY_TEXTS, None, manifest.objectives)
        texts = _texts(places, manifests)
        write_folder(
            out, mean, adapted.encoder, manifest, verify=checks, loaders=loaders, texts=texts
        )
        with_heads = [name for name, m in manifests.items() if m.head is not None]
        lost = f"; the task heads of {', '.join(with_heads)} are not in it" if with_heads else ""
        report(f"wrote {out}: one module with the mean of the parameters{lost}")
        return
    if not one:
        written = write_composition(out, composition, {n: Path(f) for n, f in places.items()})
        report(f"wrote {out}: {show(written)}")
        return
    own = kept_head(places, adapted.encoder.width, head)
    modules, vocabulary = without_vocabulary(adapted.modules)
    module, error = _summed(composition, modules, model_shape(adapted.encoder), rank)
    manifest = _manifest(out.name, composition, manifests, module, **_facts(adapted, manifests))
    lost = f"{error:.1%} of the norm of an update cut away at most" if error else "exact"
    checks = verify(base, attached(module, vocabulary), VERIFY_TEXTS, own, manifest.objectives)
    if merged:
        whole = Merged(module, own, manifest, vocabulary)
        said = write_whole(out, adapted.encoder, whole, checks.get(MERGED))
        report(f"wrote {out}: the base with a LoRA in its weights, {lost}; {said}")
        return
    encoder, texts = adapted.encoder, _texts(places, manifests)
    write_folder(
        out, module, encoder, manifest, verify=checks, head=own, loaders=loaders, texts=texts
    )
    report(f"wrote {out}: one LoRA of rank {options_of(module).rank}, {lost}")  # type: ignore[attr-defined]


def _texts(places: Mapping[str, str], manifests: Mapping[str, Manifest]) -> SeenTexts | None:
    """Join what is known of the training texts of all parts; ``None`` if nothing is known."""
    parts = [training_texts(folder, manifests[name]) for name, folder in places.items()]
    return SeenTexts.joined(parts) if any(parts) else None


def _check_options(
    one: bool,
    *,
    rank: int | None,
    no_merge: bool,
    merged: bool,
    averaged: bool,
    setup: bool,
    head: str | None,
) -> None:
    """Refuse options that don't go together; ``one`` says that the composition is one LoRA."""
    if averaged and (merged or no_merge or rank is not None):
        raise UserError("a mean of parameters is one module as it is", where="--soup")
    for option, wanted in (("--rank", rank is not None), ("--merged", merged)):
        if wanted and not one:
            raise UserError("this needs a stack or fixed mixture of LoRAs", where=option)
    if head is not None and (averaged or setup or not one):
        raise UserError("only one LoRA, or a merged base, is written with a chosen head",
                        where="--head", todo="Leave it out")  # fmt: skip
    if setup and (averaged or merged or no_merge or rank is not None):
        raise UserError("an adapter setup holds the modules as they are", where="--adapters-setup")


def _kind(manifest: Manifest) -> str:
    """Return the kind of a module; of a vocabulary, that of its inner module."""
    own = manifest.module
    return str(own.options["module"]["kind"] if own.kind == VOCABULARY else own.kind)


def _summed(
    composition: Composition, modules: Modules, shape: ModelShape, rank: int | None
) -> tuple[nn.Module, float]:
    """Return one module for a sum of modules, and the share of an update that was cut."""
    only = [module for module in modules.values() if not isinstance(module, Nothing)]
    if not only:  # a head on the base alone
        return next(iter(modules.values())), 0.0
    made = merge_loras(composition, modules, shape, rank)
    return made.module, made.error


def _write_setup(
    out: Path,
    adapted: AdaptedEncoder,
    places: Mapping[str, str],
    manifests: Mapping[str, Manifest],
    base: str,
    verify: Verify,
    report: Callable[[str], None],
) -> None:
    """Write an adapter setup; if adapters is installed, check that adapters loads the setup."""
    own = own_names(adapted.composition, {name: Path(folder) for name, folder in places.items()})
    width = adapted.encoder.width
    modules, vocabulary = without_vocabulary(adapted.modules)
    members = {
        name: Member(
            modules[name],
            manifest.model_copy(update={"name": own[name], "module": _spec(modules[name])}),
            None
            if manifest.head is None
            else with_card(open_head(places[name], manifest.head, width)),
        )
        for name, manifest in manifests.items()
    }
    arranged(adapted.composition, members, adapted.encoder)
    whole = Composed(adapted.composition, adapted.modules)
    heads = [member.head for member in members.values() if member.head is not None]
    head = heads[0] if len(heads) == 1 else None
    tried = verify(base, whole, VERIFY_TEXTS, head, ()).get("adapters")
    order = write_adapters_setup(
        out, adapted.composition, members, adapted.encoder, tried, vocabulary
    )
    held = "adapters computes the same" if tried else "adapters is not installed: not tried"
    block = "Fuse" if isinstance(adapted.composition, Fuse) else "Stack"
    report(f"wrote {out}: an adapter setup, {block}({', '.join(order)}); {held}")


def _is_sum(composition: Composition) -> bool:
    """Whether the composition is the same sum for every row."""
    if isinstance(composition, (ByLanguage, RoutedParts)):
        return False
    return all(_is_sum(part) for part in parts_of(composition))


def _manifest(
    name: str,
    composition: Composition,
    parents: Mapping[str, Manifest],
    module: nn.Module,
    how: str = "",
    **facts: Any,
) -> Manifest:
    """Make the short of a composed module: data and languages of its parts, no evidence yet.

    ``facts`` are further fields, of the base.
    """
    first = next(iter(parents.values()))
    licences = {m.licence for m in parents.values()}
    pivots = {m.pivot for m in parents.values()}
    short = {own: parents[own].name for own in names(composition)}
    return build_manifest(
        name=re.sub(r"[^A-Za-z0-9_-]+", "-", name, flags=re.ASCII).strip("-_")[:96] or "composed",
        base=first.base.model_dump(),
        module=_spec(module),
        objectives=list(dict.fromkeys(o for m in parents.values() for o in m.objectives)),
        recipe={},
        languages=list(dict.fromkeys(tag for m in parents.values() for tag in m.languages)),
        pivot=pivots.pop() if len(pivots) == 1 else None,
        data=list({d.model_dump_json(): d for m in parents.values() for d in m.data}.values()),
        parents=list(short.values()),
        composition=how + show(replaced(composition, short)),
        prompt=first.prompt,
        max_length=first.max_length,
        created=datetime.date.today().isoformat(),
        licence=licences.pop() if len(licences) == 1 else None,
        **facts,
    )


def _facts(adapted: AdaptedEncoder, manifests: Mapping[str, Manifest]) -> dict[str, Any]:
    """Return what the manifest of a composed module says of its encoder."""
    pooling = next(iter(manifests.values())).pooling
    return {
        "pooling": pooling and {**pooling, "prompts": adapted.encoder.pooling.prompts},
        "dtype": adapted.encoder.precision,
        "base_mismatch": adapted.base_mismatch,
    }


def _spec(module: nn.Module) -> ModuleSpec:
    """Return what a manifest says of a module."""
    return ModuleSpec(kind=str(module.kind), options=options_of(module).model_dump(mode="json"))
