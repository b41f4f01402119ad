# SPDX-License-Identifier: Apache-2.0
"""Requests for feeds of kinds met before.

Programs pass the same kind of feed over and over: a dictionary of C-contiguous arrays of the same shapes and types.
What the rules of :mod:`.signature` and :mod:`.direct` decide depends on nothing else, so it is decided once for each
kind, and remembered. Whatever is not known here goes through the rules.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .direct import DirectRequest

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    import numpy.typing as npt

    from .._tensors.inputs import Given
    from .._tensors.outputs import Choice
    from .direct import Transfers
    from .request import Request
    from .staging import Free, StagingPool

    Array = npt.NDArray[Any]

# Beyond this many kinds, all are forgotten and learnt again.
_MOST = 100


class _Known(NamedTuple):
    """The decisions for one kind of feed."""

    transfers: Transfers
    outputs: tuple[tuple[tuple[int, ...], np.dtype[Any]], ...]  # shape and type of each new array


class KnownFeeds:
    """Remembers kinds of feeds, for one model with direct I/O. Thread-safe, without a lock."""

    def __init__(self, names: Sequence[str], staging: StagingPool) -> None:
        """Serve the inputs of these names; private copies are made by ``staging``."""
        self._names, self._count, self._staging = tuple(names), len(names), staging
        self._known: dict[Hashable, _Known] = {}

    def request(self, feed: Any, choice: Choice, *, private: bool) -> DirectRequest | None:
        """Return a request for a feed of a known kind; None for any other.

        Args:
            feed: what the user passed.
            choice: the element type and layout of the outputs.
            private: True if the request must not share memory with the feed.
        """
        if type(feed) is not dict or len(feed) != self._count:
            return None
        # No calls but to numpy: every inference passes through here.
        sources: list[Array] = []
        kinds: list[Hashable] = [choice]
        for name in self._names:
            array = feed.get(name)
            if type(array) is not np.ndarray or not array.flags.c_contiguous:
                return None
            sources.append(array)
            kinds += (array.shape, array.dtype)
        known = self._known.get(tuple(kinds))
        if known is None:
            return None
        copies: list[tuple[Array, Free]] = []
        if private:
            copy = self._staging.copy
            for index, array in enumerate(sources):
                sources[index], free = copy(array)
                if free is not None:
                    copies.append((sources[index], free))
        empty = np.empty
        arrays = [empty(shape, dtype) for shape, dtype in known.outputs]
        return DirectRequest(known.transfers, sources, arrays, copies)

    def remember(self, feed: Any, given: Sequence[Given], choice: Choice, request: Request) -> None:
        """Remember the decisions for such a feed, if they depend on nothing but its kind.

        Args:
            feed: what the user passed.
            given: the same, checked.
            choice: the element type and layout of the outputs.
            request: made of it, with new arrays for all outputs.
        """
        if type(feed) is not dict or not isinstance(request, DirectRequest):
            return
        kinds: list[Hashable] = [choice]
        for name, value in zip(self._names, given):
            array = feed.get(name)
            # One that was cast or logged may be another time, too.
            if type(array) is not np.ndarray or value.array is not array or not array.flags.c_contiguous:
                return
            kinds += (array.shape, array.dtype)
        if len(self._known) >= _MOST:
            self._known.clear()
        outputs = tuple((array.shape, array.dtype) for array in request.arrays)
        self._known[tuple(kinds)] = _Known(request.transfers, outputs)
