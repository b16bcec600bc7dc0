"""Weights of a mixture, searched without gradients on a few examples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import minimize

from xadapt.composition.by_language import choices
from xadapt.composition.text import show
from xadapt.composition.values import Composition, Mix, all_parts, rebuilt, replaced
from xadapt.core.errors import UserError
from xadapt.core.sequences import as_paths
from xadapt.data.loading.records import digest
from xadapt.data.readers.graph_source import is_graph
from xadapt.inference.locate import locate, short_names
from xadapt.languages.tags import normalise
from xadapt.pipelines.weight_search_loss import open_examples
from xadapt.report.display import Displayed
from xadapt.report.table import Table, number

FILE = "few_shot.json"
L1, BOUND, BUDGET = 0.05, 1.5, 40
SEARCH = "scipy COBYLA"
SEARCHED = "search"
MANY = "mul"  # for a file that is read without a language


@dataclass(frozen=True)
class Trial:
    """One measured set of weights.

    Attributes:
        what: ``start``, ``alike``, ``NAME alone`` or ``search``.
        weights: One weight for each part of the mixture.
        loss: Mean loss of the examples, in nats.
        objective: The loss plus ``0.05`` times the sum of the weights' absolute values.
    """

    what: str
    weights: tuple[float, ...]
    loss: float
    objective: float


@dataclass(frozen=True, repr=False)
class Found(Displayed):
    """The result of a weight search.

    Attributes:
        composition: The expression with the best weights.
        parts: Names of the mixture's parts.
        trials: All trials, in order.
        facts: Facts about the examples and the search.
    """

    composition: Composition
    parts: tuple[str, ...]
    trials: tuple[Trial, ...]
    facts: dict[str, Any]

    @property
    def best(self) -> Trial:
        """The selected trial, see `best`."""
        return best(self.trials)

    def to_dict(self) -> dict[str, Any]:
        """Return the values for JSON; folders are given by their own names."""
        rows = [asdict(trial) for trial in self.trials]
        return {**self.facts, "parts": self.parts, "best": asdict(self.best), "trials": rows}

    def _table(self) -> Table:
        chosen = self.best
        rows = (
            (
                "best" if trial is chosen else "",
                trial.what,
                *(number(weight, 2) for weight in trial.weights),
                number(trial.loss),
                number(trial.objective),
            )
            for trial in self.trials
        )
        columns = ("", "trial", *self.parts, "loss", "objective")
        rows_of = self.facts.get("examples", {}).get("rows", 0)
        title = f"{show(self.composition)}: {len(self.trials)} trials on {rows_of:,} examples"
        note = "loss: nats on the examples themselves; nothing was held out"
        return Table(columns, tuple(rows), title, (note,))

    def _records(self) -> list[dict[str, Any]]:
        return [
            {
                "trial": place,
                "what": trial.what,
                **dict(zip(self.parts, trial.weights, strict=True)),
                "loss": trial.loss,
                "objective": trial.objective,
                "best": trial is self.best,
            }
            for place, trial in enumerate(self.trials)
        ]

    def _draw(self, axes: Any) -> None:
        from xadapt.report.plots import draw_trials

        values = [(place, trial.objective) for place, trial in enumerate(self.trials)]
        draw_trials(axes, values, label="objective (nats)", lower_is_better=True)


def few_shot(
    expression: str | Composition,
    *,
    base: str,
    folders: str | Sequence[str],
    examples: str,
    lang: str | None = None,
    budget: int = BUDGET,
    dtype: str = "auto",
    on_trial: Callable[[Trial], None] = lambda _: None,
) -> Found:
    """Search the weights of the one mixture in a composition on a few examples.

    For parallel text the loss is translation ranking within the examples, in both directions. For
    tagged sentences the loss is the cross-entropy of the head's labels. For a knowledge graph the
    loss is the mean of those by which ``mlkg_ep`` and ``mlkg_tp`` learn from its training names and
    facts. Nothing is held out: the losses measure how well the weights fit these examples, not
    other examples.

    Source: LoraHub, Huang et al. 2023, https://arxiv.org/abs/2307.13269, section 3.3: start at
    0, weights within 1.5 of 0, a penalty of 0.05 times the sum of their absolute values, 40 trials.
    LoraHub searches by nevergrad's Shiwa and weights ``A`` and ``B`` apart. Here scipy's COBYLA
    searches, which draws no random numbers, and each update is weighted as a whole. Equal weights
    and each part alone are among the trials. No weights are selected that fit the examples worse
    than one of these.

    Args:
        expression: A composition with one mixture in it, or its text: ``mix(a, b, c) + d``.
        base: Hub id, folder, ``package:NAME/SUBDIR`` or ``mini``.
        folders: Folders of modules, as for `AdaptedEncoder.load`.
        examples: Tagged sentences (``.conll`` or ``.conllu``), a knowledge graph such as
            ``kg:DIR``, or else parallel text. Of more than 512 examples, those with the smallest
            hashes are used; of a graph, as many names and as many facts.
        lang: Language of the examples; may be left out where the file is read without one.
        budget: Number of sets of weights to measure.
        dtype: Type of the base's weights: ``auto``, ``float32``, ``bfloat16``, ``int8`` or
            ``nf4``.
        on_trial: Called with each trial.

    Raises:
        UserError: If the expression has no such mixture, the examples don't fit, or the budget is
            too small for its parts.
    """
    composition, places = locate(as_paths(folders), expression)
    mixture = _mixture(composition)
    if lang is None and is_graph(examples):
        raise UserError(
            "names of a graph are in several languages", where=examples, todo="Add --lang TAG"
        )
    tag = MANY if lang is None else normalise(lang)
    short = short_names(places)
    parts = tuple(show(replaced(part, short)) for part, _ in mixture.parts)
    controls = _controls(parts)
    least = len(controls) + len(parts) + 2  # measurements of COBYLA before its first step
    if budget < least:
        raise UserError(f"{len(parts)} parts take {least} trials or more", where="--budget")
    rows, measure = open_examples(examples, tag, base, composition, places, dtype)
    trials = _search(lambda w: measure(_weighed(composition, w)), controls, budget, on_trial)
    found = _weighed(composition, best(trials).weights)
    facts = {
        "composition": show(replaced(found, short)),
        "examples": {"name": Path(examples).name, "rows": len(rows), "sha256": digest(rows)},
        "search": {"method": SEARCH, "budget": budget, "l1": L1, "bound": BOUND},
    }
    return Found(found, parts, tuple(trials), facts)


def best(trials: Sequence[Trial]) -> Trial:
    """Select the trial with the least objective among trials that fit as well as every control.

    Only trials with a loss of at most that of every control are considered; of equal trials the
    first is selected. The controls are all trials that the search did not ask for.
    """
    least = min(trial.loss for trial in trials if trial.what != SEARCHED)
    return min((t for t in trials if t.loss <= least), key=lambda trial: trial.objective)


def _search(
    loss: Callable[[Sequence[float]], float],
    controls: dict[str, tuple[float, ...]],
    budget: int,
    on_trial: Callable[[Trial], None],
) -> list[Trial]:
    """Measure the controls, then the weights that COBYLA asks for, until the budget is spent."""
    trials: dict[tuple[float, ...], Trial] = {}

    def objective(values: Sequence[float], what: str = SEARCHED) -> float:
        clipped = np.clip(np.asarray(values, dtype=float), -BOUND, BOUND)
        weights = tuple(float(value) for value in clipped.round(4) + 0.0)
        if weights not in trials:
            found = loss(weights)
            trials[weights] = Trial(what, weights, found, found + L1 * float(np.abs(weights).sum()))
            on_trial(trials[weights])
        return trials[weights].objective

    for what, weights in controls.items():
        objective(weights, what)
    start = np.zeros(len(controls["start"]))
    left = budget - len(controls)
    bounds = [(-BOUND, BOUND)] * len(start)
    options = {"rhobeg": 0.5, "maxiter": left}  # COBYLA: maxiter counts measurements
    minimize(objective, start, method="COBYLA", bounds=bounds, options=options)
    return list(trials.values())


def _controls(parts: Sequence[str]) -> dict[str, tuple[float, ...]]:
    count = len(parts)
    alone = {
        f"{part} alone": tuple(float(i == number) for i in range(count))
        for number, part in enumerate(parts)
    }
    return {"start": (0.0,) * count, "alike": (round(1 / count, 4),) * count, **alone}


def _mixture(composition: Composition) -> Mix:
    found = [part for part in all_parts(composition) if isinstance(part, Mix)]
    if len(found) != 1 or choices(composition):
        raise UserError(
            f"{show(composition)} should have one mixture in it, and no choice by language",
            where="--few-shot",
            todo="Such as: mix(a, b, c) or mix(a, b) + task",
        )
    return found[0]


def _weighed(composition: Composition, weights: Sequence[float]) -> Composition:
    """Return the composition with other weights in its one mixture."""
    if isinstance(composition, Mix):
        parts = [part for part, _ in composition.parts]
        return Mix(dict(zip(parts, weights, strict=True)))
    return rebuilt(composition, lambda part: _weighed(part, weights))
