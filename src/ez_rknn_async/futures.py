"""The future of one inference."""

from __future__ import annotations

from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Callable

if TYPE_CHECKING:
    import numpy.typing as npt


class RunFuture(Future["list[npt.NDArray[Any]]"]):
    """What ``InferenceSession.submit()`` returns: a standard future of a list of arrays.

    It can be cancelled until a worker takes up its task; then :meth:`cancel` returns False, as for a running future.
    """

    def __init__(self) -> None:
        super().__init__()
        self._withdraw: Callable[[], bool] = lambda: False

    def accepted(self, withdraw: Callable[[], bool]) -> RunFuture:
        """The task is queued; ``withdraw`` takes it back and says whether it was in time."""
        self._withdraw = withdraw
        return self

    def cancel(self) -> bool:
        """Withdraw the task if no worker has taken it up; whether it is cancelled."""
        if not self.done() and self._withdraw() and super().cancel():
            # Says so to concurrent.futures.wait() and as_completed() too.
            self.set_running_or_notify_cancel()
        return self.cancelled()
