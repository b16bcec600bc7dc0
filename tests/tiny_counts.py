"""How much of an encoder was run; shared by the tests of what is computed once."""

from __future__ import annotations

from typing import Any

import pytest

from xadapt.backbones.encoder.encoder import Encoder


class Counts:
    """Rows that went through spans of an encoder's layers, from now on.

    Attributes:
        from_start: Rows by the layer that their span began at.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.from_start: dict[int, int] = {}
        whole = Encoder.run

        def run(
            own: Any, hidden: Any, mask: Any, start: int = 0, stop: Any = None, **more: Any
        ) -> Any:
            self.from_start[start] = self.from_start.get(start, 0) + len(hidden)
            return whole(own, hidden, mask, start, stop, **more)

        monkeypatch.setattr(Encoder, "run", run)

    def taken(self) -> dict[int, int]:
        """Rows by first layer since the last time."""
        found, self.from_start = self.from_start, {}
        return found
