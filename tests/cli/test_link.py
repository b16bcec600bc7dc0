from __future__ import annotations

import json
from pathlib import Path

import pytest
from tiny_commands import QUICK, Place, good, xadapt
from tiny_graphs import write

FILES = {
    "en.tsv": "C1\theadache\nC2\tfever\nC3\tbroken arm\n",
    "asked.tsv": "".join(f"{text}\t{c}\n" for text, c in (
        ("headaches", "C1"), ("fevers", "C2"), ("broken arms", "C3")) * 4),
}  # fmt: skip


@pytest.fixture
def files(tmp_path: Path) -> Path:
    return write(tmp_path, FILES)


def given(files: Path) -> tuple[object, ...]:
    return ("link", "--mentions", files / "asked.tsv", "--names", f"en={files}/en.tsv")


def test_mentions_are_linked_measured_and_written(files: Path) -> None:
    out, page, told = (files / name for name in ("out.jsonl", "page.html", "told.json"))
    done = good(*given(files), "--out", out, "--report", page, "--json", told, "--top", 2)
    assert "12 mentions among 3 concepts" in done.out and str(page) in done.out
    value = json.loads(told.read_text(encoding="utf-8"))
    assert value["command"] == "link" and value["scores"]["spelling"]["R@1"]["mean"] == 1
    assert len(out.read_text().splitlines()) == 12
    assert xadapt(*given(files), "--out", out).code == 2
    good(*given(files), "--out", out, "--force", "--nil", "1")


@pytest.mark.parametrize(
    ("recipe", "name"), [("pair_classification", "p.tsv"), ("candidate_ranking", "p.jsonl")]
)
def test_a_reranker_is_trained_on_the_pairs_and_used(
    files: Path, place: Place, recipe: str, name: str
) -> None:
    out, pairs, judge = files / "out.jsonl", files / name, files / "judge"
    good(*given(files), "--out", out, "--pairs", pairs)
    good("train", recipe, "--base", place.base, "--data", pairs, "--lang", "en",
         "--out", judge, *QUICK, "--set", "data.train.dev=0",
         "--set", "train.epochs=1")  # fmt: skip
    told = files / "told.json"
    done = good(*given(files), "--out", out, "--force", "--base", place.base, "--reranker", judge,
                "--dev", files / "asked.tsv", "--json", told)  # fmt: skip
    assert "reranked" in done.out and "chosen on 12 mentions" in done.err
    assert 0 <= json.loads(told.read_text(encoding="utf-8"))["chosen"]["rerank_weight"] <= 1
    row = json.loads(out.read_text(encoding="utf-8").splitlines()[0])
    assert 0 <= row["candidates"][0]["same"] <= 1 and "reranked" in row["ranks"]


def test_mistakes_are_one_line_and_leave_nothing(files: Path) -> None:
    out = files / "out.jsonl"
    for more, said in (
        (("--no-spelling",), "nothing is compared"),
        (("--ensemble", "sum"), "unknown ensemble"),
        (("--report", out), "one file"),
        (("--names", "names.tsv"), "names no language"),
        (("--mentions", files / "none.tsv"), "no such file"),
        (("--reranker", files), "Add --base"),
    ):
        done = xadapt(*given(files), "--out", out, *more)
        assert done.code == 2 and said in done.err, (said, done.err)
        assert "Traceback" not in done.err and not out.exists()
        assert len(done.err.strip().splitlines()) == 1
