"""Fusion of several modalities of entities, of which some are missing, by their uncertainty.

The score of a pair is a sum over the modalities that both entities have::

    score(i, j) = sum over m of  g_m (cos_m(i, j) - c_m)

A modality that one of both lacks adds 0: it says neither yes nor no. Plain concatenation differs:
there a missing vector counts like one that fits badly, and, after division by the length of a row,
the rest of such a row counts more.

``g_m`` is a precision. If cosines of pairs that are the same spread around a mean ``a``, others
around ``b``, both with the variance ``s``, then ``g (cos - c)`` with ``g = (a - b) / s`` and
``c = (a + b) / 2`` is the log of the odds. It is the start. Then ``g`` and ``c`` are learnt on
links that no modality was made from, with the loss of the right entity among many; now and then
vectors are dropped at random.

Entities without a vector may have one that was guessed from their other vectors (`Guess`). Its
share ``q`` and its own middle ``d`` are learnt after that, with ``g`` and ``c`` fixed, so that
guesses change nothing where nothing is missing: a pair counts ``g q (cos - d)`` if one vector is
guessed, and ``g q^2 (cos - d)`` if both are.

Sources: UMAEA, https://arxiv.org/abs/2307.16210: one weight a modality for all entities in use,
missing-modality training, and guesses in a second stage with the first one fixed. Differences: no
graph attention, no transformer over the modalities (the authors' code does not use its weights at
inference), the start in closed form, and the middles ``c`` and ``d``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from xadapt.core.errors import UserError
from xadapt.tasks.kg.likeness import ByVectors, Positions
from xadapt.tasks.kg.modalities import Modality, Vectors
from xadapt.vectors.search.sides import spans

LEAST = 20
"""The least number of links that a fusion is learnt from."""
SAMPLE, POOL, STEPS, RATE, DROPPED = 600, 1500, 160, 0.05, 0.3
BLOCK = 2**14


@dataclass(frozen=True)
class Weighing:
    """How one modality counts.

    Attributes:
        weight: The precision ``g``; 0 leaves the modality out.
        middle: The cosine ``c`` that says nothing.
        share: The share ``q`` of a guessed vector, from 0 to 1.
        guessed_middle: The cosine ``d`` that says nothing where a vector is guessed.
    """

    weight: float
    middle: float
    share: float = 0.0
    guessed_middle: float = 0.0

    @property
    def constants(self) -> NDArray[np.float64]:
        """What a pair adds beside its cosine, ``(2, 2)``: by left and right, known and guessed."""
        g, q = self.weight, self.share
        known, one, both = g * self.middle, g * q * self.guessed_middle, g * q * q
        return -np.array([[known, one], [one, both * self.guessed_middle]])


Fusion = Mapping[str, Weighing]


@dataclass(frozen=True)
class Guess:
    """Guessed unit vectors of one modality, for all entities; zero where none could be guessed."""

    left: Vectors
    right: Vectors


def by_variance(same: NDArray[np.floating], other: NDArray[np.floating]) -> Weighing:
    """Weigh a modality by the spread of its cosines, in closed form.

    Args:
        same: Cosines of pairs that are the same ``(n,)``.
        other: Cosines of other pairs ``(m,)``.

    Returns:
        Weight 0 if the cosines of pairs that are the same are not higher.
    """
    if len(same) < 2 or len(other) < 2 or same.mean() <= other.mean():
        return Weighing(0.0, 0.0)
    variance = max((same.var() + other.var()) / 2, 1e-6)
    gap = float(same.mean() - other.mean())
    return Weighing(gap / float(variance), float(same.mean() + other.mean()) / 2)


@dataclass(frozen=True)
class _Way:
    """Cosines of development links in one direction.

    Attributes:
        cosines: By modality ``(4, links, pool)``: known-known, known-guessed, guessed-known,
            guessed-guessed.
        asked: By modality, whether each query has a vector, ``(modalities, links)``.
        held: The same for the pool, ``(modalities, pool)``.
        guessable: Whether queries, and the pool, have guesses.
        right: The place of the right entity ``(links,)``.
        also: Whether each entity of the pool is right too, by another link ``(links, pool)``.
    """

    cosines: Tensor
    asked: Tensor
    held: Tensor
    guessable: tuple[Tensor, Tensor]
    right: Tensor
    also: Tensor


def fit_fusion(
    modalities: Mapping[str, Modality],
    links: Positions,
    guesses: Mapping[str, Guess] | None = None,
    *,
    steps: int = STEPS,
    seed: int = 0,
) -> Fusion:
    """Learn how modalities count, from links that none of them was made from.

    Args:
        modalities: The modalities by name.
        links: Development links ``(n, 2)``.
        guesses: Guesses by modality; these links must not have been used for them either.
        steps: Steps of each stage; 0 leaves the closed form.
        seed: Seed of what is drawn.

    Raises:
        UserError: If there are fewer than `LEAST` links.
    """
    if len(links) < LEAST:
        raise UserError(
            f"a fusion is learnt from at least {LEAST} dev links, and there are {len(links)}",
            where="--links",
            todo="Split the links by xadapt kg build --split 30/10/60",
        )
    draw = np.random.default_rng(seed)
    ways = _ways(modalities, links, guesses or {}, draw)
    start = {name: _start(ways, m) for m, name in enumerate(modalities)}
    if not any(one.weight for one in start.values()):
        first = next(iter(modalities))
        return {**start, first: Weighing(1.0, 0.0)}  # nothing is known; the order is arbitrary
    if not steps:
        return start
    parts = list(start.values())
    logs = torch.tensor([np.log(max(one.weight, 1e-3)) for one in parts], dtype=torch.float32)
    used = torch.tensor([one.weight > 0 for one in parts], dtype=torch.float32)
    middles = torch.tensor([one.middle for one in parts], dtype=torch.float32)
    share, guessed = torch.full_like(logs, -2.0), middles.clone()
    nothing = torch.zeros_like(logs)

    def weighing(m: int) -> Weighing:
        return Weighing(float(logs[m].exp() * used[m]), float(middles[m]))

    _learn(
        [logs, middles],
        lambda way, gone: _scores(way, gone, logs.exp() * used, middles, nothing, nothing),
        ways, steps, seed,
    )  # fmt: skip
    found = {name: weighing(m) for m, name in enumerate(modalities)}
    if guesses:
        able = torch.tensor([name in guesses for name in modalities], dtype=torch.float32)
        fixed, centre = (logs.exp() * used).detach(), middles.detach()
        _learn(
            [share, guessed],
            lambda way, gone: _scores(way, gone, fixed, centre, share.sigmoid() * able, guessed),
            ways, steps, seed + 1,
        )  # fmt: skip
        for m, name in enumerate(modalities):
            if name in guesses:
                own = found[name]
                found[name] = Weighing(
                    own.weight, own.middle, float(share[m].sigmoid()), float(guessed[m])
                )
    return found


def fuse(
    modalities: Mapping[str, Modality], fusion: Fusion, guesses: Mapping[str, Guess] | None = None
) -> ByVectors:
    """Return vectors whose cosine is the score of the fusion, up to one factor.

    Args:
        modalities: The modalities by name.
        fusion: How each counts.
        guesses: Guesses by modality, for entities that lack a vector.
    """
    used = [name for name in modalities if fusion[name].weight > 0]
    live = {
        name: guess for name, guess in (guesses or {}).items()
        if fusion[name].share > 0 and _fills(modalities[name], guess)
    }  # fmt: skip
    sides = [_side(modalities, fusion, live, used, side) for side in (0, 1)]
    for own, column in zip(sides, (-2, -1), strict=True):
        squares = np.einsum("ij,ij->i", own, own)
        own[:, column] = np.sqrt(np.maximum(squares.max() - squares, 0))
    return ByVectors(sides[0], sides[1])


def _fills(modality: Modality, guess: Guess) -> bool:
    """Whether a missing vector has a guess."""
    missing = (~own for own in modality.has)
    return any(bool(own[gone].any()) for gone, own in
               zip(missing, (guess.left, guess.right), strict=True))  # fmt: skip


def _side(
    modalities: Mapping[str, Modality],
    fusion: Fusion,
    guesses: Mapping[str, Guess],
    used: Sequence[str],
    side: int,
) -> Vectors:
    """Return the rows of one side: for each modality its vectors and two flags; two free columns.

    The flags of the left side are whether a vector is known, and whether it is guessed; those of
    the right side are the constants of both cases.
    """
    vectors = [(modalities[n].left, modalities[n].right)[side] for n in used]
    width = sum(own.shape[1] + 2 for own in vectors) + 2
    made = np.zeros((len(vectors[0]), width), dtype=np.float32)
    for start, stop in spans(len(made), BLOCK):
        column = 0
        for name, own in zip(used, vectors, strict=True):
            guess = guesses.get(name)
            how, dim = fusion[name], own.shape[1]
            if guess is None:
                how = Weighing(how.weight, how.middle)
            block = own[start:stop].copy()
            known = block.any(axis=1)
            flags = np.stack([known, np.zeros_like(known)], axis=1).astype(np.float32)
            if guess is not None:
                other = (guess.left, guess.right)[side][start:stop]
                block[~known] = how.share * other[~known]
                flags[:, 1] = ~known & other.any(axis=1)
            made[start:stop, column : column + dim] = np.sqrt(how.weight) * block
            scale = np.sqrt(max(np.abs(how.constants).max(), 1e-12))
            flags = flags * scale if side == 0 else flags @ how.constants.T / scale
            made[start:stop, column + dim : column + dim + 2] = flags
            column += dim + 2
    return made


def _ways(
    modalities: Mapping[str, Modality],
    links: Positions,
    guesses: Mapping[str, Guess],
    draw: np.random.Generator,
) -> list[_Way]:
    if len(links) > SAMPLE:
        links = links[np.sort(draw.choice(len(links), SAMPLE, replace=False))]
    shape = next(iter(modalities.values())).shape
    found = []
    for own, other in ((0, 1), (1, 0)):
        right, places = np.unique(links[:, other], return_inverse=True)
        rest = np.setdiff1d(np.arange(shape[other]), right)
        room = max(POOL - len(right), 0)
        if len(rest) > room:
            rest = np.sort(draw.choice(rest, room, replace=False))
        asked, pool = links[:, own], np.concatenate([right, rest])
        cosines, sides, able = [], [], []
        for name, one in modalities.items():
            known = [torch.from_numpy(((one.left, one.right)[side])[rows])
                     for side, rows in ((own, asked), (other, pool))]  # fmt: skip
            guess = guesses.get(name)
            made = [torch.zeros_like(rows) for rows in known]
            if guess is not None:
                made = [torch.from_numpy(((guess.left, guess.right)[side])[rows])
                        for side, rows in ((own, asked), (other, pool))]  # fmt: skip
            left, below = (known[0], made[0]), (known[1], made[1])
            cosines.append(torch.stack([a @ b.T for a in left for b in below]))
            sides.append([rows.any(dim=1) for rows in known])
            able.append([rows.any(dim=1) for rows in made])
        also = torch.zeros(len(asked), len(pool), dtype=torch.bool)
        by_query: dict[int, list[int]] = {}
        for query, place in zip(asked.tolist(), places.tolist(), strict=True):
            by_query.setdefault(query, []).append(place)
        for row, (query, place) in enumerate(zip(asked.tolist(), places.tolist(), strict=True)):
            also[row, [p for p in by_query[query] if p != place]] = True
        found.append(_Way(
            torch.stack(cosines), torch.stack([one[0] for one in sides]),
            torch.stack([one[1] for one in sides]),
            (torch.stack([one[0] for one in able]), torch.stack([one[1] for one in able])),
            torch.from_numpy(places), also,
        ))  # fmt: skip
    return found


def _start(ways: Sequence[_Way], m: int) -> Weighing:
    same, other = [], []
    for way in ways:
        cosines = way.cosines[m, 0]
        both = way.asked[m][:, None] & way.held[m][None]
        right = torch.zeros_like(both)
        right[torch.arange(len(right)), way.right] = True
        same.append(cosines[both & right])
        other.append(cosines[both & ~right & ~way.also])
    return by_variance(torch.cat(same).numpy(), torch.cat(other).numpy())


def _scores(
    way: _Way,
    gone: tuple[Tensor, Tensor],
    weights: Tensor,
    middles: Tensor,
    share: Tensor,
    guessed: Tensor,
) -> tuple[Tensor, Tensor]:
    """Return the scores ``(links, pool)`` and whether each query has what it takes.

    Args:
        way: The cosines.
        gone: Whether each query and each entity of the pool loses its vector, by modality.
        weights: ``g`` of each modality.
        middles: ``c`` of each.
        share: ``q`` of each.
        guessed: ``d`` of each.
    """
    asked, held = way.asked & ~gone[0], way.held & ~gone[1]
    guessing = (share.detach() > 0)[:, None]
    able = (way.guessable[0] & ~asked & guessing, way.guessable[1] & ~held & guessing)
    total = torch.zeros(way.cosines.shape[2:])
    for m in range(len(weights)):
        parts = [(asked[m], held[m], way.cosines[m, 0], weights[m], middles[m])]
        if bool(guessing[m]):
            one, both = weights[m] * share[m], weights[m] * share[m] ** 2
            parts += [
                (asked[m], able[1][m], way.cosines[m, 1], one, guessed[m]),
                (able[0][m], held[m], way.cosines[m, 2], one, guessed[m]),
                (able[0][m], able[1][m], way.cosines[m, 3], both, guessed[m]),
            ]
        for left, right, cosines, weight, middle in parts:
            pairs = (left[:, None] & right[None]).float()
            total = total + weight * pairs * (cosines - middle)
    useful = ((asked | able[0]) & (held | able[1])[:, way.right]).any(dim=0)
    return total.masked_fill(way.also, -torch.inf), useful


def _learn(
    values: list[Tensor],
    scored: Callable[[_Way, tuple[Tensor, Tensor]], tuple[Tensor, Tensor]],
    ways: Sequence[_Way],
    steps: int,
    seed: int,
) -> None:
    """Move values by the loss of the right entity among the pool, while vectors are dropped.

    In every fourth step each vector is dropped with a chance that is drawn for each modality. In
    the others nothing is: these links lack what others lack.
    """
    generator = torch.Generator().manual_seed(seed)
    start = [value.clone() for value in values]
    for value in values:
        value.requires_grad_(True)
    optimiser = torch.optim.Adam(values, lr=RATE)
    for step in range(steps):
        loss = torch.zeros(())
        for way in ways:
            chance = torch.rand((len(way.asked), 1), generator=generator)
            chance = chance * DROPPED if step % 4 == 3 else torch.zeros_like(chance)
            gone = [
                torch.rand(own.shape, generator=generator) < chance for own in (way.asked, way.held)
            ]
            total, useful = scored(way, (gone[0], gone[1]))
            if bool(useful.any()):
                loss = loss + functional.cross_entropy(total[useful], way.right[useful])
        near = torch.stack([((a - b) ** 2).sum() for a, b in zip(values, start, strict=True)]).sum()
        optimiser.zero_grad()
        (loss + 0.01 * near).backward()
        optimiser.step()
    for value in values:
        value.requires_grad_(False)
