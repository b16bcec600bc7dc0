"""Vectors in stores: what is found there is what the index on disk finds; cut runs go on."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from tiny_commands import good, xadapt
from tiny_postgres import fresh, postgres
from tiny_server import Shop, make_shop

from xadapt.core.errors import UserError
from xadapt.inference import storing
from xadapt.inference.passage_index import retrieve
from xadapt.inference.passage_indexing import index_passages
from xadapt.inference.storing import fill_store, retrieve_from
from xadapt.integrations.vector_stores import open_store
from xadapt.integrations.vector_stores.pgvector import as_literal, without_password

LOCAL = {"lancedb": "lancedb", "qdrant": "qdrant_client"}
TEXTS = ("the cat sat", "ein hund", "paka ameketi", "mbwa bustani", "a dog runs", "katze", "mat")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return make_shop(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres() as home:
        yield home


@pytest.fixture(params=[*LOCAL, "pgvector"])
def uri(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "pgvector":
        return f"pgvector:{fresh(request.getfixturevalue('server'))}"
    if find_spec(LOCAL[request.param]) is None:
        pytest.skip(f"{LOCAL[request.param]} is not installed")
    return f"{request.param}:{tmp_path / 'store'}"


def passages(path: Path, texts: tuple[str, ...] = TEXTS) -> Path:
    path.write_text("".join(f"p{i}\tT{i}\t{t}\n" for i, t in enumerate(texts)), encoding="utf-8")
    return path


@pytest.mark.parametrize("similarity", ["cosine", "dot"])
def test_the_store_finds_what_the_index_finds(shop: Shop, uri, tmp_path, similarity) -> None:
    given = {"base": shop.base, "modules": shop.given("de")}
    made = index_passages(
        passages(tmp_path / "p.tsv"), tmp_path / "index", similarity=similarity, **given
    )
    filled = fill_store(made.folder, uri, batch=3)
    assert (filled.rows, filled.written, filled.there) == (7, 7, 7)
    asked = ["cat", "hund", "mkeka"]
    found = retrieve_from(uri, made, asked, k=4, **given)
    wanted = retrieve(made, asked, k=4, **given)
    for own, right in zip(found, wanted, strict=True):
        assert [hit.passage for hit in own] == [hit.passage for hit in right]
        np.testing.assert_allclose(
            [hit.score for hit in own], [hit.score for hit in right], rtol=1e-4, atol=1e-5
        )
    with pytest.raises(UserError, match="another encoder"):
        retrieve_from(uri, made, asked, base=shop.base)


def test_a_cut_run_goes_on_and_rows_are_replaced(shop: Shop, uri, tmp_path, monkeypatch) -> None:
    given = {"base": shop.base, "modules": shop.given("de")}
    made = index_passages(passages(tmp_path / "p.tsv"), tmp_path / "index", **given)
    written: list[int] = []

    def cut(rows: int) -> None:
        written.append(rows)
        if len(written) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fill_store(made.folder, uri, batch=2, progress=cut)
    again = fill_store(made.folder, uri, batch=2)
    assert (again.written, again.there) == (3, 7)
    assert fill_store(made.folder, uri).written == 0
    assert fill_store(made.folder, uri, table="other").written == 7
    changed = (*TEXTS[:5], "something else", "mat")
    other = index_passages(passages(tmp_path / "q.tsv", changed), tmp_path / "index2", **given)
    assert fill_store(other.folder, uri).there == 7
    hits = retrieve_from(uri, other, ["something else"], k=1, **given)
    assert hits[0][0].passage.text == "something else"


def test_vectors_of_lines_on_the_command_line(shop: Shop, uri: str, tmp_path: Path) -> None:
    lines = tmp_path / "lines.txt"
    lines.write_text("\n".join(TEXTS), encoding="utf-8")
    given = ("--base", shop.base, "--module", shop.given("de")[0], "--lang", "de")
    out = tmp_path / "vectors"
    done = good("encode", *given, "--text", lines, "--shards", out, "--shard-rows", 3, "--to", uri)
    assert "7 of 7 rows written" in done.out
    assert "0 of 7 rows written, 7 in xadapt" in good("store", out, "--to", uri).out
    store = open_store(uri)
    store.prepare(shop.encoder.width, "cosine")
    vectors = np.load(out / "part-00000.npy")
    [[(row, score), *_]] = store.search(vectors[1:2], 2)
    assert (row.id, row.text) == ("1", TEXTS[1]) and score == pytest.approx(1, abs=1e-5)
    store.close()
    with pytest.raises(UserError, match="6 texts and 7"):
        lines.write_text("\n".join(TEXTS[:6]), encoding="utf-8")
        fill_store(out, uri, table="fresh", texts=lines)


def test_index_and_retrieve_over_a_store(shop: Shop, uri: str, tmp_path: Path) -> None:
    given = ("--base", shop.base, "--module", shop.given("de")[0])
    good("index", *given, "--passages", passages(tmp_path / "p.tsv"), "--out", tmp_path / "i",
         "--to", uri, "--table", "wiki")  # fmt: skip
    (tmp_path / "q.tsv").write_text("q1\tcat\nq2\thund\n", encoding="utf-8")
    asked = ("retrieve", tmp_path / "i", *given, "--questions", tmp_path / "q.tsv", "--k", 3)
    found = good(*asked, "--from", uri, "--table", "wiki").out
    ranks = [line.split()[:4] for line in found.splitlines()]
    assert ranks == [line.split()[:4] for line in good(*asked).out.splitlines()]


def test_mistakes_are_one_line(shop: Shop, tmp_path: Path, uri: str) -> None:
    index_passages(passages(tmp_path / "p.tsv"), tmp_path / "i", base=shop.base)
    for store, said in (
        ("chroma:x", "no vector store"),
        ("lancedb", "no vector store"),
        ("lancedb:", "no vector store"),
        ("qdrant:http://127.0.0.1:9", "can't be used"),
        ("pgvector:postgresql://me:secret@127.0.0.1:9/texts", "can't be used"),
    ):
        done = xadapt("store", tmp_path / "i", "--to", store)
        assert done.code == 2 and said in done.err and "Traceback" not in done.err
        assert "secret" not in done.err
    assert "named" in xadapt("store", tmp_path / "i", "--to", uri, "--table", "a; drop").err
    store = open_store(uri)
    store.prepare(5, "cosine")
    store.close()
    done = xadapt("store", tmp_path / "i", "--to", uri)
    assert done.code == 2 and "5 numbers, and these have 32" in done.err
    assert not list((tmp_path / "i").glob(storing.STATE.format("*")))


def test_what_pgvector_is_sent() -> None:
    vector = np.array([0.1, -2, 3e-9], np.float32)
    assert [np.float32(x) for x in as_literal(vector)[1:-1].split(",")] == vector.tolist()
    for place in ("postgresql://me:secret@host/texts", "host=h password=secret", "secret://@@"):
        assert "secret" not in without_password(place) or find_spec("psycopg") is None
