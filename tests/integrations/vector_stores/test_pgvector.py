"""Rows in a real PostgreSQL: exact vectors, odd texts, rows that are replaced, cut connections."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from tiny_postgres import fresh, postgres

from xadapt.core.errors import UserError
from xadapt.integrations.vector_stores import open_store
from xadapt.integrations.vector_stores.pgvector import PgStore, as_literal
from xadapt.integrations.vector_stores.protocol import Stored

ODD = (
    'it\'s "quoted" \\ 100% %s {table} $1',
    "'); DROP TABLE xadapt; --",
    "mtoto anasoma kitabu — 日本語 🌍\n\ttab",
    "",
)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres() as home:
        yield home


@pytest.fixture
def place(server: str) -> str:
    return fresh(server)


def rows(*texts: str) -> list[Stored]:
    return [Stored(f"id {i} '%", text, f"T{text}") for i, text in enumerate(texts)]


def opened(place: str, dim: int = 3, **more: str) -> PgStore:
    store = open_store(f"pgvector:{place}", **more)
    store.prepare(dim, "cosine")
    assert isinstance(store, PgStore)
    return store


def test_values_are_kept_to_the_last_bit(place: str) -> None:
    rng = np.random.default_rng(0)
    vectors = (rng.normal(size=(4, 3)) * 10.0 ** rng.integers(-30, 30, (4, 3))).astype(np.float32)
    vectors[0] = [0.1, -0.0, 1e-45]
    store = opened(place)
    store.upsert(rows(*ODD), vectors)
    said = store._run("SELECT vector::real[] FROM {table} ORDER BY id").fetchall()
    np.testing.assert_array_equal(np.array([own for (own,) in said], np.float32), vectors)
    assert [np.float32(x) for x in as_literal(vectors[1])[1:-1].split(",")] == vectors[1].tolist()
    store.close()


@pytest.mark.parametrize("metric", ["cosine", "dot"])
def test_the_nearest_are_those_of_a_loop_and_texts_come_back(place: str, metric) -> None:
    vectors = np.random.default_rng(1).normal(size=(len(ODD), 3)).astype(np.float32)
    store = opened(place)
    store.prepare(3, metric)
    store.upsert(rows(*ODD), vectors)
    asked = np.random.default_rng(2).normal(size=(5, 3)).astype(np.float32)
    for vector, found in zip(asked, store.search(asked, 3), strict=True):
        scores = [float(own @ vector) for own in vectors]
        if metric == "cosine":
            sizes = np.linalg.norm(vectors, axis=1) * np.linalg.norm(vector)
            scores = list(scores / sizes)
        order = sorted(range(len(ODD)), key=lambda i: -scores[i])[:3]
        assert [row for row, _ in found] == [rows(*ODD)[i] for i in order]
        assert [score for _, score in found] == pytest.approx([scores[i] for i in order], abs=1e-5)
    store.close()


def test_rows_are_replaced_by_their_ids(place: str) -> None:
    store = opened(place)
    store.upsert(rows("one", "two"), np.eye(3, dtype=np.float32)[:2])
    store.upsert(rows("three"), np.eye(3, dtype=np.float32)[2:])
    assert store.count() == 2
    [[(first, _)], [(other, score)]] = store.search(np.eye(3, dtype=np.float32)[1:], 1)
    assert (first.text, other.text, score) == ("two", "three", pytest.approx(1))
    again = opened(place, table="another")
    assert again.count() == 0 and opened(place).count() == 2


def test_a_write_that_fails_leaves_nothing(place: str) -> None:
    store = opened(place)
    bad = [*rows("one"), Stored("nul", "a\x00b")]
    with pytest.raises(UserError, match="NUL"):
        store.upsert(bad, np.ones((2, 3), np.float32))
    with pytest.raises(UserError, match="expected 3 dimensions, not 2"):
        store.upsert(rows("one"), np.ones((1, 2), np.float32))
    assert store.count() == 0


def test_another_size_and_no_table(place: str) -> None:
    opened(place).close()
    with pytest.raises(UserError, match="3 numbers, and these have 4"):
        opened(place, 4)
    with pytest.raises(UserError, match="no table 'other'"):
        open_store(f"pgvector:{place}", "other").search(np.ones((1, 3), np.float32), 1)


def test_a_connection_that_ends_is_one_line(place: str) -> None:
    store, other = opened(place), opened(place)
    other._run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
        "AND pid <> pg_backend_pid()"
    )
    with pytest.raises(UserError, match="can't be used") as fault:
        store.upsert(rows("one"), np.ones((1, 3), np.float32))
    assert "\n" not in str(fault.value)
    assert other.count() == 0
