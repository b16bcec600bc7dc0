"""The application: routes, and errors in the shape of OpenAI's API."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from xadapt.backbones.encoder.encode import dimension
from xadapt.core.errors import UserError, missing_extra
from xadapt.serving.bodies import (
    Body,
    ClassifyBody,
    EmbedBody,
    EmbeddingBody,
    ModuleBody,
    TagBody,
    parse_body,
)
from xadapt.serving.door import Door, Left
from xadapt.serving.errors import ClientLeftError, RequestError, as_request_error, no_model
from xadapt.serving.guard import ADMIN, Guard

try:
    from fastapi import FastAPI, Request, Response
    from starlette.exceptions import HTTPException
    from starlette.requests import ClientDisconnect
    from starlette.responses import JSONResponse
except ModuleNotFoundError:
    raise missing_extra("fastapi", "serve") from None

B = TypeVar("B", bound=Body)
Answer = Callable[[Any, Left], Awaitable[tuple[bytes, dict[str, str]]]]


def build_app(door: Door) -> Guard:
    """Build the ASGI application of one process.

    Args:
        door: What it serves.
    """
    app = FastAPI(title="xadapt", summary="Embeddings of many modules on one base")
    for error in (HTTPException, RequestError, UserError, ClientLeftError, Exception):
        app.add_exception_handler(error, _answer_error)
    posts: dict[str, tuple[type[Body], Answer]] = {
        "/v1/embeddings": (EmbeddingBody, door.embeddings),
        "/embed": (EmbedBody, door.embed),
        "/classify": (ClassifyBody, door.classify),
        "/predict": (ClassifyBody, door.classify),
        "/tag": (TagBody, door.tag),
    }
    for path, (kind, answer) in posts.items():
        app.post(path, openapi_extra=_schema(kind), name=path)(_route(kind, answer))
    _add_models(app, door)
    _add_state(app, door)
    routes = frozenset({*posts, "/v1/models", ADMIN, "/health", "/ready", "/metrics", "/info"})
    return Guard(app, door.settings, door.metrics, routes)


def _route(kind: type[Body], answer: Answer) -> Callable[[Request], Awaitable[Response]]:
    """Return a route that reads a body, answers it, and gives up if the client leaves."""

    async def route(request: Request) -> Response:
        body = parse_body(kind, await _body(request))
        content, headers = await answer(body, _left(request))
        return Response(content, media_type="application/json", headers=headers)

    return route


async def _body(request: Request) -> bytes:
    """Read the body of a request.

    Raises:
        ClientLeftError: If the client closed the connection before its end.
    """
    try:
        return await request.body()
    except ClientDisconnect:
        raise ClientLeftError from None


def _left(request: Request) -> Left:
    async def left() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    return left


def _add_models(app: FastAPI, door: Door) -> None:
    """Add the routes that list and change models."""

    @app.get("/v1/models")
    async def models() -> Response:
        return JSONResponse({"object": "list", "data": await door.models()})

    @app.get("/v1/models/{name:path}")
    async def model(name: str) -> Response:
        found = [one for one in await door.models() if one["id"] == name]
        if not found:
            raise no_model(name)
        return JSONResponse(found[0])

    @app.post(ADMIN, openapi_extra=_schema(ModuleBody))
    async def add(request: Request) -> Response:
        body = parse_body(ModuleBody, await _body(request))
        return JSONResponse(await door.changes.add(body), 201)

    @app.delete(ADMIN + "/{name:path}")
    async def remove(name: str) -> Response:
        await door.changes.remove(name)
        return JSONResponse({"id": name, "object": "model", "deleted": True})


def _add_state(app: FastAPI, door: Door) -> None:
    """Add the routes about the server itself."""

    @app.get("/health")
    async def health() -> Response:
        return JSONResponse({"status": "ok"})

    @app.get("/ready")
    async def ready() -> Response:
        if not door.ready:
            raise RequestError(503, "not ready", code="not_ready", retry_after=1)
        return JSONResponse({"status": "ready", "waiting": door.engine.items})

    @app.get("/metrics")
    async def metrics() -> Response:
        return Response(door.metrics.text(), media_type=door.metrics.type)

    @app.get("/info")
    async def info() -> Response:
        encoder, settings = door.encoder, door.settings
        return JSONResponse(
            {
                "model_id": door.table.base,
                "model_dtype": encoder.precision,
                "model_type": {"embedding": {"pooling": "+".join(encoder.pooling.modes)}},
                "dimensions": dimension(encoder),
                "max_input_length": encoder.max_length,
                "max_batch_tokens": settings.max_batch_tokens,
                "max_client_batch_size": settings.max_inputs,
                "fingerprint": encoder.fingerprint,
            }
        )


async def _answer_error(_: Request, error: Exception) -> Response:
    """Answer an error; what has no route too has the shape of all errors."""
    if isinstance(error, ClientLeftError):
        return Response(status_code=499)
    headers: dict[str, str] = {}
    if isinstance(error, HTTPException):
        code = {404: "no_route", 405: "wrong_method"}.get(error.status_code, "http")
        headers = dict(error.headers or {})
        error = RequestError(error.status_code, str(error.detail), code=code)
    own = as_request_error(error)
    return JSONResponse(own.to_dict(), own.status, headers=headers | own.headers)


def _schema(kind: type[Body]) -> dict[str, Any]:
    schema = kind.model_json_schema()
    content = {"application/json": {"schema": schema}}
    return {"requestBody": {"required": True, "content": content}}
