"""Write the vectors of a folder into a vector store, and go on after an interruption.

Rows are written in order, in batches, and replace rows of the same ids. The folder keeps how many
rows were written. So a run that was cut writes its last batch again, and nothing else twice.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from xadapt.core.errors import UserError
from xadapt.core.files import read_json, sha256_file, write_json
from xadapt.data.readers.lines import read_lines
from xadapt.data.readers.passages import Passage
from xadapt.inference.adapted_encoder import AdaptedEncoder
from xadapt.inference.passage_index import (
    FILE,
    PASSAGES,
    Hit,
    PassageIndex,
    as_vectors,
    open_index,
    opened,
)
from xadapt.integrations.vector_stores import TABLE, open_store
from xadapt.integrations.vector_stores.protocol import BATCH, Metric, Store, Stored
from xadapt.vectors.index import INDEX
from xadapt.vectors.shards import open_vectors

STATE = ".store-{}.json"
"""Name of the file that holds how many rows a store has; its name contains a hash of the store."""


@dataclass(frozen=True)
class Filled:
    """What was written.

    Attributes:
        rows: Rows of the folder.
        written: Rows that this run wrote.
        there: Rows of the table at the end.
    """

    rows: int
    written: int
    there: int


def fill_store(
    folder: str | Path,
    uri: str,
    *,
    table: str = TABLE,
    texts: str | Path | None = None,
    batch: int = BATCH,
    progress: Callable[[int], None] = lambda _: None,
) -> Filled:
    """Write the vectors of a folder into a vector store; call it again to go on.

    Args:
        folder: A folder that ``xadapt index`` or ``xadapt encode --shards`` made. The ids of an
            index are those of its passages; those of other vectors are the numbers of their rows.
        uri: ``lancedb:FOLDER``, ``qdrant:URL`` or ``pgvector:DSN``.
        table: Name of the table or collection.
        texts: File with one text a line, for vectors that are no index.
        batch: Rows of one write.
        progress: Called with the number of rows of each write.

    Raises:
        UserError: If the folder is not whole, the store can't be used, or the table holds vectors
            of another size.
    """
    folder = Path(folder)
    vectors = open_vectors(folder)
    is_index = (folder / FILE).is_file()
    metric: Metric = open_index(folder).manifest.similarity if is_index else "cosine"
    store = open_store(uri, table)
    try:
        store.prepare(vectors.shape[1], metric)
        state = folder / STATE.format(hashlib.sha256(f"{uri} {table}".encode()).hexdigest()[:12])
        made = sha256_file(folder / INDEX)
        done = _done(state, made, store)
        rows = _rows(folder, texts, is_index, len(vectors))
        written = 0
        for start in range(0, len(vectors), batch):
            own = list(islice(rows, min(batch, len(vectors) - start)))
            if start + len(own) <= done:
                continue
            store.upsert(own, np.asarray(vectors[start : start + len(own)], dtype=np.float32))
            written += len(own)
            write_json(state, {"index": made, "rows": start + len(own)})
            progress(len(own))
        return Filled(len(vectors), written, store.count())
    finally:
        store.close()


def retrieve_from(
    uri: str,
    index: str | Path | PassageIndex,
    questions: Sequence[str],
    *,
    base: str | AdaptedEncoder,
    modules: str | Path | Sequence[str | Path] = (),
    compose: str | None = None,
    lang: str | None = None,
    k: int = 10,
    table: str = TABLE,
    dtype: str = "auto",
) -> list[list[Hit]]:
    """Find the best passages of questions in a vector store.

    Args:
        uri: The store, as for `fill_store`.
        index: The index that filled it, whose base and modules are compared.
        questions: The questions.
        base: As for `xadapt.retrieve`.
        modules: As for `xadapt.retrieve`.
        compose: As for `xadapt.retrieve`.
        lang: As for `xadapt.retrieve`.
        k: Number of passages.
        table: Name of the table.
        dtype: Type of the base's weights.

    Returns:
        For each question the passages with their similarity, best first.

    Raises:
        UserError: As for `xadapt.retrieve`, or if the store can't be used or has no such table.
    """
    one = index if isinstance(index, PassageIndex) else open_index(index)
    adapted = opened(base, modules, compose, lang, dtype)
    one.require_same(adapted)
    units = one.manifest.similarity == "cosine"
    asked = as_vectors(adapted.encode_query(list(questions), lang), units)
    store = open_store(uri, table)
    try:
        store.prepare(asked.shape[1], one.manifest.similarity)
        found = store.search(asked, min(k, len(one)))
        return [[Hit(Passage(r.id, r.title, r.text), score) for r, score in own] for own in found]
    finally:
        store.close()


def _done(state: Path, made: str, store: Store) -> int:
    """Return how many rows of this very folder the store has."""
    if not state.is_file():
        return 0
    said: Any = read_json(state)
    whole = isinstance(said, dict) and said.get("index") == made
    rows = said.get("rows") if whole else 0
    if not isinstance(rows, int) or store.count() < rows:  # the table was emptied meanwhile
        return 0
    return rows


def _rows(folder: Path, texts: str | Path | None, is_index: bool, count: int) -> Iterator[Stored]:
    if is_index:
        with (folder / PASSAGES).open(encoding="utf-8") as stream:
            for line in stream:
                row = json.loads(line)
                yield Stored(str(row["id"]), row["text"], row.get("title") or "")
        return
    if texts is None:
        yield from (Stored(str(row)) for row in range(count))
        return
    row = -1
    for row, (_, line) in enumerate(read_lines(str(texts))):
        yield Stored(str(row), line)
    if row + 1 != count:
        raise UserError(f"{row + 1} texts and {count} vectors", where=str(texts))
