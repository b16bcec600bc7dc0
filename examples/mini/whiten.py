"""Sentence vectors of a bare masked language model: the mean of its states, whitened."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from xadapt.backbones.encoder.encode import encode
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.encoder.pooling import Dense, Pooling
from xadapt.hub.sentence_files import write_sentence_files

SAMPLE, SHRINK = 1000, 0.1


def whitening(vectors: Tensor, shrink: float = SHRINK) -> tuple[Tensor, Tensor]:
    """The linear map that takes the mean away and makes all directions alike.

    Without it the vectors of all sentences lie in one narrow cone and cosines say little.
    Source: Su et al. 2021, https://arxiv.org/abs/2103.15316, section 3.2.

    Args:
        vectors: ``(n, dim)``.
        shrink: Share of the covariance replaced by its mean variance, so that directions of
            little variance are not blown up.

    Returns:
        Weight ``(dim, dim)`` and bias ``(dim,)``.
    """
    rows = vectors.double()
    mean = rows.mean(0)
    covariance = torch.cov(rows.T)
    even = covariance.diagonal().mean() * torch.eye(len(covariance), dtype=torch.double)
    sizes, axes = torch.linalg.eigh((1 - shrink) * covariance + shrink * even)
    weight = (axes / sizes.sqrt()).T
    return weight.float(), -(weight @ mean).float()


def write_whitening(place: Path, texts: Mapping[str, Sequence[str]]) -> int:
    """Write the files by which a folder's sentence vectors are whitened means.

    Args:
        place: Folder of the encoder.
        texts: Training sentences by language; as many of each are taken.

    Returns:
        How many sentences were looked at.
    """
    (place / "modules.json").unlink(missing_ok=True)
    encoder = Encoder.from_pretrained(str(place), dtype="float32")
    some: list[str] = []
    for lang, lines in sorted(texts.items()):
        some += random.Random(lang).sample(list(lines), min(SAMPLE, len(lines)))
    weight, bias = whitening(encode(encoder, some))
    width = len(weight)
    dense = Dense("2_Dense", width, width, bias=True, activation="Identity", sha256="")
    write_sentence_files(
        place,
        Pooling(dense=(dense,)),
        base=None,
        width=width,
        max_length=encoder.max_length,
        dense={"0.weight": weight, "0.bias": bias},
    )
    return len(some)
