# SPDX-License-Identifier: Apache-2.0
"""The server's process: the listeners, and its end.

SIGTERM and SIGINT end it in this order: nothing new is admitted (probes say *not ready*), what was admitted is answered
within a limit, the listeners close.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import ssl
import stat
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable

import uvicorn

from ..errors import RknnError
from .asgi import application
from .connections import accepted_at_a_time, http_protocol

if TYPE_CHECKING:
    from .server import Server


@dataclass(frozen=True)
class Listening:
    """Where the server listens.

    Attributes:
        host: the address; loopback unless the server is for other machines.
        port: of REST; 0 for any that is free.
        grpc_port: of gRPC; None for none.
        unix: a socket's path for REST, instead of the address; None for none.
        certificate, key: files for TLS; None for none.
        drain_seconds: how long the end waits for what was admitted.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    grpc_port: int | None = None
    unix: str | None = None
    certificate: str | None = None
    key: str | None = None
    drain_seconds: float = 10.0


def serve(server: Server, where: Listening, started: Callable[[str, int | None], None]) -> bool:
    """Serve until a signal ends it; return True if every admitted request was answered in time.

    Args:
        server: what to serve.
        where: the listeners.
        started: called with the address of REST and the port of gRPC once both listen.
    """
    return asyncio.run(_serve(server, where, started))


async def _serve(server: Server, where: Listening, started: Callable[[str, int | None], None]) -> bool:
    _check_tls(where)
    loop, end = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end.set)
    listener = _unix(where.unix) if where.unix is not None else _tcp(where.host, where.port)
    try:
        grpc = None if where.grpc_port is None else _grpc(server, where, where.grpc_port)
        http = _Http(
            _config(server, where), lambda: started(_address(listener, where), None if grpc is None else grpc.port)
        )
        if grpc is not None:
            grpc.start()
        running = asyncio.ensure_future(http.serve(sockets=[listener]))
        ending = asyncio.ensure_future(end.wait())
        await asyncio.wait({ending, running}, return_when=asyncio.FIRST_COMPLETED)
        ending.cancel()
        drained = await asyncio.to_thread(server.stop, where.drain_seconds)
        if grpc is not None:
            await asyncio.to_thread(grpc.stop)
        http.should_exit = True
        await running
        return drained
    finally:
        listener.close()
        if where.unix is not None:
            with suppress(FileNotFoundError):
                os.unlink(where.unix)


class _Http(uvicorn.Server):
    """uvicorn without its own signal handlers: it would close before what was admitted is answered."""

    def __init__(self, config: uvicorn.Config, listening: Callable[[], None]) -> None:
        super().__init__(config)
        self._listening = listening

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]
        return nullcontext()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._listening()


def _config(server: Server, where: Listening) -> uvicorn.Config:
    is_tcp = where.unix is None  # a socket of this machine needs no TLS, and its clients speak none
    return uvicorn.Config(
        application(server),
        ssl_certfile=where.certificate if is_tcp else None,
        ssl_keyfile=where.key if is_tcp else None,
        http=http_protocol(),
        backlog=accepted_at_a_time(),
        log_config=None,
        access_log=False,
        lifespan="off",
        ws="none",
        server_header=False,
        timeout_graceful_shutdown=5,
    )


def _grpc(server: Server, where: Listening, port: int) -> Any:
    from .grpc_service import GrpcAddress, GrpcListener

    certificate, key = (None if path is None else Path(path).read_bytes() for path in (where.certificate, where.key))
    return GrpcListener(server, GrpcAddress(where.host, port, certificate, key))


def _tcp(host: str, port: int) -> socket.socket:
    # Unlike that of socket.create_server() it names its protocol: asyncio sets TCP_NODELAY on no other's connections,
    # and each answer, a head and a body, would wait 40 ms for the client's delayed acknowledgement.
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(256)
    except OSError as error:
        listener.close()
        message = f"cannot listen on {host} port {port}: {error.strerror}"
        raise RknnError(message, hint="choose another --host or --port") from error
    return listener


def _unix(path: str) -> socket.socket:
    _forget_stale(path)
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(path)
        os.chmod(path, 0o660)
        listener.listen(256)
    except OSError as error:
        listener.close()
        raise RknnError(f"cannot listen on --unix {path}: {error.strerror or error}") from error
    return listener


def _forget_stale(path: str) -> None:
    """Remove the socket that a killed server has left behind, but nothing else."""
    with suppress(FileNotFoundError):
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise RknnError(f"--unix {path} exists and is no socket; choose another path, or remove it")
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(path) == 0:
                raise RknnError(f"--unix {path}: another server listens there")
        os.unlink(path)


def _address(listener: socket.socket, where: Listening) -> str:
    name: Any = listener.getsockname()
    if isinstance(name, str):
        return f"unix://{name}"
    scheme = "http" if where.certificate is None else "https"
    host = f"[{name[0]}]" if ":" in name[0] else name[0]
    return f"{scheme}://{host}:{name[1]}"


def _check_tls(where: Listening) -> None:
    """Find out now whether the certificate and the key can be used, and name the one that cannot."""
    if where.certificate is None or where.key is None:
        return
    for flag, path in (("--tls-certificate", where.certificate), ("--tls-key", where.key)):
        try:
            Path(path).read_bytes()
        except OSError as error:
            raise RknnError(f"{flag} {path} cannot be read: {error.strerror}") from None
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(where.certificate, where.key, password="")
    except ssl.SSLError as error:
        raise RknnError(
            f"--tls-certificate {where.certificate} and --tls-key {where.key} are no pair: {error.reason or 'no PEM'}",
            hint="give the certificate chain and its private key, without a password",
        ) from None
