"""Errors of the Hub's client as one line each: offline, not found, refused, broken connection."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from huggingface_hub import errors

from xadapt.core.errors import UserError

ONLINE = "Unset HF_HUB_OFFLINE, or name a folder"
AGAIN = "Try again; HF_ENDPOINT names another server"
CLIENTS = ("requests", "urllib3", "httpx", "httpx2", "httpcore", "hf_xet")
"""Packages whose errors are those of a connection."""


def endpoint_of(given: str | None = None) -> str:
    """Return the address of the Hub: the given one, ``HF_ENDPOINT``, or the usual one."""
    from huggingface_hub import constants

    return (given or os.environ.get("HF_ENDPOINT") or constants.ENDPOINT).rstrip("/")


class UnreachableError(UserError):
    """The error where the Hub can't be asked at all: offline, or the connection failed."""


@contextmanager
def hub_errors(where: str) -> Iterator[None]:
    """Turn an error of huggingface_hub inside the block into one line about ``where``.

    No message holds a header of a request, so none holds a token.

    Args:
        where: The repository, such as ``org/name@revision``.

    Raises:
        UserError: If huggingface_hub raises an error of the Hub or of the connection.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        told = _told(error)
        if told is None:
            raise
        what, todo = told
        kind = UnreachableError if _of_connection(error) or _is_offline(error) else UserError
        raise kind(what, where=where, todo=todo) from None


def _is_offline(error: BaseException) -> bool:
    absent = (errors.OfflineModeIsEnabled, errors.LocalEntryNotFoundError)
    status = getattr(getattr(error, "response", None), "status_code", None) or 0
    return isinstance(error, absent) or int(status) >= 500


def _told(error: BaseException) -> tuple[str, str] | None:
    """Return what is wrong and what to do, or ``None`` if it is no error of the Hub."""
    known = _of_hub(error) or _of_connection(error)
    if known is None and isinstance(error, RuntimeError) and error.__cause__ is not None:
        return _told(error.__cause__)  # huggingface_hub wraps errors of single uploads
    return known


TOLD: tuple[tuple[type[Exception], str, str], ...] = (
    (errors.OfflineModeIsEnabled, "the Hub can't be asked offline", ONLINE),
    (
        errors.LocalEntryNotFoundError,
        "the Hub can't be reached, and this is not in the cache",
        AGAIN,
    ),
    (
        errors.GatedRepoError,
        "access to this repository must be asked for",
        "Ask on its page on the Hub",
    ),
    (
        errors.RepositoryNotFoundError,
        "there is no such repository on the Hub, or this token may not see it",
        "Check the name; log in with: hf auth login",
    ),
    (
        errors.RevisionNotFoundError,
        "the repository has no such revision",
        "Name a branch, a tag or a commit of it",
    ),
    (errors.EntryNotFoundError, "the repository has no such file", ""),
    (errors.HFValidationError, "this is no id of a repository", "Write ORG/NAME"),
    (
        errors.LocalTokenNotFoundError,
        "no token of the Hub is known here",
        "Set HF_TOKEN, or log in with: hf auth login",
    ),
)
"""Errors of the Hub, what is wrong, and what to do; a subclass comes before its parent."""


def _of_hub(error: BaseException) -> tuple[str, str] | None:
    for kind, what, todo in TOLD:
        if isinstance(error, kind):
            return what, todo
    if isinstance(error, errors.HfHubHTTPError):
        return _of_status(error)
    if isinstance(error, ValueError) and str(error).startswith("Invalid metadata in README"):
        return f"the Hub refuses the card's header: {str(error)[:300]}", "Edit README.md"
    return None


def _of_status(error: errors.HfHubHTTPError) -> tuple[str, str]:
    code = getattr(error.response, "status_code", None)
    said = " ".join((error.server_message or "").split())[:200]
    what = f"the Hub refuses this ({code}{': ' if said else ''}{said})"
    todo = {
        401: "Set HF_TOKEN, or log in with: hf auth login",
        403: "The token must be allowed to write there",
        412: "Someone changed the repository meanwhile: try again",
    }
    return what, todo.get(int(code or 0), AGAIN)


def _of_connection(error: BaseException) -> tuple[str, str] | None:
    package = type(error).__module__.partition(".")[0]
    if package in CLIENTS or isinstance(error, (ConnectionError, TimeoutError)):
        return f"the connection to the Hub failed ({type(error).__name__})", AGAIN
    return None
