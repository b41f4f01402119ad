# SPDX-License-Identifier: Apache-2.0
"""The command line's names for options: messages of the library name its flags while a command runs."""

from __future__ import annotations

import shlex
from typing import Any

from .._messages.wording import Wording, is_said

# The options that have a flag of their own.
FLAGS = {
    "schedule": "--schedule",
    "tp_mode": "--tp-mode",
    "threads_per_core": "--threads-per-core",
    "layout": "--layout",
    "io_mode": "--io-mode",
    "custom_op_path": "--custom-op",
    "runtime_library": "--runtime-library",
    "simulator": "--simulator",
    "ztu_modelrt_dispatch_batch": "--dispatch-batch",
}
# The flag for all others: ``--option run_timeout_ms=500``.
ANY = "--option"


def written(name: str, value: Any) -> str:
    """Return an option as the command line takes it: ``--layout nhwc``, or ``--option run_timeout_ms=500``."""
    flag = FLAGS.get(name)
    if not is_said(value):
        return flag or f"{ANY} {name}"
    text = shlex.quote(_text(value))
    return f"{flag} {text}" if flag else f"{ANY} {name}={text}"


def _text(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ",".join(map(str, value))
    return str(int(value) if isinstance(value, bool) else value)


COMMAND_LINE = Wording("", "", False, written)
