from __future__ import annotations

import json

import pytest
from tiny_commands import good, xadapt
from twin_graphs import write_family, write_twins


def test_a_graph_to_complete(tmp_path):
    pytest.importorskip("pykeen")
    source = write_family(tmp_path / "graph")
    done = good("kg", "structure", "--graph", source, "--out", tmp_path / "shape", "--model",
                "distmult", "--dim", 4, "--epochs", 1, "--json", tmp_path / "a.json")  # fmt: skip
    assert "DistMult for completion" in done.out
    value = json.loads((tmp_path / "a.json").read_text())
    assert value["method"] == "DistMult" and value["measured"]["epochs"] == 1


def test_mistakes_are_one_line_and_leave_nothing(tmp_path):
    left, right, links = write_twins(tmp_path / "twins")
    out = tmp_path / "shape"
    broken = tmp_path / "twins" / "broken_de_en"
    broken.mkdir()
    for number in (1, 2):
        (broken / f"ent_{number}.tsv").write_text("a\tA\nb\tB\n")
        (broken / f"triples_{number}.tsv").write_text("a\tr\n")
    sides = ("--left", left, "--right", right)
    for more, said in (
        ((), "no graph to learn from"),
        (sides, "no graph to learn from"),
        ((*sides, "--links", links, "--epochs", 3), "--epochs does nothing"),
        ((*sides, "--links", links, "--graph", left), "one graph is completed"),
        (("--left", f"kg:{broken}/1", "--right", right, "--links", links), "2 columns"),
        (("--graph", f"kg:{broken}/1"), "2 columns"),
        ((*sides, "--links", "nothing.tsv"), "no such file"),
    ):
        done = xadapt("kg", "structure", "--out", out, *more)
        assert done.code == 2 and said in done.err, (said, done.err)
        assert "Traceback" not in done.err and not out.exists()
        assert len(done.err.strip().splitlines()) == 1


def test_a_wrong_model_is_one_line(tmp_path):
    pytest.importorskip("pykeen")
    source = write_family(tmp_path / "graph")
    done = xadapt("kg", "structure", "--graph", source, "--out", tmp_path / "x", "--model", "TansE")
    assert done.code == 2 and "did you mean 'TransE'" in done.err
