"""Connections with bounds: their number, the size and time of headers, and the time of reading.

The server of uvicorn bounds the time between two requests. It waits without end for the rest of
headers, and for a client that does not read its answer; this protocol adds these bounds. When all
connections are taken, a new one takes the place of the one that has asked nothing for longest: a
flood of silent connections does not keep others out.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any, ClassVar

from xadapt.core.errors import missing_extra
from xadapt.serving.errors import RequestError
from xadapt.serving.metrics import Metrics
from xadapt.serving.settings import Settings

try:
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
except ModuleNotFoundError:
    raise missing_extra("uvicorn, with httptools,", "serve") from None

_TOO_MANY = RequestError(503, "too many connections", code="too_many_connections", retry_after=1)
MAX_HEADERS = 64 << 10
"""Most bytes of the headers of a request."""


def protocol_class(settings: Settings, metrics: Metrics) -> type[asyncio.Protocol]:
    """Return the class of connections for a server with these settings."""

    class Connection(BoundedConnection):
        bounds, measures = settings, metrics
        silent: ClassVar[dict[BoundedConnection, None]] = {}

    return Connection


class BoundedConnection(HttpToolsProtocol):
    """One connection; `protocol_class` gives it its bounds.

    Attributes:
        bounds: The settings of the server.
        measures: Where refusals are counted.
        silent: The connections of the server without a complete request, longest silent first.
    """

    bounds: Settings
    measures: Metrics
    silent: ClassVar[dict[BoundedConnection, None]]

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self._headers: asyncio.TimerHandle | None = None
        self._writing: asyncio.TimerHandle | None = None
        self._reading_headers = True
        self._size = 0

    def connection_made(self, transport: Any) -> None:
        """Take a connection, unless there are too many and each of them is at work."""
        super().connection_made(transport)
        if len(self.connections) > self.bounds.max_connections and not self._make_room():
            self.measures.refused.labels("connections").inc()
            self._refuse(_TOO_MANY)
            return
        self.silent[self] = None
        self._await_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timers."""
        self._stop_timers()
        self.silent.pop(self, None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read bytes; headers must be small, and complete in time."""
        if self.transport.is_closing():
            return
        if self._reading_headers:
            self._size += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._reading_headers and self._size > MAX_HEADERS:
            self._refuse(RequestError(431, "the headers are too large", code="large_headers"))
        elif self._headers is None and (self.cycle is None or self.cycle.response_complete):
            self._await_headers()

    def on_message_begin(self) -> None:
        """Begin the headers of a request."""
        super().on_message_begin()
        self._reading_headers = True
        if self._headers is None:
            self._await_headers()

    def on_headers_complete(self) -> None:
        """End the headers of a request."""
        self._reading_headers, self._size = False, 0
        self.silent.pop(self, None)
        if self._headers is not None:
            self._headers.cancel()
            self._headers = None
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        """End a request; the connection is silent until its next one."""
        super().on_response_complete()
        if not self.transport.is_closing() and self.cycle.response_complete:
            self.silent[self] = None

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection that is idle, though the client may not have read its answer."""
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            super().timeout_keep_alive_handler()

    def pause_writing(self) -> None:
        """Give the client some time to read."""
        super().pause_writing()
        if self._writing is None:
            self._writing = self.loop.call_later(self.bounds.write_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """Note that the client has read."""
        super().resume_writing()
        if self._writing is not None:
            self._writing.cancel()
            self._writing = None

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP."""
        self._refuse(RequestError(400, msg, code="invalid_http"))

    def _make_room(self) -> bool:
        """End the connection that is silent for longest; say whether there was one."""
        oldest = next(iter(self.silent), None)
        if oldest is None:
            return False
        self.measures.refused.labels("silent connections").inc()
        oldest._give_up_place()
        return True

    def _give_up_place(self) -> None:
        self.silent.pop(self)
        if self._size:
            self._refuse(_TOO_MANY)
        elif self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            self.transport.close()

    def _await_headers(self) -> None:
        self._headers = self.loop.call_later(self.bounds.header_seconds, self._late)

    def _late(self) -> None:
        self._headers = None
        if not self.transport.is_closing():
            self.measures.refused.labels("headers").inc()
            if self._size:
                self._refuse(RequestError(408, "the headers took too long", code="timeout"))
            else:
                self.transport.abort()

    def _refuse(self, error: RequestError) -> None:
        """Write an error without the application, and close the connection."""
        self._stop_timers()
        body = json.dumps(error.to_dict()).encode()
        head = [f"HTTP/1.1 {error.status} {_PHRASES[error.status]}", "connection: close",
                "content-type: application/json", f"content-length: {len(body)}",
                *(f"{name}: {value}" for name, value in error.headers.items())]  # fmt: skip
        self.transport.write("\r\n".join([*head, "", ""]).encode() + body)
        self.transport.close()

    def _stop_timers(self) -> None:
        for timer in (self._headers, self._writing):
            if timer is not None:
                timer.cancel()
        self._headers = self._writing = None


_PHRASES = {
    400: "Bad Request",
    408: "Request Timeout",
    431: "Request Header Fields Too Large",
    503: "Service Unavailable",
}
