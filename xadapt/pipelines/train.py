"""Train by one recipe, from start to finish: connect data, training, evaluation and saving.

The file is long because one run is connected here: what a module is made of, in one place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any
from weakref import proxy

from torch import nn

from xadapt.backbones.cache.frozen_vectors import cache_folder
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.frozen_model import FrozenModel
from xadapt.config.recipe import Recipe
from xadapt.core.errors import UserError
from xadapt.core.files import write_text
from xadapt.core.folder_lock import is_main, one_writer
from xadapt.core.progress import watched
from xadapt.data.loading.records import Loaded, load_records
from xadapt.data.loading.source_options import require_used
from xadapt.data.records import ParallelPair, TextPair
from xadapt.data.transforms.shuffle import of_pairs, shuffled
from xadapt.hub.loaders import chosen
from xadapt.hub.manifest import Manifest
from xadapt.hub.opening import read_manifest
from xadapt.hub.training_texts import SeenTexts, training_texts
from xadapt.hub.worse_than_base import worse_than_base
from xadapt.injection.attachment import model_shape
from xadapt.modules.storage import build, parameter_count
from xadapt.modules.vocabulary import KIND as VOCABULARY
from xadapt.pipelines import run_folder as out_folder
from xadapt.pipelines.companions import Companions, find_companions
from xadapt.pipelines.cut_records import cut_texts
from xadapt.pipelines.default_callables import default_callables
from xadapt.pipelines.frozen_models import load_base, open_teacher
from xadapt.pipelines.outcome import ALONE, CONTROL, Verify, forward_seconds, manifest_of, publish
from xadapt.pipelines.own_vocabulary import vocabulary_from
from xadapt.pipelines.run_identity import (
    as_yaml,
    identity,
    identity_differences,
    manifest_differences,
    quick_differences,
    require_same,
    save_identity,
)
from xadapt.pipelines.starting_module import StartingModule, find_start, no_better
from xadapt.pipelines.training_composition import TrainingComposition, inside
from xadapt.pipelines.training_job import TrainingJob
from xadapt.pipelines.training_result import TrainingResult
from xadapt.tasks.development import (
    dev_scores,
    evaluation_cache,
    evidence_of,
    head_of,
    is_scored,
)
from xadapt.tasks.head_task import with_card
from xadapt.training.loop import Trainer
from xadapt.training.settings import Run
from xadapt.training.tasks import Task

Reporter = Callable[[str], None]


@dataclass(frozen=True)
class Inputs:
    """What runs that differ in module, objectives and schedule alone have in common.

    Attributes:
        loaded: Training and development records.
        base: The frozen base.
        teacher: Another frozen model that the objectives learn from, if the recipe names one.
    """

    loaded: Loaded
    base: FrozenModel
    teacher: Encoder | None = None

    @classmethod
    def open(cls, recipe: Recipe, job: TrainingJob) -> Inputs:
        """Read the records and load the base of a job.

        Raises:
            UserError: If a source or the base is unusable.
        """
        return cls(_load(recipe, job), load_base(recipe, job.base), open_teacher(recipe))


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
                find_start(recipe)
                _load(recipe, job)


def train(
    recipe: Recipe,
    job: TrainingJob,
    verify: Verify,
    report: Reporter = lambda _: None,
    inputs: Inputs | None = None,
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
        inputs: Records and base, if they were opened before.

    Raises:
        UserError: If an argument is wrong, or another process writes to the folder.
        KeyboardInterrupt: If Ctrl-C was pressed; the run can be resumed. After SIGTERM,
            `Terminated` is raised.
    """
    if not out_folder.require_usable(job.out, job.resume):
        with one_writer(job.out, main=is_main()):
            # another process may have finished the run in between
            if not out_folder.require_usable(job.out, job.resume):
                return _train(recipe, job, verify, report, inputs)
    return _finished(recipe, job)


def train_each(
    jobs: Sequence[tuple[Recipe, TrainingJob]], verify: Verify, report: Reporter = lambda _: None
) -> list[TrainingResult]:
    """Train several modules in order; the data of all are read before the first is trained.

    Args:
        jobs: Recipes and their jobs.
        verify: As for `train`.
        report: As for `train`.

    Raises:
        UserError: As for `train`.
    """
    if len(jobs) > 1:
        for recipe, job in jobs:
            check(recipe, [job])
    results = []
    for recipe, job in jobs:
        if len(jobs) > 1:
            report(f"{', '.join(source.lang for source in job.sources)} -> {job.out}")
        results.append(train(recipe, job, verify, report))
    return results


def prepare(recipe: Recipe, job: TrainingJob, inputs: Inputs) -> Trainer:
    """Make the module and its trainer; nothing is written yet.

    ``prepare(..).train(resume)`` trains without evidence and without files for use. `train` with
    ``resume`` then makes the module's folder of the state that stays in ``out/run``.

    Args:
        recipe: The recipe.
        job: The base, the data and the folder.
        inputs: Records and base.

    Raises:
        UserError: If the recipe or the composition does not fit the base or the records.
    """
    start, within = find_start(recipe), inside(job.compose)
    module = _module(recipe, inputs.base, start, inputs.loaded)
    within.require_experts(module)
    both = (ParallelPair, TextPair)
    if within.by_language and any(isinstance(row, both) for row in inputs.loaded.dev):
        raise UserError(
            "a module for pairs is judged on both of their sides, inside one composition",
            where="--compose",
            todo="Leave by_language out; several --compose take turns",
        )
    state = job.out / out_folder.STATE
    return _trainer(recipe, job, inputs, module, state, within, start)


def _train(
    recipe: Recipe, job: TrainingJob, verify: Verify, report: Reporter, inputs: Inputs | None
) -> TrainingResult:
    within, others = inside(job.compose), find_companions(recipe.companions, job.companions)
    start = find_start(recipe)
    inputs = inputs or Inputs.open(recipe, job)
    loaded, base = inputs.loaded, inputs.base
    trainer = prepare(recipe, job, inputs)
    module = trainer.module
    manifest = _manifest(recipe, job, inputs, module, within, others, start)
    if start is not None:
        loaded.notes.extend(start.notes(head_of(trainer), within.texts))
    loaded.notes.extend(cut_texts(trainer.of_base, loaded.records))
    for note in loaded.notes:
        report(note)
    report(f"{parameter_count(module):,} values to train on the {manifest.dtype} base {job.base}")
    main, resume = trainer.processes.main, _has_checkpoint(job)
    trainer.processes.wait()  # no process may write before all have looked at the folder
    with out_folder.nothing_left(job.out, main):
        progress = trainer.train(resume=resume)
        control = _control(recipe, job, inputs, within, start, report) if job.controls else None
        if main:
            if loaded.dev:
                report(f"measuring on {len(loaded.dev)} development {loaded.dev[0].unit}")
            head = head_of(trainer)
            found = evidence_of(trainer, loaded.dev, head)
            if start is not None and isinstance(base, Encoder):
                cache = evaluation_cache(trainer)
                found = start.compared(found, base, within, loaded.dev, head, cache)
            if head is not None:
                with_card(head)
            manifest = manifest.model_copy(update={"evidence": found})
            for warning in filter(None, (worse_than_base(found), no_better(start, progress))):
                loaded.notes.append(warning)
                report(f"warning: {warning}")
            write_text(job.out / out_folder.STATE / "recipe.yaml", as_yaml(recipe))
            save_identity(job.out / out_folder.STATE, trainer.run.identity)
            report("writing the folder, and loading it in each library that holds it")
            publish(
                job.out, job.base, module, base, manifest, verify, control, head, job.loaders,
                _texts(loaded, start),
            )  # fmt: skip
        trainer.processes.wait()
    return TrainingResult(
        job.out,
        read_manifest(job.out),
        progress.seconds,
        trainer.prepare_seconds,
        forward_seconds(trainer.of_base, trainer.tasks[0]),
        1 - trainer.forward.tokens / trainer.forward.padded if trainer.forward.padded else 0.0,
        loaded.notes,
        base=job.base,
    )


def _manifest(
    recipe: Recipe,
    job: TrainingJob,
    inputs: Inputs,
    module: nn.Module,
    within: TrainingComposition,
    others: Companions,
    start: StartingModule | None,
) -> Manifest:
    return manifest_of(
        recipe,
        inputs.base,
        module,
        inputs.loaded.shares,
        base_id=job.base_id,
        licence=job.licence,
        within=within,
        companions=others.parents,
        started_from=start.ancestors if start else (),
        teacher=inputs.teacher,
        callables=job.callables,
        data_licence=job.data_licence,
        data_ids=job.data_ids,
    )


def _texts(loaded: Loaded, start: StartingModule | None) -> SeenTexts:
    """Make the fingerprint of all texts that weights were trained on or chosen by."""
    trained = chain(loaded.originals, *loaded.records.values())
    earlier = [] if start is None else [training_texts(start.folder, start.manifest)]
    return SeenTexts.of(chain(trained, loaded.dev), earlier=earlier)


def _load(recipe: Recipe, job: TrainingJob) -> Loaded:
    require_used((*job.sources, *job.dev), recipe.data)
    loaded = load_records(
        job.sources,
        recipe.data,
        job.dev,
        recipe.seed,
        partial(watched, show=job.show and is_main()),
        {**default_callables(job.base, recipe.dtype), **job.callables},
    )
    if job.controls and not any(of_pairs(rows) for rows in loaded.records.values()):
        raise UserError(
            "the shuffled-pairs control needs pairs of texts",
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
    start, base, teacher = find_start(recipe), load_base(recipe, job.base), open_teacher(recipe)
    inputs = Inputs(loaded, base, teacher)
    module = _module(recipe, base, start, loaded)
    wanted = _manifest(recipe, job, inputs, module, within, others, start)
    state = job.out / out_folder.STATE
    parts = identity(recipe, base, loaded, within, others, start, teacher)
    differs = manifest_differences(manifest, wanted) + identity_differences(state, parts)
    require_same(job.out, differs)
    out_folder.clear(job.out)
    note = f"{job.out} holds the finished module already"
    return TrainingResult(job.out, manifest, notes=[note], reused=True, base=job.base)


def _quick_differences(recipe: Recipe, job: TrainingJob, manifest: Manifest) -> list[str]:
    """Return the differences of a finished module from a job that need no data and no base."""
    if job.controls and not (job.out / CONTROL).is_file():
        raise UserError(
            "the output folder holds a finished module without the shuffled-pairs control",
            where=str(job.out),
            todo="Leave --controls out, or name another folder",
        )
    asked = {"base id": job.base_id, "licence": job.licence, "data licence": job.data_licence}
    absent = [
        name
        for name in chosen(job.loaders)
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


def require_module(recipe: Recipe, base: FrozenModel) -> None:
    """Refuse a module that does not fit the base.

    Raises:
        UserError: If a site or a layer is not there.
    """
    _module(recipe, base)


def _module(
    recipe: Recipe,
    base: FrozenModel,
    start: StartingModule | None = None,
    loaded: Loaded | None = None,
) -> nn.Module:
    """Build the module to train, or load the one that training begins with.

    A vocabulary is learnt from the training records.
    """
    if start is not None:
        return start.open(base)
    spec = recipe.module
    if spec.kind == VOCABULARY and loaded is not None and isinstance(base, Encoder):
        records = chain(*loaded.records.values())
        return vocabulary_from(spec.options(), base, records, seed=recipe.seed, where=recipe.name)
    shape = model_shape(base)
    return build(spec.kind, spec.options(), shape, seed=recipe.seed, where=recipe.name)


def _trainer(
    recipe: Recipe,
    job: TrainingJob,
    inputs: Inputs,
    module: nn.Module,
    state: Path,
    within: TrainingComposition = ALONE,
    start: StartingModule | None = None,
    observed: bool = True,
) -> Trainer:
    others = find_companions(recipe.companions, job.companions)
    loaded, base = inputs.loaded, inputs.base
    tasks = [
        Task(
            spec.name,
            spec.build(),
            loaded.records[spec.data],
            weight=spec.weight,
            share=spec.share,
            data=spec.data,
            further=loaded.records,
            batch_size=recipe.data[spec.data].batch_size,
        )
        for spec in recipe.objectives
    ]
    parts = identity(recipe, base, loaded, within, others, start, inputs.teacher)
    run = Run(recipe.train, state, recipe.seed, parts, None, cache_folder(), job.show,
              begins_trained=start is not None, dimensions=recipe.dimensions,
              teacher=inputs.teacher)  # fmt: skip
    if observed:
        run = replace(run, callbacks=job.callbacks, report_to=job.report_to,
                      config=recipe.model_dump(mode="json"))  # fmt: skip
    trainer = Trainer(base, module, tasks, run, others.open(base), within.build(base, module))
    if start is not None:
        start.fill(head_of(trainer), base.width)
    if is_scored(trainer, loaded.dev):
        # the trainer holds this: a strong reference back would keep the base until a collection
        trainer.run = replace(run, score=partial(dev_scores, proxy(trainer), loaded.dev))
    return trainer


def _control(
    recipe: Recipe,
    job: TrainingJob,
    inputs: Inputs,
    within: TrainingComposition,
    start: StartingModule | None,
    report: Reporter,
) -> nn.Module:
    """Train the shuffled-pairs control: the same module on pairs that are no translations.

    The control is trained as the module is. The same true development pairs select its weights
    and end its training.
    """
    report("training the shuffled-pairs control")
    records: dict[str, list[Any]] = {
        name: shuffled(rows, seed=recipe.seed) if of_pairs(rows) else rows
        for name, rows in inputs.loaded.records.items()
    }
    state = job.out / out_folder.STATE / "shuffled"
    changed = replace(inputs, loaded=replace(inputs.loaded, records=records))
    module = _module(recipe, inputs.base, start, changed.loaded)
    trainer = _trainer(recipe, job, changed, module, state, within, start, observed=False)
    trainer.train(resume=_has_checkpoint(job, "shuffled"))
    return module
