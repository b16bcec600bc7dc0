from __future__ import annotations

import json

import pytest
from tiny_commands import Place, good, xadapt
from twin_graphs import write_twins


@pytest.fixture(scope="module")
def graphs(tmp_path_factory):
    return write_twins(tmp_path_factory.mktemp("twins"))


def test_two_graphs_are_aligned_from_files(place: Place, graphs, tmp_path):
    left, right, links = graphs
    shape, out, page = tmp_path / "shape", tmp_path / "pairs.tsv", tmp_path / "pairs.html"
    sides = ("--left", left, "--right", right, "--links", links)
    done = good("kg", "structure", *sides, "--out", shape, "--dim", 32, "--rounds", 1,
                "--json", tmp_path / "shape.json")  # fmt: skip
    assert str(shape) in done.out
    assert json.loads((tmp_path / "shape.json").read_text())["links"]["count"] == 30
    done = good("kg", "align", *sides, "--names", "--base", place.base, "--structure", shape,
                "--csls", 5, "--one-to-one", "--out", out, "--page", page,
                "--json", tmp_path / "pairs.json")  # fmt: skip
    assert "Hits@1" in done.out and str(out) in done.out and str(page) in done.out
    lines = out.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "src\ttgt\tscore\trank\tmargin" and len(lines) == 61
    value = json.loads((tmp_path / "pairs.json").read_text(encoding="utf-8"))
    assert value["pool"] == "all" and value["views"] == ["names", "text", "structure"]
    assert value["precision"] > 0.8 and value["result"]["queries"]["forward"] == 15
    assert "<script>" in page.read_text(encoding="utf-8")


def test_known_links_without_a_test(graphs, tmp_path):
    left, right, links = graphs
    out = tmp_path / "pairs.tsv"
    given = ("kg", "align", "--left", left, "--right", right, "--names", "--out", out)
    good(*given, "--train-links", links)
    assert len(out.read_text(encoding="utf-8").splitlines()) == 16
    again = xadapt(*given)
    assert again.code == 2 and "such a file already" in again.err
    good(*given, "--force", "--mutual")


def test_mistakes_are_one_line_and_leave_nothing(graphs, tmp_path):
    left, right, links = graphs
    out = tmp_path / "pairs.tsv"
    bad = tmp_path / "bad.tsv"
    bad.write_text("de0\tnobody\n")
    both = tmp_path / "both.tsv"
    both.write_text("de0\ten1\ttrain\nde0\ten2\ttest\n")
    fine = ("--left", left, "--right", right, "--out", out)
    for more, said in (
        ((*fine,), "no view is named"),
        ((*fine, "--names", "--links", bad), "leads to nothing"),
        ((*fine, "--names", "--links", both), "is in a training link"),
        ((*fine, "--names", "--links", tmp_path / "none.tsv"), "no such file"),
        ((*fine, "--names", "--mutual", "--one-to-one"), "two ways"),
        ((*fine, "--names", "--pool", "some"), "unknown pool"),
        ((*fine, "--names", "--weights", "names=x"), "is no weight"),
        ((*fine, "--names", "--structure", tmp_path), "no folder of structure"),
        ((*fine, "--names", "--module", tmp_path), "modules need the base"),
        ((*fine, "--names", "--page", out), "are one file"),
        (("--left", "kg:none/1", "--right", right, "--names", "--out", out), "no such folder"),
        (("--left", "x:y", "--right", right, "--names", "--out", out), "no layout"),
    ):
        done = xadapt("kg", "align", *more)
        assert done.code == 2 and said in done.err, (said, done.err)
        assert "Traceback" not in done.err and not out.exists()
        assert len(done.err.strip().splitlines()) == 1
    done = xadapt("kg", "align", *fine[:-1], links, "--names", "--links", links, "--force")
    assert done.code == 2 and "read by the same command" in done.err


@pytest.fixture(scope="module")
def modules(place: Place, graphs, tmp_path_factory):
    """Two EP modules: of one the entities of dev and test links were left out."""
    left, _, links = graphs
    folder = tmp_path_factory.mktemp("modules")
    for name, more in (("honest", (f"exclude_links={links}",)), ("careless", ())):
        options = [f"data.train.options.{one}" for one in (f"links={links}", *more)]
        given = [word for one in options for word in ("--set", one)]
        good("train", "mlkg_ep", "--base", place.base, "--data", left.removesuffix("/1"), "--lang",
             "de", *given, "--set", "module.width=2", "--set", "data.train.dev=0", "--set",
             "dtype=float32", "--set", "train.epochs=1", "--out", folder / name)  # fmt: skip
    return folder


def test_a_module_that_may_have_seen_the_links_is_refused(place: Place, graphs, modules, tmp_path):
    left, right, links = graphs
    given = ("kg", "align", "--left", left, "--right", right, "--links", links, "--base",
             place.base)  # fmt: skip
    done = good(*given, "--module", modules / "honest", "--out", tmp_path / "a.tsv")
    assert "text" in done.out and "did not learn" not in done.err
    done = xadapt(*given, "--module", modules / "careless", "--out", tmp_path / "b.tsv")
    assert done.code == 2 and "may have seen the test links" in done.err
    assert len(done.err.strip().splitlines()) == 1 and not (tmp_path / "b.tsv").exists()
    good(*given, "--module", modules / "careless", "--allow-seen", "--out", tmp_path / "b.tsv")


def test_a_module_that_read_no_graph_is_noted(place: Place, de, graphs, tmp_path):
    left, right, links = graphs
    done = good("kg", "align", "--left", left, "--right", right, "--links", links, "--base",
                place.base, "--module", de, "--out", tmp_path / "x.tsv")  # fmt: skip
    assert "did not learn from a graph" in done.err
