import numpy as np
import pytest
import torch
from maps.spaces import rotated, unit

from xadapt.maps.induction import best_by_csls, induced


def csls_table(x, y, k):
    """2 cos(x, y) - r(x) - r(y), all at once."""
    cosines = unit(x) @ unit(y).T
    around_x = np.sort(cosines, axis=1)[:, -k:].mean(axis=1)
    around_y = np.sort(cosines, axis=0)[-k:].mean(axis=0)
    return 2 * cosines - around_x[:, None] - around_y[None]


@pytest.fixture(scope="module")
def sides():
    source, target, _ = rotated(words=120, dim=6, noise=0.4)
    return source.vectors, target.vectors


@pytest.mark.parametrize("first", [0, 40])
def test_best_by_csls_equals_the_whole_table(sides, first):
    """The neighbourhoods are over all words, also where only the first words ask."""
    x, y = sides
    table = csls_table(x.astype(float), y.astype(float), 5)
    forward, backward = best_by_csls(torch.from_numpy(x), torch.from_numpy(y), first, 5)
    count = first or 120
    assert forward.indices[:, 0].tolist() == table.argmax(axis=1)[:count].tolist()
    assert backward.indices[:, 0].tolist() == table.argmax(axis=0)[:count].tolist()
    assert np.allclose(forward.scores[:, 0], table.max(axis=1)[:count], atol=1e-5)


@pytest.mark.parametrize("build", ["S2T", "T2S", "S2T|T2S", "S2T&T2S"])
@pytest.mark.parametrize("rank", [0, 50])
def test_builds_are_those_of_muse(sides, build, rank):
    x, y = sides
    table = csls_table(x.astype(float), y.astype(float), 10)
    asks = rank or 120
    there = {(i, int(table[i].argmax())) for i in range(asks)}
    back = {(int(table[:, j].argmax()), j) for j in range(asks)}
    wanted = {"S2T": there, "T2S": back, "S2T|T2S": there | back, "S2T&T2S": there & back}[build]
    if rank:
        wanted = {pair for pair in wanted if max(pair) < rank}
    found = induced(torch.from_numpy(x), torch.from_numpy(y), max_rank=rank, csls=10, build=build)
    assert {tuple(row) for row in found.tolist()} == wanted


def test_the_neighbourhood_is_cut_to_the_side(sides):
    x, y = (torch.from_numpy(side[:4]) for side in sides)
    assert best_by_csls(x, y, 0, 10)[0].indices.shape == (4, 1)
