"""Stream parallel text of a ``datasets`` Hub id: ``hf:org/name[/config][:split]``.

A local folder or file that ``datasets`` can load may replace the id. The default split is
``train``. Sides are found as in JSONL: a ``translation`` column, columns named after the languages,
``pivot`` and ``text``, or the columns of ``--columns``. Loading scripts are never run.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from xadapt.core.errors import UserError, missing_extra
from xadapt.data.readers.notes import Notes, noted
from xadapt.data.readers.sides import Request, row_pairs
from xadapt.data.records import ParallelPair

_SOURCE = re.compile(r"hf:(?P<path>[^:]+)(?::(?P<split>[\w.-]+))?")
_T = TypeVar("_T")


class HubDataset:
    """Reader of ``hf:`` sources. It needs the extra ``data``."""

    format: ClassVar[str] = "hf"
    gives: ClassVar[type] = ParallelPair

    def claims(self, source: str, request: Request) -> bool:
        """Return whether the source begins with ``hf:``."""
        return source.startswith("hf:")

    def read(
        self, source: str, request: Request, notes: Notes | None = None
    ) -> Iterator[ParallelPair]:
        """Stream the pairs. The origin is the source and the row's number from 1.

        Args:
            source: The data set.
            request: Languages, columns and limits.
            notes: Where unused columns and skipped rows are reported.

        Raises:
            UserError: If the extra is not installed, the data set can't be opened or read, or half
                of the rows lack a side.
        """
        yield from row_pairs(Streamed(source), source, request, noted(notes))


class Streamed:
    """The rows of an ``hf:`` source, each with its place, one at a time.

    Attributes:
        etag: A hash that changes when the data change. ``datasets`` makes it from the names of
            the files and from their etags, revision or time of change.

    Raises:
        UserError: If the extra is not installed, or the data set can't be opened or read.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        path, config, self._split = parse_source(source)
        self._builder = _attempt(lambda: _open(path, config), source)
        self.etag = str(getattr(self._builder, "hash", None) or "")

    @property
    def features(self) -> dict[str, Any]:
        """The types of the columns, as ``datasets`` knows them before reading; may be empty."""
        return dict(getattr(self._builder.info, "features", None) or {})

    def __iter__(self) -> Iterator[tuple[str, dict[str, Any]]]:
        stream = self._builder.as_streaming_dataset
        rows = iter(_attempt(lambda: stream(split=self._split), self.source))
        number = 0
        while (row := _attempt(lambda: next(rows, None), self.source)) is not None:
            number += 1
            yield f"{self.source}:{number}", row


def parse_source(source: str) -> tuple[str, str | None, str]:
    """Split ``hf:org/name/config:split`` into ``(path, config, split)``.

    Raises:
        UserError: If the source has another form.
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


def _open(path: str, config: str | None) -> Any:
    try:
        import datasets
    except ImportError:
        raise missing_extra("datasets", "data") from None
    build = datasets.load_dataset_builder
    # Releases before 4 would run a script of the data set. False forbids this.
    old = "trust_remote_code" in inspect.signature(build).parameters
    return build(path, name=config, **({"trust_remote_code": False} if old else {}))


def _attempt(step: Callable[[], _T], source: str) -> _T:
    """Run a step of ``datasets``, and turn its errors, which share no base class, into ours."""
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
