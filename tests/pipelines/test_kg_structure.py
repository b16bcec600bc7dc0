from __future__ import annotations

import pytest
from twin_graphs import family, twins

from xadapt.core.errors import UserError
from xadapt.pipelines.kg_structure import train_structure
from xadapt.tasks.kg.alignment_structure import read_alignment_structure

SMALL = {"dim": 16, "rounds": 0}


def test_links_of_dev_and_test_do_not_join_the_graphs(tmp_path):
    """The leak this would be: all links instead of those of training change every vector."""
    left, right, links = twins()
    whole = train_structure(tmp_path / "a", left=left, right=right, links=links, **SMALL)
    alone = train_structure(
        tmp_path / "b", left=left, right=right, links=links.of("train"), **SMALL
    )
    assert whole.manifest.links == alone.manifest.links and whole.manifest.links.count == 30
    first, second = (read_alignment_structure(tmp_path / n, left, right) for n in "ab")
    assert (first.view.left == second.view.left).all()
    every = train_structure(
        tmp_path / "c", left=left, right=right, links=links.of("train", "dev"), **SMALL
    )
    assert every.manifest.links.count == 30
    assert "30 training links" in _shown(whole.table()) and "propagation" in _shown(whole.table())
    assert whole.to_dict()["options"]["dim"] == 16


def test_a_graph_is_completed_or_two_are_aligned(tmp_path):
    left, right, links = twins()
    with pytest.raises(UserError, match="one graph is completed"):
        train_structure(tmp_path / "a", graph=left, left=left)
    with pytest.raises(UserError, match="no graph to learn from"):
        train_structure(tmp_path / "a", left=left, right=right)
    with pytest.raises(UserError, match="--epochs does nothing here"):
        train_structure(tmp_path / "a", left=left, right=right, links=links, epochs=3)
    with pytest.raises(UserError, match="--rounds does nothing here"):
        train_structure(tmp_path / "a", graph=left, rounds=3)
    assert not (tmp_path / "a").exists()


def test_a_model_of_pykeen_is_trained_and_told(tmp_path):
    pytest.importorskip("pykeen")
    made = train_structure(tmp_path / "a", graph=family(), model="TransE", dim=4, epochs=1)
    assert made.manifest.method == "TransE" and made.manifest.kind == "completion"
    assert "TransE for completion" in _shown(made.table())
    with pytest.raises(UserError, match="not empty"):
        train_structure(tmp_path / "a", graph=family())


def _shown(table):
    import io

    from rich.console import Console

    stream = io.StringIO()
    Console(file=stream, width=80).print(table)
    assert max(map(len, stream.getvalue().splitlines())) <= 80
    return stream.getvalue()
