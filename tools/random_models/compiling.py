# SPDX-License-Identifier: Apache-2.0
"""Compilation of random models, each in its own process: the compiler crashes on some, and hangs on others."""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import time
from dataclasses import dataclass
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any

from official_compiler import CompilerError
from recording import make

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from multiprocessing.connection import Connection
    from multiprocessing.context import ForkProcess
    from pathlib import Path

    from recording import Entry

    from . import Subject

    Make = Callable[[Entry, Path], dict[str, Any]]

TIME_LIMIT = 60.0  # seconds for one model; most take two
NO_END = "no end after"  # how the reason of a model begins for which time was up
_ERROR = re.compile(r"^\s*E +(?:\w+: )?(.*\w.*)", re.MULTILINE)
_EXCEPTION = re.compile(r"^(?:\w+(?:Error|Exception)|\s*what\(\)):(?! Traceback).*", re.MULTILINE)
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_TIME = re.compile(r"\[\d+:\d+:\d+\.\d+\] ")
_FRAME = re.compile(r"^(Traceback|File|rknn-toolkit2 |===|\*\*\*|WARN|Please feedback|line \d)|\bfailed!$|^\W*$")


@dataclass(frozen=True)
class _Job:
    subject: Subject
    process: ForkProcess
    deadline: float


def compile_all(
    subjects: Iterable[Subject], folder: Path, jobs: int, make: Make = make, time_limit: float = TIME_LIMIT
) -> Iterator[dict[str, Any]]:
    """Yield a manifest's entry for each compiled model, ``jobs`` at a time; with ``refused`` if there is no file."""
    waiting, running = iter(subjects), dict[Any, _Job]()
    while True:
        while len(running) < jobs and (subject := next(waiting, None)):
            started, job = _start(subject, folder, make, time_limit)
            running[started] = job
        if not running:
            return
        remaining = min(job.deadline for job in running.values()) - time.monotonic()
        for done in wait(list(running), max(0.0, remaining)):
            yield _finish(done, running.pop(done), folder)
        for late in [end for end, job in running.items() if job.deadline <= time.monotonic()]:
            running[late].process.kill()
            yield _finish(late, running.pop(late), folder, f"{NO_END} {time_limit:.0f} s")


def _start(subject: Subject, folder: Path, make: Make, time_limit: float) -> tuple[Connection, _Job]:
    fork = multiprocessing.get_context("fork")  # so that the compiler is imported once
    ours, theirs = fork.Pipe(duplex=False)
    process = fork.Process(target=_compile, args=(subject, folder, theirs, make))
    process.start()
    theirs.close()
    return ours, _Job(subject, process, time.monotonic() + time_limit)


def _compile(subject: Subject, folder: Path, result: Connection, make: Make) -> None:
    """Compile in the child process; the compiler's output goes to ``NAME.log``."""
    log = os.open(folder / f"{subject.entry.name}.log", os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
    for descriptor in (1, 2):
        os.dup2(log, descriptor)
    try:
        result.send(make(subject.entry, folder))
    except CompilerError as error:
        result.send(str(error))


def _finish(end: Any, job: _Job, folder: Path, reason: str = "") -> dict[str, Any]:
    entry = job.subject.entry
    about = {"kind": job.subject.kind, "form": job.subject.form}
    try:
        made = reason or end.recv()
    except EOFError:
        made = ""
    job.process.join()
    end.close()
    if isinstance(made, dict):
        return {**made, **about}
    precision = "int8" if entry.int8 else "fp16"
    log = (folder / f"{entry.name}.log").read_text(errors="replace")
    refused = made if reason else f"{made or _death(job.process.exitcode)}: {_complaint(log)}"
    return {"name": entry.name, "target": entry.target, "precision": precision, **about, "refused": refused}


def _death(status: int | None) -> str:
    if status is not None and status < 0:
        return f"crashed ({signal.Signals(-status).name})"
    return f"ended with status {status}"


def _complaint(log: str) -> str:
    """Return the exception, or the last informative error that the compiler printed."""
    plain = _COLOUR.sub("", log)
    errors = [line for line in _ERROR.findall(plain) if not _FRAME.search(line)]
    lines: list[str] = _EXCEPTION.findall(plain) or errors or ["no reason given"]
    return _TIME.sub("", lines[-1]).strip()[:200]
