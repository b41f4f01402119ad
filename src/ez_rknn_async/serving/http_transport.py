# SPDX-License-Identifier: Apache-2.0
"""A client's connections to a server of the protocol: REST over TCP or a Unix socket, kept open between requests."""

from __future__ import annotations

import http.client
import json
import queue
import socket
import urllib.parse
from typing import TYPE_CHECKING, Any

from .._messages.wording import shown
from ..errors import RknnDeviceError, RknnError, RknnTimeoutError, RknnValueError

if TYPE_CHECKING:
    from collections.abc import Sequence

_JSON_LENGTH = "Inference-Header-Content-Length"


class HttpTransport:
    """Connections to one server. Thread-safe.

    Raises:
        RknnValueError: the address is none.
    """

    def __init__(self, address: str, token: str, timeout: float) -> None:
        self._parts = _parsed(address)
        self.address = address
        self._timeout = timeout
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._idle: queue.LifoQueue[http.client.HTTPConnection] = queue.LifoQueue()

    def ask(self, path: str) -> Any:
        """Return the JSON that the server answers to a GET."""
        body, _ = self._exchange("GET", path, (), {})
        return json.loads(bytes(body))

    def infer(self, path: str, header: dict[str, Any], tensors: Sequence[Any]) -> tuple[dict[str, Any], memoryview]:
        """Send a JSON header with tensors behind it; return the answer's header and what is behind that."""
        text = json.dumps(header).encode()
        size = len(text) + sum(tensor.nbytes for tensor in tensors)
        headers = {_JSON_LENGTH: str(len(text)), "Content-Length": str(size)}
        body, length = self._exchange("POST", path, (text, *tensors), headers)
        return json.loads(bytes(body[:length])), body[length:]

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
        return memoryview(body), int(response.headers.get(_JSON_LENGTH, len(body)))

    def _connection(self) -> tuple[http.client.HTTPConnection, bool]:
        try:
            return self._idle.get_nowait(), True
        except queue.Empty:
            pass
        if self._parts.scheme == "unix":
            return _UnixConnection(self._parts.path, self._timeout), False
        return http.client.HTTPConnection(self._parts.netloc, timeout=self._timeout), False

    def _failed(self, error: Exception) -> RknnError:
        if isinstance(error, (TimeoutError, socket.timeout)):  # one and the same since Python 3.10
            return RknnTimeoutError(f"{self.address} did not answer within {self._timeout:g} s")
        return RknnError(f"{self.address} does not answer: {error}", hint="is ezrknn serve running there?")


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
    parts = urllib.parse.urlsplit(address) if isinstance(address, str) else urllib.parse.urlsplit("")
    if parts.scheme == "http" and parts.netloc and not parts.path.strip("/"):
        return parts
    if parts.scheme == "unix" and parts.path.startswith("/") and not parts.netloc:
        return parts
    raise RknnValueError(f"address takes 'http://HOST:PORT' or 'unix:///PATH', not {shown(address)}")


def _refused(status: int, body: bytes) -> RknnError:
    try:
        words = str(json.loads(body)["error"])
    except (ValueError, KeyError, TypeError):
        words = f"the server answered with status {status}"
    if status in (400, 404, 413):
        return RknnValueError(words)
    return RknnDeviceError(words) if status == 500 else RknnError(words)
