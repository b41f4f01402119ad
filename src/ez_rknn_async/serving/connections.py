# SPDX-License-Identifier: Apache-2.0
"""How many connections there may be at once, and how long one may say nothing.

Without these, clients that connect and send no request take every descriptor of the process: none is left for others,
and each attempt to accept one more fails, thousands of times a second, each with a line in the log.
"""

from __future__ import annotations

import resource
import sys
from typing import TYPE_CHECKING, Any, cast

from uvicorn.protocols.http.auto import AutoHTTPProtocol

if TYPE_CHECKING:
    import asyncio

_MOST = 1000
_AT_A_TIME = 32  # accepted in a step of the event loop; some steps pass before one that is too many has ended
_SECONDS = 60  # for the head of a first request to arrive


def accepted_at_a_time() -> int:
    """Return how many connections to accept in a step of the event loop."""
    return min(_AT_A_TIME, _descriptors() // 16)


def http_protocol() -> type[asyncio.Protocol]:
    """Return uvicorn's protocol, with limits for this process."""
    most = min(_MOST, _descriptors() // 2)
    base: Any = AutoHTTPProtocol

    class Limited(base):  # type: ignore[misc]
        def connection_made(self, transport: asyncio.Transport) -> None:
            super().connection_made(transport)
            if len(self.connections) > most:
                transport.abort()
                return
            self._silence = self.loop.call_later(_SECONDS, self._end_silence)

        def connection_lost(self, exc: Exception | None) -> None:
            if hasattr(self, "_silence"):
                self._silence.cancel()
            super().connection_lost(exc)

        def _end_silence(self) -> None:
            if self.cycle is None:  # no request has begun
                self.transport.abort()

    return cast("type[asyncio.Protocol]", Limited)


def _descriptors() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft
