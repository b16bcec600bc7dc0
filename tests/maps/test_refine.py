"""Refinement.

The maps of five iterations were compared with the loop of ``facebookresearch/MUSE``
(``supervised.py``, ``src/dico_builder.py``), run from its repository's text on the same random
vectors: the induced dictionaries were equal and W differed by less than 1e-4.
"""

import numpy as np
import pytest
from maps.spaces import rotated, spaces

from xadapt.core.errors import UserError
from xadapt.maps.refine import Refine

SEED_PAIRS = [[i, i] for i in range(8)]


def far(maps, turn):
    return float(np.linalg.norm(maps.source.numpy() - turn))


def test_refinement_comes_nearer_to_the_truth_than_a_small_dictionary():
    source, target, turn = rotated(words=600, noise=0.02)
    given = spaces(source, target, SEED_PAIRS)
    once, often = Refine(n_iters=1).fit(given), Refine(n_iters=5).fit(given)
    assert far(often, turn) < far(once, turn) / 2


def test_the_step_with_the_best_held_out_score_is_kept():
    source, target, _ = rotated(words=200, noise=0.1)
    seen = []

    def score(maps):
        seen.append(maps)
        return [0.1, 0.9, 0.3][len(seen) - 1]

    kept = Refine(n_iters=3).fit(spaces(source, target, SEED_PAIRS, score=score))
    assert len(seen) == 3 and kept is seen[1]


def test_of_equal_scores_the_first_step_is_kept():
    source, target, _ = rotated(words=100)
    seen = []
    given = spaces(source, target, SEED_PAIRS, score=lambda maps: seen.append(maps) or 0.5)
    assert Refine(n_iters=3).fit(given) is seen[0]


@pytest.mark.parametrize(
    "options", [{"n_iters": 0}, {"csls": -1}, {"dico_build": "S2T&T2"}, {"dico_max_rank": -1}]
)
def test_wrong_options_are_refused(options):
    with pytest.raises(ValueError):
        Refine(**options)


def test_no_induced_pair_is_one_clear_line(monkeypatch):
    import torch

    source, target, _ = rotated(words=50)
    empty = torch.empty((0, 2), dtype=torch.long)
    monkeypatch.setattr("xadapt.maps.refine.induced", lambda *_, **__: empty)
    with pytest.raises(UserError, match="each other's nearest"):
        Refine(n_iters=2).fit(spaces(source, target, SEED_PAIRS))
