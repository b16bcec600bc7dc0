"""One recipe, start to finish: the place that wires data, training, judging and saving."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
import yaml
from torch import nn

from xadapt.attach import geometry
from xadapt.backbones.bank import cache_folder
from xadapt.backbones.encode import encode
from xadapt.backbones.encoder import Encoder
from xadapt.errors import UserError
from xadapt.files import require_empty, write_text
from xadapt.hub.manifest import Manifest
from xadapt.makers.shuffle import shuffle_pairs
from xadapt.matching import nearest
from xadapt.outcome import Verify, manifest_of, publish
from xadapt.recipe import Recipe
from xadapt.records import ParallelPair
from xadapt.records_in import Loaded, Source, load_records
from xadapt.store import build, parameter_count
from xadapt.train.loop import Run, Trainer
from xadapt.train.tasks import Task

Say = Callable[[str], None]


@dataclass(frozen=True)
class Job:
    """What the user asks for beside the recipe.

    Attributes:
        base: Hub id, folder or ``package:NAME/SUBDIR``.
        sources: Where the records are; several languages make one joint module.
        out: Folder of the module.
        dev: Development pairs, if they are not to be taken from the data.
        resume: Go on with an interrupted run.
        controls: Also train the twin on shuffled pairs.
        base_id: Hub id of a base that was given as a folder or a package.
        licence: SPDX id of the module's licence.
        show: Whether progress is shown.
    """

    base: str
    sources: tuple[Source, ...]
    out: Path
    dev: Source | None = None
    resume: bool = False
    controls: bool = False
    base_id: str | None = None
    licence: str | None = None
    show: bool = True


@dataclass(frozen=True)
class Trained:
    """What a run left.

    Attributes:
        folder: The module's folder.
        manifest: Its manifest.
        seconds: Training time over all sittings.
        prepare_seconds: Time to encode the frozen side, this sitting.
        padding: Share of padding among the tokens of the forwards.
        notes: What was read, dropped and held out.
    """

    folder: Path
    manifest: Manifest
    seconds: float
    prepare_seconds: float
    padding: float
    notes: list[str] = field(default_factory=list)


def train(recipe: Recipe, job: Job, verify: Verify, say: Say = lambda _: None) -> Trained:
    """Train one module and write its folder.

    The run keeps its state in ``out/run``; the module's files stand beside it once it is done,
    the manifest last, so a folder with a manifest is a whole one.

    Args:
        recipe: What to do.
        job: On what.
        verify: Given base, module and texts, one comparison for each importable library.
        say: Told what happens, a line at a time.

    Raises:
        UserError: Something the user gave is wrong.
        KeyboardInterrupt: After Ctrl-C, with the run resumable.
    """
    state = _open_run(job)
    loaded = load_records(job.sources, recipe.data["train"], job.dev, recipe.seed)
    for note in loaded.notes:
        say(note)
    encoder = Encoder.from_pretrained(job.base, dtype=recipe.dtype)
    module = _module(recipe, encoder)
    say(f"{parameter_count(module):,} values to train on the {encoder.dtype} base {job.base}")
    trainer = _trainer(recipe, job, loaded, encoder, module, state)
    progress = trainer.train(resume=_has_checkpoint(job, state))
    twin = _twin(recipe, job, loaded, encoder, state, say) if job.controls else None
    manifest = manifest_of(
        recipe,
        encoder,
        module,
        job.sources,
        loaded,
        base_id=job.base_id,
        licence=job.licence,
    )
    if trainer.processes.main:
        write_text(state / "recipe.yaml", _as_yaml(recipe))
        manifest = publish(job.out, job.base, module, encoder, manifest, verify, twin)
    trainer.processes.wait()
    forward = trainer.forward
    padding = 1 - forward.tokens / max(1, forward.padded)
    return Trained(
        job.out, manifest, progress.seconds, trainer.prepare_seconds, padding, loaded.notes
    )


def _open_run(job: Job) -> Path:
    state = job.out / "run"
    if (job.out / "xadapt.json").exists():
        raise UserError(
            "the output folder holds a finished module", where=str(job.out), todo="Name another"
        )
    unfinished = state.is_dir() and any(state.iterdir())
    if unfinished and not job.resume:
        raise UserError(
            "the output folder holds an unfinished run",
            where=str(job.out),
            todo="Add --resume to go on with it, or name another folder",
        )
    if not unfinished:
        require_empty(job.out)
    state.mkdir(parents=True, exist_ok=True)
    return state


def _has_checkpoint(job: Job, state: Path) -> bool:
    return job.resume and (state / "checkpoint.safetensors").exists()


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
) -> Trainer:
    tasks = [
        Task(
            spec.name,
            spec.build(),
            loaded.train,
            weight=spec.weight,
            share=spec.share,
            data=spec.data,
        )
        for spec in recipe.objectives
    ]
    recipe_hash = hashlib.sha256(_as_yaml(recipe).encode()).hexdigest()
    identity = {"recipe": recipe_hash, "base": encoder.fingerprint, "data": loaded.sha256}
    run = Run(recipe.train, state, recipe.seed, identity, None, cache_folder(), job.show)
    trainer = Trainer(encoder, module, tasks, run)
    if loaded.dev:
        trainer.run = replace(run, score=lambda: dev_scores(trainer, loaded.dev))
    return trainer


def dev_scores(trainer: Trainer, dev: Sequence[ParallelPair]) -> dict[str, float]:
    """Accuracy both ways and in both modes on held-out pairs; ``score`` is their mean."""
    pivots = [pair.pivot for pair in dev]
    frozen = trainer.frozen.get(pivots).cpu()
    with trainer.attachment.on():
        texts = encode(trainer.encoder, [pair.text for pair in dev])
        active = encode(trainer.encoder, pivots)
    right = np.arange(len(dev))
    scores = {}
    for mode, side in (("language", frozen), ("both", active)):
        scores[f"{mode}/to_pivot"] = float((nearest(texts, side, 1).indices[:, 0] == right).mean())
        scores[f"{mode}/from_pivot"] = float(
            (nearest(side, texts, 1).indices[:, 0] == right).mean()
        )
    kept = torch.nn.functional.cosine_similarity(frozen, active, dim=-1).mean()
    return {"score": float(np.mean(list(scores.values()))), **scores, "pivot_kept": float(kept)}


def _twin(
    recipe: Recipe, job: Job, loaded: Loaded, encoder: Encoder, state: Path, say: Say
) -> nn.Module:
    """The control: the same module trained on pairs that are no translations."""
    say("training the control on shuffled pairs")
    folder = state / "shuffled"
    folder.mkdir(exist_ok=True)
    train = shuffle_pairs(loaded.train, seed=recipe.seed)  # type: ignore[arg-type]
    shuffled = replace(loaded, train=list(train), dev=[], sha256=loaded.sha256 + ":shuffled")
    module = _module(recipe, encoder)
    trainer = _trainer(recipe, job, shuffled, encoder, module, folder)
    trainer.train(resume=_has_checkpoint(job, folder))
    return module


def _as_yaml(recipe: Recipe) -> str:
    return yaml.safe_dump(recipe.model_dump(mode="json"), allow_unicode=True, sort_keys=False)
