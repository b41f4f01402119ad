# SPDX-License-Identifier: Apache-2.0
"""The conversation with the program in the toolkit's environment: one process for each build.

The protocol is described where it is spoken: ``toolkit_program.py``. A process is used once, since the toolkit keeps
state between builds, and since a crash of the toolkit is then the loss of one build.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import RknnError
from .toolkit_errors import explain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .toolkit import Environment

PROTOCOL = 1
PROGRAM = Path(__file__).with_name("toolkit_program.py")


def ask(
    environment: Environment,
    request: Mapping[str, Any],
    *,
    folder: Path,
    log: Path,
    on_stage: Callable[[str], None] = lambda stage: None,
) -> dict[str, Any]:
    """Send one request and return the answer.

    Args:
        folder: the working directory, into which the toolkit writes files.
        log: takes what the toolkit prints; it is appended to.
        on_stage: is told the stages of a build.

    Raises:
        ToolkitError: the toolkit failed, with the node and operator where it named them.
    """
    process = _start(environment, folder, log)
    try:
        return _converse(process, {**request, "protocol": PROTOCOL}, log, on_stage)
    finally:
        _end(process)


def versions(environment: Environment, folder: Path) -> dict[str, Any]:
    """Return the versions of the toolkit and of its Python.

    Raises:
        ToolkitError: it is not there, or cannot be loaded.
    """
    return ask(environment, {"do": "hello"}, folder=folder, log=folder / "toolkit.log")


class ToolkitError(RknnError):
    """The vendor's compiler failed.

    Attributes:
        node, operator: what it failed at, or None where it does not say.
    """

    def __init__(self, message: str, *, node: str | None = None, operator: str | None = None, hint: str | None = None):
        super().__init__(message, hint=hint)
        self.node = node
        self.operator = operator


def _start(environment: Environment, folder: Path, log: Path) -> subprocess.Popen[str]:
    unwanted = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PYTHONSAFEPATH")
    variables = {name: value for name, value in os.environ.items() if name not in unwanted}
    try:
        return subprocess.Popen(
            [str(environment.python), "-I", str(PROGRAM), str(log)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=folder,
            env=variables,
            text=True,
            encoding="utf-8",
            start_new_session=True,  # Ctrl-C is ours to deal with; and its children end with it
        )
    except OSError as error:
        raise ToolkitError(f"{environment.python} cannot be started: {error.strerror}") from error


def _converse(
    process: subprocess.Popen[str], request: Mapping[str, Any], log: Path, on_stage: Callable[[str], None]
) -> dict[str, Any]:
    assert process.stdin is not None
    assert process.stdout is not None
    with suppress(BrokenPipeError):  # if it ended at once, what follows says why
        process.stdin.write(json.dumps(request) + "\n")
        process.stdin.close()
    stage = ""
    for line in process.stdout:
        message = _parsed(line)
        if message is None:
            continue
        if "ok" not in message:
            stage = message.get("stage", "")
            on_stage(stage)
        elif message.pop("ok"):
            return message
        else:
            raise _failure(message.get("error", ""), message.get("stage") or stage, log)
    raise _failure(_how_it_ended(process), stage, log)


def _parsed(line: str) -> dict[str, Any] | None:
    """Return a message, or None for a line that something in that environment printed before the pipes were taken."""
    try:
        message = json.loads(line)
    except ValueError:
        return None
    return message if isinstance(message, dict) else None


def _how_it_ended(process: subprocess.Popen[str]) -> str:
    assert process.stderr is not None
    status = process.wait()
    if status < 0:
        name = signal.Signals(-status).name
        memory = " (often: no memory left)" if -status == signal.SIGKILL else ""
        return f"its process was ended by {name}{memory}"
    last = process.stderr.read().strip().splitlines()[-1:]
    return f"its process ended with status {status}" + "".join(f": {line}" for line in last)


def _failure(error: str, stage: str, log: Path) -> ToolkitError:
    text = log.read_text(errors="replace") if log.exists() else ""
    reason = explain(text)
    doing = f"the toolkit failed to {stage}" if stage else "the toolkit failed"
    at = f" at node {reason.node!r} ({reason.operator})" if reason.node and reason.operator else ""
    return ToolkitError(
        f"{doing}{at}: {reason.text or error}", node=reason.node, operator=reason.operator, hint=reason.hint
    )


def _end(process: subprocess.Popen[str]) -> None:
    """End the process and all that it started, whatever it is doing."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None and not pipe.closed:
            with suppress(BrokenPipeError):
                pipe.close()
