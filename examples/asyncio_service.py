# SPDX-License-Identifier: Apache-2.0
"""A small HTTP service that classifies digits, with nothing but the standard library's asyncio.

    python examples/asyncio_service.py [--port 8000]        serve until interrupted
    python examples/asyncio_service.py --self-test          start, classify every held-out digit, stop

    curl -d '{"image": [[0, 0, 5, 13, ...], ...]}' http://127.0.0.1:8000/classify
    {"digit": 3, "scores": [...]}

An image is 8 rows of 8 pixels with values from 0 to 16. One event loop serves every connection; each request awaits its
inference (``run_awaitable``), so all requests are in flight at once, and the cores share them. When the queue is full
for too long, the request does not hang: the answer is 503.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ez_rknn_async import InferenceSession, RknnTimeoutError, make_provider_options

if TYPE_CHECKING:
    from numpy.typing import NDArray

DIGITS = Path(__file__).resolve().parent / "digits"
SQUARE = 6  # the network sees each pixel as a square of 6 x 6
BODY_MAX = 100_000
CLIENTS = 20


class Service:
    """An HTTP service over one session."""

    def __init__(self, session: InferenceSession) -> None:
        self._session = session

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection: one request, one answer."""
        try:
            status, answer = await self._answer(reader)
            body = json.dumps(answer).encode()
            head = (
                f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
            )
            writer.write(head.encode() + body)
            await writer.drain()
        except ConnectionError:
            pass  # the client is gone
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader) -> tuple[HTTPStatus, Any]:
        try:
            method, path, body = await read_request(reader)
            if (method, path) != ("POST", "/classify"):
                return HTTPStatus.NOT_FOUND, {"error": "POST /classify"}
            image = parse_image(body)
        except (ValueError, asyncio.IncompleteReadError) as error:
            return HTTPStatus.BAD_REQUEST, {"error": str(error)}
        try:
            (scores,) = await self._session.run_awaitable(None, [image])
        except RknnTimeoutError as error:
            return HTTPStatus.SERVICE_UNAVAILABLE, {"error": str(error)}
        return HTTPStatus.OK, {"digit": int(scores.argmax()), "scores": scores[0].tolist()}


async def read_request(reader: asyncio.StreamReader) -> tuple[str, str, bytes]:
    """Read method, path and body; as much of HTTP as a POST needs."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, path, *_ = [*head[0].split(" "), ""]
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
    length = int(headers.get("content-length", 0))
    if not 0 <= length <= BODY_MAX:
        raise ValueError(f"the body must have at most {BODY_MAX} bytes")
    return method, path, await reader.readexactly(length)


def parse_image(body: bytes) -> NDArray[np.uint8]:
    """Parse JSON with an image of 8 x 8 into the network's input, uint8 [1, 1, 48, 48]."""
    request = json.loads(body)
    try:
        pixels = np.asarray(request["image"], np.uint8)
    except (TypeError, KeyError, OverflowError) as error:
        raise ValueError(f"the body must be a JSON object with an image: {error}") from None
    if pixels.shape != (8, 8):
        raise ValueError(f"the image must have 8 rows of 8 pixels, not the shape {list(pixels.shape)}")
    return pixels.repeat(SQUARE, axis=0).repeat(SQUARE, axis=1)[np.newaxis, np.newaxis]


async def serve(session: InferenceSession, port: int) -> None:
    """Serve until cancelled."""
    server = await asyncio.start_server(Service(session).connected, "127.0.0.1", port)
    async with server:
        print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/classify")
        await server.serve_forever()


async def self_test(session: InferenceSession) -> float:
    """Classify every held-out digit over HTTP, from several clients at once; return the share of right answers."""
    test = np.load(DIGITS / "digits_test.npz")
    server = await asyncio.start_server(Service(session).connected, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    limit = asyncio.Semaphore(CLIENTS)

    async def right(image: NDArray[np.uint8], label: int) -> bool:
        async with limit:
            answer = await ask(port, json.dumps({"image": image[0].tolist()}))
        return bool(answer["digit"] == label)

    async with server:
        answers = await asyncio.gather(*(right(i, n) for i, n in zip(test["images"], test["labels"])))
    return sum(answers) / len(answers)


async def ask(port: int, body: str) -> Any:
    """Send one POST, as a client does; return the JSON of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"POST /classify HTTP/1.1\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return json.loads(answer.partition(b"\r\n\r\n")[2])


def main() -> None:
    """Parse the command line and serve."""
    parser = argparse.ArgumentParser(description="Classifies digits over HTTP.")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--self-test", action="store_true", help="start, classify every held-out digit, stop")
    arguments = parser.parse_args()
    options = make_provider_options(schedule="all", submit_timeout_ms=1000)
    with InferenceSession(DIGITS / "digits_i8.rknn", provider_options=options) as session:
        if arguments.self_test:
            print(f"right: {asyncio.run(self_test(session)):.2%}")
            return
        try:
            asyncio.run(serve(session, arguments.port))
        except KeyboardInterrupt:
            print("stopped")


if __name__ == "__main__":
    main()
