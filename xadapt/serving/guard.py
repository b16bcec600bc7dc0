"""What every request passes before its route: the key, the bounds of its body, and its errors."""

from __future__ import annotations

import asyncio
import hmac
import json
import sys
import time
import traceback
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from xadapt.serving.errors import ClientLeftError, RequestError, as_request_error, busy
from xadapt.serving.metrics import Metrics
from xadapt.serving.settings import Settings

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

OPEN = frozenset({"/health", "/ready", "/metrics"})
"""Routes without a key."""
ADMIN = "/v1/modules"
LINGER_SECONDS = 5.0
"""How long the rest of a body that is too large is read and thrown away, so that the client sees
the answer and not a broken connection."""


class Guard:
    """An ASGI application around another one.

    Args:
        app: The application.
        settings: The bounds, and the variables with the keys.
        metrics: Where requests are counted.
        routes: The paths that are counted by their own name.
    """

    def __init__(
        self, app: App, settings: Settings, metrics: Metrics, routes: frozenset[str]
    ) -> None:
        self.app, self.settings, self.metrics, self.routes = app, settings, metrics, routes
        self._key = settings.key(settings.api_key_env)
        self._admin = settings.key(settings.admin_key_env)
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.monotonic()
        answer = _Answer(send)
        held = _Held(self)
        try:
            self._require_key(scope)
            await self._require_small(scope, receive)
            await self.app(scope, self._bounded(receive, held), answer)
        except ClientLeftError:
            answer.status = 499
        except RequestError as error:
            await answer.error(error)
        except Exception as error:
            traceback.print_exception(error, file=sys.stderr)
            await answer.error(as_request_error(error))
        finally:
            held.release()
            path = scope["path"]
            route = path if path in self.routes else ADMIN if path.startswith(ADMIN) else "other"
            self.metrics.requests.labels(route, str(answer.status)).inc()
            self.metrics.seconds.labels(route).observe(time.monotonic() - began)

    def _require_key(self, scope: Scope) -> None:
        """Check the key of a request.

        Raises:
            RequestError: If it is missing or wrong.
        """
        path = scope["path"]
        if path in OPEN:
            return
        given = _bearer(scope)
        if path == ADMIN or path.startswith(f"{ADMIN}/"):
            if self._admin is None:
                raise RequestError(
                    403, "modules can't be changed: the server has no admin key", code="no_admin"
                )
            allowed = [self._admin]
        else:
            allowed = [key for key in (self._key, self._admin) if key is not None]
            if self._key is None:
                return
        if not any(hmac.compare_digest(given, key.encode()) for key in allowed):
            said = "the API key is wrong" if given else "an API key is needed"
            raise RequestError(401, said, code="invalid_api_key")

    async def _require_small(self, scope: Scope, receive: Receive) -> None:
        """Refuse a body whose announced length is too large.

        Raises:
            RequestError: If it is.
        """
        text = _header(scope, b"content-length")
        if not text.isdigit() or int(text) <= self.settings.max_body:
            return
        await _throw_away(receive)
        self.metrics.refused.labels("body").inc()
        raise self._too_large()

    def _too_large(self) -> RequestError:
        return RequestError(
            413, f"the body is larger than {self.settings.max_body:,} bytes", code="too_large"
        )

    def _bounded(self, receive: Receive, held: _Held) -> Receive:
        """Return a function that receives a body in bounds of size and time."""
        deadline = asyncio.get_running_loop().time() + self.settings.body_seconds
        size, whole = 0, False

        async def bounded() -> Message:
            nonlocal size, whole
            if whole:
                return await receive()
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError:
                self.metrics.refused.labels("slow").inc()
                raise RequestError(408, "the body took too long", code="timeout") from None
            if message["type"] != "http.request":
                return message
            size += len(message.get("body", b""))
            if size > self.settings.max_body:
                await _throw_away(receive)
                self.metrics.refused.labels("body").inc()
                raise self._too_large()
            held.take(len(message.get("body", b"")))
            whole = not message.get("more_body", False)
            return message

        return bounded

    def hold(self, size: int) -> None:
        """Count bytes of a body.

        Raises:
            RequestError: If all bodies together are too large.
        """
        if self._held + size > self.settings.max_held:
            self.metrics.refused.labels("memory").inc()
            raise busy(1, "too many large requests at once")
        self._held += size

    def release(self, size: int) -> None:
        """Count bytes that are held no more."""
        self._held -= size


class _Held:
    """The bytes that one request holds."""

    def __init__(self, guard: Guard) -> None:
        self._guard, self._size = guard, 0

    def take(self, size: int) -> None:
        self._guard.hold(size)
        self._size += size

    def release(self) -> None:
        self._guard.release(self._size)
        self._size = 0


class _Answer:
    """Sends an answer, with an id; an error only before it has begun."""

    def __init__(self, send: Send) -> None:
        self._send, self.status, self._begun = send, 500, False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status, self._begun = message["status"], True
            request = uuid.uuid4().hex.encode()
            message["headers"] = [*message["headers"], (b"x-request-id", request)]
        await self._send(message)

    async def error(self, error: RequestError) -> None:
        if self._begun:
            return
        body = json.dumps(error.to_dict(), ensure_ascii=False).encode()
        headers = {"content-type": "application/json", "content-length": str(len(body))}
        raw = [(k.encode(), v.encode()) for k, v in (headers | error.headers).items()]
        await self({"type": "http.response.start", "status": error.status, "headers": raw})
        await self({"type": "http.response.body", "body": body})


async def _throw_away(receive: Receive) -> None:
    """Read a body that is not wanted for a short time, without keeping it."""
    try:
        async with asyncio.timeout(LINGER_SECONDS):
            while True:
                message = await receive()
                if message["type"] != "http.request" or not message.get("more_body", False):
                    return
    except TimeoutError:
        return


def _header(scope: Scope, name: bytes) -> str:
    found = [value for key, value in scope["headers"] if key == name]
    return found[-1].decode("latin-1") if found else ""


def _bearer(scope: Scope) -> bytes:
    scheme, _, key = _header(scope, b"authorization").partition(" ")
    return key.strip().encode() if scheme.lower() == "bearer" else b""
