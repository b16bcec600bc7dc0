"""One recipe, start to finish: the place that wires data, training, judging and saving."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import yaml
from torch import nn

from xadapt.backbones.cache.frozen_vectors import cache_folder
from xadapt.backbones.encoder.encode import encode
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.config.recipe import Recipe
from xadapt.core.errors import UserError
from xadapt.core.files import write_text
from xadapt.core.progress import watched
from xadapt.data.loading.records import Loaded, Source, digest, load_records
from xadapt.data.records import ParallelPair, Record
from xadapt.data.transforms.shuffle import shuffle_pairs
from xadapt.hub.manifest import Manifest
from xadapt.hub.opening import read_manifest
from xadapt.injection.attachment import geometry
from xadapt.modules.storage import build, parameter_count
from xadapt.pipelines import run_folder as out_folder
from xadapt.pipelines.held_out import dev_scores, evidence, head_of, reused_between
from xadapt.pipelines.outcome import ALONE, Verify, manifest_of, publish, same_recipe, tags
from xadapt.pipelines.training_composition import Inside, inside
from xadapt.training.loop import Trainer
from xadapt.training.settings import Run
from xadapt.training.tasks import Task

Say = Callable[[str], None]


@dataclass(frozen=True)
class Job:
    """What the user asks for beside the recipe.

    Attributes:
        base: Hub id, folder or ``package:NAME/SUBDIR``.
        sources: Where the records are; several languages make one joint module.
        out: Folder of the module.
        dev: Development pairs, if they are not to be taken from the data.
        resume: Go on with an interrupted run; a finished one is left as it is.
        controls: Also train the twin on shuffled pairs.
        base_id: Hub id of a base that was given as a folder or a package.
        licence: SPDX id of the module's licence.
        show: Whether progress is shown.
        compose: Compositions of folders with ``self``, the module under training; several take
            turns from step to step.
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


@dataclass(frozen=True)
class Trained:
    """What a run left.

    Attributes:
        folder: The module's folder.
        manifest: Its manifest.
        seconds: Training time over all sittings.
        prepare_seconds: Time to encode the frozen side, this sitting.
        forward_seconds: Time of one frozen forward over the data (its longest text of each
            record), estimated from a sample on this machine just now.
        padding: Share of padding among the tokens of the forwards, this sitting.
        notes: What was read, dropped and held out.
        reused: Whether the module was there, finished, before this call.
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
        """Training time in frozen forwards over the data; 0 where nothing was trained."""
        return self.seconds / self.forward_seconds if self.forward_seconds else 0.0


def check(recipe: Recipe, jobs: Sequence[Job]) -> None:
    """Read the data of several jobs, so that a fault of the last is told before the first runs.

    Raises:
        UserError: A folder or a source is unusable.
    """
    for job in jobs:
        if not out_folder.require_usable(job.out, job.resume):
            _load(recipe, job)


def train(recipe: Recipe, job: Job, verify: Verify, say: Say = lambda _: None) -> Trained:
    """Train one module and write its folder.

    The run keeps its state in ``out/run``; the module's files stand beside it once it is done,
    the manifest last, so a folder with a manifest is a whole one. All that can be wrong with
    what was given is told before anything is written or said.

    Args:
        recipe: What to do.
        job: On what.
        verify: Given base, module and texts, one comparison for each importable library.
        say: Told what happens, a line at a time.

    Raises:
        UserError: Something the user gave is wrong.
        KeyboardInterrupt: After Ctrl-C, with the run resumable.
    """
    if out_folder.require_usable(job.out, job.resume):
        return _finished(recipe, job)
    within = inside(job.compose)
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
    )
    for note in loaded.notes:
        say(note)
    say(f"{parameter_count(module):,} values to train on the {manifest.dtype} base {job.base}")
    main, resume = trainer.processes.main, _has_checkpoint(job)
    trainer.processes.wait()  # no process may write before all have looked at the folder
    with out_folder.nothing_left(job.out, main):
        progress = trainer.train(resume=resume)
        twin = _twin(recipe, job, loaded, encoder, within, say) if job.controls else None
        if main:
            head = head_of(trainer)
            with reused_between(trainer):
                found = evidence(encoder, trainer.acting.module, loaded.dev, head)
            manifest = manifest.model_copy(update={"evidence": found})
            write_text(job.out / out_folder.STATE / "recipe.yaml", _as_yaml(recipe))
            publish(job.out, job.base, module, encoder, manifest, verify, twin, head)
        trainer.processes.wait()
    return Trained(
        job.out,
        read_manifest(job.out),
        progress.seconds,
        trainer.prepare_seconds,
        _forward_seconds(encoder, trainer.tasks[0].longest(trainer.forward.tokenized.tokenize)),
        1 - trainer.forward.tokens / trainer.forward.padded if trainer.forward.padded else 0.0,
        loaded.notes,
    )


def _load(recipe: Recipe, job: Job) -> Loaded:
    first = os.environ.get("RANK", "0") == "0"  # under torchrun one process shows it
    watch = partial(watched, show=job.show and first)
    loaded = load_records(job.sources, recipe.data, job.dev, recipe.seed, watch)
    if job.controls and not any(_shufflable(rows) for rows in loaded.records.values()):
        raise UserError(
            "the shuffled-pairs control needs parallel text",
            where="--controls",
            todo="Leave it out for this recipe",
        )
    return loaded


def _finished(recipe: Recipe, job: Job) -> Trained:
    """The module an earlier run left, if it is what this one would make."""
    manifest = read_manifest(job.out)
    same = same_recipe(manifest, recipe) and manifest.languages == tags(job.sources)
    if not same or manifest.trained_inside != inside(job.compose).texts:
        raise UserError(
            "the output folder holds a finished module of another recipe or language",
            where=str(job.out),
            todo="Name another one, or remove it",
        )
    out_folder.clear(job.out)
    note = f"{job.out} holds the finished module already"
    return Trained(job.out, manifest, notes=[note], reused=True)


def _has_checkpoint(job: Job, *inside: str) -> bool:
    folder = job.out.joinpath(out_folder.STATE, *inside)
    return job.resume and (folder / out_folder.CHECKPOINT).exists()


def _module(recipe: Recipe, encoder: Encoder) -> nn.Module:
    spec = recipe.module
    return build(spec.kind, spec.options(), geometry(encoder), seed=recipe.seed, where=recipe.name)


def _trainer(
    recipe: Recipe,
    job: Job,
    loaded: Loaded,
    encoder: Encoder,
    module: nn.Module,
    state: Path,
    within: Inside = ALONE,
) -> Trainer:
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
    identity = {
        "recipe": hashlib.sha256(_as_yaml(recipe).encode()).hexdigest(),
        "base": encoder.fingerprint,
        "data": loaded.sha256,
        "development pairs": digest(loaded.dev),
        **within.identity(),
    }
    run = Run(recipe.train, state, recipe.seed, identity, None, cache_folder(), job.show)
    trainer = Trainer(encoder, module, tasks, run, inside=within.build(encoder, module))
    if loaded.dev:
        trainer.run = replace(run, score=lambda: dev_scores(trainer, loaded.dev))
    return trainer


def _forward_seconds(encoder: Encoder, texts: Sequence[str], sample: int = 128) -> float:
    some = texts[:: -(-len(texts) // sample)]
    began = time.monotonic()
    encode(encoder, some)
    return (time.monotonic() - began) * len(texts) / len(some)


def _twin(
    recipe: Recipe, job: Job, loaded: Loaded, encoder: Encoder, within: Inside, say: Say
) -> nn.Module:
    """The control: the same module trained on pairs that are no translations."""
    say("training the control on shuffled pairs")
    shuffled = replace(
        loaded, records={n: _shuffled(r, recipe.seed) for n, r in loaded.records.items()}, dev=[]
    )
    module = _module(recipe, encoder)
    state = job.out / out_folder.STATE / "shuffled"
    trainer = _trainer(recipe, job, shuffled, encoder, module, state, within)
    trainer.train(resume=_has_checkpoint(job, "shuffled"))
    return module


def _shufflable(records: Sequence[Record]) -> bool:
    return isinstance(records[0], ParallelPair)


def _shuffled(records: list[Record], seed: int) -> list[Record]:
    pairs = [record for record in records if isinstance(record, ParallelPair)]
    return list(shuffle_pairs(pairs, seed=seed)) if pairs else records


def _as_yaml(recipe: Recipe) -> str:
    return yaml.safe_dump(recipe.model_dump(mode="json"), allow_unicode=True, sort_keys=False)
