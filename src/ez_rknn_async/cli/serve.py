# SPDX-License-Identifier: Apache-2.0
"""``ezrknn serve``: the models of a folder behind the Open Inference Protocol."""

from __future__ import annotations

import os
from importlib import metadata
from pathlib import Path
from threading import TIMEOUT_MAX
from typing import TYPE_CHECKING

from ..errors import RknnError, RknnValueError
from .session_options import add_arguments, provider_options

if TYPE_CHECKING:
    import argparse

_PACKAGES = ("starlette", "anyio", "uvicorn", "grpc", "google", "prometheus_client", "tomli")
_TOKEN = "EZ_RKNN_SERVE_TOKEN"
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def register(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of this command."""
    parser = subcommands.add_parser(
        "serve",
        help="serve models to clients of KServe and Triton",
        description="Serve the models of a folder over REST and gRPC, with the Open Inference Protocol.",
    )
    parser.add_argument("models", type=Path, help="the folder: NAME.rknn, or NAME/VERSION/model.rknn")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (127.0.0.1: this machine only)")
    parser.add_argument("--port", type=int, default=8000, metavar="N", help="the port of REST (8000); 0: any free one")
    parser.add_argument("--grpc-port", type=int, metavar="N", help="the port of gRPC; without it there is none")
    parser.add_argument("--unix", metavar="PATH", help="serve REST on this socket instead of a port")
    parser.add_argument("--model-control", action="store_true", help="let clients load and unload models")
    parser.add_argument("--shared-memory", action="store_true", help="let clients of this machine use shared memory")
    parser.add_argument("--token-file", type=Path, metavar="FILE", help=f"the bearer token (or ${_TOKEN})")
    parser.add_argument("--tls-certificate", metavar="FILE", help="the certificate chain, for TLS")
    parser.add_argument("--tls-key", metavar="FILE", help="the certificate's key")
    parser.add_argument(
        "--drain", type=float, default=10.0, metavar="S", help="seconds to answer requests at the end (10)"
    )
    add_arguments(parser)
    parser.set_defaults(handler=run)


def run(arguments: argparse.Namespace) -> int:
    """Serve until a signal ends it."""
    token = _token(arguments.token_file)
    if (arguments.tls_certificate is None) != (arguments.tls_key is None):
        raise RknnValueError("--tls-certificate and --tls-key belong together; give both")
    for flag, port in (("--port", arguments.port), ("--grpc-port", arguments.grpc_port)):
        if port is not None and not 0 <= port < 65536:
            raise RknnValueError(f"{flag} {port} is no port; use 0 to 65535")
    if not 0 <= arguments.drain <= TIMEOUT_MAX:
        raise RknnValueError(f"--drain {arguments.drain} is no number of seconds; use 0 or more")
    options = provider_options(arguments)
    try:
        from ..serving.process import Listening, serve
        from ..serving.repository import Repository
        from ..serving.server import Server, ServerOptions
    except ModuleNotFoundError as error:
        raise _missing(error) from error
    repository = Repository(arguments.models, options)
    repository.load_all()
    for entry in repository.index():
        print(f"{entry.file.name}: {entry.reason or 'ready'}", flush=True)
    server = Server(
        repository,
        ServerOptions(arguments.model_control, arguments.shared_memory, token),
        metadata.version("ez-rknn-async"),
    )
    is_open = (not arguments.unix or arguments.grpc_port is not None) and arguments.host not in _LOOPBACK
    if not token and is_open:
        print(f"Anyone who reaches {arguments.host} may use the NPU: consider --token-file.", flush=True)
    where = Listening(
        arguments.host,
        arguments.port,
        arguments.grpc_port,
        arguments.unix,
        arguments.tls_certificate,
        arguments.tls_key,
        arguments.drain,
    )
    return 0 if serve(server, where, _started) else 1


def _started(address: str, grpc_port: int | None) -> None:
    grpc = "" if grpc_port is None else f", gRPC on port {grpc_port}"
    print(f"Serving on {address}{grpc}", flush=True)


def _token(file: Path | None) -> str:
    if file is None:
        token = os.environ.get(_TOKEN, "")
        return _checked(token, f"${_TOKEN}") if token else ""
    try:
        token = file.read_text("ascii").strip()
    except OSError as error:
        raise RknnValueError(f"--token-file {file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        token = "\n"
    return _checked(token, f"--token-file {file}")


def _checked(token: str, source: str) -> str:
    if not token:
        raise RknnValueError(f"{source} is empty; write the token into it")
    if not (token.isascii() and token.isprintable()):  # no client could show it
        raise RknnValueError(f"{source} holds no token: write printable ASCII, on one line")
    return token


def _missing(error: ModuleNotFoundError) -> Exception:
    package = (error.name or "").partition(".")[0]
    if package not in _PACKAGES:
        return error
    return RknnError(
        f"ezrknn serve needs the package {package}, which is not installed",
        hint="install it with: pip install 'ez-rknn-async[serving]'",
    )
