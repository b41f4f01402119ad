# SPDX-License-Identifier: Apache-2.0
"""Bodies of HTTP requests: no more bytes than a model can take, and over all clients no more than memory allows."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING

import anyio

from .refusal import TOO_LARGE, UNAVAILABLE, UNSUPPORTED, RefusedError, invalid

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.requests import Request

_ALL_BODIES = 512 * 1024 * 1024
_SECONDS = 60  # for a body to arrive
_WORTH_COMPRESSING = 1024
_WINDOW = {"gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}


class Budget:
    """The bytes of all bodies that are in memory at once."""

    def __init__(self, limit: int = _ALL_BODIES) -> None:
        self._limit = limit
        self._taken = 0

    @contextmanager
    def share(self) -> Iterator[Share]:
        """Return a share, which is given back at the end."""
        share = Share(self)
        try:
            yield share
        finally:
            self._taken -= share.bytes

    def take(self, count: int) -> None:
        """Take bytes out of it.

        Raises:
            RefusedError: there are not so many left.
        """
        if self._taken + count > self._limit:
            raise RefusedError(UNAVAILABLE, "requests fill the memory set aside for them", hint="try again later")
        self._taken += count


class Share:
    """One request's share of the budget."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self.bytes = 0

    def grow(self, count: int) -> None:
        """Make it larger."""
        self._budget.take(count)
        self.bytes += count


async def read_body(request: Request, limit: int, share: Share) -> bytes:
    """Return a body, no longer compressed.

    Raises:
        RefusedError: it is larger than the limit, or than the budget allows, or comes too slowly.
        ClientDisconnect: the client has gone in the middle of it.
    """
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and len(declared) < 20 and int(declared) > limit:
        raise _too_large(limit)
    chunks = []
    size = 0
    try:
        with anyio.fail_after(_SECONDS):
            async for chunk in request.stream():
                size += len(chunk)
                if size > limit:
                    raise _too_large(limit)
                share.grow(len(chunk))
                chunks.append(chunk)
    except TimeoutError:
        raise invalid(f"the body did not arrive within {_SECONDS} s") from None
    chunks = [chunk for chunk in chunks if chunk]
    body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding in ("identity", ""):
        return body
    if encoding not in _WINDOW:
        raise RefusedError(UNSUPPORTED, f"encoding {encoding[:50]!r} is not offered", hint="use gzip or deflate")
    share.grow(limit)  # what it expands to is not known before
    return await asyncio.to_thread(_expanded, body, _WINDOW[encoding], limit)


async def compressed(content: bytes | memoryview, accepted: str) -> tuple[bytes | memoryview, dict[str, str]]:
    """Return a response's content in the compression that its client asks for, and the header that says so."""
    names = [part.partition(";")[0].strip().lower() for part in accepted.split(",")]
    if len(content) < _WORTH_COMPRESSING:
        return content, {}
    if "gzip" in names:
        return await asyncio.to_thread(gzip.compress, content, 1), {"content-encoding": "gzip"}
    if "deflate" in names:
        return await asyncio.to_thread(zlib.compress, content, 1), {"content-encoding": "deflate"}
    return content, {}


def _expanded(body: bytes, window: int, limit: int) -> bytes:
    expander = zlib.decompressobj(window)
    try:
        content = expander.decompress(body, limit + 1)
    except zlib.error as error:
        raise invalid(f"the body cannot be decompressed: {error}") from None
    if len(content) > limit:
        raise _too_large(limit)
    if not expander.eof:
        raise invalid("the compressed body is cut short")
    if expander.unused_data:
        raise invalid("something follows the compressed body", hint="compress the whole body at once")
    return content


def _too_large(limit: int) -> RefusedError:
    return RefusedError(
        TOO_LARGE,
        f"the body is larger than {limit} bytes, the most that this model takes",
        hint="set max_body in model.toml",
    )
