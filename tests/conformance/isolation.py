# SPDX-License-Identifier: Apache-2.0
"""Processes that ask the questions: some answers are crashes."""

from __future__ import annotations

import faulthandler
import json
import os
import resource
import signal
from collections.abc import Callable, Sequence
from typing import Any

from .subject import SUBJECTS, Subject

SECONDS = 60  # for one answer; then the process is killed
Act = Callable[[Subject], Any]


def observe(kind: str, acts: Sequence[Act]) -> list[Any]:
    """Return what each of ``acts`` returns for a library of that kind, as JSON has it, or how it ended the process.

    They share a process until one ends it; the next ones then get another.
    """
    answers: list[Any] = []
    while len(answers) < len(acts):
        answers += _observe_some(kind, acts[len(answers) :])
    return answers


def _observe_some(kind: str, acts: Sequence[Act]) -> list[Any]:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _answer(kind, acts, writing)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        answers = [json.loads(line) for line in pipe if line.endswith("\n")]
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        answers.append("hangs" if os.WTERMSIG(status) == signal.SIGALRM else "crashes")
    return answers


def _answer(kind: str, acts: Sequence[Act], writing: int) -> None:
    # Messages of the libraries, and of the interpreter and the emulator about a crash, do not matter.
    faulthandler.disable()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    subject = SUBJECTS[kind]()
    for act in acts:
        signal.alarm(SECONDS)
        try:
            answer = act(subject)
        except Exception as error:
            answer = f"{type(error).__name__}: {error}"
        os.write(writing, json.dumps(answer).encode() + b"\n")
    os._exit(0)
