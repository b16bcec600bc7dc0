from __future__ import annotations

import io
import json

import numpy as np
import pytest
from rich.console import Console
from tiny_graphs import write
from tiny_models import tiny_encoder

from xadapt.core.errors import UserError
from xadapt.data.readers.match_items import Item
from xadapt.inference.adapted_encoder import AdaptedEncoder
from xadapt.pipelines import match
from xadapt.pipelines.match import BOTH, VECTORS, WALKS, match_texts
from xadapt.pipelines.unfinished import UNFINISHED

WORDS = ("lion", "zebra", "acacia", "river", "stone", "cloud", "maize", "drum")
ROWS = [
    Item(f"r{i}", (("thing", word), ("place", f"place {word}"))) for i, word in enumerate(WORDS)
]
TEXTS = [Item(f"t{i}", (("", f"a {word} was seen"),)) for i, word in enumerate(WORDS)]
GOLD = {f"t{i}": {f"r{i}"} for i in range(len(WORDS))}
QUICK = {"walks": 40, "length": 8, "dim": 16, "window": 3, "epochs": 5, "resamples": 20, "top": 3}


@pytest.fixture(scope="module")
def encoder():
    return AdaptedEncoder(tiny_encoder("bert"), {})


def test_walks_find_what_shares_words_and_a_seed_repeats():
    pytest.importorskip("gensim")
    found = match_texts(ROWS, TEXTS, gold=GOLD, **QUICK)
    scores = found.measures()
    assert list(scores) == ["tf-idf", WALKS] and scores[WALKS]["MRR"].mean > 0.9
    again = match_texts(ROWS, TEXTS, gold=GOLD, workers=2, **QUICK)
    assert list(again.rows()) == list(found.rows())
    wrong = {f"t{i}": {f"r{(i + 3) % 8}"} for i in range(8)}
    turned = match_texts(ROWS, TEXTS, gold=wrong, **QUICK).measures()
    assert turned[WALKS]["MRR"].mean < 0.6  # the shuffled control
    json.dumps(found.to_dict(), allow_nan=False)


def test_both_views_and_their_mean(encoder, tmp_path):
    pytest.importorskip("gensim")
    found = match_texts(ROWS, TEXTS, base=encoder, gold=GOLD, out=tmp_path / "m.tsv", **QUICK)
    assert found.systems == ("tf-idf", WALKS, VECTORS, BOTH)
    assert found.header() == ("text", "row", "score", "rank", WALKS, VECTORS)
    lines = (tmp_path / "m.tsv").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 1 + 3 * 8 and lines[0].startswith("text\trow\tscore\trank\twalks")
    mean = found.scores[BOTH]
    assert (np.diff(mean, axis=1) <= 0).all()
    console = Console(file=io.StringIO(), width=80)
    console.print(found.table())
    assert max(map(len, console.file.getvalue().splitlines())) <= 80


def test_vectors_alone_need_no_gensim(encoder, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "gensim.models", None)
    found = match_texts(ROWS, TEXTS, base=encoder, walks=0, top=2)
    assert found.systems == (VECTORS,) and found.best.shape == (8, 2)
    assert found.measures() == {} and "scores" not in found.to_dict()
    texts = [item.text for item in (*TEXTS, *ROWS)]
    vectors = encoder.encode(texts, show_progress_bar=False)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    assert (found.best[:, 0] == (vectors[:8] @ vectors[8:].T).argmax(1)).all()
    with pytest.raises(UserError, match=r"xadapt\[match\]"):
        match_texts(ROWS, TEXTS)


def test_measures_by_hand(encoder):
    found = match_texts(ROWS, TEXTS, base=encoder, walks=0, gold={"t0": {"r0"}, "t1": {"gone"}})
    scores = found.measures()[VECTORS]
    rank = found.ranks[VECTORS][0]
    assert scores["MRR"].mean == pytest.approx((1 / rank + 0) / 2)  # a row that is not there
    assert scores["P@5"].mean == pytest.approx((rank <= 5) / 5 / 2)
    assert int(found.asked.sum()) == 2


def test_files_and_page(encoder, tmp_path):
    write(
        tmp_path,
        {"rows.tsv": "r1\tlion\nr2\tzebra\n", "texts.tsv": "t1\ta lion\n", "g.tsv": "t1\tr1\n"},
    )
    found = match_texts(f"{tmp_path}/rows.tsv", f"{tmp_path}/texts.tsv", gold=f"{tmp_path}/g.tsv",
                        base=encoder, walks=0, resamples=20)  # fmt: skip
    assert found.measures()["tf-idf"]["MRR"].mean == 1
    found.write_page(tmp_path / "page.html")
    assert "MRR vectors" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_compression_and_expansion_are_used(tmp_path):
    pytest.importorskip("gensim")
    write(
        tmp_path,
        {
            "kg/entities.tsv": "Q1\n",
            "kg/names_en.tsv": "Q1\tlion\n",
            "kg/names_sw.tsv": "Q1\tsimba\n",
        },
    )
    rows = [*ROWS, Item("r9", (("thing", "simba"),))]
    plain = match_texts(rows, TEXTS, **QUICK).to_dict()
    wide = match_texts(rows, TEXTS, expand_by=f"kg:{tmp_path}/kg", **QUICK).to_dict()
    small = match_texts(rows, TEXTS, compress=0.1, **QUICK).to_dict()
    assert wide["nodes"] == plain["nodes"] + 1 and small["edges"] < plain["edges"]


def test_mistakes_are_one_line():
    for more, said in (
        ({"walks": 0}, "nothing is compared"),
        ({"walks": -1}, "below 0"),
        ({"length": 1}, "below 2"),
        ({"top": 0}, "below 1"),
        ({"common": 0}, "above 0"),
        ({"rate": 0}, "above 0"),
        ({"compress": -1}, "from 0"),
        ({"walks": 0, "base": "mini", "expand_by": "cldr"}, "only walks"),
        ({"modules": "x"}, "modules need the base"),
    ):
        with pytest.raises(UserError, match=said):
            match_texts(ROWS, TEXTS, **more)


def test_a_cut_run_keeps_vectors_of_walks_and_texts(encoder, tmp_path, monkeypatch):
    pytest.importorskip("gensim")
    whole, out = tmp_path / "whole.tsv", tmp_path / "m.tsv"
    match_texts(ROWS, TEXTS, base=encoder, out=whole, **QUICK)
    real, walked = match.node_vectors, []

    def counted(*given, **more):
        walked.append(1)
        return real(*given, **more)

    def cut(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(match, "node_vectors", counted)
    with monkeypatch.context() as patch:
        patch.setattr(match, "_matched", cut)
        with pytest.raises(KeyboardInterrupt):
            match_texts(ROWS, TEXTS, base=encoder, out=out, **QUICK)
    left = out.with_name(out.name + UNFINISHED)
    assert left.is_dir() and not out.exists()
    other = AdaptedEncoder(encoder.encoder, {})
    monkeypatch.setattr(other, "encode", cut)
    match_texts(ROWS, TEXTS, base=other, out=out, **QUICK)
    assert walked == [1] and out.read_bytes() == whole.read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.tsv", "whole.tsv"]


def test_changed_walks_are_walked_again_beside_kept_vectors(tmp_path, monkeypatch):
    pytest.importorskip("gensim")
    out = tmp_path / "m.tsv"
    with monkeypatch.context() as patch:
        patch.setattr(match.Matched, "write", lambda self, path: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            match_texts(ROWS, TEXTS, out=out, **QUICK)
    found = match_texts(ROWS, TEXTS, out=out, **{**QUICK, "seed": 5})
    assert list(found.rows()) == list(match_texts(ROWS, TEXTS, **{**QUICK, "seed": 5}).rows())
    assert [p.name for p in tmp_path.iterdir()] == ["m.tsv"]
