# SPDX-License-Identifier: Apache-2.0
"""The gRPC half of the protocol, on a pool of threads."""

from __future__ import annotations

import hmac
import logging
from concurrent import futures
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable

import grpc

from ..errors import RknnError
from .grpc_messages import METHODS, SERVICE, infer_response, message_class, parse_infer
from .refusal import INTERNAL, UNAUTHENTICATED, UNAVAILABLE, UNSUPPORTED, RefusedError, refusal_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .server import Inference, Server

_LOG = logging.getLogger("ez_rknn_async.serving")
# Each inference under way holds a thread, and no more can be under way than queues have places for.
_THREADS = 64
_LEAST_MESSAGE = 4 * 1024 * 1024
_OPEN = ("ServerLive", "ServerReady")


@dataclass(frozen=True)
class GrpcAddress:
    """Where gRPC listens; certificate and key are the contents of the files, for TLS."""

    host: str
    port: int
    certificate: bytes | None = None
    key: bytes | None = None


class GrpcListener:
    """A server of the service.

    Raises:
        RknnError: the address is taken.
    """

    def __init__(self, server: Server, where: GrpcAddress) -> None:
        largest = max((e.model.largest_body for e in server.repository.index() if e.model is not None), default=0)
        limit = max(_LEAST_MESSAGE, largest)
        self._grpc = grpc.server(
            futures.ThreadPoolExecutor(_THREADS, thread_name_prefix="ezrknn-grpc"),
            options=[
                ("grpc.max_receive_message_length", limit),
                ("grpc.max_send_message_length", -1),
                ("grpc.so_reuseport", 0),
            ],
            maximum_concurrent_rpcs=2 * _THREADS,
        )
        self._grpc.add_generic_rpc_handlers((_handlers(server),))
        address = f"[{where.host}]:{where.port}" if ":" in where.host else f"{where.host}:{where.port}"
        try:
            if where.certificate is not None and where.key is not None:
                credentials = grpc.ssl_server_credentials([(where.key, where.certificate)])
                self.port = self._grpc.add_secure_port(address, credentials)
            else:
                self.port = self._grpc.add_insecure_port(address)
        except RuntimeError as error:
            raise RknnError(f"gRPC cannot listen on {address}; is the port in use?") from error

    def start(self) -> None:
        """Take calls."""
        self._grpc.start()

    def stop(self) -> None:
        """Take no more calls, and wait until those under way have been answered."""
        self._grpc.stop(grace=5).wait()


def _handlers(server: Server) -> grpc.GenericRpcHandler:
    service = _Service(server)
    handlers = {}
    for name, method in METHODS.items():
        streaming = method.client_streaming
        make = grpc.stream_stream_rpc_method_handler if streaming else grpc.unary_unary_rpc_method_handler
        function = getattr(service, _snake(name))
        wrap = _streamed if streaming else _answered
        handlers[name] = make(
            wrap(function, "" if name in _OPEN else server.options.token),
            request_deserializer=message_class(method.input_type).FromString,
            response_serializer=message_class(method.output_type).SerializeToString,
        )
    return grpc.method_handlers_generic_handler(SERVICE, handlers)


class _Service:
    """The methods; each returns its response or raises."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def server_live(self, _: Any, __: grpc.ServicerContext) -> Any:
        return message_class("ServerLiveResponse")(live=True)

    def server_ready(self, _: Any, __: grpc.ServicerContext) -> Any:
        return message_class("ServerReadyResponse")(ready=self._server.ready)

    def server_metadata(self, _: Any, __: grpc.ServicerContext) -> Any:
        return message_class("ServerMetadataResponse")(**self._server.metadata())

    def model_ready(self, request: Any, _: grpc.ServicerContext) -> Any:
        try:
            ready = self._server.repository.find(request.name, request.version).ready
        except RefusedError as refused:
            if refused.kind != UNAVAILABLE:
                raise
            ready = False
        return message_class("ModelReadyResponse")(ready=ready)

    def model_metadata(self, request: Any, _: grpc.ServicerContext) -> Any:
        model = self._server.repository.find(request.name, request.version)
        return message_class("ModelMetadataResponse")(**model.description.metadata())

    def model_config(self, request: Any, _: grpc.ServicerContext) -> Any:
        config = self._server.repository.find(request.name, request.version).description.config()
        del config["parameters"]
        return message_class("ModelConfigResponse")(config=config)

    def model_statistics(self, request: Any, _: grpc.ServicerContext) -> Any:
        entries = self._server.statistics(request.name, request.version)
        for entry in entries:
            del entry["batch_stats"]
        return message_class("ModelStatisticsResponse")(model_stats=entries)

    def repository_index(self, request: Any, _: grpc.ServicerContext) -> Any:
        return message_class("RepositoryIndexResponse")(models=self._server.index(only_ready=request.ready))

    def repository_model_load(self, request: Any, _: grpc.ServicerContext) -> Any:
        self._server.check_control()
        if request.parameters:
            raise RefusedError(UNSUPPORTED, "load takes no parameters here", hint="write a model.toml beside the model")
        self._server.repository.load(request.model_name)
        return message_class("RepositoryModelLoadResponse")()

    def repository_model_unload(self, request: Any, _: grpc.ServicerContext) -> Any:
        self._server.check_control()
        self._server.repository.unload(request.model_name)
        return message_class("RepositoryModelUnloadResponse")()

    def system_shared_memory_status(self, request: Any, _: grpc.ServicerContext) -> Any:
        regions = {region["name"]: region for region in self._server.regions.status(request.name or None)}
        return message_class("SystemSharedMemoryStatusResponse")(regions=regions)

    def system_shared_memory_register(self, request: Any, _: grpc.ServicerContext) -> Any:
        self._server.regions.register(request.name, request.key, request.offset, request.byte_size)
        return message_class("SystemSharedMemoryRegisterResponse")()

    def system_shared_memory_unregister(self, request: Any, _: grpc.ServicerContext) -> Any:
        self._server.regions.unregister(request.name or None)
        return message_class("SystemSharedMemoryUnregisterResponse")()

    def model_infer(self, request: Any, context: grpc.ServicerContext) -> Any:
        inference = self._server.begin(request.model_name, request.model_version, parse_infer(request))
        if not context.add_callback(inference.ticket.withdraw):  # the client has gone already
            inference.ticket.withdraw()
        return infer_response(_waited(inference).response())

    def model_stream_infer(self, requests: Iterator[Any], context: grpc.ServicerContext) -> Iterator[Any]:
        response = message_class("ModelStreamInferResponse")
        for request in requests:
            try:
                yield response(infer_response=self.model_infer(request, context))
            except Exception as error:
                # A stream goes on after an error of one request, whose id tells which one it was.
                failed = message_class("ModelInferResponse")(id=request.id, model_name=request.model_name)
                yield response(error_message=str(refusal_of(error)), infer_response=failed)


def _waited(inference: Inference) -> Inference:
    """Wait until an inference has ended.

    Raises:
        RefusedError: its time in the queue was up.
    """
    done, _ = futures.wait([inference.ticket], inference.seconds)
    if not done:
        if inference.expire():
            raise inference.expired()
        futures.wait([inference.ticket])
    return inference


def _answered(function: Callable[[Any, grpc.ServicerContext], Any], token: str) -> Callable[..., Any]:
    """Return a handler that answers what the function raises with the protocol's code."""

    def handle(request: Any, context: grpc.ServicerContext) -> Any:
        try:
            _check(token, context)
            return function(request, context)
        except futures.CancelledError:
            context.abort(grpc.StatusCode.CANCELLED, "the client has gone")
        except Exception as error:
            _abort(context, error)

    return handle


def _streamed(function: Callable[[Any, grpc.ServicerContext], Iterator[Any]], token: str) -> Callable[..., Any]:
    def handle(requests: Iterator[Any], context: grpc.ServicerContext) -> Iterator[Any]:
        try:
            _check(token, context)
        except RefusedError as refusal:
            _abort(context, refusal)
        yield from function(requests, context)

    return handle


def _check(token: str, context: grpc.ServicerContext) -> None:
    if not token:
        return
    shown = dict(context.invocation_metadata()).get("authorization", "")
    if not hmac.compare_digest(str(shown).encode(), f"Bearer {token}".encode()):
        raise RefusedError(UNAUTHENTICATED, "this server needs its token", hint="send authorization: Bearer TOKEN")


def _abort(context: grpc.ServicerContext, error: Exception) -> None:
    refusal = refusal_of(error)
    if refusal.kind == INTERNAL:
        _LOG.error("a call failed: %s", error, exc_info=None if isinstance(error, RknnError) else error)
    context.abort(getattr(grpc.StatusCode, refusal.kind.grpc), str(refusal))


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")
