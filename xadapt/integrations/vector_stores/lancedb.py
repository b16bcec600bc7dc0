"""LanceDB: an embedded vector store in a folder."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xadapt.core.errors import UserError, missing_extra
from xadapt.integrations.vector_stores.protocol import Metric, Stored, other_size, unreachable


def connect(place: str, table: str) -> LanceStore:
    """Open a folder of LanceDB.

    Raises:
        UserError: If lancedb is not installed, or the folder can't be used.
    """
    try:
        import lancedb
    except ModuleNotFoundError:
        raise missing_extra("lancedb", "lancedb") from None
    try:
        return LanceStore(lancedb.connect(place), place, table)
    except (OSError, ValueError, RuntimeError) as error:
        raise unreachable(place, error) from None


class LanceStore:
    """A table of LanceDB, searched without an index: exactly.

    Args:
        database: The connection.
        place: The folder.
        table: Name of the table.
    """

    def __init__(self, database: Any, place: str, table: str) -> None:
        self._database, self._place, self._name = database, place, table
        self._metric: Metric = "cosine"

    def _table(self) -> Any:
        try:
            return self._database.open_table(self._name)
        except (FileNotFoundError, ValueError):
            raise UserError(
                f"there is no table {self._name!r}", where=self._place, todo="Fill it first"
            ) from None

    def prepare(self, dim: int, metric: Metric) -> None:
        """Make the table, unless it is there."""
        import pyarrow

        self._metric = metric
        schema = pyarrow.schema(
            [
                pyarrow.field("id", pyarrow.string()),
                pyarrow.field("title", pyarrow.string()),
                pyarrow.field("text", pyarrow.string()),
                pyarrow.field("vector", pyarrow.list_(pyarrow.float32(), dim)),
            ]
        )
        try:
            made = self._table()
        except UserError:
            made = self._create(schema)
        there = made.schema.field("vector").type.list_size
        if there != dim:
            raise other_size(self._place, there, dim)

    def _create(self, schema: Any) -> Any:
        try:
            return self._database.create_table(self._name, schema=schema, exist_ok=True)
        except (OSError, ValueError, RuntimeError) as error:
            raise unreachable(self._place, error) from None

    def upsert(self, rows: Sequence[Stored], vectors: NDArray[np.float32]) -> None:
        """Write rows; those with the same ids are replaced."""
        import pyarrow

        flat = pyarrow.array(np.ascontiguousarray(vectors, dtype=np.float32).ravel())
        table = pyarrow.table(
            {
                "id": [row.id for row in rows],
                "title": [row.title for row in rows],
                "text": [row.text for row in rows],
                "vector": pyarrow.FixedSizeListArray.from_arrays(flat, vectors.shape[1]),
            }
        )
        merge = self._table().merge_insert("id").when_matched_update_all()
        try:
            merge.when_not_matched_insert_all().execute(table)
        except (OSError, ValueError, RuntimeError) as error:
            raise unreachable(self._place, error) from None

    def count(self) -> int:
        """Return the number of rows."""
        return int(self._table().count_rows())

    def search(self, vectors: NDArray[np.float32], k: int) -> list[list[tuple[Stored, float]]]:
        """Find the nearest rows."""
        table, found = self._table(), []
        for vector in vectors:
            asked = table.search(vector, vector_column_name="vector")
            rows = asked.distance_type(self._metric).limit(k).to_list()
            found.append(
                [
                    (Stored(row["id"], row["text"], row["title"]), 1 - float(row["_distance"]))
                    for row in rows
                ]
            )
        return found

    def close(self) -> None:
        """Remove old versions of the table, which take space."""
        try:
            self._table().optimize(cleanup_older_than=timedelta(0))
        except Exception:  # it is housekeeping: the rows are written
            return
