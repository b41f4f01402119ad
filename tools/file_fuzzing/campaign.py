# SPDX-License-Identifier: Apache-2.0
"""A campaign of thousands of variants, in processes that are replaced when they die or take too long."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import trial, worker
from .anatomy import dissect
from .damage import variant

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SECONDS = 5
BYTES = 500 * 10**6
CRASH, SLOW, LARGE = "killed the process", f"took more than {SECONDS} s", f"took more than {BYTES // 10**6} MB"
GOOD = (trial.RAN, trial.REFUSED, trial.ACCEPTED)
OUTCOMES = (
    *GOOD, trial.FAILED, trial.WRONG_ERROR, trial.FOREIGN_WORDS, trial.PARSERS_DIFFER, CRASH, SLOW, LARGE,
)  # fmt: skip
PATIENCE = 60  # seconds until a process that does not answer is killed
_START, _EXIT = 60, 10  # seconds within which it must be ready, or have exited
WORKER = Path(worker.__file__)
_LIFE = 2000  # variants after which a process is replaced


@dataclass(frozen=True)
class Order:
    """One variant to try out."""

    base: Path
    seed: str
    parsers_only: bool


@dataclass(frozen=True)
class Fault:
    """A variant that neither ran nor was properly refused."""

    order: Order
    outcome: str
    text: str

    def save(self, folder: Path) -> Path:
        """Write the variant, and next to it the outcome and the message."""
        folder.mkdir(parents=True, exist_ok=True)
        content = self.order.base.read_bytes()
        path = folder / f"{self.order.seed.replace('/', '-')}-{self.order.base.parent.name}-{self.order.base.name}"
        path.write_bytes(variant(content, dissect(content), self.order.seed))
        path.with_suffix(".txt").write_text(f"{self.outcome}\n{self.order.base}\n{self.text}\n")
        return path


@dataclass
class Report:
    """The outcomes of a campaign's variants."""

    counts: Counter[str] = field(default_factory=Counter)
    faults: list[Fault] = field(default_factory=list)
    slowest: float = 0.0  # seconds
    largest: int = 0  # bytes
    seconds: float = 0.0  # for all

    def table(self) -> str:
        """Format the report as text."""
        total = sum(self.counts.values())
        rows = [(name, self.counts[name]) for name in OUTCOMES if self.counts[name] or name not in GOOD]
        width = max(len(name) for name, _ in rows)
        lines = [f"{name:<{width}}  {count:>7,}  {count / max(1, total):>7.2%}" for name, count in rows]
        lines.append(f"{'all':<{width}}  {total:>7,}")
        lines.append(f"slowest {self.slowest:.2f} s, most memory {self.largest / 1e6:.0f} MB")
        lines.append(f"{total / max(0.001, self.seconds):.0f} variants a second")
        return "\n".join(lines)


def orders(bases: Sequence[Path], count: int, seed: int, sessions: float) -> Iterator[Order]:
    """Yield ``count`` variants of ``bases`` by turns, of which the share ``sessions`` is opened and run."""
    for number in range(count):
        whole = int((number + 1) * sessions) > int(number * sessions)
        yield Order(bases[number % len(bases)], f"{seed}/{number}", not whole)


def run(
    bases: Sequence[Path],
    count: int,
    seed: int,
    *,
    sessions: float = 1.0,
    jobs: int | None = None,
    folder: Path | None = None,
) -> Report:
    """Try ``count`` variants.

    Args:
        bases: the good models from which they are made, by turns.
        count: of the variants.
        seed: the same one gives the same variants.
        sessions: the share that is opened and run, not only read.
        jobs: the number of processes; by default that of the processors.
        folder: for the files of faults, saved as they are found; None saves none.
    """
    begin = time.monotonic()
    report, lock = Report(), threading.Lock()
    waiting = orders(bases, count, seed, sessions)

    def work() -> None:
        process = _Process(bases[0])
        while True:
            with lock:
                order = next(waiting, None)
            if order is None:
                break
            answer = process.ask(order)
            outcome = _judge(answer)
            if outcome in (SLOW, LARGE) and "outcome" in answer:
                process.replace()
            with lock:
                _count(report, order, outcome, answer, folder)
        process.end()

    count_of_jobs = jobs or os.cpu_count() or 1
    with ThreadPoolExecutor(count_of_jobs) as pool:
        for done in [pool.submit(work) for _ in range(count_of_jobs)]:
            done.result()
    report.seconds = time.monotonic() - begin
    return report


def _judge(answer: dict[str, Any]) -> str:
    if "outcome" not in answer:
        return str(answer["death"])
    if answer["seconds"] > SECONDS:
        return SLOW
    return LARGE if answer["bytes"] > BYTES else str(answer["outcome"])


def _count(report: Report, order: Order, outcome: str, answer: dict[str, Any], folder: Path | None) -> None:
    report.counts[outcome] += 1
    report.slowest = max(report.slowest, answer.get("seconds", 0.0))
    report.largest = max(report.largest, answer.get("bytes", 0))
    if outcome not in GOOD:
        report.faults.append(Fault(order, outcome, str(answer.get("text", ""))))
        if folder is not None:
            report.faults[-1].save(folder)


class _Process:
    """A worker process, restarted when it has died."""

    def __init__(self, keeper: Path) -> None:
        self._keeper = keeper
        self._start()

    def _start(self) -> None:
        self._answered = 0
        self._process = subprocess.Popen(
            [sys.executable, str(WORKER), str(self._keeper)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        if self._line(_START) != "ready\n":
            self.end()
            raise RuntimeError("a worker process did not start: see its message above")

    def ask(self, order: Order) -> dict[str, Any]:
        """Return the process's answer; ``{"death": ...}`` if it died or had to be killed."""
        if self._answered >= _LIFE:
            self.replace()
        self._answered += 1
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            message = {"base": str(order.base), "seed": order.seed, "parsers_only": order.parsers_only}
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()
        line = self._line(PATIENCE)
        if line:
            answer: dict[str, Any] = json.loads(line)
            return answer
        self.end(0 if line is None else _EXIT)
        status = self._process.returncode
        self._start()
        return {"death": SLOW} if line is None else {"death": CRASH, "text": f"status {status}"}

    def _line(self, seconds: float) -> str | None:
        """Return the next line; "" if the process is gone, None if it does not answer in time."""
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], seconds)
        return self._process.stdout.readline() if ready else None

    def replace(self) -> None:
        self.end()
        self._start()

    def end(self, seconds: float = _EXIT) -> None:
        """End the process and all that it has started; by force if it takes longer than ``seconds``."""
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            with suppress(OSError):
                stream.close()
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
