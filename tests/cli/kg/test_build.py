from __future__ import annotations

import json

import pytest
from tiny_commands import good, xadapt
from tiny_graphs import made, write

from xadapt.cli.kg.build import VERBS
from xadapt.data.graphs.opening import open_graph, open_links


def test_a_graph_is_built_and_reads_back(tmp_path):
    source = made(tmp_path / "five", "dbp5l")
    out, result = tmp_path / "out", tmp_path / "r.json"
    done = good(
        "kg", "build", "--graph", source, "--split", "30/0/70", "--out", out, "--json", result
    )
    assert f"wrote {out}; read it as kg:{out}" in done.out and "named in ja" in done.out
    found = json.loads(result.read_text(encoding="utf-8"))
    assert found["command"] == "kg build" and found["links"] == {"train": 1, "dev": 0, "test": 3}
    assert found["crossing"] == {"dev": 0, "test": 0} and found["split"]["shares"] == "30/0/70"
    assert found["counts"]["facts"] == {"train": 3, "dev": 2, "test": 2}
    graph, links = open_graph(f"kg:{out}"), open_links(f"kg:{out}")
    assert graph.entities == open_graph(source).entities
    assert set(links.pairs) == set(open_links(source).pairs)
    assert found["files"]["links_test.tsv"]["rows"] == 3
    again = good(
        "kg", "build", "--graph", source, "--split", "30/0/70", "--out", tmp_path / "again"
    )
    assert again.code == 0
    for name in found["files"]:
        assert (tmp_path / "again" / name).read_bytes() == (out / name).read_bytes()


def test_languages_can_be_chosen(tmp_path):
    source = made(tmp_path / "pets", "kg")
    good("kg", "build", "--graph", source, "--lang", "sw", "--out", tmp_path / "out")
    graph = open_graph(f"kg:{tmp_path}/out")
    assert graph.languages == ("sw",) and graph.entities == ("a", "b")
    assert open_links(f"kg:{tmp_path}/out").pairs == (("a", "b"),)


def test_links_that_cross_are_noted(tmp_path):
    source = made(tmp_path / "pets", "kg")  # a - b in train, b - c in test
    done = good("kg", "build", "--graph", source, "--out", tmp_path / "out")
    assert "1 links of dev and test have an entity" in " ".join(done.out.split())


@pytest.mark.parametrize(
    ("more", "links", "message"),
    [
        ((), "a\tz\n", "the link a - z leads to nothing"),
        ((), "a\n", "this line has 1 column"),
        ((), "", "this file is empty"),
        ((), "a\tb\ttrain\na\tb\ttest\n", "the link a - b is in train and in test"),
        (("--split", "30/70"), "a\tb\n", "'30/70' is no split"),
        (("--split", "30/10/60"), "a\tb\n", "the links can't be split"),
        (("--lang", "tlh"), "a\tb\n", "no names in 'tlh'"),
        ((), None, "there is no such file"),
    ],
)
def test_faults_are_one_line_and_nothing_is_left(tmp_path, more, links, message):
    source = made(tmp_path / "pets", "kg")
    if links is not None:
        write(tmp_path, {"l.tsv": links})
    out = tmp_path / "out"
    done = xadapt(
        "kg", "build", "--graph", source, "--links", tmp_path / "l.tsv", *more, "--out", out
    )
    assert done.code == 2 and len(done.lines) == 1 and message in done.err
    assert not out.exists()


@pytest.mark.parametrize(
    ("file", "text", "place", "message"),
    [
        ("train.tsv", "a\tfears\tb\nz\tfears\tb\n", "train.tsv:2", "there is no entity 'z'"),
        ("train.tsv", "a\teats\tb\n", "train.tsv:1", "there is no relation 'eats'"),
        ("train.tsv", "a\tfears\n", "train.tsv:1", "this line has 2 columns"),
        ("links_test.tsv", "b\tz\n", "", "the link b - z leads to nothing"),
        ("links_test.tsv", "a\tb\n", "", "the link a - b is in train and in test"),
    ],
)
def test_a_wrong_graph_is_one_line_in_every_command(tmp_path, file, text, place, message):
    source, out = made(tmp_path / "pets", "kg", **{file: text}), ("--out", tmp_path / "out")
    commands = [("kg", "build", "--graph", source, *out)]
    if "nothing" not in message:  # training reads no test link
        commands.append(
            ("train", "mlkg_ep", "--base", "mini", "--data", source, "--lang", "sw", *out)
        )
    for given in commands:
        done = xadapt(*given)
        assert done.code == 2 and len(done.lines) == 1 and message in done.err, done.err
        assert place in done.err and "Traceback" not in done.err
        assert not (tmp_path / "out").exists()


def test_a_full_folder_is_left_alone(tmp_path):
    source = made(tmp_path / "pets", "kg")
    done = xadapt("kg", "build", "--graph", source, "--out", tmp_path / "pets")
    assert done.code == 2 and "not empty" in done.err
    assert xadapt("kg", "build", "--graph", "nothing:x", "--out", tmp_path / "o").code == 2
    split = xadapt(
        *("kg", "build", "--graph", made(tmp_path / "w", "wikikge")),
        *("--split", "30/10/60", "--out", tmp_path / "o"),
    )
    assert split.code == 2 and "there are no links to split" in split.err


def test_the_verb_has_two_examples():
    assert len(VERBS[0].examples) == 2 and all("kg build" in one for one in VERBS[0].examples)
    assert "kg:DIR" in good("kg", "build", "--help").out.replace("\n", "")
