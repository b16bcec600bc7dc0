"""Vectors of a modality that an entity lacks, guessed from its other modalities.

``vae``: a variational autoencoder reads the vectors that an entity has, side by side. Its latent
vector, brought to length 1, is the guess. It is trained on entities that have the modality::

    loss = (1 - cos(v, u)) + (1 - cos(x, y)) + .001 KL(N(mean, variance) | N(0, 1))

with the vector ``v`` and its guess ``u``, the input ``x`` and what the decoder makes of the latent
vector ``y``. Guesses are made without noise.

``mean``: the mean of all vectors of the modality, the same for each entity.

Source: UMAEA, https://arxiv.org/abs/2307.16210, second stage (CMMI). Differences: cosines in place
of divergences of softmaxes, inputs may have gaps themselves, and no term for likeness within seeds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from xadapt.tasks.kg.fusion import Guess
from xadapt.tasks.kg.modalities import Modality, Present, Vectors
from xadapt.vectors.search.sides import spans

Impute = Literal["none", "mean", "vae"]
IMPUTES: tuple[Impute, ...] = get_args(Impute)
HIDDEN, EPOCHS, BATCH, RATE, DRAWN, PRIOR = 256, 12, 256, 1e-3, 6000, 1e-3
LEAST = 50
"""The least number of entities from which guesses are learnt."""
BLOCK = 2**13


class Autoencoder(nn.Module):
    """A variational autoencoder whose latent vector is the guess.

    Args:
        inputs: Numbers of the vectors that are read.
        width: Numbers of the vector that is guessed.
    """

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.read = nn.Linear(inputs, HIDDEN)
        self.mean, self.log_variance = nn.Linear(HIDDEN, width), nn.Linear(HIDDEN, width)
        self.write = nn.Sequential(nn.Linear(width, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, inputs))

    def forward(self, given: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mean and the log variance of the latent vectors, each ``(rows, width)``."""
        hidden = torch.relu(self.read(given))
        return self.mean(hidden), self.log_variance(hidden)

    def loss(self, given: Tensor, wanted: Tensor, noise: Tensor) -> Tensor:
        """Return the mean loss of some entities.

        Args:
            given: Their other vectors side by side ``(rows, inputs)``.
            wanted: Their vectors of the modality ``(rows, width)``.
            noise: Normal noise ``(rows, width)``.
        """
        mean, log_variance = self(given)
        drawn = mean + noise * (log_variance / 2).exp()
        prior = (mean**2 + log_variance.exp() - 1 - log_variance).sum(dim=1) / 2
        near = 1 - functional.cosine_similarity(drawn, wanted)
        again = 1 - functional.cosine_similarity(self.write(drawn), given)
        return (near + again + PRIOR * prior).mean()


def guess_missing(
    modalities: Mapping[str, Modality],
    impute: Impute,
    left_out: tuple[Present, Present],
    *,
    epochs: int = EPOCHS,
    seed: int = 0,
) -> dict[str, Guess]:
    """Guess the vectors of each modality for all entities that have another one.

    Args:
        modalities: The modalities by name.
        impute: How; ``none`` gives no guesses.
        left_out: The left and right entities that nothing is learnt from, such as those of links
            that weigh the guesses.
        epochs: Epochs of an autoencoder.
        seed: Seed of everything random.

    Returns:
        The guesses by modality; none of a modality that too few entities have, or that all have.
    """
    found: dict[str, Guess] = {}
    if impute == "none":
        return found
    for number, (name, one) in enumerate(modalities.items()):
        others = [other for key, other in modalities.items() if key != name]
        has = one.has
        known = [own & ~out for own, out in zip(has, left_out, strict=True)]
        if sum(map(np.count_nonzero, known)) < LEAST or all(own.all() for own in has):
            continue
        able = [
            np.any([getattr(o, side).any(axis=1) for o in others], axis=0)
            if others else np.zeros(len(own), dtype=bool)
            for side, own in zip(("left", "right"), has, strict=True)
        ]  # fmt: skip
        if impute == "mean":
            sums = one.left[known[0]].sum(axis=0) + one.right[known[1]].sum(axis=0)
            mean = (sums / max(float(np.linalg.norm(sums)), 1e-12)).astype(np.float32)
            found[name] = Guess(*(there[:, None] * mean for there in able))
        elif others:
            found[name] = _by_autoencoder(one, others, known, able, epochs, seed + number)
    return found


def _by_autoencoder(
    one: Modality,
    others: list[Modality],
    known: list[Present],
    able: list[Present],
    epochs: int,
    seed: int,
) -> Guess:
    draw = np.random.default_rng(seed)
    given, wanted = [], []
    for side, own in enumerate((one.left, one.right)):
        rows = np.flatnonzero(known[side] & able[side])
        if len(rows) > DRAWN // 2:
            rows = np.sort(draw.choice(rows, DRAWN // 2, replace=False))
        given.append(_beside(others, side, rows))
        wanted.append(own[rows])
    inputs, targets = (torch.from_numpy(np.concatenate(each)) for each in (given, wanted))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Autoencoder(inputs.shape[1], targets.shape[1])
        optimiser = torch.optim.Adam(model.parameters(), lr=RATE)
        for _ in range(epochs if len(inputs) else 0):
            for rows_ in torch.randperm(len(inputs)).split(BATCH):
                loss = model.loss(inputs[rows_], targets[rows_], torch.randn_like(targets[rows_]))
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
    sides = []
    for side, there in enumerate(able):
        made = np.zeros((len(there), targets.shape[1]), dtype=np.float32)
        for start, stop in spans(len(made), BLOCK):
            rows = start + np.flatnonzero(there[start:stop])
            with torch.no_grad():
                mean, _ = model(torch.from_numpy(_beside(others, side, rows)))
            made[rows] = functional.normalize(mean, dim=1).numpy()
        sides.append(made)
    return Guess(*sides)


def _beside(modalities: list[Modality], side: int, rows: np.ndarray) -> Vectors:
    return np.concatenate([(one.left, one.right)[side][rows] for one in modalities], axis=1)
