"""Small spaces of word vectors with a known map between them."""

import numpy as np
import torch

from xadapt.maps.contract import Spaces
from xadapt.maps.word_vectors import WordVectors


def rotation(dim, seed=0):
    """A random orthogonal matrix, float64."""
    made, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(dim, dim)))
    return made


def rotated(words=400, dim=12, noise=0.0, seed=0):
    """Source and target words with y = R x + noise, and R: vectors are rows, so Y = X Rᵀ."""
    rng = np.random.default_rng(seed)
    turn = rotation(dim, seed + 1)
    x = rng.normal(size=(words, dim))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    y = x @ turn.T + noise * rng.normal(size=(words, dim))
    return named("s", x), named("t", y), turn


def named(letter, rows):
    """Word vectors with the words s0, s1 and so on."""
    rows = np.asarray(rows, np.float32)
    return WordVectors(tuple(f"{letter}{i}" for i in range(len(rows))), rows)


def spaces(source, target, pairs, **more):
    """The input of a method, without normalisation."""
    x, y = torch.from_numpy(source.vectors), torch.from_numpy(target.vectors)
    return Spaces(x, y, torch.tensor(pairs), **more)


def unit(rows):
    """Rows of length 1."""
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)
