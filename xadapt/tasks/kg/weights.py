"""Weights of the views of an alignment: as a user says, or the best on development links."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch

from xadapt.core.errors import UserError
from xadapt.core.registry import unknown
from xadapt.tasks.kg.likeness import Likeness, Positions
from xadapt.tasks.kg.scorers import weight_grid

SAMPLE = 400
POOL = 20_000
WAY = "--weights"


def parse_weights(text: str, views: Sequence[str]) -> dict[str, float]:
    """Read weights such as ``names=.3,text=.7``; views without one have 0.

    Raises:
        UserError: If the text has another form, a view is unknown, or no weight is above 0.
    """
    found = dict.fromkeys(views, 0.0)
    for part in text.split(","):
        name, sign, value = (piece.strip() for piece in part.partition("="))
        if not sign:
            raise UserError(f"{part[:40]!r} is no weight", where=WAY, todo="Write names=.3,text=.7")
        if name not in found:
            raise UserError(unknown("view", name, list(views)), where=WAY)
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not (math.isfinite(number) and number >= 0):
            raise UserError(
                f"{value[:40]!r} is no weight of {name}", where=WAY, todo="Give a number from 0"
            )
        found[name] = number
    if not any(found.values()):
        raise UserError("all weights are 0", where=WAY, todo="Give one above 0")
    return found


def equal_weights(views: Sequence[str]) -> dict[str, float]:
    """Return the same weight for each view."""
    return dict.fromkeys(views, 1 / len(views))


def best_weights(
    views: Mapping[str, Likeness],
    links: Positions,
    *,
    sample: int = SAMPLE,
    pool: int = POOL,
    seed: int = 0,
) -> dict[str, float]:
    """Return the weights with the highest MRR on development links: tenths that sum to 1.

    Both directions count alike. Of equally good weights, those with most zeros win.

    Args:
        views: The views by name, of all entities.
        links: Development links ``(n, 2)``. No view may have been trained on them, and none of
            them is reported later.
        sample: Most links that are used, drawn at random.
        pool: Most entities that a query is looked up among, drawn at random; those of the links are
            always among them.
        seed: Seed of the drawing.

    Raises:
        UserError: If there are no links.
    """
    if len(views) == 1:
        return dict.fromkeys(views, 1.0)
    if not len(links):
        raise UserError("there are no development links to choose the weights on")
    draw = np.random.default_rng(seed)
    if len(links) > sample:
        links = links[np.sort(draw.choice(len(links), sample, replace=False))]
    shape = next(iter(views.values())).shape
    pools = []
    for column in (0, 1):
        own = np.unique(links[:, column])
        rest = np.setdiff1d(np.arange(shape[column]), own)
        if len(rest) > pool:
            rest = np.sort(draw.choice(rest, pool, replace=False))
        pools.append(np.concatenate([own, rest]))
    grid = weight_grid(len(views))
    scores = np.zeros(len(grid))
    for way in (0, 1):
        asked, held = np.unique(links[:, way]), pools[1 - way]
        right = [np.flatnonzero(np.isin(held, links[links[:, way] == one, 1 - way]))
                 for one in asked]  # fmt: skip
        chosen = [
            view.chosen(asked, held) if way == 0 else view.chosen(held, asked)
            for view in views.values()
        ]
        sides = [view.similarity() for view in chosen]
        sides = [side if way == 0 else side.swapped() for side in sides]
        for row, answers in enumerate(right):
            stacked = torch.stack([side.rows(row, row + 1)[0] for side in sides]).numpy()
            mixed = grid @ stacked
            best = mixed[:, answers].max(axis=1)
            mixed[:, answers] = -np.inf
            above = (mixed > best[:, None] + 1e-6).sum(axis=1)
            same = (mixed >= best[:, None] - 1e-6).sum(axis=1) - above
            scores += 1 / (1 + above + same / 2) / len(asked)
    order = np.lexsort((-(grid == 0).sum(axis=1), -scores.round(9)))
    return dict(zip(views, grid[order[0]].tolist(), strict=True))
