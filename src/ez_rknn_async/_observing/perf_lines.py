# SPDX-License-Identifier: Apache-2.0
"""One line on standard error for each task, when the environment variable ``ZTU_EZRKNN_ASYNC_PRINT_PERF`` asks for it.

Scripts that were written for that variable parse these lines; ``session.stats`` and profiles say more.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Callable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._runtime.task import Result
    from .._transport.request import Request

VARIABLE = "ZTU_EZRKNN_ASYNC_PRINT_PERF"
_ON = ("1", "true", "on", "yes")


def are_wanted() -> bool:
    """Check if the environment asks for the lines."""
    return os.environ.get(VARIABLE, "").strip().lower() in _ON


class PerfLines:
    """Prints the tasks of one session as they end; those that no worker took up are left out."""

    def __init__(self, workers: Sequence[str]) -> None:
        """Print for ``workers``: the cores that each uses, such as ``"0"`` or ``"0,1,2"``."""
        # Cores that work together, or that the runtime chooses, go by the first one's number.
        self._cores = tuple(int(cores.split(",")[0]) if cores[0].isdigit() else 0 for cores in workers)

    def task_ended(self, result: Result) -> None:
        """Print the line of a task that has ended."""
        if result.worker >= len(self._cores):
            return  # no worker took it up
        times = (result.started_ns, result.input_ns, result.npu_ns, result.finished_ns)
        # A task that failed did not reach every stage.
        stages = [max(0, after - before) // 1000 if before and after else 0 for before, after in zip(times, times[1:])]
        line = (
            f"[ztu_ez_rknn_async_perf] task_id={result.id} thread_id={result.worker} "
            f"core_id={self._cores[result.worker]} set_input_us={stages[0]} infer_us={stages[1]} "
            f"copy_output_us={stages[2]} total_us={(result.finished_ns - result.started_ns) // 1000}"
        )
        print(line, file=sys.stderr, flush=True)

    def observing(self, receive: Callable[[Request, Result], None]) -> Callable[[Request, Result], None]:
        """Return the same receiver of a task's results, which prints the task's line first."""

        def observed(request: Request, result: Result) -> None:
            self.task_ended(result)
            receive(request, result)

        return observed
