"""PostgreSQL with the extension pgvector."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xadapt.core.errors import UserError, missing_extra
from xadapt.integrations.vector_stores.protocol import Metric, Stored, other_size, unreachable

OPERATORS: dict[Metric, str] = {"cosine": "<=>", "dot": "<#>"}


def connect(place: str, table: str) -> PgStore:
    """Connect to a database.

    Args:
        place: A DSN, such as ``postgresql://localhost/texts``.
        table: Name of the table.

    Raises:
        UserError: If psycopg is not installed, or the database can't be reached.
    """
    try:
        import psycopg
    except ImportError:
        raise missing_extra("psycopg", "pgvector") from None
    try:
        connection = psycopg.connect(place, autocommit=True, connect_timeout=10)
    except psycopg.Error as error:
        raise unreachable(without_password(place), error) from None
    return PgStore(connection, without_password(place), table)


class PgStore:
    """A table of PostgreSQL, searched without an index: exactly.

    Args:
        connection: The connection.
        place: The DSN without its password, for errors.
        table: Name of the table.
    """

    def __init__(self, connection: Any, place: str, table: str) -> None:
        self._connection, self._place, self._name = connection, place, table
        self._metric: Metric = "cosine"

    def _run(self, statement: str, *given: Any) -> Any:
        import psycopg
        from psycopg import sql

        text = sql.SQL(statement).format(table=sql.Identifier(self._name))  # type: ignore[arg-type]
        try:
            return self._connection.execute(text, given)
        except psycopg.Error as error:
            raise unreachable(self._place, error) from None

    def prepare(self, dim: int, metric: Metric) -> None:
        """Make the table, unless it is there."""
        self._metric = metric
        self._run("CREATE EXTENSION IF NOT EXISTS vector")
        self._run(
            "CREATE TABLE IF NOT EXISTS {table} (id text PRIMARY KEY, title text NOT NULL, "
            f"text text NOT NULL, vector vector({int(dim)}) NOT NULL)"
        )
        asked = self._run(
            "SELECT atttypmod FROM pg_attribute WHERE attrelid = to_regclass(%s) "
            "AND attname = 'vector'",
            f'"{self._name}"',
        )
        there = int(asked.fetchone()[0])
        if there != dim:
            raise other_size(self._place, there, dim)

    def upsert(self, rows: Sequence[Stored], vectors: NDArray[np.float32]) -> None:
        """Write rows in one transaction; those with the same ids are replaced."""
        values = [
            (row.id, row.title, row.text, as_literal(vector))
            for row, vector in zip(rows, vectors, strict=True)
        ]
        marks = ", ".join(["(%s, %s, %s, %s::vector)"] * len(values))
        self._run(
            "INSERT INTO {table} (id, title, text, vector) VALUES " + marks + " ON CONFLICT (id) "
            "DO UPDATE SET title = excluded.title, text = excluded.text, vector = excluded.vector",
            *(value for row in values for value in row),
        )

    def count(self) -> int:
        """Return the number of rows."""
        return int(self._run("SELECT count(*) FROM {table}").fetchone()[0])

    def search(self, vectors: NDArray[np.float32], k: int) -> list[list[tuple[Stored, float]]]:
        """Find the nearest rows."""
        there = self._run("SELECT to_regclass(%s)", f'"{self._name}"').fetchone()[0]
        if there is None:
            raise UserError(
                f"there is no table {self._name!r}", where=self._place, todo="Fill it first"
            )
        operator, found = OPERATORS[self._metric], []
        for vector in vectors:
            rows = self._run(
                f"SELECT id, text, title, vector {operator} %s::vector AS far FROM {{table}} "
                "ORDER BY far, id LIMIT %s",
                as_literal(vector),
                k,
            )
            found.append([(Stored(*row[:3]), self._similarity(float(row[3]))) for row in rows])
        return found

    def _similarity(self, far: float) -> float:
        return 1 - far if self._metric == "cosine" else -far

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def as_literal(vector: NDArray[np.float32]) -> str:
    """Write a vector as pgvector reads it, without loss."""
    return "[" + ",".join(repr(float(value)) for value in vector) + "]"


def without_password(place: str) -> str:
    """Return a DSN without its password."""
    try:
        from psycopg.conninfo import conninfo_to_dict, make_conninfo

        known = conninfo_to_dict(place)
        known.pop("password", None)
        return "pgvector " + make_conninfo("", **known)
    except Exception:  # a malformed one may still hold a password
        return "pgvector"
