"""Precision at k of word translation by nearest neighbours, with cosines and with CSLS.

A source word counts once, however many translations the dictionary has: it is right at k if any of
them is among the k nearest target words. All target words are candidates, also those that no
dictionary names. For CSLS, the neighbourhood of a target word is over all mapped source words, not
over the words that are asked.

Source: Conneau et al. 2018, "Word Translation Without Parallel Data",
https://arxiv.org/abs/1710.04087, section 2.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xadapt.core.errors import UserError
from xadapt.maps.dictionary import Gold
from xadapt.vectors.search.exact import Neighbours
from xadapt.vectors.search.nearest import one_way, pair_of, search

KS = (1, 5, 10)
CSLS = 10


def nearest_words(
    mapped: Tensor, target: Tensor, asked: Sequence[int], k: int, csls: int = 0
) -> Neighbours:
    """Find the nearest target words of some source words.

    Args:
        mapped: All mapped source vectors ``(n, dim)``.
        target: All target vectors ``(m, dim)``, mapped too if the method maps them.
        asked: Rows of the source words that ask.
        k: Number of target words, at most ``m``.
        csls: Size of the CSLS neighbourhood; 0 ranks by cosine.
    """
    queries = mapped[torch.as_tensor(list(asked))]
    if not csls:
        return one_way(queries, target, k)
    pair = pair_of(queries, target)
    around_query = one_way(queries, target, min(csls, len(target))).scores.mean(axis=1)
    around_target = one_way(target, mapped, min(csls, len(mapped))).scores.mean(axis=1)
    halves = (torch.from_numpy(around_query / 2), torch.from_numpy(around_target / 2))
    return search(replace(pair, half_means=halves), k, False)[0]


def hits(
    mapped: Tensor, target: Tensor, gold: Gold, ks: Sequence[int] = KS, csls: int = 0
) -> NDArray[np.bool_]:
    """Compute whether each covered source word is right at each k, ``(words, ks)``.

    Raises:
        UserError: If no word of the dictionary is covered.
    """
    if not gold.targets:
        raise UserError(
            "no word of the dictionary has a vector on both sides",
            todo="Check the direction of the dictionary and the case of its words",
        )
    asked = list(gold.targets)
    found = nearest_words(mapped, target, asked, min(max(ks), len(target)), csls).indices
    right = np.array(
        [[to in gold.targets[at] for to in row] for at, row in zip(asked, found, strict=True)]
    )
    return np.stack([right[:, :k].any(axis=1) for k in ks], axis=1)


def precision(
    mapped: Tensor, target: Tensor, gold: Gold, ks: Sequence[int] = KS, csls: int = CSLS
) -> dict[str, dict[str, float]]:
    """Compute P@k by cosine (``nn``) and by CSLS (``csls``), over the covered source words.

    Args:
        mapped: As for `nearest_words`.
        target: As for `nearest_words`.
        gold: The dictionary in the two vocabularies.
        ks: Numbers of neighbours.
        csls: Size of the CSLS neighbourhood.

    Returns:
        By way of search, ``P@k`` in 0 to 1.

    Raises:
        UserError: As for `hits`.
    """
    return {
        name: {f"P@{k}": float(rate) for k, rate in zip(ks, found.mean(axis=0), strict=True)}
        for name, found in (
            ("nn", hits(mapped, target, gold, ks)),
            ("csls", hits(mapped, target, gold, ks, csls)),
        )
    }
