"""Parallel text of a ``datasets`` Hub id, streamed: ``hf:org/name[/config][:split]``.

A local folder or file that ``datasets`` can load may stand in place of the id. The split is
``train`` unless named. Sides are found as in JSONL: a ``translation`` column, columns named after
the languages, ``pivot`` and ``text``, or those of ``--columns``. Loading scripts are never run.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from xadapt.errors import UserError, missing_extra
from xadapt.readers.sides import Request, row_pair
from xadapt.records import ParallelPair

_SOURCE = re.compile(r"hf:(?P<path>[^:]+)(?::(?P<split>[\w.-]+))?")
_T = TypeVar("_T")


class HubDataset:
    """Reader of ``hf:`` sources; needs the extra ``data``."""

    format: ClassVar[str] = "hf"
    gives: ClassVar[type] = ParallelPair

    def claims(self, source: str, request: Request) -> bool:
        """Whether the source begins with ``hf:``."""
        return source.startswith("hf:")

    def read(self, source: str, request: Request) -> Iterator[ParallelPair]:
        """Stream the pairs; the origin is the source and the row's number from 1.

        Raises:
            UserError: The extra is not installed, the data set can't be opened or read, or a row
                lacks a side.
        """
        path, config, split = parse_source(source)
        rows = iter(_attempt(lambda: _open(path, config, split), source))
        number = 0
        while (row := _attempt(lambda: next(rows, None), source)) is not None:
            number += 1
            where = f"{source}:{number}"
            pair = row_pair(row, request, where)
            if pair:
                yield pair


def parse_source(source: str) -> tuple[str, str | None, str]:
    """Cut ``hf:org/name/config:split`` into ``(path, config, split)``.

    Raises:
        UserError: It is not of that form.
    """
    match = _SOURCE.fullmatch(source)
    if match is None:
        raise UserError(
            "this is no data set id", where=source, todo="Write hf:org/name[/config][:split]"
        )
    path, split = match["path"], match["split"] or "train"
    parts = path.split("/")
    if len(parts) == 3 and not Path(path).exists():
        return "/".join(parts[:2]), parts[2], split
    return path, None, split


def _open(path: str, config: str | None, split: str) -> Iterable[dict[str, Any]]:
    try:
        import datasets
    except ImportError:
        raise missing_extra("datasets", "data") from None
    # Old releases of datasets would run a script that the data set brings; False forbids it.
    return datasets.load_dataset(
        path, name=config, split=split, streaming=True, trust_remote_code=False
    )


def _attempt(step: Callable[[], _T], source: str) -> _T:
    """Run a step of ``datasets``, whose faults share no base class, and word what it raises."""
    try:
        return step()
    except UserError:
        raise
    except Exception as error:
        first = (str(error).splitlines() or [""])[0][:200]
        raise UserError(
            f"can't read this data set ({type(error).__name__}: {first})",
            where=source,
            todo="Check the id, the config, the split and the network",
        ) from None


Part = HubDataset
