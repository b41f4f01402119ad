# SPDX-License-Identifier: Apache-2.0
"""A process that reads malformed variants under limits of time and memory, and reports what happened.

    python torture.py FIRST COUNT FILE...

reads ``COUNT`` variants, spread over the files, and prints JSON: how many were accepted and refused, and each failure:
an error that is not ``RknnModelError``, more than 4 seconds, or more than 200 MB.
"""

from __future__ import annotations

import json
import resource
import signal
import sys
import traceback
from collections import Counter
from pathlib import Path

if __name__ == "__main__":
    # As a script it has its own folder first in the path, not the folder that holds the tests.
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from ez_rknn_async.errors import RknnModelError
from tests.model.malformed import find_places, variant
from tests.model.walk import walk

SECONDS = 4  # a slow machine needs half of it for the slowest
MEGABYTES = 200


class TooSlow(BaseException):
    """A variant took too long; no handler in the code under test may catch it."""


def limit_memory() -> None:
    """Let this process use ``MEGABYTES`` more than now."""
    with open("/proc/self/statm", encoding="ascii") as file:
        now = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + MEGABYTES * 2**20, resource.RLIM_INFINITY))


def limit_time() -> None:
    """Raise :class:`TooSlow` in the running code after ``SECONDS`` of processor time."""

    def give_up(_signal: int, _frame: object) -> None:
        raise TooSlow

    signal.signal(signal.SIGPROF, give_up)


def attempt(data: bytes) -> str:
    """Return ``"accepted"``, ``"refused"``, or the failure."""
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        return "accepted" if walk(data) else "refused"
    except RknnModelError:
        return "refused"
    except (Exception, TooSlow):
        return traceback.format_exc()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def main(first: int, count: int, files: list[str]) -> None:
    """Read ``count`` variants and print the report."""
    originals = [Path(file).read_bytes() for file in files]
    places = [find_places(data) for data in originals]
    for data in originals:
        assert walk(data), "the files themselves must be good"
    limit_memory()
    limit_time()
    counts: Counter[str] = Counter()
    failures = []
    for index in range(first, first + count):
        which = index % len(files)
        seed = f"{Path(files[which]).name}/{index}"
        result = attempt(variant(originals[which], places[which], seed))
        if result not in ("accepted", "refused"):
            failures.append({"seed": seed, "error": result})
            result = "failed"
        counts[result] += 1
    print(json.dumps({"counts": counts, "failures": failures}))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
