from __future__ import annotations

import json

import numpy as np
import pytest
from twin_graphs import twins

from xadapt.core.errors import UserError
from xadapt.tasks.kg.alignment_structure import make_alignment_structure, read_alignment_structure
from xadapt.tasks.kg.propagation import Propagation, propagate
from xadapt.tasks.kg.structure_folder import FILE
from xadapt.tasks.kg.two_graphs import TwoGraphs

OPTIONS = Propagation(dim=16, rounds=1)


@pytest.fixture
def made(tmp_path):
    left, right, links = twins()
    folder = tmp_path / "shape"
    structure = make_alignment_structure(folder, left, right, links.of("train"), OPTIONS)
    return folder, left, right, links, structure


def test_it_is_read_back_exactly(made):
    folder, left, right, links, structure = made
    again = read_alignment_structure(folder, left, right)
    assert (again.view.left == structure.view.left).all()
    assert (again.view.right == structure.view.right).all()
    assert (again.links == structure.links).all() and len(again.links) == 30
    assert again.options == OPTIONS
    assert again.manifest.links.sha256 == links.of("train").sha256


def test_further_pairs_never_replace_a_training_link(made):
    _, left, right, _, structure = made
    graphs = TwoGraphs.of(left, right)
    wrong = structure.links.copy()
    wrong[:, 1] = np.roll(wrong[:, 1], 1)
    plain = propagate(graphs, structure.links, OPTIONS)
    assert (structure.again(graphs, wrong).left == plain[0]).all()
    free = np.array([[50, int(np.setdiff1d(np.arange(60), structure.links[:, 1])[0])]])
    assert (structure.again(graphs, free).left != plain[0]).any()


def test_other_graphs_and_other_options_are_refused(made):
    folder, left, right, *_ = made
    with pytest.raises(UserError, match="another graph"):
        read_alignment_structure(folder, right, left)
    said = json.loads((folder / FILE).read_text())
    for change in ({"options": {}}, {"options": {**said["options"], "dim": "x"}}):
        (folder / FILE).write_text(json.dumps({**said, **change}))
        with pytest.raises(UserError, match="options of the structure"):
            read_alignment_structure(folder, left, right)
    for change in ({"method": "magic"}, {"links": None}, {"graphs": said["graphs"][:1]}):
        (folder / FILE).write_text(json.dumps({**said, **change}))
        with pytest.raises(UserError, match="does not name two graphs"):
            read_alignment_structure(folder, left, right)
