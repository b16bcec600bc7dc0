"""The probability that an encoder-decoder gives to the right targets of development records.

A run on an encoder-decoder is scored by it: the loss of its objective on records that it was not
trained on, as the geometric mean of the probabilities of all tokens. 1 is the best.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xadapt.core.errors import UserError
from xadapt.evaluation.comparison import compare
from xadapt.hub.manifest import Evidence
from xadapt.training.seq2seq_run import Seq2SeqRun
from xadapt.training.tasks import Task

METRIC = "token probability"
BASE, MODULE, OTHERS = "frozen base", "module", "source of another record"


def token_probability(
    losses: NDArray[np.float64], tokens: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Compute the geometric mean of the probabilities of all tokens, ``(samples,)``.

    Args:
        losses: The sum of the losses of a record's tokens, ``(samples, n)``.
        tokens: Their number, ``(samples, n)``.
    """
    found: NDArray[np.float64] = np.exp(-losses.sum(-1) / np.maximum(tokens.sum(-1), 1))
    return found


def task_of_records(tasks: Sequence[Task], dev: Sequence[Any]) -> Task | None:
    """Return the first objective of a run that trains on such records."""
    if not dev:
        return None
    return next((t for t in tasks if isinstance(dev[0], t.objective.consumes)), None)


def scores(run: Seq2SeqRun, tasks: Sequence[Task], dev: Sequence[Any]) -> dict[str, float]:
    """Score the module of a run; ``score`` is maximised.

    Args:
        run: The base of the run, with the module under training.
        tasks: The objectives.
        dev: Records that are not trained on.

    Raises:
        UserError: If no objective trains on such records.
    """
    value = float(token_probability(*(one[None] for one in _columns(run, tasks, dev)))[0])
    return {"score": value, METRIC: value}


def evidence(run: Seq2SeqRun, tasks: Sequence[Task], dev: Sequence[Any]) -> list[Evidence]:
    """Measure the claim of a finished run, with an interval, the frozen base and a control.

    The control is the module that reads the source of another record: what it knows of targets
    without their source.

    Args:
        run: The base of the run, with the finished module.
        tasks: The objectives.
        dev: Records that the module was not trained on.

    Returns:
        One claim; none without records of an objective.
    """
    task = task_of_records(tasks, dev)
    if task is None:
        return []
    settings: dict[str, dict[str, Any]] = {MODULE: {}, BASE: {"module": False}}
    if len(dev) > 1:
        settings[OTHERS] = {"shift": 1}
    columns = {name: {METRIC: _columns(run, tasks, dev, **own)} for name, own in settings.items()}
    result = compare(task.name, dev[0].unit, columns, {METRIC: token_probability}, base=BASE)
    mean = {row.system: row.scores[METRIC] for row in result.rows}
    return [
        Evidence(
            task=task.name,
            task_type="text-generation",
            data="development split",
            metric=METRIC,
            value=mean[MODULE].mean,
            base=mean[BASE].mean,
            controls={OTHERS: mean[OTHERS].mean} if OTHERS in mean else {},
            interval=(mean[MODULE].low, mean[MODULE].high),
            rows=len(dev),
        )
    ]


def _columns(
    run: Seq2SeqRun, tasks: Sequence[Task], dev: Sequence[Any], **how: Any
) -> list[NDArray[np.float64]]:
    task = task_of_records(tasks, dev)
    if task is None:
        raise UserError(f"no objective trains on records of type {type(dev[0]).__name__}")
    values, tokens = run.held_out(task, dev, **how)
    return [(values * tokens).double().numpy(), tokens.double().numpy()]
