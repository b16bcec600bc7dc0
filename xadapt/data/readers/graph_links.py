"""Links between entities as rows of a file: two ids and perhaps a part."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from xadapt.core.errors import UserError
from xadapt.core.files import sha256_file
from xadapt.data.readers.cldr_split import PARTS
from xadapt.data.readers.graph_files import rows
from xadapt.data.readers.graph_source import is_graph, reader_of

PART_NAMES = {"train": 0, "sup": 0, "dev": 1, "val": 1, "valid": 1, "test": 2, "ref": 2}
"""The names of parts in files, with their position in `PARTS`."""
TEST = 2
LINK = "two ids and, if you like, train, dev or test"
Pairs = dict[tuple[str, str], int]


def link_rows(path: str) -> tuple[Pairs, bool]:
    """Read a file of links.

    Args:
        path: The file, plain or compressed.

    Returns:
        The part of each link, and whether the file names parts. Without them all are in test.

    Raises:
        UserError: If the file can't be read, is empty, a line is faulty, some lines have a part and
            some have none, or one link is in two parts.
    """
    pairs: Pairs = {}
    split: bool | None = None
    for where, cells in rows(path, (2, 3), LINK):
        if split is None:
            split = len(cells) == 3
        elif split != (len(cells) == 3):
            raise UserError(
                "some lines have a part and some have none",
                where=where,
                todo=f"A line holds {LINK}",
            )
        if split and cells[2] not in PART_NAMES:
            raise UserError(
                f"{cells[2][:40]!r} is no part", where=where, todo=f"Write {', '.join(PARTS)}"
            )
        pair, part = (cells[0], cells[1]), PART_NAMES[cells[2]] if split else TEST
        if pairs.setdefault(pair, part) != part:
            raise UserError(
                f"the link {pair[0]} - {pair[1]} is in {PARTS[pairs[pair]]} and in {PARTS[part]}",
                where=where,
                todo="Keep it in one part, or split the links by xadapt kg build",
            )
    return pairs, bool(split)


def links_of(source: str) -> tuple[Pairs, bool]:
    """Read the links of a file, or of a graph that has links, as `link_rows`.

    Raises:
        UserError: If the source can't be read or has no links.
    """
    if Path(source).exists() or not is_graph(source):
        return link_rows(source)
    reader, place = reader_of(source)
    links = reader.links(place)
    return dict(zip(links.pairs, links.parts.tolist(), strict=True)), bool(links.split)


def left_out(options: Mapping[str, Any]) -> dict[str, str]:
    """Return the links that the options of a reader exclude, with their SHA-256.

    Raises:
        UserError: If the links can't be read.
    """
    source = options.get("exclude_links")
    return {source: links_sha256(source)} if isinstance(source, str) and source else {}


def links_sha256(source: str) -> str:
    """Return the SHA-256 of a file of links, or of the links of a graph.

    Raises:
        UserError: If the source can't be read or has no links.
    """
    if Path(source).is_file():
        return sha256_file(source)
    reader, place = reader_of(source)
    return str(reader.links(place).sha256)
