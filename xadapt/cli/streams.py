"""Standard output and error streams whose failure does not end the work."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO


class TolerantStream:
    """A text stream that continues when its target is closed or full.

    After the first failure all further text is dropped.

    Args:
        stream: The stream.
        warn: Receives a line on any failure other than a closed pipe.
    """

    def __init__(self, stream: TextIO, warn: Any = None) -> None:
        self._stream, self._warn, self._lost = stream, warn, False

    def write(self, text: str) -> int:
        """Write text, or drop it."""
        if not self._lost:
            try:
                return self._stream.write(text)
            except (OSError, ValueError) as error:
                self._lose(error)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write lines, or drop them."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Flush the written text, or drop it."""
        if not self._lost:
            try:
                self._stream.flush()
            except (OSError, ValueError) as error:
                self._lose(error)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _lose(self, error: OSError | ValueError) -> None:
        if isinstance(error, ValueError) and not self._stream.closed:
            raise error
        self._lost = True
        with contextlib.suppress(OSError, ValueError):  # what is still held goes nowhere either
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self._stream.fileno())
            os.close(null)
        if self._warn is not None and getattr(error, "errno", errno.EPIPE) != errno.EPIPE:
            reason = getattr(error, "strerror", None) or str(error)
            self._warn(f"xadapt: can't write to standard output ({reason}); the work goes on\n")


@contextmanager
def tolerant() -> Iterator[None]:
    """Tolerate failures of standard output and error inside the block.

    Characters that the streams can't encode are replaced.
    """
    before = sys.stdout, sys.stderr
    sys.stderr = _tolerant(sys.stderr)
    sys.stdout = _tolerant(sys.stdout, sys.stderr.write)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        sys.stdout, sys.stderr = before


def _tolerant(stream: TextIO | None, warn: Any = None) -> Any:
    if stream is None:  # closed before this process began
        stream = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace" if warn is None else "replace")
    return TolerantStream(stream, warn)
