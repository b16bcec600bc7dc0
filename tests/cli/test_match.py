from __future__ import annotations

import json

import pytest
from tiny_commands import Place, good, xadapt
from tiny_graphs import write

FILES = {
    "rows.tsv": "id\tthing\nr1\tlion\nr2\tzebra\nr3\tdrum\n",
    "texts.tsv": "t1\ta lion\nt2\ta drum\n",
    "gold.tsv": "t1\tr1\nt2\tr3\n",
}


def test_texts_are_matched_measured_and_written(tmp_path):
    pytest.importorskip("gensim")
    write(tmp_path, FILES)
    out, page, told = (tmp_path / name for name in ("m.tsv", "page.html", "told.json"))
    given = ("match", "--rows", tmp_path / "rows.tsv", "--texts", tmp_path / "texts.tsv")
    done = good(*given, "--out", out, "--gold", tmp_path / "gold.tsv", "--walks", 20, "--dim", 8,
                "--report", page, "--json", told)  # fmt: skip
    assert "2 texts, 3 rows" in done.out and "nodes" in done.err
    value = json.loads(told.read_text(encoding="utf-8"))
    assert value["command"] == "match" and set(value["scores"]) == {"tf-idf", "walks"}
    assert len(out.read_text().splitlines()) == 7 and page.is_file()
    assert xadapt(*given, "--out", out).code == 2


def test_vectors_alone(tmp_path, place: Place):
    write(tmp_path, FILES)
    out = tmp_path / "m.tsv"
    done = good("match", "--rows", tmp_path / "rows.tsv", "--texts", tmp_path / "texts.tsv",
                "--base", place.base, "--walks", 0, "--top", 1, "--out", out)  # fmt: skip
    assert "t1" in done.out and len(out.read_text().splitlines()) == 3


def test_mistakes_are_one_line_and_leave_nothing(tmp_path):
    write(tmp_path, FILES)
    out = tmp_path / "m.tsv"
    given = ("match", "--rows", tmp_path / "rows.tsv", "--texts", tmp_path / "texts.tsv")
    for more, said in (
        (("--walks", 0), "nothing is compared"),
        (("--texts", tmp_path / "none.tsv"), "no such file"),
        (("--report", out), "one file"),
        (("--gold", tmp_path / "texts.tsv", "--rate", 0), "above 0"),
        (("--expand", "kg:nothing"), "no such folder"),
    ):
        done = xadapt(*given, "--out", out, *more)
        assert done.code == 2 and said in done.err, (said, done.err)
        assert "Traceback" not in done.err and not out.exists()
        assert len(done.err.strip().splitlines()) == 1
