# SPDX-License-Identifier: Apache-2.0
"""A watchdog that ends a hanging process, and prints how to repeat the hang and where each thread is."""

from __future__ import annotations

import faulthandler
import os
import sys
import threading
from collections.abc import Callable

STATUS = 3  # of a process that hung


class Watchdog(threading.Thread):
    """Ends the process if it is not fed for ``seconds``."""

    def __init__(self, seconds: float, describe: Callable[[], str]) -> None:
        super().__init__(name="stress-watchdog", daemon=True)
        self._seconds = seconds
        self._describe = describe
        self._fed = threading.Event()

    def run(self) -> None:
        """Watch for ever."""
        while True:
            # If the interpreter itself is stuck, this one does without it.
            faulthandler.dump_traceback_later(self._seconds + 60, exit=True)
            if not self._fed.wait(self._seconds):
                print(f"NOTHING HAS ENDED FOR {self._seconds:.0f} s\n{self._describe()}", file=sys.stderr, flush=True)
                faulthandler.dump_traceback(all_threads=True)
                os._exit(STATUS)
            self._fed.clear()

    def feed(self) -> None:
        """Report that all is well."""
        self._fed.set()
