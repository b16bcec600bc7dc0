"""Train by one recipe, from start to finish: connect data, training, evaluation and saving."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from xadapt.backbones.cache.frozen_vectors import cache_folder
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.config.recipe import Recipe
from xadapt.core.errors import UserError
from xadapt.core.files import write_text
from xadapt.core.folder_lock import is_main, one_writer
from xadapt.core.progress import watched
from xadapt.data.loading.records import Loaded, Source, load_records
from xadapt.data.loading.source_options import require_used
from xadapt.data.loading.transform_chain import Callables
from xadapt.data.records import ParallelPair
from xadapt.data.transforms.shuffle import of_pairs, shuffle_pairs
from xadapt.hub.loaders import chosen
from xadapt.hub.manifest import Manifest
from xadapt.hub.opening import read_manifest
from xadapt.injection.attachment import model_shape
from xadapt.modules.storage import build, parameter_count
from xadapt.pipelines import run_folder as out_folder
from xadapt.pipelines.companions import find_companions
from xadapt.pipelines.outcome import ALONE, CONTROL, Verify, forward_seconds, manifest_of, publish
from xadapt.pipelines.run_identity import (
    as_yaml,
    identity,
    identity_differences,
    manifest_differences,
    quick_differences,
    require_same,
    save_identity,
)
from xadapt.pipelines.training_composition import TrainingComposition, inside
from xadapt.tasks.development import dev_scores, evaluation_cache, evidence, head_of, task_of
from xadapt.tasks.head_task import with_card
from xadapt.training.loop import Trainer
from xadapt.training.settings import Run
from xadapt.training.tasks import Task

Reporter = Callable[[str], None]


@dataclass(frozen=True)
class TrainingJob:
    """The options of a training run beside the recipe.

    Attributes:
        base: Hub id, folder or ``package:NAME/SUBDIR``.
        sources: The sources of the records; several languages make one joint module.
        out: Folder of the module.
        dev: Development pairs, if they are not taken from the data.
        resume: Continue an interrupted run; a finished run is not changed.
        controls: Also train the shuffled-pairs control.
        base_id: Hub id of a base that was given as a folder or a package.
        licence: SPDX id of the module's licence.
        show: Whether progress is shown.
        compose: Compositions of folders with ``self``, the module under training. Several
            compositions take turns from step to step.
        callables: Functions that transforms may need, by name, see
            `xadapt.data.transforms.protocol.CALLABLES`.
        companions: Modules of the recipe's companions, by name; they override the recipe's own.
        loaders: Libraries whose files are written, see `xadapt.hub.loaders`; ``None`` is the
            default.
    """

    base: str
    sources: tuple[Source, ...]
    out: Path
    dev: tuple[Source, ...] = ()
    resume: bool = False
    controls: bool = False
    base_id: str | None = None
    licence: str | None = None
    show: bool = True
    compose: tuple[str, ...] = ()
    callables: Callables = field(default_factory=dict)
    companions: Mapping[str, str] = field(default_factory=dict)
    loaders: tuple[str, ...] | None = None


@dataclass(frozen=True)
class TrainingResult:
    """The result of a run.

    Attributes:
        folder: The module's folder.
        manifest: The module's manifest.
        seconds: Training time over all sittings.
        prepare_seconds: Time to encode the frozen side, in this sitting.
        forward_seconds: Time of one frozen forward over the data (the longest text of each
            record), estimated from a sample on this machine after the run.
        padding: Share of padding among the tokens of the forwards, in this sitting.
        notes: Notes on the records that were read, dropped and held out.
        reused: Whether the module was finished before this call.
    """

    folder: Path
    manifest: Manifest
    seconds: float = 0.0
    prepare_seconds: float = 0.0
    forward_seconds: float = 0.0
    padding: float = 0.0
    notes: list[str] = field(default_factory=list)
    reused: bool = False

    @property
    def forwards(self) -> float:
        """The training time in frozen forwards over the data; 0 where nothing was trained."""
        return self.seconds / self.forward_seconds if self.forward_seconds else 0.0


def check(recipe: Recipe, jobs: Sequence[TrainingJob]) -> None:
    """Read the data of several jobs, so that an error of the last is found before the first runs.

    Raises:
        UserError: If a folder or a source is unusable, or a folder holds another module.
    """
    for job in jobs:
        if out_folder.require_usable(job.out, job.resume):
            require_same(job.out, _quick_differences(recipe, job, read_manifest(job.out)))
        else:
            with one_writer(job.out, main=is_main()):
                find_companions(recipe.companions, job.companions)
                _load(recipe, job)


def train(
    recipe: Recipe, job: TrainingJob, verify: Verify, report: Reporter = lambda _: None
) -> TrainingResult:
    """Train one module and write its folder.

    The run keeps its state in ``out/run``. At the end the module's files are written beside
    ``run``, the manifest last, so a folder with a manifest is complete. All arguments are checked
    before anything is written or reported. A finished module is reused if all its inputs are the
    same.

    Args:
        recipe: The recipe.
        job: The base, the data and the folder.
        verify: Function from base, module and texts to one comparison for each importable
            library.
        report: Receives the progress of the run, a line at a time.

    Raises:
        UserError: If an argument is wrong, or another process writes to the folder.
        KeyboardInterrupt: If Ctrl-C was pressed; the run can be resumed. After SIGTERM,
            `Terminated` is raised.
    """
    if not out_folder.require_usable(job.out, job.resume):
        with one_writer(job.out, main=is_main()):
            # another process may have finished the run in between
            if not out_folder.require_usable(job.out, job.resume):
                return _train(recipe, job, verify, report)
    return _finished(recipe, job)


def _train(recipe: Recipe, job: TrainingJob, verify: Verify, report: Reporter) -> TrainingResult:
    within, others = inside(job.compose), find_companions(recipe.companions, job.companions)
    loaded = _load(recipe, job)
    if within.by_language and any(isinstance(row, ParallelPair) for row in loaded.dev):
        raise UserError(
            "a module for pairs is judged on both of their sides, inside one composition",
            where="--compose",
            todo="Leave by_language out; several --compose take turns",
        )
    encoder = Encoder.from_pretrained(job.base, dtype=recipe.dtype)
    module = _module(recipe, encoder)
    within.require_led(module)
    trainer = _trainer(recipe, job, loaded, encoder, module, job.out / out_folder.STATE, within)
    manifest = manifest_of(
        recipe,
        encoder,
        module,
        loaded.shares,
        base_id=job.base_id,
        licence=job.licence,
        within=within,
        companions=others.parents,
    )
    for note in loaded.notes:
        report(note)
    report(f"{parameter_count(module):,} values to train on the {manifest.dtype} base {job.base}")
    main, resume = trainer.processes.main, _has_checkpoint(job)
    trainer.processes.wait()  # no process may write before all have looked at the folder
    with out_folder.nothing_left(job.out, main):
        progress = trainer.train(resume=resume)
        control = _control(recipe, job, loaded, encoder, within, report) if job.controls else None
        if main:
            head = head_of(trainer)
            if head is not None:
                with_card(head)
            cache = evaluation_cache(trainer)
            found = evidence(encoder, trainer.acting.module, loaded.dev, head, cache)
            manifest = manifest.model_copy(update={"evidence": found})
            write_text(job.out / out_folder.STATE / "recipe.yaml", as_yaml(recipe))
            save_identity(job.out / out_folder.STATE, trainer.run.identity)
            publish(
                job.out, job.base, module, encoder, manifest, verify, control, head, job.loaders
            )
        trainer.processes.wait()
    return TrainingResult(
        job.out,
        read_manifest(job.out),
        progress.seconds,
        trainer.prepare_seconds,
        forward_seconds(encoder, trainer.tasks[0].longest(trainer.forward.tokenized.tokenize)),
        1 - trainer.forward.tokens / trainer.forward.padded if trainer.forward.padded else 0.0,
        loaded.notes,
    )


def _load(recipe: Recipe, job: TrainingJob) -> Loaded:
    require_used((*job.sources, *job.dev), recipe.data)
    loaded = load_records(
        job.sources,
        recipe.data,
        job.dev,
        recipe.seed,
        partial(watched, show=job.show and is_main()),
        job.callables,
    )
    if job.controls and not any(of_pairs(rows) for rows in loaded.records.values()):
        raise UserError(
            "the shuffled-pairs control needs parallel text",
            where="--controls",
            todo="Leave it out for this recipe",
        )
    return loaded


def _finished(recipe: Recipe, job: TrainingJob) -> TrainingResult:
    """Return the module of an earlier run, if this run would make the same module."""
    manifest = read_manifest(job.out)
    require_same(job.out, _quick_differences(recipe, job, manifest))
    within, loaded = inside(job.compose), _load(recipe, job)
    others = find_companions(recipe.companions, job.companions)
    encoder = Encoder.from_pretrained(job.base, dtype=recipe.dtype)
    wanted = manifest_of(
        recipe,
        encoder,
        _module(recipe, encoder),
        loaded.shares,
        base_id=job.base_id,
        licence=job.licence,
        within=within,
        companions=others.parents,
    )
    state = job.out / out_folder.STATE
    parts = identity(recipe, encoder, loaded, within, others)
    differs = manifest_differences(manifest, wanted) + identity_differences(state, parts)
    require_same(job.out, differs)
    out_folder.clear(job.out)
    note = f"{job.out} holds the finished module already"
    return TrainingResult(job.out, manifest, notes=[note], reused=True)


def _quick_differences(recipe: Recipe, job: TrainingJob, manifest: Manifest) -> list[str]:
    """Return the differences of a finished module from a job that need no data and no base."""
    if job.controls and not (job.out / CONTROL).is_file():
        raise UserError(
            "the output folder holds a finished module without the shuffled-pairs control",
            where=str(job.out),
            todo="Leave --controls out, or name another folder",
        )
    asked = {"base id": job.base_id, "licence": job.licence}
    absent = [
        name
        for name in chosen(job.loaders, recipe.module.kind)
        if job.loaders is not None and manifest.loaders[name].status == "left out"  # type: ignore[index]
    ]
    if absent:
        raise UserError(
            f"the output folder holds a finished module without the files of {absent[0]}",
            where=str(job.out),
            todo="Leave --loaders out, or name another folder",
        )
    return quick_differences(manifest, recipe, job.sources, inside(job.compose), asked)


def _has_checkpoint(job: TrainingJob, *inside: str) -> bool:
    folder = job.out.joinpath(out_folder.STATE, *inside)
    return job.resume and (folder / out_folder.CHECKPOINT).exists()


def _module(recipe: Recipe, encoder: Encoder) -> nn.Module:
    spec = recipe.module
    return build(
        spec.kind, spec.options(), model_shape(encoder), seed=recipe.seed, where=recipe.name
    )


def _trainer(
    recipe: Recipe,
    job: TrainingJob,
    loaded: Loaded,
    encoder: Encoder,
    module: nn.Module,
    state: Path,
    within: TrainingComposition = ALONE,
) -> Trainer:
    others = find_companions(recipe.companions, job.companions)
    tasks = [
        Task(
            spec.name,
            spec.build(),
            loaded.records[spec.data],
            weight=spec.weight,
            share=spec.share,
            data=spec.data,
        )
        for spec in recipe.objectives
    ]
    parts = identity(recipe, encoder, loaded, within, others)
    run = Run(recipe.train, state, recipe.seed, parts, None, cache_folder(), job.show)
    trainer = Trainer(
        encoder, module, tasks, run, others.open(encoder), within.build(encoder, module)
    )
    if task_of(trainer, loaded.dev):
        trainer.run = replace(run, score=lambda: dev_scores(trainer, loaded.dev))
    return trainer


def _control(
    recipe: Recipe,
    job: TrainingJob,
    loaded: Loaded,
    encoder: Encoder,
    within: TrainingComposition,
    report: Reporter,
) -> nn.Module:
    """Train the shuffled-pairs control: the same module on pairs that are no translations.

    The control is trained as the module is. The same true development pairs select its weights
    and end its training.
    """
    report("training the shuffled-pairs control")
    records: dict[str, list[Any]] = {
        name: list(shuffle_pairs(rows, seed=recipe.seed)) if of_pairs(rows) else rows
        for name, rows in loaded.records.items()
    }
    module = _module(recipe, encoder)
    state = job.out / out_folder.STATE / "shuffled"
    shuffled = replace(loaded, records=records)
    trainer = _trainer(recipe, job, shuffled, encoder, module, state, within)
    trainer.train(resume=_has_checkpoint(job, "shuffled"))
    return module
