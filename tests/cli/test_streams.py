from __future__ import annotations

import errno
import io
import sys

import pytest

from xadapt.cli import streams


class Failing(io.StringIO):
    """A stream that fails after some writes."""

    def __init__(self, error: Exception, after: int = 0) -> None:
        super().__init__()
        self.error, self.left, self.tries = error, after, 0

    def write(self, text: str) -> int:
        self.tries += 1
        self.left -= 1
        if self.left < 0:
            raise self.error
        return super().write(text)


@pytest.mark.parametrize("number", [errno.EPIPE, errno.ENOSPC, errno.EIO])
def test_after_the_first_failure_everything_is_dropped(number: int) -> None:
    said: list[str] = []
    under = Failing(OSError(number, "why"), after=1)
    stream = streams.TolerantStream(under, said.append)
    assert [stream.write("one"), stream.write("two"), stream.write("three")] == [3, 3, 5]
    stream.writelines(["a", "b"])
    stream.flush()
    assert under.getvalue() == "one" and under.tries == 2
    assert len(said) == (number != errno.EPIPE)


def test_a_stream_that_was_closed_is_no_fault_and_another_fault_is_one() -> None:
    closed = io.StringIO()
    closed.close()
    stream = streams.TolerantStream(closed)
    stream.write("x")
    stream.flush()
    with pytest.raises(ValueError, match="else"):
        streams.TolerantStream(Failing(ValueError("else"))).write("x")


def test_what_cannot_be_encoded_is_replaced_and_the_streams_come_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    raw = [io.BytesIO(), io.BytesIO()]
    out, err = (io.TextIOWrapper(one, encoding="ascii") for one in raw)
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    with streams.tolerant():
        sys.stdout.write("schön \udcff ─")
        sys.stderr.write("schön")
        assert not sys.stdout.isatty() and sys.stdout.encoding == "ascii"
    assert (sys.stdout, sys.stderr) == (out, err)
    assert raw[0].getvalue() == b"sch?n ? ?" and raw[1].getvalue() == rb"sch\xf6n"
    monkeypatch.setattr(sys, "stdout", None)
    with streams.tolerant():
        sys.stdout.write("nowhere")
