"""Vectors of the names of a graph's entities, block by block, on disk where they are many."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xadapt.core.errors import UserError
from xadapt.core.files import read_json, write_errors, write_json
from xadapt.data.graphs.graph import KnowledgeGraph

BLOCK = 2**14
IN_MEMORY = 2**28
"""Bytes of vectors that are held in memory; more lie on disk."""
Encode = Callable[[Sequence[str]], NDArray[np.float32]]


class EntityNames(Sequence[str]):
    """The usual name of each entity in one language; empty for none.

    Args:
        graph: The graph.
        lang: The language; by default the only one of the graph.

    Attributes:
        lang: The language.
        named: Number of entities with a name.

    Raises:
        UserError: If the graph has no names in the language, or names in several and none is given.
    """

    def __init__(self, graph: KnowledgeGraph, lang: str | None = None) -> None:
        if lang is None and len(graph.languages) != 1:
            known = ", ".join(graph.languages) or "no language"
            raise UserError(
                f"the graph has names in {known}",
                where=graph.name,
                todo="Choose one, as in kg:DIR/ja"
                if graph.languages
                else "Give a graph with names",
            )
        self.lang = graph.language(lang or graph.languages[0])
        self._texts = graph.labels[self.lang].texts
        owners = graph.labels[self.lang].owners
        first, starts = np.unique(owners, return_index=True)
        self._place = np.full(len(graph.entities), -1, dtype=np.int64)
        self._place[first] = starts
        self.named = len(first)

    def __len__(self) -> int:
        return len(self._place)

    def __getitem__(self, index):  # type: ignore[no-untyped-def]
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        place = int(self._place[index])
        return self._texts[place] if place >= 0 else ""

    @property
    def has_name(self) -> NDArray[np.bool_]:
        """Whether each entity has a name, ``(entities,)``."""
        return self._place >= 0


def encode_names(
    names: Sequence[str],
    encode: Encode,
    folder: Path,
    file: str,
    progress: Callable[[int], None] = lambda _: None,
    *,
    keep: bool = False,
) -> NDArray[np.float32]:
    """Encode names; an entity without a name has a zero vector.

    Args:
        names: The names; empty for none.
        encode: Function from texts to vectors ``(n, dim)``.
        folder: A folder for vectors that are too many for memory.
        file: Name of their file.
        progress: Called with the number of names of each block.
        keep: Whether vectors are always written to the folder. A later call with the same names
            then goes on after the last whole block.

    Returns:
        ``(n, dim)``, float32; mapped from disk if it has more than `IN_MEMORY` bytes, or is kept.
    """
    path, mark = folder / file, folder / f"{file}.json"
    made = _kept(path, mark, len(names)) if keep else None
    done = 0 if made is None else int(read_json(mark))
    if done:
        progress(done)
    for start in range(done, len(names), BLOCK):
        texts = list(names[start : start + BLOCK])
        own = [i for i, text in enumerate(texts) if text]
        if own:
            vectors = encode([texts[i] for i in own])
            if made is None:
                made = _room(len(names), vectors.shape[1], path, keep)
            made[start + np.array(own)] = vectors
        if keep and isinstance(made, np.memmap):
            made.flush()
            write_json(mark, start + len(texts))
        progress(len(texts))
    if made is None:
        raise UserError("no entity has a name", todo="Leave out --base and --module")
    return made


def _kept(path: Path, mark: Path, rows: int) -> NDArray[np.float32] | None:
    """Open vectors that an earlier call kept; ``None`` if there are none or they don't fit."""
    if not (path.is_file() and mark.is_file()):
        return None
    try:
        shape = np.load(path, mmap_mode="r").shape  # r+ would fill up a file that was cut
    except (ValueError, OSError, EOFError):
        return None
    if len(shape) != 2 or shape[0] != rows:
        return None
    made: NDArray[np.float32] = np.load(path, mmap_mode="r+")
    return made


def _room(rows: int, width: int, path: Path, keep: bool) -> NDArray[np.float32]:
    if rows * width * 4 <= IN_MEMORY and not keep:
        return np.zeros((rows, width), dtype=np.float32)
    with write_errors(path):
        return np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(rows, width))
