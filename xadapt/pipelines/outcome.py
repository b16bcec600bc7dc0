"""Results of a run: evidence, manifest, and the module's folder, moved into place by file."""

from __future__ import annotations

import datetime
import re
import time
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from torch import nn

from xadapt.backbones.encoder.encode import encode
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.frozen_model import FrozenModel
from xadapt.config.recipe import Recipe
from xadapt.data.loading.records import Share, Source
from xadapt.data.loading.source_options import gives_pairs
from xadapt.data.loading.transform_chain import Callables
from xadapt.data.readers.graph_source import file_name
from xadapt.data.records import ParallelPair, Record
from xadapt.heads.head import Head
from xadapt.hub.folder import SHUFFLED, write_folder
from xadapt.hub.manifest import (
    Ancestor,
    Data,
    Excluded,
    Manifest,
    ModuleSpec,
    build_manifest,
    without_local_paths,
)
from xadapt.hub.training_texts import SeenTexts
from xadapt.languages.tags import normalise
from xadapt.modules.storage import options_of
from xadapt.objectives.contract import SEQ2SEQ
from xadapt.pipelines import run_folder as out_folder
from xadapt.pipelines.training_composition import TrainingComposition
from xadapt.training.base_run import BaseRun
from xadapt.training.encoder_run import EncoderRun
from xadapt.training.seq2seq_run import Seq2SeqRun
from xadapt.training.tasks import Task

VERIFY_TEXTS = ("A short one.", "A sentence of some more words, to fill the batch.", "7")
ALONE = TrainingComposition()
CONTROL = Path("controls", "shuffled.safetensors")
"""The shuffled-pairs control in a module's folder."""

Verify = Callable[
    [str, nn.Module, Sequence[str], Head | None, Sequence[str]],
    Mapping[str, Callable[[Path], float]],
]
"""Base, module, texts, head and objectives to one comparison a library."""


def manifest_of(
    recipe: Recipe,
    base: FrozenModel,
    module: nn.Module,
    shares: Sequence[Share],
    *,
    base_id: str | None,
    licence: str | None,
    within: TrainingComposition = ALONE,
    companions: Sequence[str] = (),
    started_from: Sequence[Ancestor] = (),
    teacher: Encoder | None = None,
    callables: Callables | None = None,
    data_licence: str | None = None,
    data_ids: Sequence[str] = (),
) -> Manifest:
    """Make the manifest of a module before training, without evidence.

    Args:
        recipe: The recipe.
        base: The base.
        module: The module.
        shares: The data of each source.
        base_id: Hub id of a base that was given as a folder or a package.
        licence: SPDX id of the module's licence.
        within: Compositions in which the module is trained.
        companions: Names of the folders of the modules that it learns from.
        started_from: The modules that training begins with, the nearest first.
        teacher: Another model that it learns from.
        callables: What made records for it; those with ``facts`` are told.
        data_licence: Licence of the data.
        data_ids: Ids on the Hub of the data sets that the data were made from.

    Raises:
        UserError: If the id of the base or of a data set, or the licence, is malformed.
    """
    sources = [share.source for share in shares]
    name = re.sub(r"[^A-Za-z0-9]+", "_", recipe.name).strip("_") or "recipe"
    return build_manifest(
        name=f"{'-'.join(tags(sources)[:4])}_{name}"[:96],
        base=_model(base, base_id),
        teacher=None if teacher is None else _model(teacher),
        module=ModuleSpec(
            kind=recipe.module.kind, options=options_of(module).model_dump(mode="json")
        ),
        objectives=[spec.name for spec in recipe.objectives],
        recipe=recipe.model_dump(mode="json"),
        languages=tags(sources),
        pivot=normalise(sources[0].pivot_lang) if _has_pivot(recipe) else None,
        parents=list(dict.fromkeys([*(Path(f).name for f in within.folders), *companions])),
        callables=_facts(callables or {}),
        trained_inside=within.texts,
        started_from=list(started_from),
        data=[_data(share, data_licence, data_ids) for share in shares],
        **reading(base),
        max_length=base.max_length,
        dtype=base.precision,
        created=datetime.date.today().isoformat(),
        licence=licence,
    )


def _facts(callables: Callables) -> dict[str, dict[str, str]]:
    """Return what the objects behind callables say of themselves, by the callable's name."""
    owners = {name: getattr(own, "__self__", own) for name, own in callables.items()}
    return {n: dict(own.facts) for n, own in owners.items() if hasattr(own, "facts")}


def tags(sources: Sequence[Source]) -> list[str]:
    """Return the languages of sources as BCP-47, each once."""
    return list(dict.fromkeys(normalise(source.lang) for source in sources))


def same_recipe(manifest: Manifest, recipe: Recipe) -> bool:
    """Whether a module was trained by the same recipe, with the same settings.

    A setting that did not exist when the module was trained has its default value.
    """
    try:
        stored = Recipe.model_validate(manifest.recipe).model_dump(mode="json")
    except ValidationError:
        return False
    return bool(stored == without_local_paths(recipe.model_dump(mode="json")))


def publish(
    out: Path,
    base: str,
    module: nn.Module,
    model: FrozenModel,
    manifest: Manifest,
    verify: Verify,
    control: nn.Module | None,
    head: Head | None = None,
    loaders: Sequence[str] | None = None,
    texts: SeenTexts | None = None,
) -> Manifest:
    """Write the folder in a temporary place, then move its files into place, the manifest last.

    Raises:
        UserError: If the folder can't be written, for example for lack of space.
    """
    own = None if head is None else deepcopy(head).to("cpu").float()
    checks = verify(base, module.to("cpu"), VERIFY_TEXTS, own, manifest.objectives)
    ready = out / out_folder.STATE / out_folder.READY
    manifest = write_folder(
        ready,
        module,
        model,
        manifest,
        verify=checks,
        replace=True,
        head=head,
        controls={} if control is None else {SHUFFLED: control.to("cpu")},
        loaders=loaders,
        texts=texts,
    )
    out_folder.settle(out)
    return manifest


def forward_seconds(run: BaseRun, task: Task, sample: int = 128) -> float:
    """Estimate the time of one frozen forward over the data, from a sample on this machine.

    Args:
        run: The base of the run.
        task: The objective with the records; the longest text of each is encoded, or its source
            and target.
        sample: Largest number of records to encode.
    """
    step = -(-len(task.records) // sample)
    some = task.records[::step]
    if isinstance(run, Seq2SeqRun):
        began = time.monotonic()
        run.held_out(task, some, module=False)
    else:
        assert isinstance(run, EncoderRun)
        texts = task.longest(run.tokenize)[::step]
        began = time.monotonic()
        encode(run.encoder, texts)
    return (time.monotonic() - began) * len(task.records) / len(some)


def reading(base: FrozenModel) -> dict[str, Any]:
    """Return the manifest's facts of how a base reads texts and what becomes of them."""
    if isinstance(base, Encoder):
        return {"pooling": base.pooling.to_dict(), "prompt": base.pooling.prompt}
    return {"backbone": SEQ2SEQ}


def _model(base: FrozenModel, own_id: str | None = None) -> dict[str, Any]:
    """Return the manifest's facts of a frozen model."""
    return {
        "id": own_id or base.hub_id(),
        "revision": base.source.revision,
        "model_type": base.identity.model_type,
        "fingerprint": base.identity.to_dict(),
    }


def _has_pivot(recipe: Recipe) -> bool:
    """Whether an objective trains on parallel text."""
    return any(
        issubclass(spec.build().consumes, ParallelPair)
        or (spec.build().consumes is Record and gives_pairs(recipe.data[spec.data]))
        for spec in recipe.objectives
    )


def _data(share: Share, licence: str | None, ids: Sequence[str]) -> Data:
    """Return what the manifest holds about the data of one source."""
    excluded = [
        Excluded(name=file_name(source), sha256=sha256) for source, sha256 in share.excluded.items()
    ]
    return Data(
        name=_name(share.source),
        sha256=share.sha256,
        rows=share.rows,
        licence=licence,
        ids=list(ids),
        excluded=excluded,
    )


def _name(source: Source) -> str:
    """Return the name of a source on the card: the id on the Hub, the graph, or a file's name."""
    if source.path.startswith("hf:"):
        return source.path.removeprefix("hf:").split(":")[0]
    return source.path if source.path.split(":")[0] == "cldr" else file_name(source.path)
