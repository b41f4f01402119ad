# SPDX-License-Identifier: Apache-2.0
"""``run_pipeline``: a sliding window over a stream of frames."""

from __future__ import annotations

import collections
import operator
import threading
from concurrent.futures import wait
from typing import TYPE_CHECKING, Any, Callable

from .._messages.wording import shown
from ..errors import RknnValueError
from .futures import result_of

if TYPE_CHECKING:
    from concurrent.futures import Future

    import numpy.typing as npt

    Results = list[npt.NDArray[Any]]


class Pipeline:
    """A window of up to ``depth`` frames under way; each step submits the newest and returns the oldest's results."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards the two below
        self._depth: int | None = None
        self._frames: collections.deque[Future[Results]] = collections.deque()

    def step(self, submit: Callable[[], Future[Results]], depth: int, reset: bool) -> Results | None:
        """Submit one frame and return the results of the one submitted ``depth`` calls ago.

        The first ``depth`` calls return None. A changed depth, like ``reset``, starts again with this frame: older
        results are dropped.

        Raises:
            RknnValueError: the depth is not an integer of at least 1.
            RknnError: the frame whose results are due failed.
        """
        depth = checked_depth(depth)
        frame = submit()
        with self._lock:
            if reset or depth != self._depth:
                self._frames.clear()
                self._depth = depth
            self._frames.append(frame)
            if len(self._frames) <= depth:
                return None
            oldest = self._frames.popleft()
        return result_of(oldest)

    def drain(self) -> list[Results]:
        """Return the results of all frames under way, oldest first; the pipeline is empty afterwards.

        Raises:
            RknnError: a frame failed. It alone is taken out: call again for the results of the others.
        """
        with self._lock:
            frames, self._frames = self._frames, collections.deque()
        wait(frames)
        failed = next((frame for frame in frames if frame.cancelled() or frame.exception() is not None), None)
        if failed is not None:
            frames.remove(failed)
            with self._lock:
                self._frames.extendleft(reversed(frames))
            result_of(failed)
        return [frame.result() for frame in frames]


def checked_depth(depth: Any) -> int:
    """Return the number of inferences to have under way at once, checked.

    Raises:
        RknnValueError: it is not an integer of at least 1.
    """
    if isinstance(depth, bool) or not hasattr(depth, "__index__") or hasattr(depth, "shape") or depth < 1:
        raise RknnValueError(f"depth={shown(depth)} must be an integer of at least 1")
    return operator.index(depth)
