# SPDX-License-Identifier: Apache-2.0
"""A client's connections to a server of the protocol: REST over TCP or a Unix socket, kept open between requests."""

from __future__ import annotations

import http.client
import json
import queue
import socket
import ssl
import urllib.parse
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from .._messages.wording import shown
from ..errors import RknnDeviceError, RknnError, RknnTimeoutError, RknnValueError

if TYPE_CHECKING:
    from collections.abc import Sequence

_JSON_LENGTH = "Inference-Header-Content-Length"


class HttpTransport:
    """Connections to one server. Thread-safe.

    Args:
        address: of the server.
        token: the server's bearer token; empty for none.
        timeout: the seconds that one answer may take.
        certificate: a file with the server's certificate, or its authority's; empty for the authorities of the system.

    Raises:
        RknnValueError: the address, the token or the certificate is none.
    """

    def __init__(self, address: str, token: str, timeout: float, certificate: str) -> None:
        self._parts = _parsed(address)
        _check_token(token)
        self._tls = _trusting(certificate) if self._parts.scheme == "https" else None
        self.address = address
        self._timeout = timeout
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._idle: queue.LifoQueue[http.client.HTTPConnection] = queue.LifoQueue()

    def ask(self, path: str) -> Any:
        """Return the JSON that the server answers to a GET."""
        body, _ = self._exchange("GET", path, (), {})
        return self._json(bytes(body))

    def infer(self, path: str, header: dict[str, Any], tensors: Sequence[Any]) -> tuple[dict[str, Any], memoryview]:
        """Send a JSON header with tensors behind it; return the answer's header and what is behind that."""
        text = json.dumps(header).encode()
        size = len(text) + sum(tensor.nbytes for tensor in tensors)
        headers = {_JSON_LENGTH: str(len(text)), "Content-Length": str(size)}
        body, length = self._exchange("POST", path, (text, *tensors), headers)
        return self._json(bytes(body[:length])), body[length:]

    def close(self) -> None:
        """Close the connections that are not in use."""
        while True:
            try:
                self._idle.get_nowait().close()
            except queue.Empty:
                return

    def _exchange(self, method: str, path: str, parts: Any, headers: dict[str, str]) -> tuple[memoryview, int]:
        """Send one request and return the answer's body, and the length of its JSON."""
        while True:
            connection, used = self._connection()
            try:
                with suppress(BrokenPipeError):  # it may have answered before it had read all: it is too much
                    connection.request(method, path, iter(parts) if parts else None, {**self._headers, **headers})
                response = connection.getresponse()
            except (http.client.RemoteDisconnected, ConnectionError) as error:
                connection.close()
                if used:  # the server has closed it meanwhile, as it may: nothing was answered
                    continue
                raise RknnError(f"{self.address} does not answer: {error}") from error
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                raise self._failed(error) from error
            return self._read(connection, response)

    def _read(
        self, connection: http.client.HTTPConnection, response: http.client.HTTPResponse
    ) -> tuple[memoryview, int]:
        try:
            body = response.read()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise self._failed(error) from error
        self._idle.put(connection)
        if response.status != 200:
            raise _refused(response.status, body)
        length = response.headers.get(_JSON_LENGTH, str(len(body)))
        if not (length.isascii() and length.isdigit() and len(length) < 20):
            raise self._stranger()
        return memoryview(body), int(length)

    def _connection(self) -> tuple[http.client.HTTPConnection, bool]:
        try:
            return self._idle.get_nowait(), True
        except queue.Empty:
            pass
        if self._parts.scheme == "unix":
            return _UnixConnection(self._parts.path, self._timeout), False
        if self._tls is not None:
            return http.client.HTTPSConnection(self._parts.netloc, timeout=self._timeout, context=self._tls), False
        return http.client.HTTPConnection(self._parts.netloc, timeout=self._timeout), False

    def _failed(self, error: Exception) -> RknnError:
        if isinstance(error, (TimeoutError, socket.timeout)):  # one and the same since Python 3.10
            return RknnTimeoutError(f"{self.address} did not answer within {self._timeout:g} s")
        if isinstance(error, ssl.SSLCertVerificationError):
            return RknnError(
                f"{self.address} shows a certificate that is not trusted: {error.verify_message}",
                hint="name the file with it, or with its authority's, as certificate",
            )
        if isinstance(error, ssl.SSLError):
            return RknnError(f"{self.address} does not answer with TLS: {error.reason}", hint="is it http://?")
        return RknnError(f"{self.address} does not answer: {error}", hint="is ezrknn serve running there?")

    def _json(self, text: bytes) -> dict[str, Any]:
        try:
            parsed = json.loads(text)
        except ValueError:
            raise self._stranger() from None
        if not isinstance(parsed, dict):
            raise self._stranger()
        return parsed

    def _stranger(self) -> RknnError:
        return RknnError(f"{self.address} is no server of the Open Inference Protocol", hint="check the address")


class _UnixConnection(http.client.HTTPConnection):
    """A connection over a Unix socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _parsed(address: str) -> urllib.parse.SplitResult:
    try:
        parts = urllib.parse.urlsplit(address if isinstance(address, str) else "")
        is_tcp = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets without an end, or a port that is none
        raise _no_address(address, None) from None
    if is_tcp and not (parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc):
        return parts
    if parts.scheme == "unix" and parts.path.startswith("/") and not parts.netloc:
        return parts
    grpc = "connect() speaks REST: give the server's REST port, http://HOST:8000 unless --port says otherwise"
    raise _no_address(address, grpc if parts.scheme.startswith("grpc") else None)


def _no_address(address: Any, hint: str | None) -> RknnValueError:
    takes = "'http://HOST:PORT', 'https://HOST:PORT' or 'unix:///PATH'"
    return RknnValueError(f"address takes {takes}, not {shown(address)}", hint=hint)


def _check_token(token: Any) -> None:
    if not isinstance(token, str) or not (token.isascii() and token.isprintable()):
        raise RknnValueError("token takes the text of a bearer token, of printable ASCII on one line")


def _trusting(certificate: str) -> ssl.SSLContext:
    """Return a TLS context that trusts a certificate, or the system's authorities."""
    try:
        return ssl.create_default_context(cafile=certificate or None)
    except (OSError, TypeError) as error:  # that of ssl for what the file holds is one, too
        words = "it holds no certificate in PEM" if isinstance(error, ssl.SSLError) else str(error)
        raise RknnValueError(f"certificate={certificate!r} cannot be read: {words}") from None


def _refused(status: int, body: bytes) -> RknnError:
    try:
        words = str(json.loads(body)["error"])
    except (ValueError, KeyError, TypeError):
        words = f"the server answered with status {status}"
    if status in (400, 404, 413):
        return RknnValueError(words)
    return RknnDeviceError(words) if status == 500 else RknnError(words)
