# SPDX-License-Identifier: Apache-2.0
"""The REST half of the protocol as one ASGI application, which any ASGI server can carry."""

from __future__ import annotations

import asyncio
import hmac
import logging
from typing import TYPE_CHECKING, Any, Callable

import anyio
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .body import Budget, compressed, read_body
from .codec import encode_response, parse_infer, parse_length, parse_object
from .metrics import exposition
from .refusal import INTERNAL, NOT_FOUND, UNAUTHENTICATED, UNAVAILABLE, UNSUPPORTED, RefusedError, invalid, refusal_of

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from starlette.types import ASGIApp, Receive, Scope, Send

    from .server import Inference, Server

    Endpoint = Callable[[Request], Awaitable[Response]]

_LOG = logging.getLogger("ez_rknn_async.serving")
_RETRY_AFTER = "1"  # seconds
_SMALL = 64 * 1024  # bytes of JSON that the event loop parses itself
_CONTROL_BODY = 64 * 1024
_GONE = 499  # for the log: nobody reads the answer to a client that has gone


def application(server: Server) -> ASGIApp:
    """Return the application that serves the protocol, and ``/metrics``."""
    rest = _Rest(server)
    model = "/v2/models/{name}"
    version = model + "/versions/{version}"
    routes = [
        Route("/v2", rest.metadata),
        Route("/v2/health/live", rest.live),
        Route("/v2/health/ready", rest.ready),
        Route("/v2/models/stats", rest.statistics),
        Route("/v2/repository/index", rest.index, methods=["POST"]),
        Route("/v2/repository/models/{name}/load", rest.load, methods=["POST"]),
        Route("/v2/repository/models/{name}/unload", rest.unload, methods=["POST"]),
        Route("/v2/systemsharedmemory/status", rest.regions),
        Route("/v2/systemsharedmemory/unregister", rest.unregister, methods=["POST"]),
        Route("/v2/systemsharedmemory/region/{region}/status", rest.regions),
        Route("/v2/systemsharedmemory/region/{region}/register", rest.register, methods=["POST"]),
        Route("/v2/systemsharedmemory/region/{region}/unregister", rest.unregister, methods=["POST"]),
        Route("/metrics", rest.metrics),
    ]
    for prefix in (version, model):
        routes += [
            Route(prefix + "/infer", rest.infer, methods=["POST"]),
            Route(prefix + "/ready", rest.model_ready),
            Route(prefix + "/config", rest.config),
            Route(prefix + "/stats", rest.statistics),
            Route(prefix, rest.model),
        ]
    handlers: dict[Any, Any] = {Exception: _failed, RefusedError: _refused, HTTPException: _http_error}
    # By name: what Exception stands for is raised once more, and ends in the log with a traceback for each such client.
    handlers |= {ClientDisconnect: _gone, anyio.EndOfStream: _gone}
    starlette = Starlette(routes=routes, exception_handlers=handlers)
    return _Guard(starlette, server.options.token) if server.options.token else starlette


class _Guard:
    """Lets nobody in without the token, but for the probes of health."""

    def __init__(self, inner: ASGIApp, token: str) -> None:
        self._inner = inner
        self._expected = b"Bearer " + token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not scope["path"].startswith("/v2/health/"):
            shown = dict(scope["headers"]).get(b"authorization", b"")
            if not hmac.compare_digest(shown, self._expected):
                refusal = RefusedError(
                    UNAUTHENTICATED, "this server needs its token", hint="send Authorization: Bearer TOKEN"
                )
                await _answer(refusal, {"WWW-Authenticate": "Bearer"})(scope, receive, send)
                return
        await self._inner(scope, receive, send)


class _Rest:
    """The endpoints."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._budget = Budget()

    async def metadata(self, _: Request) -> Response:
        return JSONResponse(self._server.metadata())

    async def live(self, _: Request) -> Response:
        return JSONResponse({"live": True})

    async def ready(self, _: Request) -> Response:
        ready = await asyncio.to_thread(lambda: self._server.ready)
        return JSONResponse({"ready": ready}, 200 if ready else UNAVAILABLE.http)

    async def model(self, request: Request) -> Response:
        return JSONResponse(self._found(request).description.metadata())

    async def model_ready(self, request: Request) -> Response:
        model = self._found(request)
        status = 200 if model.ready else UNAVAILABLE.http
        return JSONResponse({"name": model.description.name, "ready": model.ready}, status)

    async def config(self, request: Request) -> Response:
        return JSONResponse(self._found(request).description.config())

    async def statistics(self, request: Request) -> Response:
        path = request.path_params
        name, version = path.get("name", ""), path.get("version", "")
        return JSONResponse({"model_stats": await asyncio.to_thread(self._server.statistics, name, version)})

    async def index(self, request: Request) -> Response:
        only_ready = (await self._object(request)).get("ready", False) is True
        return JSONResponse(await asyncio.to_thread(lambda: self._server.index(only_ready=only_ready)))

    async def load(self, request: Request) -> Response:
        self._server.check_control()
        if (await self._object(request)).get("parameters"):
            raise RefusedError(UNSUPPORTED, "load takes no parameters here", hint="write a model.toml beside the model")
        await asyncio.to_thread(self._server.repository.load, request.path_params["name"])
        return Response()

    async def unload(self, request: Request) -> Response:
        self._server.check_control()
        await self._object(request)
        await asyncio.to_thread(self._server.repository.unload, request.path_params["name"])
        return Response()

    async def regions(self, request: Request) -> Response:
        return JSONResponse(self._server.regions.status(request.path_params.get("region")))

    async def register(self, request: Request) -> Response:
        given = await self._object(request)
        name, offset = request.path_params["region"], given.get("offset", 0)
        self._server.regions.register(name, given.get("key"), offset, given.get("byte_size"))
        return Response()

    async def unregister(self, request: Request) -> Response:
        await self._object(request)
        self._server.regions.unregister(request.path_params.get("region"))
        return Response()

    async def metrics(self, _: Request) -> Response:
        body, content_type = await asyncio.to_thread(exposition, self._server)
        return Response(body, headers={"content-type": content_type})

    async def infer(self, request: Request) -> Response:
        path = request.path_params
        name, version = path["name"], path.get("version", "")
        limit = self._server.repository.find(name, version).largest_body
        with self._budget.share() as share:
            body = await read_body(request, limit, share)
            length = parse_length(request.headers.get("inference-header-content-length"), len(body))
            if (len(body) if length is None else length) > _SMALL:
                parsed = await asyncio.to_thread(parse_infer, body, length)
            else:
                parsed = parse_infer(body, length)
            inference = self._server.begin(name, version, parsed)
            del parsed  # its lists
            await _ended(inference, request)
            parts, length = encode_response(inference.response())
        headers = {} if length is None else {"Inference-Header-Content-Length": str(length)}
        kind = "application/json" if length is None else "application/octet-stream"
        content = parts[0] if len(parts) == 1 else b"".join(parts)
        encoding = request.headers.get("accept-encoding", "")
        content, named = await compressed(content, encoding)
        return Response(content, headers={**headers, **named, "content-type": kind})

    async def _object(self, request: Request) -> dict[str, Any]:
        with self._budget.share() as share:
            return parse_object(await read_body(request, _CONTROL_BODY, share))

    def _found(self, request: Request) -> Any:
        path = request.path_params
        return self._server.repository.find(path["name"], path.get("version", ""))


async def _ended(inference: Inference, request: Request) -> None:
    """Wait until an inference has ended; withdraw it if its client has gone, or its time in the queue is up.

    Raises:
        RefusedError: its time was up.
        ClientDisconnect: the client has gone.
    """
    answer = asyncio.wrap_future(inference.ticket)
    gone = asyncio.ensure_future(_disconnected(request))
    both: set[asyncio.Future[Any]] = {answer, gone}
    try:
        await asyncio.wait(both, timeout=inference.seconds, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done() and not gone.done():
            if inference.expire():
                raise inference.expired()
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            raise ClientDisconnect
        if not answer.cancelled():
            answer.exception()  # it is the ticket's, and raised from there
    finally:
        gone.cancel()
        inference.ticket.withdraw()


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _answer(refusal: RefusedError, headers: dict[str, str] | None = None) -> Response:
    retry = {"Retry-After": _RETRY_AFTER} if refusal.kind == UNAVAILABLE else {}
    return JSONResponse({"error": str(refusal)}, refusal.kind.http, {**retry, **(headers or {})})


async def _refused(_: Request, error: Exception) -> Response:
    if isinstance(error, RefusedError) and error.kind == INTERNAL:
        _LOG.error("an inference failed: %s", error)
    return _answer(refusal_of(error))


async def _gone(_: Request, __: Exception) -> Response:
    return Response(status_code=_GONE)


async def _failed(_: Request, error: Exception) -> Response:
    refusal = refusal_of(error)
    if refusal.kind == INTERNAL:
        _LOG.exception("a request failed", exc_info=error)
    return _answer(refusal)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == NOT_FOUND.http:
        return _answer(RefusedError(NOT_FOUND, f"there is no {request.url.path[:200]!r} in this protocol"))
    if error.status_code == 405:
        message = f"{request.method} is not for {request.url.path[:200]!r}"
        return JSONResponse({"error": message}, 405, error.headers)
    return _answer(invalid(str(error.detail)))
