from __future__ import annotations

import numpy as np
import pytest
from twin_graphs import family

from xadapt.core.errors import UserError

pytest.importorskip("pykeen")

from xadapt.integrations.pykeen import Training
from xadapt.tasks.kg.completion_structure import (
    make_completion_structure,
    read_completion_structure,
)
from xadapt.tasks.kg.ranking import SIDES

SMALL = Training(model="DistMult", dim=4, epochs=1)


def test_a_folder_gives_the_same_scores_again(tmp_path):
    graph = family()
    made = make_completion_structure(tmp_path / "shape", graph, SMALL)
    again = read_completion_structure(tmp_path / "shape", graph)
    asked = np.array([[3, 0], [4, 1]])
    for side in SIDES:
        assert (made.scorer(asked, side) == again.scorer(asked, side)).all()
    assert again.manifest.method == "DistMult" and "pykeen" in again.manifest.software
    names = sorted(path.name for path in (tmp_path / "shape").iterdir())
    assert names == ["structure.json", "structure.safetensors"]


def test_another_graph_is_refused_and_test_facts_are_not_read(tmp_path):
    graph = family()
    make_completion_structure(tmp_path / "a", graph, SMALL)
    with pytest.raises(UserError, match="another graph"):
        read_completion_structure(tmp_path / "a", family(31))
    moved = family()
    test = moved.parts == 2
    moved.triples[test, 2] = (moved.triples[test, 2] + 7) % 30
    make_completion_structure(tmp_path / "b", moved, SMALL)
    raw = [(tmp_path / name / "structure.safetensors").read_bytes() for name in "ab"]
    assert raw[0] == raw[1]
