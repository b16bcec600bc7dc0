"""Vector stores: one file for each, and one way to write into them and to search them."""

from __future__ import annotations

from importlib import import_module

from xadapt.core.errors import UserError
from xadapt.integrations.vector_stores.protocol import Store

KINDS = ("lancedb", "qdrant", "pgvector")
TABLE = "xadapt"


def open_store(uri: str, table: str = TABLE) -> Store:
    """Open a store; nothing is made in it yet.

    Args:
        uri: ``lancedb:FOLDER``, ``qdrant:URL`` (or ``qdrant:FOLDER`` for a local one), or
            ``pgvector:DSN``.
        table: Name of the table or collection.

    Raises:
        UserError: If the kind is unknown, its package is missing, the name is malformed, or the
            store can't be reached.
    """
    kind, colon, place = uri.partition(":")
    if kind not in KINDS or not colon or not place:
        raise UserError(
            f"this is no vector store: {uri[:200]!r}",
            todo="Write lancedb:FOLDER, qdrant:URL or pgvector:DSN",
        )
    if not table.isidentifier() or not table.isascii() or len(table) > 60:
        raise UserError(
            f"a table can't be named {table[:100]!r}", todo="Use letters, digits and _, at most 60"
        )
    store: Store = import_module(f"xadapt.integrations.vector_stores.{kind}").connect(place, table)
    return store
