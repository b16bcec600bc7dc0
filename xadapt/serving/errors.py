"""Errors of requests, in the shape of OpenAI's API."""

from __future__ import annotations

from typing import Any

from xadapt.backbones.finite import NotFiniteError
from xadapt.core.errors import UserError

INVALID, UNAUTHENTICATED, LIMITED, SERVER = (
    "invalid_request_error",
    "authentication_error",
    "rate_limit_error",
    "server_error",
)


class RequestError(Exception):
    """An error that is answered to the client.

    Args:
        status: Status code of HTTP.
        message: The mistake, in a sentence.
        param: The field of the body with the mistake.
        code: A short name of the mistake, for programs.
        retry_after: Seconds after which the request may succeed.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.param, self.code = status, message, param, code
        self.retry_after = retry_after

    @property
    def kind(self) -> str:
        """The ``type`` of OpenAI's errors."""
        if self.status in (401, 403):
            return UNAUTHENTICATED
        if self.status == 429:
            return LIMITED
        return SERVER if self.status >= 500 else INVALID

    @property
    def headers(self) -> dict[str, str]:
        """Headers of the answer."""
        found = {} if self.retry_after is None else {"retry-after": str(self.retry_after)}
        if self.status in (408, 413):  # the rest of the body is not read
            found["connection"] = "close"
        return found | ({"www-authenticate": "Bearer"} if self.status == 401 else {})

    def to_dict(self) -> dict[str, Any]:
        """Return the body of the answer."""
        said = {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}
        return {"error": said}


class ClientLeftError(Exception):
    """The client closed the connection before it had its answer."""


def as_request_error(error: Exception) -> RequestError:
    """Return the error that a client is answered; one of ours has no details for others."""
    if isinstance(error, RequestError):
        return error
    if isinstance(error, NotFiniteError):
        return RequestError(500, str(error), code="not_finite")
    if isinstance(error, UserError):
        return RequestError(400, str(error), code="invalid_value")
    said = f"something went wrong inside the server ({type(error).__name__})"
    return RequestError(500, said, code="internal")


def busy(seconds: int, what: str = "the queue is full") -> RequestError:
    """Return the error of a server that takes no more for now."""
    return RequestError(
        429,
        f"{what}; try again in {seconds} s",
        code="rate_limit_exceeded",
        retry_after=seconds,
    )


def no_model(name: str, reason: str = "") -> RequestError:
    """Return the error for a model that is not served."""
    shown = name if len(name) <= 100 else name[:100] + "…"
    said = f"The model {shown!r} does not exist" + (f": {reason}" if reason else "")
    return RequestError(404, said, param="model", code="model_not_found")
