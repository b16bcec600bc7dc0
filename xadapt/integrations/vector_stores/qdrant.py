"""Qdrant: a server, or its local mode in a folder."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xadapt.core.errors import UserError, missing_extra
from xadapt.integrations.vector_stores.protocol import Metric, Stored, other_size, unreachable

SPACE = uuid.UUID("6f1d2a52-5b0f-4b58-9c52-6f5c2d7f0a11")
"""Ids of points are UUIDs of this space, made of the rows' ids."""


def connect(place: str, table: str) -> QdrantStore:
    """Open a server by its URL, or a folder in local mode.

    Raises:
        UserError: If qdrant-client is not installed, or the server can't be reached.
    """
    try:
        from qdrant_client import QdrantClient
    except ModuleNotFoundError:
        raise missing_extra("qdrant-client", "qdrant") from None
    remote = "://" in place
    try:
        client = QdrantClient(url=place) if remote else QdrantClient(path=place)
        client.get_collections()
    except Exception as error:  # the client raises those of its HTTP library
        raise unreachable(place, error) from None
    return QdrantStore(client, place, table)


class QdrantStore:
    """A collection of Qdrant, searched exactly.

    Args:
        client: The client.
        place: The URL or folder.
        table: Name of the collection.
    """

    def __init__(self, client: Any, place: str, table: str) -> None:
        self._client, self._place, self._name = client, place, table

    def prepare(self, dim: int, metric: Metric) -> None:
        """Make the collection, unless it is there."""
        from qdrant_client import models

        if not self._client.collection_exists(self._name):
            distance = models.Distance.COSINE if metric == "cosine" else models.Distance.DOT
            self._client.create_collection(
                self._name, vectors_config=models.VectorParams(size=dim, distance=distance)
            )
        there = self._client.get_collection(self._name).config.params.vectors.size
        if there != dim:
            raise other_size(self._place, there, dim)

    def upsert(self, rows: Sequence[Stored], vectors: NDArray[np.float32]) -> None:
        """Write rows; those with the same ids are replaced."""
        from qdrant_client import models

        points = models.Batch(
            ids=[str(uuid.uuid5(SPACE, row.id)) for row in rows],
            vectors=np.asarray(vectors, dtype=np.float32).tolist(),
            payloads=[{"id": row.id, "title": row.title, "text": row.text} for row in rows],
        )
        try:
            self._client.upsert(self._name, points=points, wait=True)
        except Exception as error:
            raise unreachable(self._place, error) from None

    def count(self) -> int:
        """Return the number of rows."""
        return int(self._client.count(self._name, exact=True).count)

    def search(self, vectors: NDArray[np.float32], k: int) -> list[list[tuple[Stored, float]]]:
        """Find the nearest rows."""
        from qdrant_client import models

        if not self._client.collection_exists(self._name):
            raise UserError(
                f"there is no collection {self._name!r}", where=self._place, todo="Fill it first"
            )
        found = []
        exact = models.SearchParams(exact=True)
        for vector in np.asarray(vectors, dtype=np.float32).tolist():
            answer = self._client.query_points(
                self._name, query=vector, limit=k, search_params=exact
            )
            own = [(point.payload, float(point.score)) for point in answer.points]
            found.append([(Stored(p["id"], p["text"], p["title"]), score) for p, score in own])
        return found

    def close(self) -> None:
        """Close the client."""
        self._client.close()
