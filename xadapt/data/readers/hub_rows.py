"""Rows of a ``hf:`` source for records other than parallel text, found by the names of columns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from xadapt.data.readers.hub_dataset import Streamed
from xadapt.data.readers.in_memory import InMemory, label_names


class HubRows(InMemory):
    """The rows of ``hf:org/name[/config][:split]``, streamed.

    Args:
        source: The data set.

    Raises:
        UserError: If the extra ``data`` is not installed, or the data set can't be opened.
    """

    def __init__(self, source: str) -> None:
        self.streamed = Streamed(source)
        super().__init__((), name=source)
        self.labels = label_names(self.streamed.features)

    def rows(self) -> Iterator[tuple[str, Any]]:
        """Yield each row with its place.

        Raises:
            UserError: If the data set can't be read.
        """
        yield from self.streamed
