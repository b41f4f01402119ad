# SPDX-License-Identifier: Apache-2.0
"""A worker process that tries one variant after the other, and may die of one.

It reads lines ``{"base": path, "seed": text, "parsers_only": bool}`` and answers each with a line: the outcome, the
processor time, and the growth of the peak memory, of itself and the device process.
"""

from __future__ import annotations

import ctypes
import functools
import json
import os
import sys
from contextlib import suppress
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from file_fuzzing.anatomy import Anatomy, dissect
from file_fuzzing.damage import variant
from file_fuzzing.trial import device_kept, try_out

_BECOME_REAPER = 36  # PR_SET_CHILD_SUBREAPER
_RESET_PEAK = "5"


def main() -> None:
    """Serve until standard input ends; the first argument is a model that keeps the device process alive."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    adopt_orphans()
    with device_kept(Path(sys.argv[1]).read_bytes()):
        answers.write("ready\n")
        for line in sys.stdin:
            answers.write(json.dumps(_answer(json.loads(line))) + "\n")


def adopt_orphans() -> None:
    """Adopt processes whose parents have exited, so that the device process is found however it was started."""
    ctypes.CDLL(None).prctl(_BECOME_REAPER, 1, 0, 0, 0)


@functools.lru_cache(maxsize=256)
def _base(path: str) -> tuple[bytes, Anatomy]:
    content = Path(path).read_bytes()
    return content, dissect(content)


def _answer(order: dict[str, object]) -> dict[str, object]:
    content = variant(*_base(str(order["base"])), str(order["seed"]))
    processes = [os.getpid(), *descendants()]
    before = {process: memory_of(process, "VmRSS") for process in processes}
    for process in processes:
        with suppress(OSError):
            Path(f"/proc/{process}/clear_refs").write_text(_RESET_PEAK)
    begin = sum(map(_processor_time, processes))
    outcome, text = try_out(content, bool(order["parsers_only"]))
    seconds = sum(map(_processor_time, processes)) - begin
    grown = sum(max(0, memory_of(process, "VmHWM") - had) for process, had in before.items())
    return {"outcome": outcome, "text": text[:1000], "seconds": seconds, "bytes": grown, "size": len(content)}


def descendants() -> list[int]:
    """Return the processes that this one has started, directly or not: the device process may have a guard between."""
    parents = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with suppress(OSError, IndexError, ValueError):
                parents[int(entry.name)] = int(Path(entry.path, "stat").read_text().rpartition(")")[2].split()[1])
    found = [os.getpid()]
    for process in found:
        found += [child for child, parent in parents.items() if parent == process]
    return found[1:]


def _processor_time(process: int) -> float:
    """Return the processor seconds of a process: unlike wall-clock time, the same on a busy machine."""
    with suppress(OSError):
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return 0.0


def memory_of(process: int, field: str) -> int:
    """Return a size from ``/proc/PROCESS/status``, in bytes; 0 if the process is gone."""
    with suppress(OSError):
        for line in Path(f"/proc/{process}/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024
    return 0


if __name__ == "__main__":
    main()
