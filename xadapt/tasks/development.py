"""Evaluate a run on its development part: scores during training, evidence at the end.

The task of the records evaluates the run, see `xadapt.tasks.protocol.of_record`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from torch import nn

from xadapt.backbones.cache.prefix_states import MEMORY_BYTES, PrefixStates
from xadapt.backbones.cache.reuse import Kept
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.core.errors import UserError
from xadapt.heads.head import Head
from xadapt.hub.manifest import Evidence
from xadapt.tasks import target_probability
from xadapt.tasks.protocol import Task, of_record
from xadapt.training.seq2seq_run import Seq2SeqRun

if TYPE_CHECKING:
    from xadapt.training.loop import Trainer


def dev_scores(trainer: Trainer, dev: Sequence[Any]) -> dict[str, float]:
    """Score the current module of a run.

    Args:
        trainer: The run.
        dev: Records that are not trained on, all of one type.

    Returns:
        Scores by name; ``score`` is maximised.

    Raises:
        UserError: If no task evaluates such records.
    """
    if isinstance(trainer.of_base, Seq2SeqRun):
        return target_probability.scores(trainer.of_base, trainer.tasks, dev)
    task = task_of(trainer, dev)
    if task is None:
        raise UserError(f"no task judges records of type {type(dev[0]).__name__}")
    return task.scores(trainer, dev, evaluation_cache(trainer))


def task_of(trainer: Trainer, dev: Sequence[Any]) -> Task | None:
    """Find the task that evaluates a run on its development part, if there is one."""
    head = head_of(trainer)
    return of_record(type(dev[0]), head.task if head else None) if dev else None


def is_scored(trainer: Trainer, dev: Sequence[Any]) -> bool:
    """Whether a run has a score on its development part."""
    if isinstance(trainer.of_base, Seq2SeqRun):
        return target_probability.task_of_records(trainer.tasks, dev) is not None
    return task_of(trainer, dev) is not None


def evidence_of(trainer: Trainer, dev: Sequence[Any], head: Head | None = None) -> list[Evidence]:
    """Measure the claims of a finished run on its development part, see `evidence`.

    Args:
        trainer: The run.
        dev: Records that the module was not trained on.
        head: The task head that was trained with the module.
    """
    if isinstance(trainer.of_base, Seq2SeqRun):
        return target_probability.evidence(trainer.of_base, trainer.tasks, dev)
    return evidence(
        trainer.encoder,
        trainer.active_module.module,
        dev,
        head,
        evaluation_cache(trainer),
        dimensions=trainer.run.dimensions,
    )


def evidence(
    encoder: Encoder,
    module: nn.Module,
    dev: Sequence[Any],
    head: Head | None = None,
    cache: Kept | None = None,
    dimensions: Sequence[int] = (),
) -> list[Evidence]:
    """Measure the claims of a finished run on its development part, with controls.

    Before that, what the head takes from the development part is set, such as thresholds.

    Args:
        encoder: The frozen encoder.
        module: The module; for a task, the whole composition in which the module was trained.
        dev: Records that the module was not trained on.
        head: The task head that was trained with the module.
        cache: Cached states from which the forwards may start.
        dimensions: Numbers of first values of a vector that are measured as well, by a task that
            looks texts up by their vectors.

    Returns:
        The claims; none without records, or where no task evaluates such records.
    """
    task = of_record(type(dev[0]), head.task if head else None) if dev else None
    if task is None:
        return []
    if head is not None and hasattr(task, "calibrate"):
        task.calibrate(encoder, module, dev, head, cache)
    more: Any = {"dimensions": dimensions} if task.by_vectors and dimensions else {}
    return task.evidence(encoder, module, dev, head, cache, **more)


def head_of(trainer: Trainer, kind: str | None = None) -> Head | None:
    """Return the task head that a run trains, if there is one.

    Args:
        trainer: The run.
        kind: The kind of head to find; any kind if not given.
    """
    heads = (head for head in trainer.trained["heads"].children() if isinstance(head, Head))
    return next((head for head in heads if kind in (None, head.task)), None)


def evaluation_cache(trainer: Trainer) -> PrefixStates | None:
    """Make the cache of states below the lowest active layer, shared by a run's evaluations.

    A training step never reads these states, so the number of evaluations does not change the
    run. The cache is ``None`` where a module acts in the first layer or below.
    """
    if trainer.held_out is None:
        acting = (*trainer.turns, *trainer.forward.companions.values())
        start = min(one.first_layer for one in acting)
        if start < 1:
            return None
        cache = trainer.run.cache
        trainer.held_out = PrefixStates(trainer.encoder, start, cache, memory=MEMORY_BYTES)
        if not trainer.progress.finished:
            trainer.held_out.pin(trainer.pins)
    return trainer.held_out
