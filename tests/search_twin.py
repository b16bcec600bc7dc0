"""The search once more, slowly: a whole matrix of exact scores, sorted row by row."""

from __future__ import annotations

from fractions import Fraction

import numpy as np


def units(vectors):
    """Unit vectors in multiples of 2**-26, by the definition."""
    wide = np.asarray(vectors, dtype=np.float32).astype(np.float64)
    lengths = np.sqrt((wide**2).sum(axis=1, keepdims=True))
    narrow = (wide / np.where(lengths > 0, lengths, 1)).astype(np.float32).astype(np.float64)
    return np.round(narrow * 2**26) / 2**26


def cosines(queries, pool):
    """Scores ``(n, m)`` from exact fractions, rounded to float32 once."""
    left = [[Fraction(v) for v in row] for row in units(queries).tolist()]
    right = [[Fraction(v) for v in row] for row in units(pool).tolist()]
    dots = [[float(sum(a * b for a, b in zip(x, y, strict=True))) for y in right] for x in left]
    return np.array(dots).astype(np.float32)


def quick_cosines(queries, pool):
    """The same in float64, which holds these sums without rounding."""
    return (units(queries) @ units(pool).T).astype(np.float32)


def best(matrix, k):
    """Positions and scores of the k highest of each row, the first of equals first."""
    order = [sorted(range(len(row)), key=lambda j: (-row[j], j))[:k] for row in matrix.tolist()]
    indices = np.array(order)
    return indices, np.take_along_axis(matrix, indices, axis=1).astype(np.float64)


def signs(rng, n, dim=16, kinds=6):
    """Vectors of +-1 from few kinds: unit vectors and cosines are exact in any type, most tie."""
    return rng.choice([-1.0, 1.0], size=(kinds, dim))[rng.integers(0, kinds, n)].astype(np.float32)


def crowd(rng, n, dim=24, noise=1e-3, centres=7):
    """Vectors close around a few centres, a third of them doubled: near-ties and ties."""
    made = rng.normal(size=(centres, dim))[rng.integers(0, centres, n)]
    made = made + noise * rng.normal(size=(n, dim))
    copied = rng.integers(0, n, n // 3)
    made[rng.permutation(n)[: len(copied)]] = made[copied]
    return made.astype(np.float32)


def worst(dim, n=200, seed=0):
    """Unit vectors whose numbers all lie just below the middle of two bfloat16 numbers."""
    rng = np.random.default_rng(seed)
    vectors = np.full((n, dim), 1 + 2.0**-8 - 2.0**-16) * 2.0 ** rng.integers(-1, 1, (n, dim))
    return vectors / 2 ** np.ceil(np.log2(np.sqrt((vectors**2).sum(axis=1, keepdims=True))))
