from __future__ import annotations

import json

from tiny_commands import Place, good, xadapt
from twin_graphs import write_family


def test_queries_are_answered(place: Place, tmp_path):
    source = write_family(tmp_path / "graph")
    asked = tmp_path / "asked.tsv"
    asked.write_text("Q0\tnext\t?\n?\tparity\tQ1\n")
    out = tmp_path / "answers.tsv"
    given = ("kg", "complete", "--graph", source, "--queries", asked)
    done = good(*given, "--out", out, "--top", 2, "--json", tmp_path / "a.json")
    assert "2 queries, among 30 entities" in done.out and str(out) in done.out
    assert len(out.read_text(encoding="utf-8").splitlines()) == 5
    value = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    assert value["views"] == ["most frequent"] and len(value["queries"]) == 2
    again = xadapt(*given, "--out", out)
    assert again.code == 2 and "such a file already" in again.err
    done = good(*given, "--base", place.base, "--frequency", "--weights", "text=1")
    assert "best answer" in done.out


def test_mistakes_are_one_line_and_leave_nothing(tmp_path):
    source = write_family(tmp_path / "graph")
    out = tmp_path / "answers.tsv"
    asked = tmp_path / "asked.tsv"
    for text, more, said in (
        ("Q0\n", (), "1 column"),
        ("Q99\tnext\n", (), "no entity 'Q99'"),
        ("Q0\tnothing\n", (), "unknown relation"),
        ("Q0\tnext\tQ1\n", (), "must be ?"),
        ("Q0\tnext\n", ("--structure", tmp_path), "no folder of structure"),
        ("Q0\tnext\n", ("--module", tmp_path), "modules need the base"),
        ("Q0\tnext\n", ("--weights", "names=1"), "unknown view"),
        ("Q0\tnext\n", ("--lang", "sw"), "no names in 'sw'"),
    ):
        asked.write_text(text)
        done = xadapt("kg", "complete", "--graph", source, "--queries", asked, "--out", out, *more)
        assert done.code == 2 and said in done.err, (said, done.err)
        assert "Traceback" not in done.err and not out.exists()
        assert len(done.err.strip().splitlines()) == 1
